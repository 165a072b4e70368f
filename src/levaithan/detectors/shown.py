"""What the detectors see now, for people: run/alerts.json, which the monitor replaces whole after each evaluation."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot.paths import ensure_private

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.detectors.evaluator import Evaluator
    from levaithan.detectors.rules import Rules
    from levaithan.detectors.signal import Signal
    from levaithan.hot.paths import Home

VERSION = 1
FILE = "alerts.json"
STALE_S = 120.0
_LONGEST = 16 << 20
_MOST = 1000


def path_of(home: Home) -> Path:
    """Where it is."""
    return Path(home.run, FILE)


def in_force(rules: Rules) -> dict[str, list[Any]]:
    """Alert -> what an operator's tuning made of it, as JSON has it, of those that are tuned: two homes' rules, or a
    file's and a process', are tuned alike when these are equal."""
    return {
        one.alert: [one.off, one.threshold, one.for_s, one.promql(guard=False)]
        for one in rules.all if one.tuned or one.off
    }  # fmt: skip


def snapshot(
    evaluator: Evaluator,
    signals: Iterable[Signal],
    now_s: float,
    rules: Rules | None = None,
    *,
    evaluated: bool = True,
) -> dict[str, Any]:
    """What `write` keeps. signals: what fires by detectors that are no rules; rules: those in force (default: as
    delivered); evaluated: whether the rules were judged, which a setting leaves to Prometheus."""
    rows = [
        {"alert": one.alert, "labels": one.labels, "state": "firing", "since_s": one.started_s, "value": one.value,
         "summary": one.summary, "session_id": one.session_id}
        for one in signals if one.firing
    ]  # fmt: skip
    return {
        "version": VERSION,
        "at_s": now_s,
        "alerts": (evaluator.states() + rows)[:_MOST],
        "failed": evaluator.failed,
        "evaluated": evaluated,
        "tuned": in_force(rules) if rules is not None else {},
        "series": len(evaluator.samples.tracks),
    }


def write(home: Home, told: dict[str, Any]) -> None:
    """Replace the file. Raises OSError; then the older one is still there, whole, and ages."""
    path = path_of(home)
    ensure_private(home.run)
    fresh = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(told))
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def read(home: Home) -> dict[str, Any] | None:
    """The last that was written; None when there is none, or what is there is none of ours."""
    try:
        with path_of(home).open("rb") as file:
            told = orjson.loads(file.read(_LONGEST))
    except (OSError, ValueError):
        return None
    good = isinstance(told, dict) and told.get("version") == VERSION and isinstance(told.get("alerts"), list)
    return told if good else None


def age_s(told: dict[str, Any] | None) -> float | None:
    """How old it is; None for none."""
    at = told.get("at_s") if told else None
    return time.time() - at if isinstance(at, (int, float)) else None
