"""A machine's clock that was set, on a real PostgreSQL: its events stay where they were in the list, on every page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import postgres_place
from tests.support.ledger_records import JOURNAL, START_US, at, delivery, event

from levaithan.queries import audit, clocks
from levaithan.queries.asking import Filters
from levaithan.queries.clocks import Piece
from levaithan.stores import postgres_months, postgres_writer
from levaithan.stores.clock_history import MOST_KEPT
from levaithan.stores.roles import Cursor

psycopg = fixtures.driver("postgres", "psycopg")
OTHER = "k" * 32
SECOND = 1_000_000


class Machine:
    """A machine in true time: its clock is `ahead_s`, what it recorded is delivered when it is said so."""

    def __init__(self, url: str, journal: str, monkeypatch: pytest.MonkeyPatch, ahead_s: float = 0) -> None:
        self.ledger = postgres_place.ledger(url, journal)
        self.journal, self.monkeypatch, self.ahead_s = journal, monkeypatch, ahead_s
        self.seq = 0
        self.waiting: list[Any] = []

    def record(self, *true_s: float, **over: Any) -> None:
        """An event at each of these true seconds; its id says which."""
        for second in true_s:
            self.seq += 1
            name = f"{self.journal[0]}{round(second * 10):031x}"
            made = event(
                self.seq, id=name, at=at(second + self.ahead_s), machine=f"m-{self.journal[0]}", call=name,
                session_id=self.journal[0], seq=self.seq, **over,
            )  # fmt: skip
            self.waiting.append(replace(delivery(made), journal=self.journal))

    def deliver(self, true_s: float) -> None:
        """All that waits, at this true second, by the machine's clock and the database's."""
        now_us = START_US + round(true_s * SECOND)
        ours_ns = (now_us + round(self.ahead_s * SECOND)) * 1000
        last = self.waiting[-1]
        with self.monkeypatch.context() as patch:
            patch.setattr(postgres_writer.time, "time_ns", lambda: ours_ns)
            patch.setattr(postgres_writer, "_CLOCK", f"SELECT {now_us}::bigint")
            place = Cursor(self.journal, last.segment, last.offset + 9, last.seq, last.hash)
            assert self.ledger.apply(self.waiting, place) == []
        self.waiting = []

    def live(self, seconds: range, a_batch: int = 5) -> None:
        for second in seconds:
            self.record(second)
            if len(self.waiting) == a_batch:
                self.deliver(second + 0.2)
        if self.waiting:
            self.deliver(seconds[-1] + 0.2)

    def skews(self) -> list[tuple[int, float]]:
        sql = "SELECT from_seq, skew_us FROM clock_skews WHERE journal = :journal ORDER BY 1"
        return [(first, skew / SECOND) for first, skew in self.ledger.rows(sql, {"journal": self.journal})]


@pytest.fixture
def pair(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Machine, Machine]]:
    made = Machine(url, JOURNAL, monkeypatch), Machine(url, OTHER, monkeypatch)
    yield made
    for one in made:
        one.ledger.close()


def execute(url: str, sql: str, *values: Any) -> None:
    with psycopg.connect(url, autocommit=True) as link:
        link.execute(sql, values)


def true_tenths(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"][1:], 16) for row in rows]


def pages(ledger: Any, limit: int, between: Any = None, **filters: Any) -> list[int]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = audit.list_events(ledger, Filters(**filters), limit, cursor)
        rows += page.rows
        cursor = page.next
        if cursor is None:
            return true_tenths(rows)
        if between:
            between()


def seconds(*ranges: range) -> list[int]:
    return sorted((10 * second for some in ranges for second in some), reverse=True)


@pytest.mark.parametrize("ahead", [300, -300, 12])
def test_events_of_before_a_clock_was_set_right_stay_where_they_are(pair: Any, ahead: float) -> None:
    steady, other = pair
    steady.live(range(1, 160, 2), 9)
    other.ahead_s = ahead
    other.live(range(2, 80, 2))
    assert pages(steady.ledger, 1000) == seconds(range(1, 160, 2), range(2, 80, 2))
    other.ahead_s = 0
    other.live(range(80, 160, 2), 9)
    assert other.skews() == [(0, ahead), (40, 0)]
    whole = seconds(range(1, 160))
    assert pages(steady.ledger, 1000) == pages(other.ledger, 60) == whole
    last = audit.list_events(steady.ledger, Filters(), 50).next
    assert last is not None
    assert last.startswith(f"m{OTHER}{ahead * SECOND:+d},+0@40~")
    assert pages(steady.ledger, 37, session="k") == seconds(range(2, 160, 2))
    since = {"since_us": START_US + 140 * SECOND}
    before = range(2, 80, 2) if ahead == 300 else range(0)
    found = pages(steady.ledger, 7, session="k", **since)
    assert found == seconds(range(140, 160, 2), before), "a window is of each machine's own time"


def test_a_clock_that_jumps_back_repeats_its_times_and_no_event_is_shown_twice_or_not_at_all(pair: Any) -> None:
    steady, other = pair
    steady.live(range(1, 200, 2))
    other.ahead_s = 50
    other.live(range(2, 100, 2), 7)
    other.ahead_s = 0
    other.live(range(100, 150, 2), 7)
    other.ahead_s = 30
    other.live(range(150, 200, 2), 7)
    assert other.skews() == [(0, 50), (50, 0), (75, 30)]
    ats = [row["at"] for row in audit.list_events(other.ledger, Filters(session="k"), 200).rows]
    assert ats != sorted(ats, reverse=True)
    for limit in (1, 2, 13, 60, 500):
        assert pages(steady.ledger, limit) == seconds(range(1, 200)), limit


def test_what_waited_through_an_outage_is_in_order_where_the_clock_was_set_back_meanwhile(pair: Any) -> None:
    steady, other = pair
    steady.live(range(1, 1000, 2), 50)
    other.ahead_s = 300
    other.live(range(2, 100, 2))
    other.record(*range(100, 500, 2))
    other.ahead_s = 0
    other.record(*range(500, 1000, 2))
    other.deliver(1000)
    assert other.skews() == [(0, 300), (250, 0)]
    assert pages(steady.ledger, 90) == seconds(range(1, 1000))


def test_what_waited_while_a_clock_was_set_ahead_keeps_the_skew_known_before_but_for_the_last_minute(pair: Any) -> None:
    steady, other = pair
    steady.live(range(1, 1000, 2), 50)
    other.ahead_s = -300
    other.live(range(2, 100, 2))
    other.record(*range(100, 500, 2))
    other.ahead_s = 0
    other.record(*range(500, 1000, 2))
    other.deliver(1000)
    assert other.skews() == [(0, -300), (470, 0)]
    found = pages(steady.ledger, 90)
    assert sorted(found, reverse=True) == seconds(range(1, 1000))
    unsure = set(range(5000, 9400, 20))
    assert [one for one in found if one not in unsure] == [one for one in seconds(range(1, 1000)) if one not in unsure]


@pytest.mark.parametrize("seed", range(3))
def test_pages_are_a_plain_sort_whatever_clocks_did_and_do_meanwhile(
    url: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    machines = [Machine(url, letter * 32, monkeypatch, dice.choice([0, -40, 90])) for letter in "jklm"]
    for second in range(1, 100):
        one = dice.choice(machines)
        if not one.waiting and dice.random() < 0.3:
            one.ahead_s = dice.choice([0, 0, 0.05, 3, -40, 90, 600])
        one.record(second)
        if dice.random() < 0.4:
            one.deliver(second + 0.1)
    for one in machines:
        if one.waiting:
            one.deliver(100)
    reader = machines[0].ledger
    known = clocks.pieces(reader)
    assert len(known) > 8
    there = reader.rows("SELECT id, journal, seq, at_us FROM events")
    assert len(there) == 99
    plain = sorted_plainly(known, there)

    def set_another() -> None:
        one = dice.choice(machines)
        one.ahead_s = dice.choice([0, 5, -40, 1000])
        one.record(3000 + one.seq)
        one.deliver(3000 + one.seq)

    for limit in (7, 50):
        found = pages(reader, limit, set_another if limit == 7 else None)
        assert found[-99:] == plain
        execute(url, "DELETE FROM events WHERE at_us > %s", START_US + 2000 * SECOND)
        if limit == 7:
            plain = sorted_plainly(clocks.pieces(reader), there)
    for one in machines:
        one.ledger.close()


def sorted_plainly(known: list[Piece], there: list[tuple[Any, ...]]) -> list[int]:
    """Each record's skew looked for piece by piece, and all of them sorted."""
    corrected = []
    for one, journal, seq, at_us in there:
        its = [of for of in known if of.journal == journal and of.first <= seq < (of.until or 1 << 60)]
        assert len(its) <= 1
        corrected.append((at_us - sum(of.skew_us for of in its), one))
    return [int(one[1:], 16) for _, one in sorted(corrected, reverse=True)]


