"""What happened: lists of events, one call explained, full text. Reads the ledger by plain SQL; see asking."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from levaithan.errors import NotFound
from levaithan.queries import clocks, hits, merging, signals
from levaithan.queries.asking import Answers, Filters, Page, conditions, iso, keyset, milliseconds, narrowed, own, where
from levaithan.stores import search_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.stores.roles import Search

_COLUMNS = (
    "e.at_us, e.event, e.session_id, e.agent_id, e.tool_name, e.tool_use_id, e.decision, e.rule, e.reason, "
    "e.duration_us, t.duration_us, e.hook, e.seq, e.id, e.project, e.path, e.client_version, e.agent_type, "
    "e.prompt_id, e.cwd, e.machine, e.canary, e.sanitized"
)
_NAMES = (
    "at", "event", "session_id", "agent_id", "tool_name", "tool_use_id", "decision", "rule", "reason",
    "duration_ms", "tool_duration_ms", "hook", "seq", "id", "project", "path", "client_version", "agent_type",
    "prompt_id", "cwd", "machine", "canary", "sanitized",
)  # fmt: skip
_FROM = "FROM events e LEFT JOIN tool_calls t ON t.tool_use_id = e.tool_use_id"
WIDEST_CALL_US = 86_400_000_000
"""How long after its PreToolUse an unfinished call's events are looked for: a day."""
_MOST_PAGES = 20


def _row(values: tuple[Any, ...]) -> dict[str, Any]:
    row = dict(zip(_NAMES, values, strict=False))
    row["at"] = iso(row["at"])
    row["duration_ms"] = milliseconds(row["duration_ms"])
    row["tool_duration_ms"] = milliseconds(row["tool_duration_ms"])
    row["canary"], row["sanitized"] = bool(row["canary"]), bool(row["sanitized"])
    return row


def list_events(ledger: Answers, filters: Filters, limit: int = 50, cursor: str | None = None) -> Page:
    """Events, newest first; of several machines by true time, as far as their clocks are known to differ (see clocks).
    `cursor` is the `next` of the page before. Raises StoreError, UsageProblem."""
    cursor, known = clocks.unpack(cursor) if cursor is not None else (None, clocks.pieces(ledger))
    said, values = conditions(narrowed(ledger, filters))
    place = keyset(cursor)
    if known:
        merged = merging.page(ledger, merging.Asked(_COLUMNS, _FROM, said, values, limit), known, place)
        shown = [_row(row) for _, _, row in merged[:limit]]
        at_us, one, _ = merged[limit - 1] if len(merged) > limit else (None, None, None)
        return Page(shown, clocks.pack(f"{at_us}-{one}", known) if one else None)
    if place is not None:
        said.append("(e.at_us, e.id) < (:before_us, :before_id)")
        said.append("e.at_us <= :before_us")
        values |= {"before_us": place[0], "before_id": place[1]}
    sql = f"SELECT {_COLUMNS} {_FROM} {where(said)} ORDER BY e.at_us DESC, e.id DESC LIMIT :limit"
    found = ledger.rows(sql, {**values, "limit": limit + 1})
    last = found[limit - 1] if len(found) > limit else None
    return Page([_row(one) for one in found[:limit]], f"{last[0]}-{last[13]}" if last else None)


def after(ledger: Answers, filters: Filters, seq: int, limit: int = 200) -> Page:
    """Events that came into the journal after record number `seq`, oldest first; `next` is the last one's number.

    By the journal's order, not by time: what arrives late is seen too. Raises StoreError.
    """
    said, values = conditions(narrowed(ledger, filters))
    _own(ledger, said, values)
    said.append("e.seq > :seq")
    sql = f"SELECT {_COLUMNS} {_FROM} {where(said)} ORDER BY e.seq LIMIT :limit"
    rows = [_row(one) for one in ledger.rows(sql, {**values, "seq": seq, "limit": limit})]
    return Page(rows, str(rows[-1]["seq"]) if rows else None)


def latest(ledger: Answers, filters: Filters, limit: int = 20) -> list[dict[str, Any]]:
    """The events that came into the journal last, oldest first. By its order: a clock may have been set back since."""
    said, values = conditions(narrowed(ledger, filters))
    _own(ledger, said, values)
    sql = f"SELECT {_COLUMNS} {_FROM} {where(said)} ORDER BY e.seq DESC LIMIT :limit"
    return [_row(one) for one in ledger.rows(sql, {**values, "limit": limit})][::-1]


def _own(ledger: Answers, said: list[str], values: dict[str, object]) -> None:
    """Narrow a question in the journal's order to this home's journal."""
    condition, more = own(ledger, "e.journal")
    said += [condition] * bool(condition)
    values |= more


def last_seq(ledger: Answers) -> int:
    """The number of the last record that is in the ledger; 0 when it is empty."""
    said, values = own(ledger)
    sql = "SELECT seq FROM cursors WHERE store = 'ledger'" + (f" AND {said}" if said else "")  # noqa: S608 - own words
    found = ledger.rows(sql, values)
    return int(found[0][0]) if found else 0


def export(ledger: Answers, filters: Filters, batch: int = 1000) -> Iterator[dict[str, Any]]:
    """Every event of `filters`, newest first, with its whole `record`; in batches, so that memory stays flat."""
    cursor: str | None = None
    while True:
        page = list_events(ledger, filters, batch, cursor)
        bodies = _bodies(ledger, [row["id"] for row in page.rows])
        for row in page.rows:
            yield {**row, "record": json.loads(bodies[row["id"]])}
        cursor = page.next
        if cursor is None:
            return


