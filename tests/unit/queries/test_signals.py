"""A guard that was not asked, or not heeded; and the innocent cases beside them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.support.ledger_records import at, cursor, delivery, event

from levaithan.queries import audit, signals

NONE = {"tool_use_id": None, "tool_name": None}


def put(ledger: Any, *records: dict[str, Any]) -> None:
    ledger.apply([delivery(one) for one in records], cursor(records[-1]["seq"]))


def begin(n: int = 1, **over: Any) -> dict[str, Any]:
    return event(n, "SessionStart", **NONE, payload={"source": "startup"}, **over)


def ran(n: int, call: str, name: str = "PostToolUse", ms: float = 5, **over: Any) -> dict[str, Any]:
    return event(n, name, call=call, payload={"duration_ms": ms}, **over)


@pytest.mark.parametrize("name", ["PostToolUse", "PostToolUseFailure"])
def test_a_call_that_ran_unasked_is_a_bypass(ledger: Any, name: str) -> None:
    put(ledger, begin(), event(2, call="asked"), ran(3, "asked"), ran(4, "unasked", name))
    (found,) = signals.bypassed(ledger)
    assert (found["tool_use_id"], found["certain"], found["at"]) == ("unasked", True, at(4))
    assert audit.show(ledger, "unasked")["bypassed"] is True
    assert audit.show(ledger, "asked")["bypassed"] is False
    assert signals.bypassed(ledger, since_us=1 << 60) == []


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_arrival_does_not_matter(ledger: Any, seed: int) -> None:
    records = [begin(), event(2, call="asked"), ran(3, "asked"), ran(4, "unasked")]
    random.Random(seed).shuffle(records)
    for one in records:
        put(ledger, one)
    assert [one["tool_use_id"] for one in signals.bypassed(ledger)] == ["unasked"]


def test_a_call_under_way_when_the_session_was_first_seen_is_innocent(ledger: Any) -> None:
    put(ledger, ran(1, "first thing seen"), ran(2, "waited for a permission", ms=900))
    assert signals.bypassed(ledger) == []
    put(ledger, event(3, "UserPromptSubmit", **NONE), ran(4, "began before the prompt", ms=2000))
    assert signals.bypassed(ledger) == []
    put(ledger, ran(6, "after the prompt"))
    assert [one["tool_use_id"] for one in signals.bypassed(ledger)] == ["after the prompt"]


def test_a_pre_among_the_dead_letters_was_asked(ledger: Any) -> None:
    put(ledger, begin(), event(2, call="c", payload={"tool_input": {"command": "a\0"}}), ran(3, "c"))
    assert len(ledger.dead_letters()) == 1
    assert signals.bypassed(ledger) == []


def test_a_gap_of_the_journal_makes_it_uncertain(ledger: Any) -> None:
    gap = {"seq": 3, "kind": "gap", "at": at(3), "dropped": 4, "first_at": at(2), "last_at": at(2.5), "reason": "full"}
    put(ledger, begin(), gap, ran(4, "c"))
    (found,) = signals.bypassed(ledger)
    assert found["certain"] is False
    assert "gap" in found["why"]
    later = {**gap, "seq": 9, "first_at": at(50), "last_at": at(51)}
    put(ledger, later, begin(10, session_id="s2"), ran(11, "d", session_id="s2"))
    assert {one["tool_use_id"]: one["certain"] for one in signals.bypassed(ledger)} == {"c": False, "d": True}


def test_a_denied_permission_and_a_canary_are_no_bypass(ledger: Any) -> None:
    put(ledger, begin(), event(2, "PermissionDenied", call="c"), begin(3, session_id="x", canary=True))
    put(ledger, ran(4, "d", session_id="x", canary=True))
    assert signals.bypassed(ledger) == []


def test_a_denied_call_that_ran_all_the_same(ledger: Any) -> None:
    put(
        ledger, begin(), event(2, call="a", decision="deny", rule="rm", reason="no"), ran(3, "a"),
        event(4, call="b", decision="deny"), event(5, call="c", decision="ask"), ran(6, "c"),
    )  # fmt: skip
    (found,) = signals.ran_despite_denial(ledger)
    assert (found["tool_use_id"], found["rule"], found["denied_at"], found["at"]) == ("a", "rm", at(2), at(3))


def test_the_monitors_question_goes_through_what_was_refused_alone(embedded_ledger: Any) -> None:
    """It is asked every 30 s: among 1,500 calls a second nobody may look through those that were allowed."""
    asked: list[Any] = []

    class Spy:
        def rows(self, sql: str, values: Any = None) -> Any:
            asked.append((sql, values))
            return []

    signals.ran_despite_denial(Spy(), since_us=1)
    ((sql, values),) = asked
    plan = " / ".join(str(row[3]) for row in embedded_ledger.rows("EXPLAIN QUERY PLAN " + sql, values))
    assert "ix_events_not_allowed" in plan
