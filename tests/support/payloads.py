"""The inputs that the real client sent, as recorded (tests/data): payloads by name, whole sessions in their order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "data"


def payload(name: str, **changes: Any) -> dict[str, Any]:
    """The recorded payload `name` (PreToolUse, PreToolUse-2, ...) with `changes` made to it."""
    found: dict[str, Any] = json.loads((DATA / "payloads" / f"{name}.json").read_bytes())
    return found | changes


def names(event: str | None = None) -> list[str]:
    """The names of all recorded payloads, or of those of one event."""
    every = sorted(path.stem for path in (DATA / "payloads").glob("*.json"))
    return [name for name in every if event is None or name.partition("-")[0] == event]


def sessions() -> list[str]:
    """The names of the recorded sessions."""
    return sorted(path.stem for path in (DATA / "sessions").glob("*.jsonl"))


def session(name: str) -> list[dict[str, Any]]:
    """The payloads of one recorded session, in the order in which they were sent."""
    lines = (DATA / "sessions" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["payload"] for line in lines]