def _bodies(ledger: Answers, ids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(ids), 200):
        chosen = {f"i{number}": one for number, one in enumerate(ids[start : start + 200])}
        names = ", ".join(f":{name}" for name in chosen)
        found |= dict(ledger.rows(f"SELECT id, body FROM events WHERE id IN ({names})", chosen))  # noqa: S608 - own names
    return found


def _events(ledger: Answers, said: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """Events in order with their hooks and payload, for an explanation."""
    sql = f"SELECT {_COLUMNS}, e.body {_FROM} WHERE {said} ORDER BY e.at_us, e.id"
    rows = []
    for one in ledger.rows(sql, values):
        record = json.loads(one[-1])
        row = _row(one)
        row |= {"hooks": record.get("hooks") or [], "payload": record.get("payload"), "problem": record.get("problem")}
        rows.append(row)
    return rows


def show(ledger: Answers, key: str) -> dict[str, Any]:
    """One tool call (by its tool_use_id) or one event (by its id) explained: events in order, opinions, outcome.

    Raises NotFound, StoreError.
    """
    call = _call(ledger, key)
    if call is None:
        found = _events(ledger, "e.id = :key", {"key": key})
        if not found:
            fix = "`levaithan audit list` shows the latest with their ids"
            raise NotFound(what="tool call or event", name=key, fix=fix)
        call = _call(ledger, found[0]["tool_use_id"]) if found[0]["tool_use_id"] else None
        if call is None:
            return {"tool_use_id": None, "events": found, **_summary(found)}
    ends = [one for one in (call["pre_us"], call["end_us"]) if one is not None]  # a clock may go back in between
    low, high = min(ends), max(ends) if call["end_us"] is not None else ends[0] + WIDEST_CALL_US
    window: dict[str, object] = {
        "session": call["session_id"], "key": call["tool_use_id"], "low": low, "high": high,
        "tool": call["tool_name"],
    }  # fmt: skip
    near = _events(
        ledger,
        "e.session_id = :session AND e.at_us >= :low AND e.at_us <= :high AND (e.tool_use_id = :key "
        "OR (e.event = 'PermissionRequest' AND e.tool_use_id IS NULL AND e.tool_name = :tool))",
        window,
    )
    inputs = [(one["payload"] or {}).get("tool_input") for one in near if one["tool_use_id"]]
    events = [one for one in near if one["tool_use_id"] or (one["payload"] or {}).get("tool_input") in inputs]
    return {**_told(ledger, call), "events": events, **_summary(events)}


def _call(ledger: Answers, key: str) -> dict[str, Any] | None:
    names = ("tool_use_id", "session_id", "agent_id", "tool_name", "pre_us", "end_us", "outcome", "decision")
    found = ledger.rows(
        f"SELECT {', '.join(names)}, duration_us FROM tool_calls WHERE tool_use_id = :key",  # noqa: S608 - own names
        {"key": key},
    )
    return dict(zip((*names, "duration_us"), found[0], strict=True)) if found else None


def _told(ledger: Answers, call: dict[str, Any]) -> dict[str, Any]:
    bypass = signals.bypass_of(ledger, call["tool_use_id"]) if call["pre_us"] is None else None
    return {
        "tool_use_id": call["tool_use_id"], "session_id": call["session_id"], "agent_id": call["agent_id"],
        "tool_name": call["tool_name"], "began_at": iso(call["pre_us"]), "ended_at": iso(call["end_us"]),
        "outcome": call["outcome"] or "unknown", "tool_duration_ms": milliseconds(call["duration_us"]),
        "bypassed": bypass is not None, "bypass": bypass,
    }  # fmt: skip


def _summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The decision that stood (the strictest) and who made it."""
    order = {"halt": 3, "deny": 2, "ask": 1, "allow": 0}
    decided = [one for one in events if one["decision"] in order]
    if not decided:
        return {"decision": None, "rule": None, "reason": None, "hook": None, "decision_ms": None}
    first = max(decided, key=lambda one: order[one["decision"]])
    return {
        "decision": first["decision"], "rule": first["rule"], "reason": first["reason"], "hook": first["hook"],
        "decision_ms": first["duration_ms"],
    }  # fmt: skip


def search(
    ledger: Answers, index: Search, text: str, filters: Filters, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """Events that hold all words of `text`, newest first, each with a `snippet`; of several machines by true time, as
    `list_events` has them and over all pages alike (see hits). Raises StoreError, UsageProblem.

    What the index has found and the ledger does not have (yet) is left out, over as many pages as it takes to fill
    this one, _MOST_PAGES at most: `next` goes on from there.
    """
    terms = search_text.terms_of(text)
    found = hits.found(ledger, index, text, filters, limit=limit, cursor=cursor)
    page, place = Page(), cursor
    for _ in range(_MOST_PAGES):
        some = list(islice(found, limit))
        rows = _rows_of(ledger, [hit.id for _, hit in some], filters)
        for place, hit in some:
            row = rows.get(hit.id)
            if row is not None:
                body = row.pop("body")
                row["snippet"] = hit.snippet or search_text.snippet(search_text.text_of(json.loads(body)), terms)
                page.rows.append(row)
                if len(page.rows) == limit:
                    page.next = place
                    return page
        if len(some) < limit:
            return page
    page.next = place
    return page


def _rows_of(ledger: Answers, ids: list[str], filters: Filters) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    said, values = conditions(filters)
    chosen = {f"i{number}": one for number, one in enumerate(ids)}
    said.append(f"e.id IN ({', '.join(':' + name for name in chosen)})")
    found = ledger.rows(f"SELECT {_COLUMNS}, e.body {_FROM} {where(said)}", {**values, **chosen})
    return {one[13]: {**_row(one), "body": one[-1]} for one in found}
