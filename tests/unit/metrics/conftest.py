"""Homes whose metrics are looked at, and records as the journal has them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import homes
from tests.support.journal_home import journal
from tests.support.ledger_records import at, event

from levaithan.config import settings as settings_of
from levaithan.hot.paths import Home, home_at
from levaithan.metrics.labels import Labels
from levaithan.metrics.records import Fold
from levaithan.metrics.tally import Tally

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["journal"]
T0 = 1_795_424_400.0
"""START of ledger_records, in seconds since 1970."""
_numbers = itertools.count(1)


def record(name: str = "PreToolUse", seconds: float = 0.0, **over: Any) -> dict[str, Any]:
    """The record of an event, so many seconds after T0, with the hooks that ran."""
    told = {"hooks": [{"hook": "policy_check", "ms": 0.1}], "at": at(seconds)}
    return event(next(_numbers), name, **(told | over))


def denied(
    rule: str, seconds: float = 0.0, decision: str = "deny", hook: str = "policy_check", **over: Any
) -> dict[str, Any]:
    """The record of a call that a rule refused."""
    entry = {"hook": hook, "ms": 0.1, "decision": decision, "rule": rule, "reason": "because"}
    return record(seconds=seconds, decision=decision, rule=rule, reason="because", hook=hook, hooks=[entry], **over)


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A home with the shipped rules and hooks; not to be changed."""
    return homes.make_home(tmp_path_factory.mktemp("metrics") / "home", native=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of the test's own, with the shipped rules and hooks."""
    return home_at(homes.make_home(tmp_path / "home", native=False))


@pytest.fixture
def settings(home: Home) -> Any:
    """Its settings."""
    return settings_of.load(home.root, environ={})


@pytest.fixture
def fold(made_home: str) -> Fold:
    """A fold with the names of a home that has the shipped rules."""
    return Fold(Tally(), Labels(home_at(made_home)))
