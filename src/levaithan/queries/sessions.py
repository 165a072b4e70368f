"""Sessions and their agents. Counts are made when asked, from an index: nothing is kept that could drift."""

from __future__ import annotations

from typing import Any

from levaithan.errors import NotFound
from levaithan.queries.asking import Answers, Filters, Page, iso, keyset

_COLUMNS = (
    "s.session_id, s.first_us, s.last_us, s.started_us, s.source, s.ended_us, s.end_reason, s.model, s.project, "
    "s.client_version, s.machine, s.transcript_path, s.canary"
)
_NAMES = (
    "session_id", "first_at", "last_at", "started_at", "source", "ended_at", "end_reason", "model", "project",
    "client_version", "machine", "transcript_path", "canary",
)  # fmt: skip
_SESSIONS = (
    f"SELECT {_COLUMNS}, (SELECT count(*) FROM events e WHERE e.session_id = s.session_id), "  # noqa: S608 - own text
    "(SELECT count(*) FROM agents a WHERE a.session_id = s.session_id) FROM sessions s"
)


def _row(values: tuple[Any, ...]) -> dict[str, Any]:
    row = dict(zip(_NAMES, values, strict=False))
    # A session that went on after its end was resumed.
    row["ended"] = row["ended_at"] is not None and row["ended_at"] >= row["last_at"]
    for name in ("first_at", "last_at", "started_at", "ended_at"):
        row[name] = iso(row[name])
    row["canary"] = bool(row["canary"])
    return row


def list_sessions(ledger: Answers, filters: Filters, limit: int = 50, cursor: str | None = None) -> Page:
    """Sessions with an event in the window of `filters` (also project, session), the last active first.

    Raises StoreError, UsageProblem.
    """
    said, values = [] if filters.include_canary else ["s.canary = 0"], dict[str, object](limit=limit + 1)
    columns = (
        ("s.last_us >= :since", "since", filters.since_us), ("s.first_us < :until", "until", filters.until_us),
        ("s.project = :project", "project", filters.project), ("s.session_id = :session", "session", filters.session),
    )  # fmt: skip
    for sql, name, value in columns:
        if value is not None:
            said.append(sql)
            values[name] = value
    place = keyset(cursor)
    if place is not None:
        said.append("(s.last_us, s.session_id) < (:before_us, :before_id)")
        values |= {"before_us": place[0], "before_id": place[1]}
    where = "WHERE " + " AND ".join(said) if said else ""
    sql = f"{_SESSIONS} {where} ORDER BY s.last_us DESC, s.session_id DESC LIMIT :limit"
    found = ledger.rows(sql, values)
    rows = [{**_row(one), "events": one[-2], "agents": one[-1]} for one in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return Page(rows, f"{last[2]}-{last[0]}" if last else None)


def show(ledger: Answers, session_id: str) -> dict[str, Any]:
    """One session: facts, agents, events counted by kind, tool and decision. Raises NotFound, StoreError."""
    key: dict[str, object] = {"key": session_id}
    found = ledger.rows(f"{_SESSIONS} WHERE s.session_id = :key", key)
    if not found:
        raise NotFound(what="session", name=session_id, fix="`levaithan session list` shows the latest")
    counted = ledger.rows(
        "SELECT event, tool_name, decision, count(*) FROM events WHERE session_id = :key GROUP BY 1, 2, 3", key
    )
    calls = ledger.rows(
        "SELECT count(*), count(DISTINCT prompt_id) FROM events WHERE session_id = :key AND event = 'PreToolUse'", key
    )
    prompts = ledger.rows("SELECT count(*) FROM prompts WHERE session_id = :key", key)
    return {
        **_row(found[0]), "events": found[0][-2], "agents": _agents(ledger, key),
        "tool_calls": calls[0][0], "prompts": prompts[0][0],
        "by_event": _sum(counted, 0), "by_tool": _sum(counted, 1), "by_decision": _sum(counted, 2),
    }  # fmt: skip


def _sum(counted: list[tuple[Any, ...]], column: int) -> dict[str, int]:
    totals: dict[str, int] = {}
    for one in counted:
        if one[column] is not None:
            totals[one[column]] = totals.get(one[column], 0) + one[3]
    return dict(sorted(totals.items(), key=lambda pair: -pair[1]))


def _agents(ledger: Answers, key: dict[str, object]) -> list[dict[str, Any]]:
    """The subagents in the order they were first seen; the main thread is no agent."""
    names = ("agent_id", "agent_type", "first_at", "last_at", "started_at", "stopped_at", "transcript_path", "events")
    rows = []
    for one in ledger.rows(
        "SELECT agent_id, agent_type, first_us, last_us, started_us, stopped_us, transcript_path, (SELECT count(*) "
        "FROM events e WHERE e.session_id = a.session_id AND e.agent_id = a.agent_id) "
        "FROM agents a WHERE session_id = :key ORDER BY first_us, agent_id",
        key,
    ):
        row = dict(zip(names, one, strict=True))
        for name in names[2:6]:
            row[name] = iso(row[name])
        rows.append(row)
    return rows
