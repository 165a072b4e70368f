"""Lists, pages, filters, one call explained, search with snippets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.ledger_records import START_US, at, cursor, delivery, event

from levaithan.errors import NotFound, UsageProblem
from levaithan.queries import audit, journal_copy, sessions
from levaithan.queries.asking import Filters
from levaithan.stores.sqlite_search import SqliteSearch

SECOND = 1_000_000
NONE = {"tool_use_id": None, "tool_name": None}


def put(ledger: Any, *records: dict[str, Any]) -> None:
    assert ledger.apply([delivery(one) for one in records], cursor(records[-1]["seq"])) == []


def numbers(page: Any) -> list[int]:
    return [row["seq"] - 1 for row in page.rows]


def test_a_row_has_what_the_command_promises(ledger: Any) -> None:
    put(
        ledger,
        event(
            1, call="c", agent_id="a1", decision="deny", rule="r", reason="no", duration_ms=0.75, hook="policy_check"
        ),
        event(2, "PostToolUse", call="c", payload={"duration_ms": 12}),
    )
    second, first = audit.list_events(ledger, Filters()).rows
    assert first["at"] == at(1) == "2026-11-23T09:00:01.000000Z"
    wanted = {
        "event": "PreToolUse", "session_id": "s1", "agent_id": "a1", "tool_name": "Bash", "tool_use_id": "c",
        "decision": "deny", "rule": "r", "reason": "no", "duration_ms": 0.75, "hook": "policy_check", "seq": 2,
        "project": "/p", "path": "native", "client_version": "2.1.330", "canary": False, "sanitized": False,
    }  # fmt: skip
    assert {key: first[key] for key in wanted} == wanted
    assert second["tool_duration_ms"] == 12
    assert second["agent_id"] is None


FILTERS = [
    (Filters(), [8, 7, 6, 5, 4, 3, 2, 1]),
    (Filters(since_us=START_US + 3 * SECOND, until_us=START_US + 6 * SECOND), [5, 4, 3]),
    (Filters(tool="Read"), [3]),
    (Filters(session="s2"), [4]),
    (Filters(agent="a9"), [5]),
    (Filters(event="Stop"), [6]),
    (Filters(decision="deny"), [7]),
    (Filters(decision="allow"), [8, 6, 5, 4, 3, 2, 1]),
    (Filters(project="/q"), [8]),
    (Filters(rule="rm"), [7]),
    (Filters(rule="rm", decision="deny", tool="Bash", session="s1"), [7]),
    (Filters(tool="Nothing"), []),
    (Filters(include_canary=True), [9, 8, 7, 6, 5, 4, 3, 2, 1]),
]


@pytest.mark.parametrize(("filters", "wanted"), FILTERS)
def test_filters(ledger: Any, filters: Filters, wanted: list[int]) -> None:
    put(
        ledger, event(1), event(2), event(3, tool_name="Read"), event(4, session_id="s2"), event(5, agent_id="a9"),
        event(6, "Stop", **NONE), event(7, decision="deny", rule="rm"), event(8, project="/q"), event(9, canary=True),
    )  # fmt: skip
    assert numbers(audit.list_events(ledger, filters)) == wanted


def test_an_agent_of_two_sessions_is_found_in_both(ledger: Any) -> None:
    put(ledger, event(1, agent_id="a"), event(2), event(3, agent_id="a", session_id="s2"), event(4, agent_id="b"))
    assert numbers(audit.list_events(ledger, Filters(agent="a"))) == [3, 1]
    assert numbers(audit.list_events(ledger, Filters(agent="a", session="s2"))) == [3]
    assert numbers(audit.list_events(ledger, Filters(agent="a", until_us=START_US + 2 * SECOND))) == [1]
    assert audit.list_events(ledger, Filters(agent="nobody")).rows == []


def test_pages_neither_miss_nor_repeat_even_at_one_instant(ledger: Any) -> None:
    put(ledger, *(event(n, at=at(n // 10)) for n in range(1, 36)))
    seen: list[int] = []
    place: str | None = None
    while True:
        page = audit.list_events(ledger, Filters(), 8, place)
        seen += numbers(page)
        put(ledger, event(100 + len(seen)))  # newer ones do not move the pages
        place = page.next
        if place is None:
            break
    assert seen == list(range(35, 0, -1))


@pytest.mark.parametrize("bad", ["x", "-", "12", "12-", "a-b", "-12", "--12-a"])
def test_a_cursor_that_never_was_one_is_said(ledger: Any, bad: str) -> None:
    with pytest.raises(UsageProblem, match="cursor"):
        audit.list_events(ledger, Filters(), cursor=bad)


def test_what_comes_after_a_number_also_what_comes_late(ledger: Any) -> None:
    put(ledger, event(1), event(2), event(3, at=at(-100)))
    page = audit.after(ledger, Filters(), 2)
    assert numbers(page) == [2, 3]
    assert page.next == "4"
    assert audit.after(ledger, Filters(), 4).rows == []
    assert audit.last_seq(ledger) == 4


def test_export_gives_every_record_whole(ledger: Any) -> None:
    records = [event(n) for n in range(1, 8)]
    put(ledger, *records)
    rows = list(audit.export(ledger, Filters(), batch=3))
    assert [row["record"] for row in rows] == records[::-1]


def test_one_call_is_explained(ledger: Any) -> None:
    hooks = [{"hook": "halt_check", "ms": 0.02}, {"hook": "policy_check", "ms": 0.4, "decision": "ask", "rule": "r"}]
    ask = event(2, "PermissionRequest", **NONE | {"tool_name": "Bash"}, payload={"tool_input": {"command": "echo 1"}})
    other = event(3, "PermissionRequest", **NONE | {"tool_name": "Bash"}, payload={"tool_input": {"command": "else"}})
    put(
        ledger,
        event(1, call="c", decision="ask", rule="r", reason="why", hook="policy_check", hooks=hooks),
        ask, other, event(4, call="d"),
        event(5, "PostToolUse", call="c", payload={"duration_ms": 3, "tool_input": {"command": "echo 1"}}),
    )  # fmt: skip
    told = audit.show(ledger, "c")
    assert [one["event"] for one in told["events"]] == ["PreToolUse", "PermissionRequest", "PostToolUse"]
    assert told["events"][0]["hooks"] == hooks
    assert (told["decision"], told["rule"], told["reason"], told["hook"]) == ("ask", "r", "why", "policy_check")
    assert (told["outcome"], told["tool_duration_ms"], told["decision_ms"]) == ("ok", 3, 0.5)
    assert told["bypassed"] is False
    assert audit.show(ledger, f"{5:032x}")["tool_use_id"] == "c", "also by the id of one of its events"
    open_call = audit.show(ledger, "d")
    assert (open_call["outcome"], open_call["ended_at"]) == ("unknown", None)
    with pytest.raises(NotFound, match="nothing-like-it"):
        audit.show(ledger, "nothing-like-it")


def test_an_event_without_a_call_is_explained_too(ledger: Any) -> None:
    put(ledger, event(1, "Stop", **NONE))
    told = audit.show(ledger, f"{1:032x}")
    assert [one["event"] for one in told["events"]] == ["Stop"]


def test_search_joins_the_ledger_and_shows_where(tmp_path: Any, ledger: Any) -> None:
    index = SqliteSearch(str(tmp_path / "search.sqlite3"))
    text = "lorem " * 40 + "the needle is here " + "ipsum " * 40
    records = [event(n, payload={"tool_input": {"command": text}}, decision="deny" if n % 5 == 0 else "allow")
               for n in range(1, 41)]  # fmt: skip
    put(ledger, *records)
    index.apply([delivery(one) for one in records], cursor(41))
    page = audit.search(ledger, index, "needle here", Filters(), limit=3)
    assert numbers(page) == [40, 39, 38]
    assert "the needle is here" in page.rows[0]["snippet"]
    assert len(page.rows[0]["snippet"]) < 130
    assert numbers(audit.search(ledger, index, "needle", Filters(), limit=3, cursor=page.next)) == [37, 36, 35]
    denied = audit.search(ledger, index, '"needle is"', Filters(decision="deny"), limit=5)
    assert numbers(denied) == [40, 35, 30, 25, 20]
    rest = audit.search(ledger, index, "needle", Filters(decision="deny"), limit=5, cursor=denied.next)
    assert (numbers(rest), rest.next) == ([15, 10, 5], None)
    index.close()


def test_sessions_and_their_agents(ledger: Any) -> None:
    put(
        ledger,
        event(1, "SessionStart", **NONE, payload={"source": "startup", "model": "opus"}),
        event(2, "UserPromptSubmit", **NONE, payload={"prompt": "x"}),
        event(3, call="c"),
        event(4, "SubagentStart", **NONE, agent_id="a1", agent_type="Explore"),
        event(5, call="d", agent_id="a1", agent_type="Explore", decision="deny"),
        event(6, "SessionEnd", **NONE, payload={"reason": "other"}),
        event(7, session_id="s2", project="/q"),
        event(8, session_id="canary", canary=True),
    )
    page = sessions.list_sessions(ledger, Filters())
    assert [(row["session_id"], row["events"], row["agents"], row["ended"]) for row in page.rows] == [
        ("s2", 1, 0, False), ("s1", 6, 1, True),
    ]  # fmt: skip
    assert [row["session_id"] for row in sessions.list_sessions(ledger, Filters(project="/q")).rows] == ["s2"]
    first = sessions.list_sessions(ledger, Filters(), 1)
    assert [row["session_id"] for row in sessions.list_sessions(ledger, Filters(), 1, first.next).rows] == ["s1"]
    assert sessions.list_sessions(ledger, Filters(until_us=START_US)).rows == []
    told = sessions.show(ledger, "s1")
    assert (told["model"], told["source"], told["end_reason"]) == ("opus", "startup", "other")
    assert told["by_tool"] == {"Bash": 2}
    assert told["by_decision"] == {"allow": 5, "deny": 1}
    assert (told["tool_calls"], told["prompts"]) == (2, 1)
    (agent,) = told["agents"]
    assert (agent["agent_id"], agent["agent_type"], agent["started_at"], agent["events"]) == ("a1", "Explore", at(4), 2)
    put(ledger, event(9))
    assert sessions.show(ledger, "s1")["ended"] is False, "what goes on after its end was resumed"
    with pytest.raises(NotFound):
        sessions.show(ledger, "s3")


def test_what_the_ledger_remembers_of_the_journal(ledger: Any) -> None:
    mark = {"seq": 3, "kind": "checkpoint", "at": at(2), "size": 2, "head": "h", "key_id": "k", "signature": "s"}
    put(ledger, event(1), mark, event(3))
    found = dict(journal_copy.hashes(ledger, 1, 99_999))
    assert found == {one["seq"]: delivery(one).hash for one in (event(1), mark, event(3))}
    (kept,) = journal_copy.checkpoints(ledger)
    assert (kept["size"], kept["signature"], json.loads(kept["body"])) == (2, "s", mark)


PLANS = [
    (Filters(since_us=1, tool="Bash"), "ix_events_tool"),
    (Filters(since_us=1), "ix_events_at"),
    (Filters(session="s1"), "ix_events_session"),
    (Filters(event="Stop"), "ix_events_event"),
    (Filters(rule="rm"), "ix_events_rule"),
    (Filters(decision="deny"), "ix_events_not_allowed"),
    (Filters(agent="a", since_us=1), "ix_events_session"),
]


@pytest.mark.parametrize(("filters", "index"), PLANS)
def test_each_list_is_read_from_an_index(embedded_ledger: Any, filters: Filters, index: str) -> None:
    asked: list[Any] = []

    class Spy:
        def rows(self, sql: str, values: Any = None) -> Any:
            if "FROM agents" in sql:
                return [("s1", 5, 9)]
            asked.append((sql, values))
            return []

    audit.list_events(Spy(), filters)
    ((sql, values),) = asked
    plan = " / ".join(str(row[3]) for row in embedded_ledger.rows("EXPLAIN QUERY PLAN " + sql, values))
    assert index in plan
