"""A store's file that is missing, empty, mutated or replaced: the projector goes on, says it, loses nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.projector.loop import catch_up
from levaithan.stores.registry import open_ledger, open_search
from levaithan.stores.roles import StoreBusyError

BOTH = ("ledger", "search")


def whole(home: Any, settings: Any, count: int) -> bool:
    ledger, search = open_ledger(settings, home), open_search(settings, home)
    assert search is not None
    try:
        found = ledger.rows("SELECT count(*), count(DISTINCT id) FROM events")[0]
        return found == (count, count) and len(search.find("echo", limit=999)) == count
    finally:
        ledger.close()
        search.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[3] ^= 0xFF
    path.write_bytes(bytes(data))


def text(path: Path) -> None:
    path.write_text("this was a database\n" * 100)


def other(path: Path) -> None:
    path.unlink()
    import sqlite3

    link = sqlite3.connect(path)
    link.execute("CREATE TABLE events (a)")
    link.commit()
    link.close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def own_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere/at-all")


@pytest.mark.parametrize("side", ["", "-wal"])
@pytest.mark.parametrize("name", ["ledger.sqlite3", "search.sqlite3"])
@pytest.mark.parametrize("harm", [folder, own_link, dead_link])
def test_what_is_no_file_is_set_aside_and_the_store_made_again(
    home: Any, settings: Any, journal: Any, name: str, side: str, harm: Any
) -> None:
    journal.events(20)
    catch_up(home, settings, stores=BOTH)
    path = Path(home.state, name + side)
    path.touch()
    harm(path)
    journal.events(5, first=21)
    told = catch_up(home, settings, stores=BOTH)
    assert told.errors == {}
    assert any("is no file" in note for note in told.notes)
    assert whole(home, settings, 25)


def test_a_write_ahead_log_that_is_a_link_is_no_file_of_sqlite(home: Any, settings: Any, journal: Any) -> None:
    journal.events(20)
    catch_up(home, settings, stores=BOTH)
    side = Path(home.state, "search.sqlite3-wal")
    (Path(home.root) / "moved").write_bytes(b"")
    side.unlink(missing_ok=True)
    side.symlink_to(Path(home.root) / "moved")
    told = catch_up(home, settings, stores=BOTH)
    journal.events(5, first=21)
    told = catch_up(home, settings, stores=BOTH)
    assert told.errors == {}
    assert whole(home, settings, 25)


@pytest.mark.parametrize("harm", [folder, own_link, dead_link])
def test_a_lock_that_is_no_file_is_set_aside(home: Any, settings: Any, journal: Any, harm: Any) -> None:
    journal.events(5)
    lock = Path(home.state, "projector.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    harm(lock)
    assert catch_up(home, settings, stores=BOTH).errors == {}
    assert whole(home, settings, 5)
    assert len(list(Path(home.state).glob("projector.lock.aside-*"))) == 1


@pytest.mark.parametrize("name", ["ledger.sqlite3", "search.sqlite3"])
@pytest.mark.parametrize("harm", [os.unlink, empty, noise, half, header, text, other])
def test_a_harmed_file_is_kept_and_made_again(home: Any, settings: Any, journal: Any, name: str, harm: Any) -> None:
    journal.events(120)
    catch_up(home, settings, stores=BOTH)
    path = Path(home.state, name)
    harm(path)
    journal.events(5, first=121)
    told = catch_up(home, settings, stores=BOTH)
    assert told.errors == {}
    assert whole(home, settings, 125)
    kept = list(Path(home.state).glob(name + ".damaged-*"))
    if harm not in (os.unlink, empty):
        assert kept
        assert any("damaged" in note for note in told.notes)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_stop_it(home: Any, settings: Any, journal: Any, seed: int) -> None:
    journal.events(60)
    catch_up(home, settings, stores=BOTH)
    chance = random.Random(seed)
    for name in ("ledger.sqlite3", "search.sqlite3"):
        path = Path(home.state, name)
        data = bytearray(path.read_bytes())
        for _ in range(40):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(data))
    journal.events(40, first=61)
    for _ in range(3):
        told = catch_up(home, settings, stores=BOTH)
    assert told.errors == {}
    ledger = open_ledger(settings, home)
    assert {row[0] for row in ledger.rows("SELECT seq FROM events")} >= set(range(62, 102))


def test_a_file_that_vanishes_under_the_projector_is_made_again(home: Any, settings: Any, journal: Any) -> None:
    journal.events(10)
    one = Follower(open_ledger(settings, home), Feed(home.journal))
    while one.step():
        pass
    Path(home.state, "ledger.sqlite3").unlink()
    journal.events(10, first=11)
    one.forget()
    while one.step() or one.error:
        one.retry_at = 0
    assert one.store.rows("SELECT count(*) FROM events") == [(20,)]


def test_a_locked_ledger_is_not_poison(home: Any, settings: Any, journal: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("levaithan.stores.sqlite_file.BUSY_MS", 50)
    journal.events(10)
    one = Follower(open_ledger(settings, home), Feed(home.journal))
    one.store.migrate()
    other = one.store.file.connect(write=True)
    other.execute("BEGIN IMMEDIATE")
    assert not one.step()
    assert one.error is not None
    assert one.error["code"] == "store_busy"
    first_wait = one.retry_at
    assert not one.step()
    assert one.retry_at > first_wait
    other.execute("ROLLBACK")
    assert one.step()
    assert one.error is None
    assert one.store.dead_letters() == []
    assert one.store.rows("SELECT count(*) FROM events") == [(10,)]


def test_one_store_down_does_not_hold_the_other(home: Any, settings: Any, journal: Any, monkeypatch: Any) -> None:
    journal.events(10)

    def down(*_: Any) -> Any:
        raise StoreBusyError(store="search", reason="disk full")

    monkeypatch.setattr("levaithan.stores.sqlite_search.SqliteSearch.apply", down)
    told = catch_up(home, settings, stores=BOTH)
    assert list(told.errors) == ["search"]
    assert "disk full" in told.errors["search"]
    ledger = open_ledger(settings, home)
    assert ledger.rows("SELECT count(*) FROM events") == [(10,)]
    monkeypatch.undo()
    assert catch_up(home, settings, stores=BOTH).errors == {}
    assert whole(home, settings, 10)


def test_a_full_disk_waits_and_loses_nothing(home: Any, settings: Any, journal: Any) -> None:
    journal.events(5)
    one = Follower(open_ledger(settings, home), Feed(home.journal))
    while one.step():
        pass
    journal.events(2000, first=6)
    link = one.store._engine_now().raw_connection()
    link.execute("PRAGMA max_page_count = 40")  # type: ignore[attr-defined]
    one.step()
    while one.step():
        pass
    assert one.error is not None
    assert "full" in one.error["message"]
    link.execute("PRAGMA max_page_count = 1000000")  # type: ignore[attr-defined]
    while one.step():
        pass
    assert one.error is None
    assert one.store.rows("SELECT count(*) FROM events") == [(2005,)]
    assert one.store.dead_letters() == []
