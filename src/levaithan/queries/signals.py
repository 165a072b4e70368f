"""Signs that the guard was not asked, or not heeded. Read by index at the time of asking, so order does not matter.

A bypassed guard is a PostToolUse or PostToolUseFailure whose PreToolUse was never seen, although it should have been:
- its session was being recorded before the call began. A session may be met midway (hooks installed while it ran);
  then calls that were already under way, or waited for a permission, have no PreToolUse here and are innocent. So the
  call must have begun after the first SessionStart, UserPromptSubmit or Stop that was recorded of the session: calls
  of the main thread never reach over these;
- its PreToolUse does not wait among the dead letters;
- the session is no canary.
It is `certain` unless the journal says that it dropped records (a gap) or gave old ones up (a prune) since then.
"""

from __future__ import annotations

import json
from typing import Any

from levaithan.queries.asking import Answers, iso, milliseconds
from levaithan.stores.times import Times

_BYPASSED = (
    "SELECT t.tool_use_id, t.session_id, t.agent_id, t.tool_name, t.end_us, t.duration_us, t.outcome, t.end_event, "
    "s.turn_us, s.project FROM tool_calls t JOIN sessions s ON s.session_id = t.session_id "
    "WHERE t.pre_us IS NULL AND t.outcome IN ('ok', 'failed') AND s.canary = 0 "
    "AND s.turn_us < t.end_us - COALESCE(t.duration_us, 0) "
    "AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.store = 'ledger' AND d.tool_use_id = t.tool_use_id) "
)
_HEEDLESS = (
    "SELECT t.tool_use_id, t.session_id, t.agent_id, t.tool_name, t.end_us, t.duration_us, t.outcome, e.id, "
    "e.at_us, e.project, e.decision, e.rule, e.reason FROM events e JOIN tool_calls t ON t.tool_use_id = e.tool_use_id "
    "WHERE e.decision != 'allow' AND e.decision IN ('deny', 'halt') AND COALESCE(e.event, '') = 'PreToolUse' "
    "AND t.outcome = 'ok' AND e.canary = 0 "
)
"""By the index of what was not allowed, which is little: a bare `e.event =` made SQLite go through every PreToolUse."""
_NAMES = ("tool_use_id", "session_id", "agent_id", "tool_name", "at", "tool_duration_ms", "outcome", "event_id")


def bypassed(
    ledger: Answers, *, since_us: int | None = None, until_us: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Tool calls that ran without the guard having been asked, newest first. Raises StoreError."""
    values: dict[str, object] = {"since": since_us or 0, "until": until_us or 1 << 62, "limit": limit}
    sql = _BYPASSED + "AND t.end_us >= :since AND t.end_us < :until ORDER BY t.end_us DESC LIMIT :limit"
    gaps = _gaps(ledger)
    return [_bypass(one, gaps) for one in ledger.rows(sql, values)]


def bypass_of(ledger: Answers, tool_use_id: str) -> dict[str, Any] | None:
    """The bypass that the call `tool_use_id` is, or None."""
    found = ledger.rows(_BYPASSED + "AND t.tool_use_id = :key", {"key": tool_use_id})
    return _bypass(found[0], _gaps(ledger)) if found else None


def ran_despite_denial(
    ledger: Answers, *, since_us: int | None = None, until_us: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Tool calls that were denied and ran all the same (the answer never reached the client), newest first."""
    values: dict[str, object] = {"since": since_us or 0, "until": until_us or 1 << 62, "limit": limit}
    sql = _HEEDLESS + "AND e.at_us >= :since AND e.at_us < :until ORDER BY e.at_us DESC LIMIT :limit"
    return [
        {**_common(one), "kind": "ran_despite_denial", "project": one[9], "decision": one[10], "rule": one[11],
         "reason": one[12], "denied_at": iso(one[8])}
        for one in ledger.rows(sql, values)
    ]  # fmt: skip


def _common(values: tuple[Any, ...]) -> dict[str, Any]:
    row = dict(zip(_NAMES, values, strict=False))
    row["at"] = iso(row["at"])
    row["tool_duration_ms"] = milliseconds(row["tool_duration_ms"])
    return row


def _bypass(values: tuple[Any, ...], gaps: list[tuple[int, int, str]]) -> dict[str, Any]:
    began = values[4] - (values[5] or 0)
    doubt = [why for first, last, why in gaps if first <= began and last >= values[8]]
    return {
        **_common(values), "kind": "bypassed", "project": values[9], "certain": not doubt,
        "why": doubt[0] if doubt else "it ran, and no PreToolUse of it was ever seen",
    }  # fmt: skip


def _gaps(ledger: Answers) -> list[tuple[int, int, str]]:
    """The times in which the journal lost or gave up records: (first, last, in words)."""
    times, gaps = Times(), []
    for kind, at_us, body in ledger.rows("SELECT kind, at_us, body FROM journal_notes WHERE kind IN ('gap', 'prune')"):
        told = json.loads(body)
        try:
            first = times.us(told["first_at"]) if kind == "gap" else 0
            last = times.us(told["last_at"]) if kind == "gap" else at_us or 0
        except (KeyError, TypeError, ValueError):
            first, last = 0, at_us or 0
        gaps.append((first, last, f"perhaps: the journal has a {kind} that may have held its PreToolUse"))
    return gaps
