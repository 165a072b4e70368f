"""Writes a small journal by hand, so that the command line is tested on the format that is promised."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

JOURNAL = "0123456789abcdef0123456789abcdef"
SESSION = "5e551011-0000-4000-8000-000000000001"


def at(second: int) -> str:
    """A moment of 2026-11-23, `second` seconds after 15:00 UTC."""
    return f"2026-11-23T15:{second // 60:02d}:{second % 60:02d}.000000Z"


def event(number: int, name: str = "PreToolUse", **fields: Any) -> dict[str, Any]:
    """A record of an event as the gate writes it."""
    record: dict[str, Any] = {
        "v": 1, "kind": "event", "id": f"{number:032x}", "at": at(number), "machine": "m1", "event": name,
        "session_id": SESSION, "tool_name": "Bash", "tool_use_id": f"toolu_{number:04d}", "project": "/p", "cwd": "/p",
        "decision": "allow", "duration_ms": 0.91,
        "hooks": [{"hook": "halt_check", "ms": 0.1}, {"hook": "policy_check", "ms": 0.5}], "path": "native",
        "client_version": "2.1.330", "payload": {"hook_event_name": name, "tool_input": {"command": f"echo {number}"}},
    }  # fmt: skip
    return record | fields


def denied(number: int, reason: str = "it removes everything", **fields: Any) -> dict[str, Any]:
    """A call that the policy refused."""
    opinion = {"hook": "policy_check", "ms": 0.5, "decision": "deny", "rule": "shell.rm-root", "reason": reason}
    said: dict[str, Any] = {
        "decision": "deny",
        "rule": "shell.rm-root",
        "reason": reason,
        "hook": "policy_check",
        "hooks": [opinion],
    }
    return event(number, **said, **fields)


def write(home: Path, records: list[dict[str, Any]]) -> Path:
    """The journal of `records`, its segment record first. Gives the segment's path."""
    folder = home / "logs/journal"
    folder.mkdir(parents=True, exist_ok=True)
    segment = folder / f"journal-{1:020d}.log"
    begin = {
        "v": 1,
        "kind": "segment",
        "journal": JOURNAL,
        "first": 1,
        "prev": "0" * 64,
        "format": "levaithan-journal/1",
    }
    previous = "0" * 64
    lines = []
    for seq, record in enumerate([begin | {"at": at(0)}, *records], 1):
        body = json.dumps({"seq": seq, **record}, separators=(",", ":"))
        previous = hashlib.sha256(f"{previous} {body}".encode()).hexdigest()
        lines.append(f"{previous} {body}\n")
    segment.write_text("".join(lines), encoding="ascii")
    return segment
