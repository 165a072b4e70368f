"""Where a store is, as a circuit names it: the place, and nothing of who asks."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from levaithan.stores import address
from levaithan.stores.opening import Opening
from levaithan.stores.sqlite_search import SqliteSearch


class Store:
    def __init__(self, **more: Any) -> None:
        self.__dict__.update(more)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://ann:secret@h:6379/0?prefix=secret", "redis://h:6379/0"),
        ("postgresql://writer:sec%40ret@[::1]:5433/db?sslpassword=secret", "postgresql://[::1]:5433/db"),
        ("helix:///var/graph", "helix:///var/graph"),
    ],
)
def test_a_server_is_its_place_and_never_a_password(url: str, told: str) -> None:
    assert address.of(Store(opening=Opening("graph", "/h/graph", "/h", url))) == told


def test_an_embedded_store_is_its_file_by_whatever_name_its_folder_goes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    file = tmp_path / "real" / "search.sqlite3"
    assert address.of(SqliteSearch(str(tmp_path / "link" / "search.sqlite3"))) == str(file)
    file.symlink_to("search.2.sqlite3")
    assert address.of(SqliteSearch(str(file))) == str(file), "a rebuild that swaps the file is no move"
    assert address.of(Store(opening=Opening("search", str(file), "/h"))) == str(file)
    assert address.of(Store()) == ""


def test_in_labels_an_address_is_its_kind_and_a_number_that_names_nothing() -> None:
    told = address.mark("redis://h:6379/0")
    assert re.fullmatch("redis-[0-9a-f]{8}", told)
    assert address.mark("redis://h:6379/1") != told
    assert address.mark("postgresql+psycopg://h/db").startswith("postgresql-")
    assert address.mark(address.of(Store(opening=Opening("ledger", "", "", "postgres//me:secret@h")))) == "unusable"
    assert address.mark("") == address.mark("/h/state/search.sqlite3") == address.EMBEDDED


def test_the_settings_and_the_store_they_open_say_the_same_address(tmp_path: Path) -> None:
    chosen = {
        "counters_url": "redis://ann:secret@h:6379/0?prefix=x", "graph_url": "helix:///var/graph", "search": False,
        "memory_url": f"sqlite://{tmp_path}/memory.sqlite3",
    }  # fmt: skip
    marks = address.marks(SimpleNamespace(stores=chosen))
    assert (marks["search"], marks["ledger"], marks["memory"]) == ("", "embedded", "embedded")
    for role in ("counters", "graph"):
        store = Store(opening=Opening(role, "/h/x", "/h", str(chosen[f"{role}_url"])))
        assert marks[role] == address.mark(address.of(store)) != "embedded"
    assert address.marks(SimpleNamespace(stores={}))["counters"] == "", "there is none without a server"