def test_a_stretch_that_is_put_into_another_moves_no_border_of_pages_that_were_begun(pair: Any, url: str) -> None:
    steady, other = pair
    steady.live(range(1, 200, 2))
    for begin, ahead in ((2, 20), (60, -0.06), (100, 0.06), (150, 40)):
        other.ahead_s = ahead
        other.live(range(begin, {2: 60, 60: 100, 100: 150, 150: 200}[begin], 2))
    assert other.skews() == [(0, 20), (30, -0.06), (50, 0.06), (75, 40)]
    page = audit.list_events(steady.ledger, Filters(), 20)
    assert page.next is not None
    assert page.next.startswith(f"m{OTHER}+20000000,+0@30,+40000000@75~")
    execute(
        url,
        "UPDATE clock_skews s SET newest_us = greatest(s.newest_us, g.newest_us), oldest_us = least(s.oldest_us, "
        "g.oldest_us) FROM clock_skews g WHERE s.journal = g.journal AND s.from_seq = 0 AND g.from_seq = 30",
    )
    execute(url, "DELETE FROM clock_skews WHERE from_seq = 30")
    rest = audit.list_events(steady.ledger, Filters(), 500, page.next)
    assert true_tenths(page.rows + rest.rows) == seconds(range(1, 200))


def test_a_clock_that_drifts_has_few_rows_and_no_event_of_it_is_lost(pair: Any) -> None:
    steady, other = pair
    steady.live(range(1, 200, 2))
    for step in range(40):
        other.ahead_s = step
        other.record(2 + 4 * step)
        other.deliver(2.1 + 4 * step)
    assert len(other.skews()) == MOST_KEPT
    assert sorted(pages(steady.ledger, 30)) == sorted([*range(10, 2000, 20), *range(20, 1600, 40)])
    assert len(clocks.pieces(steady.ledger)) <= MOST_KEPT


