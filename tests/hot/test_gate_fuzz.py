"""Hostile input, in this process: parse, decide and render never raise, whatever the bytes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hook_process import ROOT, make_home, oneshot, run, sound
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import homes

from levaithan.hot import contract, hotconf, paths, plain_json
from levaithan.hot.catalogue import EVENTS
from levaithan.hot.gate import Gate

PAYLOADS = [path.read_bytes() for path in sorted((ROOT / "tests" / "data" / "payloads").glob("*.json"))]
NAMES = st.sampled_from([*EVENTS, "", "Unheard", "\udcff", "x" * 300])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Gate, Any]]:
    """The gate as the one-shot has it and as the service has it."""
    made = [paths.home_at(str(make_home(tmp_path_factory.mktemp("fuzz") / "home"))) for _ in range(2)]
    for home in made:
        homes.out_of_reach(Path(home.root))
    plain, fast = [(home, hotconf.read(home.hot_conf)) for home in made]
    return [(Gate(*plain), plain_json.loads), (Gate(*fast, orjson.loads, orjson.dumps), orjson.loads)]


def _holds(gates: list[tuple[Gate, Any]], name: str, raw: bytes) -> None:
    answers = []
    for gate, loads in gates:
        event = contract.parse({"event": name, "started_ns": "1"}, raw, loads)
        outcome, body = gate.decide(event)
        record = json.loads(body)
        assert record["v"] == 1
        assert b"\n" not in body
        answer = contract.render(event.name, outcome.decision, outcome.notices)
        assert answer.exit_code in (0, 2)
        assert not answer.stdout or isinstance(json.loads(answer.stdout), dict)
        assert b"Traceback" not in answer.stdout + answer.stderr
        if event.guard and event.problem:
            assert outcome.decision.verdict == "deny"
        answers.append((outcome.decision.verdict, outcome.decision.rule))
    assert answers[0] == answers[1], "the service and the one-shot must not differ"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=NAMES, raw=st.binary(max_size=300))
def test_any_bytes(gates: list[tuple[Gate, Any]], name: str, raw: bytes) -> None:
    _holds(gates, name, raw)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=NAMES, value=VALUES)
def test_any_json(gates: list[tuple[Gate, Any]], name: str, value: Any) -> None:
    _holds(gates, name, json.dumps(value).encode())


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, len(PAYLOADS) - 1), seed=st.integers(0, 2**32), changes=st.integers(1, 6))
def test_recorded_payloads_with_bytes_changed(
    gates: list[tuple[Gate, Any]], number: int, seed: int, changes: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(PAYLOADS[number])
    for _ in range(changes):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 40)]
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 10))
        else:
            data[at:at] = data[chance.randrange(len(data)) :][:50]
        data = data or bytearray(b"x")
    _holds(gates, json.loads(PAYLOADS[number])["hook_event_name"], bytes(data))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, len(PAYLOADS) - 1), data=st.data())
def test_recorded_payloads_with_values_of_other_types(
    gates: list[tuple[Gate, Any]], number: int, data: st.DataObject
) -> None:
    payload = json.loads(PAYLOADS[number])
    for field in data.draw(st.lists(st.sampled_from(sorted(payload)), min_size=1, max_size=3)):
        payload[field] = data.draw(VALUES)
    given_input = payload.get("tool_input")
    if isinstance(given_input, dict) and given_input:
        given_input[data.draw(st.sampled_from(sorted(given_input)))] = data.draw(VALUES)
    _holds(gates, EVENTS[json.loads(PAYLOADS[number])["hook_event_name"]].name, json.dumps(payload).encode())


def test_a_sample_of_it_through_the_real_process(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    chance = random.Random(11)
    for _ in range(25):
        raw = bytearray(chance.choice(PAYLOADS))
        for _ in range(3):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        sound(run(oneshot(home, chance.choice([*EVENTS, "Unheard"])), bytes(raw)))
