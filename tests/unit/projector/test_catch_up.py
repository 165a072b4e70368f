"""Following the journal: batches, segments, damage, cursors that do not fit, locks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger_records import JournalFiles, event

from levaithan.projector import feed
from levaithan.projector.lock import ProjectionLock
from levaithan.projector.loop import catch_up, followers, is_current
from levaithan.stores.registry import open_ledger, open_search

BOTH = ("ledger", "search")


def ids(home: Any, settings: Any) -> list[str]:
    ledger = open_ledger(settings, home)
    found = [row[0] for row in ledger.rows("SELECT id FROM events ORDER BY id")]
    ledger.close()
    return found


def expected(*numbers: int) -> list[str]:
    return [f"{n:032x}" for n in numbers]


def test_everything_arrives_once_in_both_stores(home: Any, settings: Any, journal: Any) -> None:
    journal.events(300)
    journal.segment()
    journal.events(50, first=301)
    assert not is_current(home, settings, BOTH)
    told = catch_up(home, settings, stores=BOTH)
    assert (told.delivered, told.busy, told.errors) == (2 * 352, False, {})
    assert ids(home, settings) == expected(*range(1, 351))
    search = open_search(settings, home)
    assert search is not None
    assert [hit.seq for hit in search.find('"echo 333"')] == [335]
    assert is_current(home, settings, BOTH)
    assert catch_up(home, settings, stores=BOTH).delivered == 0


def test_what_comes_later_is_added(home: Any, settings: Any, journal: Any) -> None:
    journal.events(3)
    catch_up(home, settings)
    journal.events(2, first=4)
    assert catch_up(home, settings).delivered == 2
    assert ids(home, settings) == expected(*range(1, 6))


def test_a_line_that_is_not_whole_waits(home: Any, settings: Any, journal: Any) -> None:
    journal.events(2)
    whole = Path(journal.path).read_bytes()
    journal.events(1, first=3)
    full = Path(journal.path).read_bytes()
    Path(journal.path).write_bytes(full[: len(whole) + 100])
    catch_up(home, settings)
    assert ids(home, settings) == expected(1, 2)
    Path(journal.path).write_bytes(full)
    catch_up(home, settings)
    assert ids(home, settings) == expected(1, 2, 3)


def test_a_damaged_line_is_a_dead_letter_and_the_rest_arrives(home: Any, settings: Any, journal: Any) -> None:
    journal.events(5)
    lines = Path(journal.path).read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"echo 3", b"echo X")
    Path(journal.path).write_bytes(b"".join(lines))
    catch_up(home, settings)
    assert ids(home, settings) == expected(1, 2, 4, 5)
    ledger = open_ledger(settings, home)
    (letter,) = ledger.dead_letters()
    assert letter.offset == sum(map(len, lines[:3]))
    assert letter.reason.startswith("damaged journal line")


def test_one_in_a_hundred_is_poison_and_the_others_arrive(home: Any, settings: Any, journal: Any) -> None:
    bad = [{"x": "a\0b"}, {"x": "y" * (2 << 20)}, {"x": "\udcff"}]
    for n in range(1, 601):
        journal.add(event(n, payload=bad[(n // 100) % 3] if n % 100 == 0 else {}))
    told = catch_up(home, settings)
    assert told.errors == {}
    assert ids(home, settings) == expected(*(n for n in range(1, 601) if n % 100))
    ledger = open_ledger(settings, home)
    reasons = [letter.reason for letter in ledger.dead_letters()]
    assert len(reasons) == 6
    assert [sum(word in one for one in reasons) for word in ("NUL", "over the limit", "surrogate")] == [2, 2, 2]


def test_a_last_record_that_no_store_can_take_is_counted_all_the_same(home: Any, settings: Any, journal: Any) -> None:
    """How far a store is behind is asked of the journal: a record that waits among the dead letters is in it."""
    journal.events(3)
    journal.add(event(4, project="/tmp/\udcff"))
    assert feed.last_seq(home.journal) == 5, "the segment's own record and four events"
    catch_up(home, settings)
    (one,) = followers(home, settings, ("ledger",))
    assert one.store.cursor().seq == 5
    with Path(journal.path).open("ab") as file:
        file.write(b'{"seq":99} not a line of the journal\n')
    assert feed.last_seq(home.journal) == 5


CURSORS = {
    "offset": 'UPDATE cursors SET "offset" = "offset" - 7',
    "beyond": 'UPDATE cursors SET "offset" = "offset" + 999999',
    "hash": "UPDATE cursors SET hash = 'x'",
    "segment": "UPDATE cursors SET segment = 'journal-99999999999999999999.log'",
    "path": "UPDATE cursors SET segment = '../../etc/passwd'",
    "gone": "DELETE FROM cursors",
}


@pytest.mark.parametrize("store", BOTH)
@pytest.mark.parametrize("change", CURSORS)
def test_a_cursor_that_does_not_fit_loses_nothing(
    home: Any, settings: Any, journal: Any, store: str, change: str
) -> None:
    journal.events(20)
    catch_up(home, settings, stores=BOTH)
    (one,) = followers(home, settings, (store,))
    link = one.store.file.connect(write=True)
    link.execute(CURSORS[change])
    link.execute("DELETE FROM events WHERE seq > 5" if store == "ledger" else "DELETE FROM docs WHERE 0")
    link.close()
    journal.events(5, first=21)
    told = catch_up(home, settings, stores=(store,))
    assert told.errors == {}
    assert bool(told.notes) == (change != "gone")
    if store == "ledger":
        assert ids(home, settings) == expected(*range(1, 26))
    else:
        assert len(one.store.find("echo", limit=99)) == 25
        assert len(one.store.find('"echo 3"')) == 1


def test_another_journal_in_the_same_place_is_read_from_its_start(home: Any, settings: Any, journal: Any) -> None:
    journal.events(10)
    catch_up(home, settings, stores=BOTH)
    for path in Path(home.journal).glob("*.log"):
        path.unlink()
    other = JournalFiles(home.journal, "k" * 32)
    for n in range(1, 13):
        other.add(event(n, id=f"{n + 500:032x}", payload={"tool_input": {"command": f"other {n}"}}))
    catch_up(home, settings, stores=BOTH)
    assert ids(home, settings) == expected(*range(1, 11), *range(501, 513))
    search = open_search(settings, home)
    assert search is not None
    assert len(search.find("other", limit=99)) == 12


def test_a_pruned_segment_that_was_delivered_is_no_matter(home: Any, settings: Any, journal: Any) -> None:
    journal.events(5)
    catch_up(home, settings)
    first = journal.path
    journal.segment()
    journal.events(5, first=6)
    os.unlink(first)
    told = catch_up(home, settings)
    assert (told.delivered, told.notes) == (6, [])
    assert ids(home, settings) == expected(*range(1, 11))


def test_no_journal_is_no_error(home: Any, settings: Any) -> None:
    assert is_current(home, settings, BOTH)
    assert catch_up(home, settings, stores=BOTH).errors == {}


def test_while_another_process_projects_catching_up_gives_up_in_time(home: Any, settings: Any, journal: Any) -> None:
    journal.events(3)
    with ProjectionLock(home) as other:
        assert other.take()
        told = catch_up(home, settings, wait_s=0.1)
        assert told.busy
    assert catch_up(home, settings, wait_s=0.1).delivered == 4


def test_a_lock_file_that_is_removed_still_locks(home: Any) -> None:
    first, second = ProjectionLock(home), ProjectionLock(home)
    with pytest.raises(FileNotFoundError):
        first.take()
    assert not os.path.exists(home.root), "a home that is gone stays gone"
    os.mkdir(home.root)
    assert first.take()
    first.release()
    first.path.unlink()
    assert first.take()
    assert not second.take(0.05)
    first.release()
    assert second.take(0.05)
    second.release()


def test_many_at_once_deliver_each_event_once(home: Any, settings: Any, journal: Any) -> None:
    journal.events(400)
    done: list[Any] = []
    threads = [threading.Thread(target=lambda: done.append(catch_up(home, settings, wait_s=20))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(one.delivered for one in done) == 401
    assert ids(home, settings) == expected(*range(1, 401))


def test_a_read_with_nothing_to_catch_up_loads_no_sqlalchemy(home: Any, settings: Any, journal: Any) -> None:
    journal.events(3)
    catch_up(home, settings)
    code = (
        "import sys; from types import SimpleNamespace as N; from levaithan.hot.paths import home_at;"
        "from levaithan.projector.loop import catch_up; from levaithan.stores.registry import open_ledger;"
        "from levaithan.queries import audit;"
        f"h = home_at({home.root!r}); s = N(ledger_url=None, ledger_max_field_bytes=9**6, search=True);"
        "catch_up(h, s); p = audit.list_events(open_ledger(s, h), audit.Filters());"
        "print(len(p.rows), sorted({'sqlalchemy', 'alembic', 'pydantic', 'orjson', 'rich'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "3 []\n"


def test_writing_to_a_current_schema_loads_no_alembic(home: Any, settings: Any, journal: Any) -> None:
    journal.events(3)
    code = (
        "import sys; from types import SimpleNamespace as N; from levaithan.hot.paths import home_at;"
        "from levaithan.projector.loop import catch_up;"
        "s = N(ledger_url=None, ledger_max_field_bytes=9**6, search=True, fsync='always');"
        f"print(catch_up(home_at({home.root!r}), s).delivered, 'alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "4 False\n"
