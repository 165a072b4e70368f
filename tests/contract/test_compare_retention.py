"""`store compare ledger` after a PostgreSQL ledger's retention has dropped months that the journal has, or has not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_compare_contract import fill, named, rebuilt
from tests.servers import fixtures
from tests.support import forged, postgres_place
from tests.support.ledger_records import JournalFiles, event

from levaithan.hot.paths import Home, home_at
from levaithan.projector.compare import compare
from levaithan.stores import postgres_months
from levaithan.stores.times import month_of, start_us

fixtures.driver("postgres", "psycopg")
SESSION = {"tool_name": None, "tool_use_id": None}


def stamp(back: int, seconds: int) -> str:
    """A time in the month that is `back` months before this one."""
    year, month = month_of(time.time_ns() // 1000)
    moment = time.gmtime(start_us(year, month - back) / 1e6 + seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", moment)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two segments: records 2 to 7 of months that are dropped, 9 to 12 of those that stay; 1 and 8 are no events. A
    session is in both, with an agent, and a call that ends in the second."""
    made = home_at(str(tmp_path / "home"))
    files = JournalFiles(made.journal)
    files.add(event(1, at=stamp(7, 1), session_id="old"))
    files.add(event(2, "SessionStart", at=stamp(5, 1), session_id="long", **SESSION, payload={"model": "opus"}))
    files.add(event(3, "SubagentStart", at=stamp(5, 2), session_id="long", agent_id="a", agent_type="t", **SESSION))
    files.add(event(4, at=stamp(5, 3), session_id="long", call="slow"))
    files.add(event(5, "UserPromptSubmit", at=stamp(5, 4), session_id="old", **SESSION, payload={"prompt": "p"}))
    files.add(event(6, "PostToolUse", at=stamp(5, 5), session_id="old", call="toolu_0001"))
    files.segment()
    files.add(event(7, "PostToolUse", at=stamp(1, 4000), session_id="long", call="slow"))
    files.add(event(8, "SubagentStop", at=stamp(1, 4001), session_id="long", agent_id="a", **SESSION))
    files.add(event(9, at=stamp(1, 4002), session_id="new"))
    files.add(event(10, "UserPromptSubmit", at=stamp(0, 1), session_id="new", **SESSION, payload={"prompt": "q"}))
    return made


@pytest.fixture
def ledger(home: Home, postgres_server: Any) -> Any:
    opened = fill(postgres_place.ledger(postgres_place.made()), home)
    yield opened
    opened.close()


def house(ledger: Any, count: int = 2) -> None:
    ledger.months.keep = 2
    assert len(ledger.months.retain(ledger._writer_now().link)) == count


def test_what_retention_dropped_is_no_difference_and_what_is_missing_is(home: Home, ledger: Any) -> None:
    whole = compare(home, ledger)
    assert (whole.equal, whole.dropped, whole.journal) == (True, 0, 12), whole
    house(ledger)
    done = compare(home, ledger)
    assert done.equal, done
    assert (done.dropped, done.journal, done.stored, done.missing_count) == (6, 6, 6, 0)
    forged.sql(ledger, "DELETE FROM events WHERE seq IN (10, 12)")
    done = compare(home, ledger)
    assert (done.equal, done.dropped, done.missing_count, done.missing) == (False, 6, 2, [10, 12])
    rebuilt(ledger, home)
    done = compare(home, ledger)
    assert (done.equal, done.dropped, done.stored) == (True, 0, 12)


def test_a_month_that_a_late_record_made_again_is_dropped_all_the_same(home: Home, ledger: Any) -> None:
    house(ledger)
    with ledger._writer_now().link as link:
        link.execute("SELECT levaithan_make_month(%s::bigint)", (start_us(*_back(7)),))
    done = compare(home, ledger)
    assert (done.equal, done.dropped) == (True, 6), "for a later one is not there"


def test_a_month_that_somebody_dropped_is_missing_where_an_earlier_one_is_there(home: Home, ledger: Any) -> None:
    forged.sql(ledger, "DROP TABLE events_{:04d}_{:02d}".format(*_back(5)))
    done = compare(home, ledger)
    assert (done.equal, done.dropped, done.missing_count) == (False, 0, 5), done


