"""The ledger is asked in a thread for calls that ran past the guard: one that hangs or fails stalls nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import homes
from tests.support.ledger_records import cursor, delivery, event

from levaithan.config import settings as settings_of
from levaithan.detectors import rules as rules_of
from levaithan.detectors.bypass import Bypass
from levaithan.errors import StoreError
from levaithan.hot.halts import stamp
from levaithan.hot.paths import home_at
from levaithan.monitor import past_guard
from levaithan.monitor.past_guard import PastGuard
from levaithan.stores import registry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> tuple[Any, Any]:
    made = home_at(homes.make_home(tmp_path / "home", native=False))
    return made, settings_of.load(made.root, environ={})


def rows_of(asking: PastGuard) -> list[dict[str, Any]]:
    """What it found, once it has looked."""
    asking.start()
    try:
        found: list[dict[str, Any]] = []
        homes.until(lambda: found.extend(asking.rows(0.0)) or found, 30)
        return found
    finally:
        asking.stop()


def test_a_call_that_nobody_asked_about_is_found_in_the_ledger_and_names_its_session(home: tuple[Any, Any]) -> None:
    made, settings = home
    now_s = time.time()
    at = [stamp(int((now_s - 60 + second) * 1e6)) for second in range(4)]
    told = [
        event(0, "SessionStart", session_id="s1", at=at[0]),
        event(1, "PreToolUse", session_id="s1", tool_use_id="asked", at=at[1]),
        event(2, "PostToolUse", session_id="s1", tool_use_id="asked", at=at[2]),
        event(3, "PostToolUse", session_id="s1", tool_use_id="unasked", at=at[3]),
    ]
    ledger = registry.open_ledger(settings, made)
    ledger.migrate()
    assert ledger.apply([delivery(one) for one in told], cursor(len(told))) == []
    ledger.close()
    asking = PastGuard(made, settings)
    assert {row["tool_use_id"] for row in rows_of(asking)} == {"unasked"}
    (signal,) = Bypass(rules_of.default(), asking.rows).found(now_s)
    assert (signal.alert, signal.severity, signal.session_id) == ("GuardBypassed", "P1", "s1")


def test_a_home_where_nothing_was_recorded_has_none(home: tuple[Any, Any]) -> None:
    asking = PastGuard(*home)
    assert asking._ask() == []


def test_a_ledger_that_fails_or_hangs_is_told_and_waited_for_by_nobody(
    home: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise StoreError(store="ledger", reason="it is not there")

    monkeypatch.setattr(past_guard.registry, "open_ledger", fails)
    asking = PastGuard(*home)
    detector = Bypass(rules_of.default(), asking.rows)
    begun = time.monotonic()
    assert detector.found(0.0) == []
    assert time.monotonic() - begun < 1.0
    asking.start()
    homes.until(asking._look._found.qsize, 30)
    asking.stop()
    assert detector.found(100.0) == []
    assert "it is not there" in detector.trouble
