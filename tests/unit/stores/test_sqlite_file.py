"""The file under a store: modes, generations, what is moved aside, and how the driver's errors are read."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from levaithan.errors import NotConfigured
from levaithan.hot.paths import home_at
from levaithan.stores import registry
from levaithan.stores.roles import StoreBusyError, StoreDamagedError
from levaithan.stores.sqlite_file import SqliteFile, translate
from levaithan.stores.sqlite_ledger import SqliteLedger


def made(path: Path, value: int = 1) -> SqliteFile:
    file = SqliteFile("ledger", str(path))
    link = file.connect(write=True)
    link.execute("CREATE TABLE t (a)")
    link.execute("INSERT INTO t VALUES (?)", (value,))
    link.close()
    return file


def value(link: sqlite3.Connection) -> int:
    return int(link.execute("SELECT a FROM t").fetchone()[0])


def test_the_file_is_the_users_alone_and_in_wal(tmp_path: Path) -> None:
    os.umask(0o022)
    file = made(tmp_path / "deep" / "x.sqlite3")
    assert Path(file.path).stat().st_mode & 0o777 == 0o600
    link = file.connect(write=True)
    pragmas = {name: link.execute(f"PRAGMA {name}").fetchone()[0]
               for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 0, "busy_timeout": 5000}
    link.close()


def test_reading_never_makes_a_file_nor_writes_one(tmp_path: Path) -> None:
    with pytest.raises(StoreBusyError):
        SqliteFile("ledger", str(tmp_path / "none")).connect(write=False)
    assert list(tmp_path.iterdir()) == []
    link = made(tmp_path / "x").connect(write=False)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        link.execute("DELETE FROM t")
    link.close()


@pytest.mark.parametrize("name", ["plain", "with space", "q?u#e%20ry", "ünï"])
def test_any_name_of_a_folder_will_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    file = made(tmp_path / name / "x.sqlite3")
    assert [one.name for one in (tmp_path / name).glob("*.sqlite3")] == ["x.sqlite3"]
    assert file.check() == ""


def test_a_new_generation_takes_the_name_and_readers_keep_theirs(tmp_path: Path) -> None:
    file = made(tmp_path / "x", 1)
    for number in (2, 3, 4):
        reader = file.connect(write=False)
        assert value(reader) == number - 1
        fresh = file.beside()
        made(Path(fresh.path), number)
        before = file.identity()
        file.take_over(fresh)
        assert file.identity() != before
        assert value(reader) == number - 1, "what is open stays open"
        reader.close()
        again = file.connect(write=True)
        assert value(again) == number
        again.execute("UPDATE t SET a = a")
        again.close()
    assert sum("-" not in one.name for one in tmp_path.iterdir()) == 2, "the link and one generation"


def test_a_write_ahead_log_of_the_old_generation_never_reaches_the_new(tmp_path: Path) -> None:
    file = made(tmp_path / "x", 1)
    old = file.connect(write=True)
    old.execute("PRAGMA wal_autocheckpoint=0")
    old.execute("UPDATE t SET a = 11")
    fresh = file.beside()
    made(Path(fresh.path), 2)
    file.take_over(fresh)
    link = file.connect(write=True)
    assert value(link) == 2
    assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    old.close()
    assert value(link) == 2
    link.close()


def test_what_is_moved_aside_is_kept_whole(tmp_path: Path) -> None:
    file = made(tmp_path / "x", 7)
    kept = file.move_aside("a test")
    assert not file.exists()
    assert value(sqlite3.connect(kept)) == 7
    assert kept in file.found[0]
    made(tmp_path / "x", 8)
    assert file.move_aside("again") != kept


def test_leftovers_are_those_of_others(tmp_path: Path) -> None:
    file = made(tmp_path / "x")
    fresh = file.beside()
    made(Path(fresh.path))
    file.take_over(fresh)
    stray = file.beside()
    made(Path(stray.path))
    assert file.leftovers() == [stray.path]


def failing(statement: str) -> BaseException:
    link = sqlite3.connect(":memory:")
    link.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    try:
        link.execute(statement)
    except sqlite3.Error as error:
        return error
    raise AssertionError("it did not fail")


def test_the_drivers_errors_are_told_apart(tmp_path: Path) -> None:
    assert translate("s", "p", failing("INSERT INTO t VALUES (1, NULL)")) is None
    assert translate("s", "p", sqlite3.ProgrammingError("type 'list' is not supported")) is None
    assert translate("s", "p", OverflowError("int too large")) is None
    assert isinstance(translate("s", "p", failing("SELECT 1 FROM gone")), StoreDamagedError)
    assert isinstance(translate("s", "p", OSError(28, "No space left on device")), StoreBusyError)
    assert isinstance(translate("s", "p", sqlite3.ProgrammingError("Cannot operate on a closed database.")),
                      StoreBusyError)  # fmt: skip
    (tmp_path / "x").write_bytes(b"not a database, but long enough to be read as one" * 100)
    assert SqliteFile("ledger", str(tmp_path / "x")).check() == "file is not a database"


def test_the_registry_loads_by_name(tmp_path: Path) -> None:
    home = home_at(str(tmp_path))
    settings = SimpleNamespace(ledger_url=None, ledger_max_field_bytes=5, search=False)
    ledger: Any = registry.open_ledger(settings, home)
    assert (ledger.file.path, ledger.max_field) == (home.state + "/ledger.sqlite3", 5)
    assert registry.open_search(settings, home) is None
    settings.ledger_url = "sqlite:////var/x.db"
    other: Any = registry.open_ledger(settings, home)
    assert other.file.path == "/var/x.db"
    settings.ledger_url = "nosuch://user:secret@host/db"
    with pytest.raises(NotConfigured, match="no ledger adapter for nosuch://") as caught:
        registry.open_ledger(settings, home)
    assert "secret" not in str(caught.value) + caught.value.fix
    settings.ledger_url = "user:secret@host/db"
    with pytest.raises(NotConfigured, match="LEVAITHAN_LEDGER_URL cannot be used") as caught:
        registry.open_ledger(settings, home)
    assert "secret" not in str(caught.value) + caught.value.fix + str(registry.places(settings))


@pytest.mark.parametrize(
    ("role", "url", "extra"),
    [
        ("ledger", "postgresql://h/d", "postgres"),
        ("search", "http://h", "elasticsearch"),
        ("graph", "helix:///folder", "helix"),
        ("memory", "http://h", "weaviate"),
        ("counters", "redis://h", "redis"),
    ],
)
def test_a_driver_that_cannot_be_loaded_is_said_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, url: str, extra: str
) -> None:
    settings = SimpleNamespace(ledger_max_field_bytes=5, search=True, **{f"{role}_url": url})
    said = []
    for error in (ModuleNotFoundError(name="driver"), ImportError("no pq wrapper available.\nAttempts made: ...")):

        def opened(_opening: Any, error: ImportError = error) -> Any:
            raise error

        monkeypatch.setattr(registry, "adapter", lambda *_of, opened=opened: opened)
        with pytest.raises(NotConfigured) as caught:
            registry.open_store(role, settings, home_at(str(tmp_path)))
        said.append(str(caught.value))
        assert caught.value.fix.startswith("run ./setup.sh, which installs it")
        assert f"pip install 'levaithan[{extra}]'" in caught.value.fix
        assert caught.value.fix.endswith("; then `levaithan restart`")
    assert said[0].endswith("needs the package driver, which is not installed.")
    assert said[1].endswith("cannot load its driver: no pq wrapper available.")


@pytest.mark.parametrize("url", ["http://[bad", "helix://[bad", "http://h:1/%00"])
def test_a_graph_whose_url_is_none_is_said_before_anybody_asks_it(tmp_path: Path, url: str) -> None:
    settings = SimpleNamespace(ledger_max_field_bytes=5, search=True, graph_url=url)
    with pytest.raises(NotConfigured, match="LEVAITHAN_GRAPH_URL cannot be used"):
        registry.open_store("graph", settings, home_at(str(tmp_path)))


def test_a_store_that_is_being_made_holds_nothing_and_is_not_damaged(tmp_path: Path) -> None:
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    link = ledger.file.connect(write=True)
    assert ledger.rows("SELECT * FROM journal_notes") == []
    link.execute("CREATE TABLE schema_version (version_num TEXT)")
    link.execute("INSERT INTO schema_version VALUES ('0004')")
    with pytest.raises(StoreDamagedError, match="no such table"):
        ledger.rows("SELECT * FROM journal_notes")
    link.close()
    ledger.close()
