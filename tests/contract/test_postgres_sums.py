"""The hourly sums of a PostgreSQL ledger when records are put again and retention drops months: each counted once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import postgres_place
from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores import postgres_counted, postgres_months
from levaithan.stores.roles import StoreBusyError

psycopg = fixtures.driver("postgres", "psycopg")
OTHER = "k" * 32
KEEP = 2


def stamp(back: int, seconds: int = 1) -> str:
    """A time in the month that is `back` months before this one."""
    year, month = postgres_months.month_of(time.time_ns() // 1000)
    us = postgres_months.start_us(year, month - back)
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(us / 1e6 + seconds))


def tale() -> list[dict[str, Any]]:
    """Two events of a month that retention drops, two of one that stays, and two of this month."""
    return [event(n, at=stamp(back, n), session_id=f"s{back}") for n, back in enumerate((5, 5, 1, 1, 0, 0), 1)]


@pytest.fixture
def other(url: str) -> Any:
    """Another machine's, which has a retention."""
    opened = postgres_place.ledger(url, OTHER)
    yield opened
    opened.close()


def put(ledger: Any, records: list[dict[str, Any]]) -> None:
    """Each in a batch of its own."""
    for one in records:
        ledger.apply([delivery(one)], cursor(one["seq"]))


def house(other: Any) -> list[str]:
    """What the other machine's hourly retention drops."""
    other.months.keep = KEEP
    return other.months.retain(other._writer_now().link)


def house_is_kept(other: Any) -> None:
    """A month is dropped, though perhaps not at once: the server sees a moment later that a connection has ended."""
    until = time.monotonic() + 10
    while not (gone := house(other)) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(gone) == 1


def summed(ledger: Any) -> list[tuple[str, int]]:
    """Month and events of the sums."""
    return [
        (str(month), int(events))
        for month, events in ledger.rows(
            "SELECT to_char(to_timestamp(hour_us / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM') AS m, sum(events) "
            "FROM rollups GROUP BY m ORDER BY m"
        )
    ]


def each(*counts: int) -> list[tuple[str, int]]:
    return [(stamp(back)[:7], count) for back, count in zip((5, 1, 0), counts, strict=True) if count]


def events(ledger: Any) -> list[int]:
    return [int(row[0]) for row in ledger.rows("SELECT seq FROM events ORDER BY seq")]


@pytest.fixture
def dropped(ledger: Any, other: Any) -> Any:
    """The ledger with the tale, of which a month is gone."""
    ledger.migrate()
    put(ledger, tale())
    assert len(house(other)) == 1
    assert events(ledger) == [4, 5, 6, 7]
    assert summed(ledger) == each(2, 2, 2), "sums stay"
    return ledger


def test_no_machine_drops_a_month_amid_a_rebuild_of_another(dropped: Any, other: Any) -> None:
    dropped.rewrite_begin()
    put(dropped, tale()[:1])
    assert house(other) == []
    put(dropped, tale()[1:])
    assert house(other) == []
    dropped.rewrite_end(7)
    assert summed(dropped) == each(2, 2, 2)
    assert events(dropped) == [2, 3, 4, 5, 6, 7]
    assert len(house(other)) == 1, "it is over"
    assert summed(dropped) == each(2, 2, 2)


@pytest.mark.parametrize("done", [1, 2, 4, 6])
def test_a_rebuild_that_was_killed_holds_up_no_retention_and_leaves_the_sums_right(
    dropped: Any, other: Any, url: str, done: int
) -> None:
    dropped.rewrite_begin()
    put(dropped, tale()[:done])
    dropped.close()  # as the end of its process would
    house_is_kept(other)
    assert summed(dropped) == each(2, 2, 2)
    again = postgres_place.ledger(url)
    assert (again.cursor() or cursor(0)).seq == done + 1
    put(again, [*tale()[done:], event(7, at=stamp(0, 7))])
    assert summed(again) == each(2, 2, 3), "the service goes on where it ended: the last one is new"
    house(other)
    assert summed(again) == each(2, 2, 3)
    put(again, [event(8, at=stamp(0, 8))])
    assert again.rows("SELECT count(*) FROM cursors WHERE journal = :j", {"j": again.journal}) == [(1,)], "no mark"
    again.rewrite_begin()
    put(again, [*tale(), *(event(n, at=stamp(0, n)) for n in (7, 8))])
    again.rewrite_end(9)
    assert summed(again) == each(2, 2, 4)
    again.close()


def test_two_rebuilds_that_were_killed_one_after_the_other_leave_the_sums_right(
    dropped: Any, other: Any, url: str
) -> None:
    for done in (3, 1, 1):
        dropped.rewrite_begin()
        put(dropped, tale()[:done])
        dropped._let_go()
        dropped._rewriting = False
        house_is_kept(other)
    put(dropped, tale()[1:])
    assert summed(dropped) == each(2, 2, 2)


def test_a_place_that_goes_back_counts_nothing_twice_and_what_is_new_once(dropped: Any, other: Any) -> None:
    """Of a journal that was put back from a copy: the last record is another, with the number of an earlier one."""
    put(dropped, tale()[:5])
    house(other)
    assert summed(dropped) == each(2, 2, 2)
    newer = event(6, id="e" * 32, at=stamp(0, 60))
    put(dropped, [newer])
    assert summed(dropped) == each(2, 2, 3)


