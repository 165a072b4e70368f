"""The monitor takes up a changed alerts.toml by itself, and forgets nothing over it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.support import homes

from levaithan.config import settings as settings_of
from levaithan.detectors import shown
from levaithan.detectors.signal import WATCHDOG, Signal
from levaithan.hot.paths import home_at
from levaithan.monitor.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    root = homes.make_home(tmp_path / "home", native=False, monitor="on", action_dry_run="all")
    made = Parts(home_at(root), settings_of.load(root, environ={}))
    yield made
    made.stop()


def tune(parts: Parts, text: str) -> None:
    with open(parts.home.context + "/alerts.toml", "w", encoding="utf-8") as file:
        file.write(text)


def down(parts: Parts, from_s: float, seconds: int) -> float:
    """Look every 15 s of so many seconds, with a store that is down; when the last look was."""
    at_s = from_s
    for number in range(1, seconds // 15 + 1):
        parts.watching.tally.set("levaithan_store_up", ("graph",), 0.0)
        at_s = from_s + number * 15
        parts.look(at_s)
    return at_s


def state(parts: Parts, alert: str) -> str:
    return next((str(one["state"]) for one in parts.evaluator.states() if one["alert"] == alert), "quiet")


def test_a_shorter_wait_holds_from_the_next_look_on_with_what_was_seen(parts: Parts) -> None:
    at_s = down(parts, time.time(), 60)
    assert state(parts, "StoreDown") == "pending"
    tune(parts, '[alerts.StoreDown]\nfor = "45s"\n')
    at_s = down(parts, at_s, 15)
    assert state(parts, "StoreDown") == "firing", "it has been down for a minute already"
    assert (shown.read(parts.home) or {})["tuned"] == shown.in_force(parts.rules)
    assert "StoreDown" in shown.in_force(parts.rules)
    tune(parts, "")
    parts.look(at_s + 15)
    assert (shown.read(parts.home) or {})["tuned"] == {}


def test_what_fires_of_a_rule_that_is_switched_off_ends(parts: Parts) -> None:
    tune(parts, '[alerts.StoreDown]\nfor = "30s"\n')
    at_s = down(parts, time.time(), 60)
    (incident,) = [one for one in parts.engine.open() if one.alert == "StoreDown"]
    assert incident.firing
    tune(parts, "[alerts.StoreDown]\noff = true\n")
    down(parts, at_s, 30)
    assert not incident.firing
    assert state(parts, "StoreDown") == "quiet"


def test_what_is_not_followed_is_told_and_goes_when_it_is_mended(parts: Parts) -> None:
    now_s = time.time()
    parts.look(now_s)
    assert "rules" not in parts.tell()["troubles"]
    tune(parts, "[alerts.StoreDown]\nthreshold = 'much'\n")
    parts.look(now_s + 5)
    assert "StoreDown" in parts.tell()["troubles"]["rules"]
    tune(parts, '[alerts.StoreDown]\nfor = "2m"\n')
    parts.look(now_s + 10)
    assert "rules" not in parts.tell()["troubles"]


def test_detectors_go_on_with_their_memory(parts: Parts) -> None:
    now_s = time.time()
    assert parts.watchdog.heard(Signal("w", WATCHDOG, "meta", "P3", True, now_s, now_s))
    tune(parts, "[alerts.WatchdogSilent]\nthreshold = 400\n")
    before = parts.watch
    parts.look(now_s)
    assert parts.watch is not before
    assert parts.watchdog in parts.watch.detectors
    assert parts.watchdog.dump() == {"expected": True}
    same = parts.watch
    parts.look(now_s + 5)
    assert parts.watch is same, "nothing has changed"