def test_at_most_sixteen_pieces_are_corrected_the_widest_first(pair: Any, url: str) -> None:
    steady, _ = pair
    execute(url, "INSERT INTO clock_skews SELECT md5(n::text), m * 10, CASE m WHEN 1 THEN n * 1000000 WHEN 2 THEN "
            "n * 1000000 + 1 ELSE 5 END, 0, 0 FROM generate_series(1, 20) n, generate_series(0, 3) m")  # fmt: skip
    found = clocks.pieces(steady.ledger)
    corrected = sorted(one.skew_us for one in found if one.skew_us)
    assert corrected == sorted(n * SECOND + more for n in range(13, 21) for more in (0, 1))
    assert [(one.first, one.until) for one in found[:4]] == [(0, 10), (10, 20), (20, 30), (30, None)]
    assert len({one.journal for one in found}) == 8
    packed = clocks.pack("1-a", found)
    assert clocks.unpack(packed) == ("1-a", found)
    assert audit.list_events(steady.ledger, Filters(), 5, packed).rows == []


class Plans:
    """What a ledger is asked for lists of events, and how many events each of its plans looked at."""

    def __init__(self, ledger: Any) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.rows = ledger.rows
        ledger.rows = self._rows

    def _rows(self, sql: str, values: Any = None) -> Any:
        if "e.at_us" in sql:
            self.asked.append((sql, values))
        return self.rows(sql, values)

    def looked_at(self) -> list[int]:
        """By question."""
        found = []
        for sql, values in self.asked:
            ((plan,),) = self.rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
            scans = [one for one in parts(plan[0]["Plan"]) if one.get("Relation Name", "").startswith("events_")]
            found.append(sum((one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"]
                             for one in scans))  # fmt: skip
        return found


def parts(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for one in plan.get("Plans", []):
        yield from parts(one)


def many(url: str, before: int, behind: int) -> None:
    """Events of the first machine before and behind the others, a second each."""
    execute(
        url,
        "INSERT INTO events (id, seq, journal, hash, at_us, event, machine, body) SELECT 'x' || n, 9000 + n, "
        "repeat('j', 32), 'h', %s + n * 1000000::bigint, 'Stop', 'j', '{}' FROM generate_series(%s::bigint, %s) n "
        "WHERE n NOT BETWEEN 0 AND 200",
        START_US, -before, 200 + behind,
    )  # fmt: skip
    for table in ("machines", "clock_skews"):
        execute(url, f"UPDATE {table} SET newest_us = %s WHERE journal = repeat('j', 32)",
                START_US + (200 + behind) * SECOND)  # fmt: skip
    execute(url, "ANALYZE events")


def test_clocks_that_agree_again_cost_one_question_until_a_page_comes_to_what_they_were(pair: Any, url: str) -> None:
    steady, other = pair
    steady.live(range(1, 200, 2), 9)
    for begin, ahead in ((2, 30), (80, 0), (140, -20), (170, 0)):
        other.ahead_s = ahead
        other.live(range(begin, {2: 80, 80: 140, 140: 170, 170: 200}[begin], 2), 9)
    many(url, 3000, 500)
    plans = Plans(steady.ledger)
    page = audit.list_events(steady.ledger, Filters(), 100)
    for _ in range(3):
        page = audit.list_events(steady.ledger, Filters(), 100, page.next)
    assert ["UNION" in sql for sql, _ in plans.asked] == [False] * 4
    assert max(plans.looked_at()) < 2 * 101
    plans.asked.clear()
    rest: list[dict[str, Any]] = []
    while page.next and len(rest) < 600:
        page = audit.list_events(steady.ledger, Filters(), 100, page.next)
        rest += page.rows
    shown = [int(row["id"][1:], 16) for row in rest if row["id"][0] != "x"]
    assert shown == seconds(range(1, 200))
    assert any("UNION" in sql for sql, _ in plans.asked)
    assert max(plans.looked_at()) < 5 * 101, "no piece is looked for where it has nothing"


def test_a_window_asks_for_the_pieces_in_it_alone(pair: Any) -> None:
    steady, other = pair
    steady.live(range(1, 200, 2), 9)
    other.ahead_s = 30
    other.live(range(2, 100, 2), 9)
    other.ahead_s = -30
    other.live(range(100, 150, 2), 9)
    other.ahead_s = 0
    other.live(range(150, 200, 2), 9)
    plans = Plans(steady.ledger)
    late = audit.list_events(steady.ledger, Filters(since_us=START_US + 150 * SECOND), 500).rows
    assert "UNION" not in plans.asked[-1][0]
    assert true_tenths(late) == seconds(range(150, 200))
    early = audit.list_events(steady.ledger, Filters(until_us=START_US + 60 * SECOND), 500).rows
    assert plans.asked[-1][0].count("UNION") == 0, "of the second machine only the first piece"
    assert true_tenths(early) == seconds(range(1, 60, 2), range(2, 30, 2))


def test_a_ledger_of_one_journal_that_is_corrected_reads_no_more_than_a_page(pair: Any, url: str) -> None:
    steady, _ = pair
    steady.ahead_s = 60
    steady.live(range(1, 60), 9)
    steady.ahead_s = 0
    steady.live(range(60, 100), 9)
    execute(url, "UPDATE clock_skews SET oldest_us = oldest_us + 200000000 WHERE from_seq > 0")
    execute(url, "UPDATE events SET at_us = at_us + 200000000 WHERE seq >= 60")
    execute(
        url,
        "INSERT INTO events (id, seq, journal, hash, at_us, event, machine, body) SELECT 'x' || n, -n, "
        "repeat('j', 32), 'h', %s - n * 1000000::bigint, 'Stop', 'j', '{}' FROM generate_series(1, 5000) n",
        START_US,
    )
    execute(url, "UPDATE clock_skews SET newest_us = %s WHERE from_seq > 0", START_US + 400 * SECOND)
    execute(url, "ANALYZE events")
    plans = Plans(steady.ledger)
    page = audit.list_events(steady.ledger, Filters(include_canary=True), 30)
    seen = len(page.rows)
    while page.next and seen < 300:
        page = audit.list_events(steady.ledger, Filters(include_canary=True), 30, page.next)
        seen += len(page.rows)
    assert seen == 300
    assert max(plans.looked_at()) < 100, "there is no other journal to look for, and none of this one out of its piece"


def test_what_an_older_service_still_writes_is_in_the_list(pair: Any, url: str) -> None:
    steady, other = pair
    other.ahead_s = 100
    other.live(range(2, 50, 2))
    steady.live(range(1, 50, 2))
    execute(url, "DELETE FROM clock_skews WHERE journal = %s", JOURNAL)
    execute(url, "UPDATE clock_skews SET newest_us = newest_us - 40000000")
    assert pages(steady.ledger, 7) == seconds(range(1, 50))


def test_an_older_ledger_keeps_what_was_known_of_its_clocks(postgres_server: Any, monkeypatch: Any) -> None:
    url = postgres_place.database(postgres_server.url)
    postgres_place.older(url, "0004")
    for journal, skew, low in ((JOURNAL, 20_000, 0), (OTHER, 300 * SECOND, 1)):
        execute(
            url,
            "INSERT INTO events (id, seq, journal, hash, at_us, event, body) SELECT left(%s, 1) || lpad(to_hex(10 * n)"
            ", 31, '0'), n, %s, 'h', %s + n * 1000000::bigint, 'Stop', '{}' FROM generate_series(%s, 99, 2) n",
            journal, journal, START_US + skew, low,
        )  # fmt: skip
        for heard, was in ((5, -7), (9, skew)):
            execute(url, "INSERT INTO machines VALUES (%s, %s, 1, %s, %s, %s, 'v')", f"m{heard}", journal, heard,
                    START_US + skew + 99 * SECOND, was)  # fmt: skip
    execute(
        url,
        "INSERT INTO events (id, seq, journal, hash, at_us, event, body) VALUES ('o', 1, 'old', 'h', 5, 'Stop', '{}')",
    )
    reader = postgres_place.ledger(url)
    assert clocks.pieces(reader) == [], "until it is brought up its lists are as they were"
    assert len(audit.list_events(reader, Filters(), 500).rows) == 101
    reader.migrate()
    asked = "SELECT journal, from_seq, skew_us, oldest_us, newest_us FROM clock_skews ORDER BY journal"
    assert reader.rows(asked) == [
        (JOURNAL, 0, 20_000, START_US + 20_000, START_US + 20_000 + 98 * SECOND),
        (OTHER, 0, 300 * SECOND, START_US + 301 * SECOND, START_US + 399 * SECOND),
        ("old", 0, 0, 5, 5),
    ]
    assert clocks.pieces(reader) == [Piece(OTHER, 300 * SECOND)]
    assert pages(reader, 30, since_us=1000) == seconds(range(100))
    reader.close()
    other = Machine(url, OTHER, monkeypatch)
    other.seq = 100
    other.record(200)
    other.deliver(200.1)
    assert other.skews() == [(0, 300), (101, 0)], "and goes on from there"
    other.ledger.close()


def test_retention_forgets_the_clocks_of_what_it_drops_but_for_the_last(pair: Any) -> None:
    steady, _ = pair
    for number, month in enumerate((1, 2, 3)):
        steady.ahead_s = number * 10
        steady.record(-86_400 * 30 * (12 - month))
        steady.deliver(-86_400 * 30 * (12 - month) + 1)
    assert [skew for _, skew in steady.skews()] == [0, 10, 20]
    steady.ledger.months.keep = 1
    steady.record(0)
    steady.deliver(1)
    gone = steady.ledger.months.retain(steady.ledger._writer_now().link)
    assert len([one for one in gone if one != postgres_months.OTHER]) == 3
    assert [skew for _, skew in steady.skews()] == [20]
    assert pages(steady.ledger, 5) == [0]


def test_a_journal_that_is_removed_takes_its_clock_along_and_a_rebuild_leaves_it(pair: Any) -> None:
    steady, other = pair
    other.ahead_s = 300
    other.live(range(2, 50, 2))
    other.ahead_s = 0
    other.live(range(50, 100, 2))
    steady.live(range(1, 100, 2))
    kept = other.skews()
    assert len(kept) == 2
    other.ledger.rewrite_begin()
    other.seq = 0
    other.ahead_s = 300
    other.record(*range(2, 50, 2))
    other.ahead_s = 0
    other.record(*range(50, 100, 2))
    other.ahead_s = 3
    other.deliver(100)
    other.ledger.rewrite_end(99)
    assert other.skews() == kept, "it was not recorded now"
    assert pages(steady.ledger, 30) == seconds(range(1, 100))
    other.ledger.drop_all()
    assert other.skews() == []
    assert steady.skews() == [(0, 0)]
