"""Where a store is, as a circuit names it: the place, and nothing of who asks."""

from __future__ import annotations

from pathlib import Path
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
