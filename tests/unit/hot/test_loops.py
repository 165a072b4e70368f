"""The loop breaker: what is the same call, what adds up, what is forgiven."""

from __future__ import annotations

import json
from typing import Any

import pytest

from levaithan.hot import charter, loops
from levaithan.hot.event import Event, parse
from levaithan.hot.opinion import Opinion

PACE = charter.DEFAULTS["pace"]
START = 1_700_000_000_000_000
SECOND = 1_000_000


def _event(given: dict[str, Any], tool: str = "Bash") -> Event:
    payload = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": given}
    return parse({"event": "PreToolUse"}, json.dumps(payload).encode())


def _mark(given: dict[str, Any], tool: str = "Bash") -> int:
    return loops.mark_of(_event(given, tool))


def _run(calls: str, gap_s: float, **pace: Any) -> list[Opinion | None]:
    """What is said to calls of the tools named by letters, `gap_s` seconds apart; a refused one is tried again."""
    run, said, event = None, [], _event({})
    for place, letter in enumerate(calls):
        now = START + int(place * gap_s * SECOND)
        fresh, opinion = loops.step(run, ord(letter), event, now, PACE | pace)
        run = fresh if fresh is not None else run
        said.append(opinion)
    return said


def _denied(said: list[Opinion | None]) -> list[int]:
    """The numbers of the calls that were refused, from 1."""
    return [place for place, one in enumerate(said, 1) if one and one.verdict == "deny"]


def _warned(said: list[Opinion | None]) -> list[int]:
    return [place for place, one in enumerate(said, 1) if one and one.context]


def test_the_same_input_is_the_same_call_whatever_its_order_or_its_description() -> None:
    mark = _mark({"command": "ls", "timeout": 5, "description": "list"})
    assert mark == _mark({"description": "look again", "timeout": 5, "command": "ls"})
    assert mark == _mark({"timeout": 5, "command": "ls"})


@pytest.mark.parametrize(
    "other",
    [
        {"command": "ls -l"},
        {"command": "ls", "timeout": 5},
        {"cmd": "ls"},
        {"command": ["ls"]},
        {"command": {"ls": None}},
        {"command": None},
        {},
    ],
)
def test_another_input_is_another_call(other: dict[str, Any]) -> None:
    assert _mark({"command": "ls"}) != _mark(other)


def test_another_tool_is_another_call() -> None:
    assert _mark({"x": "1"}, "Read") != _mark({"x": "1"}, "Write")


def test_long_inputs_differ_by_their_length_and_their_end() -> None:
    long = "x" * 300_000
    marks = {_mark({"content": text}) for text in (long, long + "x", long[:-1] + "y", "y" + long[1:])}
    assert len(marks) == 4


def test_hostile_inputs_have_a_mark() -> None:
    deep: Any = "end"
    for _ in range(500):
        deep = [deep]
    wide = {str(number): number for number in range(50_000)}
    for given in ({"a": deep}, wide, {"a": "\ud800"}, {"\ud800": 1}, {"a": list(range(50_000))}):
        assert _mark(given) == _mark(given)


def test_the_same_call_is_warned_of_and_then_refused() -> None:
    said = _run("a" * 30, 0.1)
    assert _warned(said) == [8, 16, 24]
    assert _denied(said) == [25, 26, 27, 28, 29, 30]
    warning, refusal = said[7], said[24]
    assert warning and warning.verdict == "allow" and "call 8 in a row of Bash" in (warning.context or "")
    assert refusal and refusal.rule == "pace.loop" and "call 25 in a row" in (refusal.reason or "")
    assert "[rule pace.loop]" in (refusal.reason or "") and "\n" not in (refusal.reason or "")


def test_another_call_ends_the_run() -> None:
    assert _denied(_run("a" * 24 + "b" + "a" * 24, 0.1)) == []
    assert _denied(_run("a" * 26 + "b" + "a", 0.1)) == [25, 26]


def test_two_calls_in_turn_are_a_loop_too() -> None:
    said = _run("ab" * 22, 0.1)
    assert _warned(said) == [20] and _denied(said) == [40, 41, 42, 43, 44]
    refusal = said[39]
    assert refusal and refusal.rule == "pace.pingpong" and "40 calls in a row" in (refusal.reason or "")
    assert _denied(_run("abc" * 40, 0.1)) == []
    assert _denied(_run("ab" * 19 + "c" + "ab" * 19, 0.1)) == []


def test_polling_is_forgiven_the_more_the_longer_it_waits() -> None:
    assert _denied(_run("a" * 500, 60)) == [] and _warned(_run("a" * 500, 60)) == []
    assert _denied(_run("ab" * 250, 60)) == []
    first = {gap: _denied(_run("a" * 200, gap))[0] for gap in (1, 10, 30)}
    assert 25 <= first[1] < first[10] < first[30] and first[30] >= 48


def test_who_waits_as_long_as_the_refusal_says_may_go_on() -> None:
    run, event, now = None, _event({}), START
    refused: Opinion | None = None
    while refused is None:
        fresh, said = loops.step(run, 1, event, now, PACE)
        if fresh is None:
            refused = said
        run = fresh or run
    wait = int((refused.reason or "").rsplit(" ", 2)[1])
    assert loops.step(run, 1, event, now + (wait - 2) * SECOND, PACE)[0] is None
    assert loops.step(run, 1, event, now + wait * SECOND, PACE)[0] is not None


def test_ten_minutes_of_silence_end_a_run() -> None:
    event = _event({})
    run = [7, 0, 24, 24.0, 1, 1.0, START]
    still, _ = loops.step(run, 7, event, START + 599 * SECOND, PACE)
    anew, _ = loops.step(run, 7, event, START + 601 * SECOND, PACE)
    assert still and anew and (still[2], anew[2]) == (25, 1)


def test_what_is_switched_off_says_nothing() -> None:
    assert _denied(_run("a" * 100, 0.1, repeats_deny=0)) == []
    assert _run("a" * 100 + "bc" * 100, 0.1, repeats_warn=0, repeats_deny=0, pingpong_deny=0) == [None] * 300