def test_one_event_of_the_future_does_not_keep_a_journal_that_was_put_back_from_being_counted(ledger: Any) -> None:
    """The clock was a year ahead for one event: what is recorded since with the numbers of others is new for all that,
    be it by the clock that is right again, or by one that is ahead for good."""
    ledger.migrate()
    put(ledger, [event(1, at=stamp(0, 1)), event(2, at=stamp(-12)), *(event(n, at=stamp(0, n)) for n in (3, 4, 5))])
    before = sum(count for _, count in summed(ledger))
    copy = [event(n, id=f"{n:032x}", at=stamp(back)) for n, back in ((2, -1), (3, -13))]
    time.sleep(0.01)
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000 % 10**6:06d}Z"
    put(ledger, [event(1, at=stamp(0, 1)), *copy, event(4, id="e" * 32, at=now)])
    assert sum(count for _, count in summed(ledger)) == before + 3


def test_a_mark_of_the_future_that_a_version_of_before_left_is_mended_once(ledger: Any) -> None:
    """It took a clock that was ahead at its word: until that time nothing that is recorded would be counted."""
    ledger.migrate()
    put(ledger, [event(n, at=stamp(0, n)) for n in (1, 2, 3, 4, 5)])
    link = ledger._writer_now().link
    postgres_counted.note(link, ledger.journal)
    ahead = time.time_ns() // 1000 + 365 * 86_400_000_000
    link.execute("UPDATE cursors SET updated_us = %s WHERE store = %s", (ahead, postgres_counted._NAME))
    postgres_counted.note(link, ledger.journal)
    before = time.time_ns() // 1000
    first = postgres_counted.known(link, ledger.journal)
    assert first is not None
    assert (first.seq, first.newest_us < before) == (6, True), "what is recorded from now on is newer"
    link.execute("UPDATE machines SET last_us = %s", (ahead,))
    assert postgres_counted.known(link, ledger.journal) == first, "it does not go along"
    link.execute("UPDATE cursors SET updated_us = %s WHERE store = %s", (ahead, postgres_counted._NAME))
    bounded = postgres_counted.known(link, ledger.journal)
    assert bounded is not None
    assert bounded.newest_us <= time.time_ns() // 1000 + 1_000_000, "the server's clock was ahead, too"


def test_a_rebuild_from_a_journal_that_is_shorter_now_leaves_no_mark(dropped: Any) -> None:
    dropped.rewrite_begin()
    put(dropped, tale()[:4])
    dropped.rewrite_end(5)
    assert (summed(dropped), dropped.rows("SELECT seq FROM cursors")) == (each(2, 2, 0), [(5,)])


def test_a_dead_letter_that_a_rebuild_can_put_is_counted_though_months_are_dropped_then(ledger: Any) -> None:
    ledger.migrate()
    bad = event(2, at=stamp(0, 2), payload={"tool_response": "a\0b"})
    put(ledger, [event(1, at=stamp(0)), bad, event(3, at=stamp(0, 3))])
    assert ledger.dead_count() == 1
    ledger.rewrite_begin()
    put(ledger, [event(1, at=stamp(0)), event(2, at=stamp(0, 2)), event(3, at=stamp(0, 3))])
    assert summed(ledger) == each(0, 0, 3)
    ledger.rewrite_end(4)
    assert (summed(ledger), ledger.dead_count()) == (each(0, 0, 3), 0)


def test_a_rebuild_waits_for_a_retention_and_says_so(ledger: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.migrate()
    put(ledger, tale())
    monkeypatch.setattr(postgres_counted, "WAIT_S", 0.2)
    link = other._writer_now().link
    assert postgres_counted.may_drop(link)
    with pytest.raises(StoreBusyError, match="are being dropped"):
        ledger.rewrite_begin()
    assert (ledger.cursor() or cursor(0)).seq == 7, "nothing is begun"
    postgres_counted.dropped(link)
    ledger.rewrite_begin()
    ledger.rewrite_begin()
    put(ledger, tale())
    ledger.rewrite_end(7)
    assert postgres_counted.may_drop(link), "begun twice, ended once"
    postgres_counted.dropped(link)


@pytest.mark.parametrize("strange", ["1970-01-01T00:00:00.000000Z", "1999-05-05T05:05:05.000000Z"])
@pytest.mark.parametrize("first", [True, False])
def test_a_rebuild_keeps_sums_that_nothing_can_give_back_whatever_one_clock_said(
    ledger: Any, other: Any, strange: str, first: bool
) -> None:
    """The journal has lost its first records, and retention their month; an event of a wrong clock is left."""
    ledger.migrate()
    records = tale()
    records.insert(2 if first else 4, event(0, at=strange, id="f" * 32))
    records = [one | {"seq": seq} for seq, one in enumerate(records, 2)]
    put(ledger, records)
    house(other)
    wanted = summed(ledger)
    assert (len(wanted), dict(wanted)[stamp(5)[:7]]) == (4, 2)
    for _ in range(2):
        ledger.rewrite_begin()
        put(ledger, records[2:])
        ledger.rewrite_end(8)
        assert summed(ledger) == wanted


def test_a_rebuild_of_a_pruned_journal_mends_the_sums_of_hours_that_it_has_whole(ledger: Any, url: str) -> None:
    ledger.migrate()
    early = [event(n, at=stamp(1, n)) for n in range(1, 110)]
    late = [event(n, at=stamp(0, n)) for n in range(110, 115)]
    ledger.apply([delivery(one) for one in early + late], cursor(115))
    for forgery, wanted in (("events = events + 1", each(0, 110, 5)), ("events = events - 1", each(0, 109, 5))):
        with psycopg.connect(url) as link:
            link.execute(f"UPDATE rollups SET {forgery}")
        ledger.rewrite_begin()
        ledger.apply([delivery(one) for one in early[5:] + late], cursor(115))
        ledger.rewrite_end(115)
        assert summed(ledger) == wanted, (
            "of the first hour nobody can tell whether an event is gone, if any seems to be"
        )
