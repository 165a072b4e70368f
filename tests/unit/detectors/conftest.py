"""Records as the journal has them, and the recorded sessions as the real gate decides and records them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.support import homes, payloads

from levaithan.hot import hotconf, wire
from levaithan.hot.catalogue import EVENTS
from levaithan.hot.gate import Gate
from levaithan.hot.paths import home_at
from levaithan.service.deciding import Decider, loads

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_790_000_000.0


def record(name: str = "PreToolUse", **over: Any) -> dict[str, Any]:
    """The record of an event."""
    told = {"kind": "event", "event": name, "decision": "allow", "session_id": "s1", "project": "/p", "hooks": []}
    return {**told, "tool_name": "Bash", "tool_use_id": "t1", "payload": {}, **over}


def denied(rule: str, **over: Any) -> dict[str, Any]:
    """The record of a call that a rule refused."""
    return record(**{"decision": "deny", "rule": rule, **over})


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A home with the shipped rules and hooks; not to be changed."""
    return homes.make_home(tmp_path_factory.mktemp("detectors") / "home", native=False)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """Every recorded session: the records that the gate makes of what the real client sent."""
    folder: Path = tmp_path_factory.mktemp("recorded")
    home = home_at(homes.make_home(folder / "home", native=False))
    decider = Decider(Gate(home, hotconf.HotConf({}), loads, orjson.dumps))
    return [[_decided(decider, one) for one in _sent(name)] for name in payloads.sessions()]


def _sent(name: str) -> list[dict[str, Any]]:
    return [one for one in payloads.session(name) if EVENTS[one["hook_event_name"]].registered]


def _decided(decider: Decider, payload: dict[str, Any]) -> dict[str, Any]:
    header = {"id": wire.new_event_id(), "event": payload["hook_event_name"], "path": "native", "project": "/p"}
    taken = decider.decide(None, header, json.dumps(payload).encode())
    made: dict[str, Any] = json.loads(taken.body)
    return made
