"""Fixtures: a home with a journal written by the published format, its settings, and an empty ledger."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.ledger_records import JournalFiles

from levaithan.hot.paths import Home, home_at
from levaithan.stores.sqlite_ledger import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(str(tmp_path / "home"))


@pytest.fixture
def journal(home: Home) -> Any:
    return JournalFiles(home.journal)


@pytest.fixture
def settings(home: Home) -> Any:
    return SimpleNamespace(home=home.root, ledger_url=None, ledger_max_field_bytes=1 << 20, search=True, fsync="always")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    opened.migrate()
    yield opened
    opened.close()