def _back(months: int) -> tuple[int, int]:
    year, month = month_of(time.time_ns() // 1000)
    return month_of(start_us(year, month - months))


def test_folds_of_months_that_are_kept_are_compared_as_ever(home: Home, ledger: Any) -> None:
    house(ledger)
    forged.sql(
        ledger, "UPDATE sessions SET project = '/x' WHERE session_id = 'new'", "DELETE FROM agents",
        "UPDATE tool_calls SET outcome = 'x' WHERE tool_use_id = 'slow'",
        "UPDATE rollups SET events = events + 1 WHERE event = 'SubagentStop'",
    )  # fmt: skip
    hour = stamp(1, 3600)[:13]
    assert named(compare(home, ledger)) == [
        "sessions new", "agents long/a", "tool_calls slow", f"rollups {hour}//p//SubagentStop/allow",
    ]  # fmt: skip


def test_what_the_journal_and_the_ledger_have_both_let_go_is_no_difference(home: Home, ledger: Any) -> None:
    house(ledger)
    sorted(Path(home.journal).glob("*.log"))[0].unlink()
    for _ in range(2):
        done = compare(home, ledger)
        assert done.equal, done
        assert (done.dropped, done.journal, done.stored) == (0, 5, 5)
        ((first_us, model),) = ledger.rows("SELECT first_us, model FROM sessions WHERE session_id = 'long'")
        assert (month_of(first_us), model) == (_back(5), "opus"), "which nothing can give back"
        assert ledger.rows("SELECT count(*) FROM tool_calls WHERE tool_use_id = 'slow' AND pre_us > 0") == [(1,)]
        assert ledger.rows("SELECT sum(events) FROM rollups") == [(10,)]
        rebuilt(ledger, home)
    forged.sql(ledger, "UPDATE sessions SET first_us = first_us + 1 WHERE session_id = 'new'")
    assert named(compare(home, ledger)) == ["sessions new"]
    rebuilt(ledger, home)
    assert compare(home, ledger).equal


def test_one_clock_that_was_ahead_hides_no_hour_of_a_pruned_journal(home: Home, ledger: Any) -> None:
    """The last record of the fixture is weeks ahead of those that follow it."""
    more(home, ledger, *(stamp(1, seconds) for seconds in (7201, 7202, 7203, 10801)))
    house(ledger)
    sorted(Path(home.journal).glob("*.log"))[0].unlink()
    forged.sql(ledger, "UPDATE rollups SET events = events + 1")
    wrong = [f"rollups {at[:13]}//p/Bash/PreToolUse/allow" for at in (stamp(1, 10801),)]
    wrong.append(f"rollups {stamp(0, 1)[:13]}//p//UserPromptSubmit/allow")
    assert named(compare(home, ledger)) == wrong, "in the hour of the third a pruned record may have been"
    rebuilt(ledger, home)
    assert compare(home, ledger).equal


def test_a_record_that_is_in_no_month_is_never_dropped(home: Home, ledger: Any) -> None:
    more(home, ledger, "1970-01-01T00:00:00.000000Z", "2014-12-31T23:59:59.000000Z")
    house(ledger)
    assert compare(home, ledger).equal
    forged.sql(ledger, f"DELETE FROM {postgres_months.OTHER}")
    done = compare(home, ledger)
    assert (done.missing, done.dropped) == ([13, 14], 6)


def more(home: Home, ledger: Any, *times: str) -> None:
    """Events of these times behind those of the fixture."""
    files = JournalFiles.__new__(JournalFiles)
    files.__dict__.update(path=sorted(Path(home.journal).glob("*.log"))[-1], seq=12, hash=_head(home))
    for n, at in enumerate(times, 11):
        files.add(event(n, at=at, session_id="strange"))
    fill(ledger, home)


def _head(home: Home) -> str:
    lines = sorted(Path(home.journal).glob("*.log"))[-1].read_bytes().splitlines()
    return lines[-1][:64].decode()
