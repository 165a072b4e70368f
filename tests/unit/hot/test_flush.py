"""Waiting for the client to write down what a session spent: near a limit alone, not long, and not in vain for ever."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.transcripts import Transcript

from levaithan.hot import flush, hotconf
from levaithan.hot.event import Event, parse
from levaithan.hot.flush import Flushes
from levaithan.hot.gate import Gate

if TYPE_CHECKING:
    from pathlib import Path

    from levaithan.hot.paths import Home


def call(transcript: Transcript, name: str = "toolu_1", **fields: Any) -> Event:
    payload = {
        "session_id": transcript.session, "hook_event_name": "PreToolUse", "cwd": "/srv/demo", "tool_use_id": name,
        "transcript_path": str(transcript.path), "tool_name": "Bash", "tool_input": {"command": "echo"},
    }  # fmt: skip
    return parse({"event": "PreToolUse", "path": "native"}, json.dumps(payload | fields).encode())


def tell(transcript: Transcript, name: str) -> None:
    """The transcript names the call from now on."""
    transcript.spend(0.01, toolUseID=name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed: looking does not make any pass, sleeping does."""
    now = [1000.0]
    monkeypatch.setattr(flush.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(flush.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_one_that_is_told_is_not_waited_for(tmp_path: Path, clock: list[float]) -> None:
    one = Transcript(tmp_path, "s-1")
    tell(one, "toolu_1")
    Flushes().wait(call(one))
    assert clock == [1000.0]


def test_beside_the_gate_only_sessions_near_a_limit_wait_until_it_is_told(tmp_path: Path, clock: list[float]) -> None:
    one, flushes = Transcript(tmp_path, "s-1"), Flushes()
    assert not flushes.early(call(one)), "nobody said that it is near a limit"
    flushes.wait(call(one, "toolu_0"))
    assert clock[0] - 1000 == pytest.approx(flush.LONGEST_S, abs=flush.STEP_S)
    assert flushes.early(call(one))
    assert not flushes.early(call(Transcript(tmp_path, "s-2")))
    tell(one, "toolu_1")
    assert not flushes.early(call(one))
    before = clock[0]
    flushes.wait(call(one))
    assert clock[0] == before, "what was waited for beside the gate is not waited for in it"


def test_what_is_never_told_is_waited_for_a_few_times(tmp_path: Path, clock: list[float]) -> None:
    one, flushes = Transcript(tmp_path, "s-1"), Flushes()
    flushes.wait(call(one, "first"))
    waited = 0
    for number in range(5):
        event, began = call(one, f"toolu_{number}"), clock[0]
        while flushes.early(event):
            clock[0] += flush.STEP_S
        assert clock[0] - began <= flush.LONGEST_S + 2 * flush.STEP_S
        assert not flushes.early(event), "it is over, whoever asks again"
        waited += clock[0] > began
        flushes.wait(event)
    assert waited == 2, "with the one in the gate it was three times in vain"


def test_nothing_to_look_for_is_nothing_to_wait_for(tmp_path: Path, clock: list[float]) -> None:
    one, flushes = Transcript(tmp_path, "s-1"), Flushes()
    flushes.wait(call(one, tool_use_id=None))
    flushes.wait(call(one, transcript_path=None))
    assert clock == [1000.0]
    assert not flushes.early(call(one, tool_use_id=None))


def test_a_flood_of_names_does_not_fill_the_memory(tmp_path: Path, clock: list[float]) -> None:
    flushes = Flushes()
    for number in range(5000):
        one = Transcript(tmp_path, f"s-{number}")
        flushes.vain[one.session] = 3
        flushes.wait(call(one))
        flushes.early(call(one, f"toolu_{number}"))
    assert max(len(flushes.sessions), len(flushes.since)) <= 1024


def test_the_gate_knows_who_is_near_a_limit(scratch: Home, tmp_path: Path, clock: list[float]) -> None:
    one, other = Transcript(tmp_path, "s-1"), Transcript(tmp_path, "s-2")
    with open(f"{scratch.context}/charter.toml", "w", encoding="utf-8") as charter:
        charter.write('[[budgets.limit]]\nscope = "session"\nusd = 1\n')
    gate = Gate(scratch, hotconf.HotConf(), json.loads)
    try:
        gate.decide(call(other))
        assert gate.flushes is None
        one.spend(0.9)
        gate.decide(call(one, "toolu_2"))
        assert gate.flushes is not None
        assert list(gate.flushes.sessions) == ["s-1"]
        with open(f"{scratch.context}/charter.toml", "w", encoding="utf-8") as charter:
            charter.write('[[budgets.limit]]\nscope = "session"\nusd = 1000\n')
        gate.refresh()
        gate.decide(call(one, "toolu_3"))
        assert gate.flushes is None, "with a higher limit it is near none"
    finally:
        gate._context.memory["spend"].close()
