"""Homes with a journal written by the published format (tests/contract/ledger_records)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "contract"))

from ledger_records import JournalFiles

from levaithan.hot.paths import Home, home_at


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(str(tmp_path / "home"))


@pytest.fixture
def journal(home: Home) -> Any:
    return JournalFiles(home.journal)


@pytest.fixture
def settings(home: Home) -> Any:
    return SimpleNamespace(home=home.root, ledger_url=None, ledger_max_field_bytes=1 << 20, search=True, fsync="always")
