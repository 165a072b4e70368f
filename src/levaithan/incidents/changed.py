"""What changed in the day before an incident began: most incidents are made by a change.

Settings and rules (files of the home, Claude Code's own ConfigChange), what people did, and versions, models, tools and
rules that were never seen before.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.queries.asking import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.queries.asking import Answers

DAY_US = 86_400_000_000
_EACH = 20
_TOLD = ("source", "file_path", "from_model", "to_model")
_EVENTS = ("ConfigChange", "PostModelSwitch")
_NOTES = (
    "budget",
    "halt",
    "prices",
    "approval",
    "lease",
    "repair",
    "gap",
    "prune",
    "note",
    "policy",
    "charter",
    "config",
)
_FILES = ("context/*.toml", "context/policies/*.toml", "hooks/*.py", ".env", "state/hot.conf")


def changes(ledger: Answers, start_us: int, home: Home | None) -> list[dict[str, Any]]:
    """The changes of the 24 hours before `start_us` (microseconds), in order: at, kind, what, and where the record
    stands (journal, seq; None for what was seen otherwise). Raises StoreError."""
    low = start_us - DAY_US
    found = [*_of_events(ledger, low, start_us), *_of_people(ledger, low, start_us)]
    found += _first_seen(ledger, low, start_us)
    if home is not None:
        found += _of_files(home, low, start_us)
    return [{**one, "at": iso(one["at_us"])} for one in sorted(found, key=lambda one: (one["at_us"], one["what"]))]


def _of_events(ledger: Answers, low: int, high: int) -> Iterator[dict[str, Any]]:
    for event in _EVENTS:
        sql = (
            "SELECT seq, journal, at_us, body FROM events WHERE event = :event AND at_us >= :low AND at_us < :high "
            "ORDER BY at_us DESC LIMIT :most"
        )
        for seq, journal, at_us, body in ledger.rows(sql, {"event": event, "low": low, "high": high, "most": _EACH}):
            payload = json.loads(body).get("payload")
            told = payload if isinstance(payload, dict) else {}
            words = [str(told[name])[:200] for name in _TOLD if told.get(name)]
            kind = "settings" if event == "ConfigChange" else "model"
            yield _change(at_us, kind, f"{event} {' '.join(words)}", journal, seq)


def _of_people(ledger: Answers, low: int, high: int) -> Iterator[dict[str, Any]]:
    """What stands in the journal beside events: limits, halts, approvals, repairs."""
    for kind in _NOTES:
        sql = (
            "SELECT seq, journal, at_us, body FROM journal_notes WHERE kind = :kind AND at_us >= :low "
            "AND at_us < :high ORDER BY at_us DESC LIMIT :most"
        )
        for seq, journal, at_us, body in ledger.rows(sql, {"kind": kind, "low": low, "high": high, "most": _EACH}):
            record = json.loads(body)
            words = [str(record[name])[:120] for name in ("action", "what", "reason", "by") if record.get(name)]
            yield _change(at_us, kind, f"{kind} {' '.join(words)}".strip(), journal, seq)


def _first_seen(ledger: Answers, low: int, high: int) -> Iterator[dict[str, Any]]:
    """Versions, models, tools and rules that were never there before that day. A ledger that begins on it has none:
    everything would be new."""
    begun = ledger.rows("SELECT min(hour_us) FROM rollups", {})
    if not begun or begun[0][0] is None or begun[0][0] >= low - 3_600_000_000:
        return
    questions = {
        "version": "SELECT client_version, min(first_us) FROM sessions WHERE client_version IS NOT NULL "
        "GROUP BY client_version HAVING min(first_us) >= :low AND min(first_us) < :high",
        "model": "SELECT model, min(model_us) FROM sessions WHERE model IS NOT NULL GROUP BY model "
        "HAVING min(model_us) >= :low AND min(model_us) < :high",
        "tool": "SELECT tool_name, min(hour_us) FROM rollups WHERE tool_name != '' GROUP BY tool_name "
        "HAVING min(hour_us) >= :low AND min(hour_us) < :high",
        "rule": "SELECT rule, min(at_us) FROM events WHERE rule IS NOT NULL GROUP BY rule "
        "HAVING min(at_us) >= :low AND min(at_us) < :high",
    }
    for kind, sql in questions.items():
        for value, at_us in ledger.rows(sql, {"low": low, "high": high})[:_EACH]:
            yield _change(at_us, kind, f"first seen: {kind} {str(value)[:200]}")


def _of_files(home: Home, low: int, high: int) -> Iterator[dict[str, Any]]:
    """Files that decide, by when they were last written. Only that: what they said before is not known here."""
    for pattern in _FILES:
        for path in sorted(Path(home.root).glob(pattern))[:200]:
            with contextlib.suppress(OSError):  # gone meanwhile
                at_us = path.stat().st_mtime_ns // 1000
                if low <= at_us < high:
                    kind = "settings" if path.suffix in (".toml", ".env", ".conf", "") else "hook"
                    yield _change(at_us, kind, f"written: {path.relative_to(home.root)}")


def _change(at_us: int, kind: str, what: str, journal: str = "", seq: int | None = None) -> dict[str, Any]:
    return {"at_us": at_us, "kind": kind, "what": what[:500], "journal": journal, "seq": seq}
