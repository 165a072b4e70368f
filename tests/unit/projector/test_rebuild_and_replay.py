"""Stores made again from nothing, and dead letters tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger_records import at, event

from levaithan.projector.lock import ProjectionLock
from levaithan.projector.loop import catch_up
from levaithan.projector.rebuild import RebuildBusyError, RebuildFailedError, rebuild
from levaithan.projector.replay import replay
from levaithan.stores.registry import open_ledger, open_search

BOTH = ("ledger", "search")


def test_a_rebuilt_store_holds_what_the_journal_says(home: Any, settings: Any, journal: Any) -> None:
    journal.events(50)
    catch_up(home, settings, stores=BOTH)
    ledger = open_ledger(settings, home)
    link = ledger.file.connect(write=True)  # type: ignore[attr-defined]
    link.execute("UPDATE events SET decision = 'forged'")
    link.close()
    reader = open_ledger(settings, home)
    seen: list[tuple[str, int, int]] = []

    def progress(store: str, done: int, total: int) -> None:
        seen.append((store, done, total))
        assert reader.rows("SELECT count(*) FROM events WHERE decision = 'forged'")[0][0] in (0, 50)

    told = rebuild(home, settings, BOTH, progress=progress)
    assert [(one.store, one.records, one.dead_letters) for one in told] == [("ledger", 51, 0), ("search", 51, 0)]
    assert seen[-1][1] == seen[-1][2] > 0
    assert reader.rows("SELECT DISTINCT decision FROM events") == [("allow",)], "an open reader turns to the new one"
    search = open_search(settings, home)
    assert search is not None
    assert len(search.find("echo", limit=99)) == 50


def test_after_a_rebuild_it_goes_on_and_can_be_rebuilt_again(home: Any, settings: Any, journal: Any) -> None:
    journal.events(5)
    for n in range(6, 9):
        rebuild(home, settings, BOTH)
        journal.events(1, first=n)
        assert catch_up(home, settings, stores=BOTH).delivered == 2
    names = sorted(path.name for path in Path(home.state).iterdir())
    assert sum(name.startswith("ledger.sqlite3.g") and "-" not in name for name in names) == 1, names
    assert open_ledger(settings, home).rows("SELECT count(*) FROM events") == [(8,)]


def everything(home: Any, settings: Any) -> dict[str, Any]:
    ledger, search = open_ledger(settings, home), open_search(settings, home)
    assert search is not None
    names = ("events", "journal_notes", "checkpoints", "sessions", "agents", "tool_calls", "decisions", "prompts")
    found: dict[str, Any] = {name: sorted(ledger.rows(f"SELECT * FROM {name}"), key=repr) for name in names}
    found["search"] = sorted(hit.id for hit in search.find("echo", limit=9999))
    found["dead"] = [(one.id, one.reason) for one in ledger.dead_letters()]
    ledger.close()
    search.close()
    return found


def pruned(home: Any, settings: Any, journal: Any) -> str:
    """A journal of three segments of which the first was delivered and pruned; what was in it."""
    settings.ledger_max_field_bytes = 50_000
    journal.events(1500)
    journal.add(event(1501, payload={"x": "a\0b", "tool_input": {"command": "echo nul"}}))
    journal.add(event(1502, payload={"x": "é" * 40_000, "tool_input": {"command": "echo long"}}))
    journal.add({"v": 1, "kind": "checkpoint", "at": at(1), "size": 9, "head": "h", "key_id": "k", "signature": "s"})
    journal.add({"v": 1, "kind": "note", "at": at(1), "text": "t"})
    first = journal.path
    journal.segment()
    journal.events(20, first=1510)
    catch_up(home, settings, stores=BOTH)
    replay(home, settings, "ledger", sanitize=True)
    Path(first).unlink()
    journal.segment()
    journal.events(20, first=1600)
    catch_up(home, settings, stores=BOTH)
    return str(first)


@pytest.mark.parametrize("stores", [BOTH, ("ledger",), ("search",)])
def test_a_rebuild_keeps_what_was_pruned_from_the_journal(
    home: Any, settings: Any, journal: Any, stores: tuple[str, ...]
) -> None:
    pruned(home, settings, journal)
    before = everything(home, settings)
    assert (len(before["events"]), len(before["search"]), before["dead"]) == (1542, 1542, [])
    settings.ledger_max_field_bytes = 2_000
    told = rebuild(home, settings, stores)
    assert [one.carried for one in told] == [1505] * len(stores)
    assert everything(home, settings) == before
    assert rebuild(home, settings, stores)[0].carried == 1505


def test_what_a_damaged_ledger_had_of_a_pruned_journal_is_said_to_be_lost(
    home: Any, settings: Any, journal: Any
) -> None:
    pruned(home, settings, journal)
    Path(home.state, "ledger.sqlite3").write_bytes(b"this was a ledger" * 999)
    (told,) = rebuild(home, settings, ("ledger",))
    assert told.carried == 0
    assert "could not be read from the old ledger" in told.lost
    (kept,) = Path(home.state).glob("ledger.sqlite3.damaged-*")
    assert kept.read_bytes().startswith(b"this was a ledger")
    assert open_ledger(settings, home).rows("SELECT count(*) FROM events") == [(40,)]


def test_what_was_made_harmless_is_made_harmless_again(home: Any, settings: Any, journal: Any) -> None:
    settings.ledger_max_field_bytes = 50_000
    poisoned(journal)
    catch_up(home, settings, stores=BOTH)
    replay(home, settings, "ledger", {f"{3:032x}", f"{5:032x}"}, sanitize=True)
    before = everything(home, settings)
    assert len(before["dead"]) == 2
    (told,) = rebuild(home, settings, ("ledger",))
    assert (told.dead_letters, told.carried) == (2, 0)
    assert everything(home, settings) == before


def test_dead_letters_of_older_segments_alone_can_be_delivered(home: Any, settings: Any, journal: Any) -> None:
    journal.add(event(1, payload={"x": "a\0b"}))
    first = Path(journal.path).name
    journal.segment()
    journal.add(event(2, payload={"x": "a\0b"}))
    catch_up(home, settings, stores=BOTH)
    told = replay(home, settings, "ledger", sanitize=True, last=first)
    assert told.delivered == [f"{1:032x}"]
    assert [one.id for one in open_ledger(settings, home).dead_letters()] == [f"{2:032x}"]


def test_a_rebuild_that_fails_leaves_the_old_one(home: Any, settings: Any, journal: Any, monkeypatch: Any) -> None:
    journal.events(5)
    catch_up(home, settings)

    def fail(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("levaithan.stores.sqlite_ledger.SqliteLedger.apply", fail)
    with pytest.raises(RebuildFailedError, match="No space left"):
        rebuild(home, settings, ("ledger",))
    monkeypatch.undo()
    assert open_ledger(settings, home).rows("SELECT count(*) FROM events") == [(5,)]
    assert not list(Path(home.state).glob("ledger.sqlite3.g*"))


def test_a_rebuild_waits_for_its_turn(home: Any, settings: Any, journal: Any) -> None:
    journal.events(1)
    with ProjectionLock(home) as other:
        other.take()
        with pytest.raises(RebuildBusyError):
            rebuild(home, settings, wait_s=0.05)


def poisoned(journal: Any) -> None:
    journal.events(2)
    journal.add(event(3, payload={"x": "a\0b"}))
    journal.add(event(4, payload={"x": "\udcff"}))
    journal.add(event(5, payload={"x": "é" * 40_000}))
    journal.add(b'{"seq": 6, "kind": "event", nothing')


def test_replay_delivers_what_the_settings_allow_now(home: Any, settings: Any, journal: Any) -> None:
    settings.ledger_max_field_bytes = 50_000
    poisoned(journal)
    catch_up(home, settings)
    told = replay(home, settings, "ledger")
    assert told.delivered == []
    assert len(told.waiting) == 4
    settings.ledger_max_field_bytes = 1 << 20
    told = replay(home, settings, "ledger")
    assert told.delivered == [f"{5:032x}"]
    assert len(told.waiting) == 3
    assert open_ledger(settings, home).rows("SELECT count(*), sum(sanitized) FROM events") == [(3, 0)]


def test_replay_makes_harmless_what_it_is_told_to_and_marks_it(home: Any, settings: Any, journal: Any) -> None:
    settings.ledger_max_field_bytes = 50_000
    poisoned(journal)
    catch_up(home, settings)
    only = replay(home, settings, "ledger", {f"{3:032x}"}, sanitize=True)
    assert (only.delivered, only.waiting) == ([f"{3:032x}"], [])
    told = replay(home, settings, "ledger", sanitize=True)
    assert told.delivered == [f"{4:032x}", f"{5:032x}"]
    assert len(told.waiting) == 1
    assert "not JSON" in told.waiting[0][1]
    ledger = open_ledger(settings, home)
    bodies = [row[0] for row in ledger.rows("SELECT body FROM events WHERE sanitized = 1 ORDER BY seq")]
    assert "a␀b" in bodies[0]
    assert "\ufffd" in bodies[1]
    assert "[cut: 80000 bytes, sha256 " in bodies[2]
    assert len(bodies[2]) < 50_000
    assert len(ledger.dead_letters()) == 1


def test_a_forged_line_is_not_let_in_by_replay(home: Any, settings: Any, journal: Any) -> None:
    journal.events(3)
    path = Path(journal.path)
    path.write_bytes(path.read_bytes().replace(b"echo 2", b"echo Z"))
    catch_up(home, settings)
    for sanitize in (False, True):
        told = replay(home, settings, "ledger", sanitize=sanitize)
        assert told.delivered == []
        assert "its hash is not that of its bytes" in told.waiting[0][1]
    path.write_bytes(path.read_bytes().replace(b"echo Z", b"echo 2"))
    assert len(replay(home, settings, "ledger").delivered) == 1
    assert open_ledger(settings, home).rows("SELECT count(*) FROM events") == [(3,)]


def test_what_the_journal_no_longer_has_is_said(home: Any, settings: Any, journal: Any) -> None:
    journal.add(event(1, payload={"x": "\0"}))
    catch_up(home, settings)
    Path(journal.path).unlink()
    told = replay(home, settings, "ledger", sanitize=True)
    assert told.waiting == [(f"{1:032x}", "no longer in the journal")]
