"""Homes with a journal, and a ledger, for the tests of what is asked of them. Every question is asked of each ledger
there is: the answers must be the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures
from tests.support import postgres_place
from tests.support.journal_home import home, journal, settings
from tests.support.journal_home import ledger as embedded_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["embedded_ledger", "home", "journal", "settings"]


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "sqlite":
        yield request.getfixturevalue("embedded_ledger")
        return
    fixtures.given("postgres")
    opened = postgres_place.ledger(postgres_place.made())
    yield opened
    opened.close()
