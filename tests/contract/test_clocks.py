"""Lists of several machines on a real PostgreSQL are in order of true time, page by page, also while clocks move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import postgres_place
from tests.support.ledger_records import JOURNAL, START_US, at, delivery, event

from levaithan.errors import UsageProblem
from levaithan.queries import audit, clocks
from levaithan.queries.asking import Filters
from levaithan.queries.clocks import Piece
from levaithan.stores.roles import Cursor

psycopg = fixtures.driver("postgres", "psycopg")
SKEWS = {JOURNAL: 0.0, "k" * 32: -3600.0, "l" * 32: 40.0}
"""journal -> seconds that its machine's clock is ahead."""
SECOND = 1_000_000


def put(ledger: Any, journal: str, numbers: range) -> None:
    """An event of `journal` at each of these true seconds; its own clock says what it says."""
    made = []
    for n in numbers:
        name = f"{journal[0]}{n:031x}"
        record = event(
            n, id=name, at=at(n + SKEWS[journal]), machine=f"m-{journal[0]}", call=name, session_id=journal[0]
        )
        made.append(replace(delivery(record), journal=journal))
    ledger.apply(made, Cursor(journal, made[-1].segment, made[-1].offset + 9, made[-1].seq, made[-1].hash))


@pytest.fixture
def ledger(url: str) -> Iterator[Any]:
    """Three machines in turn, an event a second: 90 of them."""
    opened = {journal: postgres_place.ledger(url, journal) for journal in SKEWS}
    for number, (journal, one) in enumerate(opened.items()):
        put(one, journal, range(1 + number, 91, 3))
    for journal, skew in SKEWS.items():
        measured(url, journal, skew)
    yield opened[JOURNAL]
    for one in opened.values():
        one.close()


def measured(url: str, journal: str, skew_s: float) -> None:
    with psycopg.connect(url, autocommit=True) as link:
        for table in ("machines", "clock_skews"):
            link.execute(f"UPDATE {table} SET skew_us = %s WHERE journal = %s", (round(skew_s * SECOND), journal))


def true_seconds(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"][1:], 16) for row in rows]


def pages(ledger: Any, limit: int, between: Any = None, **filters: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = audit.list_events(ledger, Filters(**filters), limit, cursor)
        rows += page.rows
        cursor = page.next
        if cursor is None:
            return rows
        if between:
            between()


def test_the_list_is_by_true_time_and_shows_each_machine_s_own(ledger: Any) -> None:
    rows = audit.list_events(ledger, Filters(), 200).rows
    assert true_seconds(rows) == list(range(90, 0, -1))
    late = [row["at"] for row in rows if row["machine"] == "m-k"]
    assert late[0] == at(89 - 3600)
    assert [row["at"] for row in rows] != sorted((row["at"] for row in rows), reverse=True)


@pytest.mark.parametrize("limit", [1, 7, 30])
def test_pages_fit_together_while_clocks_are_measured_anew(ledger: Any, url: str, limit: int) -> None:
    drift = iter(range(1, 1000))

    def between() -> None:
        measured(url, "k" * 32, -3600 + next(drift) * 5)
        measured(url, "l" * 32, 0)

    assert true_seconds(pages(ledger, limit, between)) == list(range(90, 0, -1))


def test_filters_narrow_every_part_and_an_export_is_in_the_same_order(ledger: Any) -> None:
    assert true_seconds(pages(ledger, 4, session="k")) == list(range(89, 0, -3))
    since = START_US + 30 * SECOND
    seen = {row["machine"] for row in pages(ledger, 10, since_us=since)}
    assert seen == {"m-j", "m-l"}, "a window is of each machine's own time"
    assert true_seconds(list(audit.export(ledger, Filters(), 8))) == list(range(90, 0, -1))


def test_clocks_that_agree_are_the_same_question_as_ever(ledger: Any, url: str) -> None:
    asked: list[str] = []
    rows = ledger.rows
    ledger.rows = lambda sql, values=None: asked.append(sql) or rows(sql, values)
    for journal in SKEWS:
        measured(url, journal, 0.09)
    page = audit.list_events(ledger, Filters(), 5)
    assert page.next and page.next[0].isdigit()
    assert "UNION" not in asked[-1]
    assert [row["at"] for row in page.rows] == sorted((row["at"] for row in page.rows), reverse=True)
    audit.list_events(ledger, Filters(), 5, page.next)
    assert len(asked) == 3, "the skews are asked for once a list, not once a page"


def test_each_part_ends_after_a_page_by_the_index_of_time(ledger: Any, url: str) -> None:
    """Of many events no part reads more than its page: a limit over a backward scan, and no sort of a journal."""
    with psycopg.connect(url, autocommit=True) as link:
        link.execute(
            "INSERT INTO events (id, seq, journal, hash, at_us, event, machine, body) SELECT j || n, 100 + n, "
            "repeat(j, 32), 'h', %s + n * 1000000::bigint, 'Stop', j, '{}' FROM generate_series(1, 20000) n, "
            "unnest(ARRAY['j', 'k', 'l']) j",
            (START_US,),
        )
        for table in ("machines", "clock_skews"):
            link.execute(f"UPDATE {table} SET newest_us = %s", (START_US + 20_000 * SECOND,))
        link.execute("ANALYZE events")
    asked: list[tuple[str, Any]] = []
    rows = ledger.rows
    ledger.rows = lambda sql, values=None: asked.append((sql, values)) or rows(sql, values)
    first = audit.list_events(ledger, Filters(include_canary=True), 50)
    audit.list_events(ledger, Filters(include_canary=True), 50, first.next)
    for sql, values in (one for one in asked if "UNION" in one[0]):
        ((plan,),) = rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        scanned = [one for one in parts(plan[0]["Plan"] if isinstance(plan, list) else json.loads(plan)[0]["Plan"])
                   if one.get("Relation Name", "").startswith("events_")]  # fmt: skip
        assert {one["Node Type"] for one in scanned} <= {"Index Scan", "Index Only Scan"}, scanned
        assert sum(one["Actual Rows"] * one["Actual Loops"] for one in scanned) < 3 * 51 * 3


def parts(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for one in plan.get("Plans", []):
        yield from parts(one)


@pytest.mark.parametrize("cursor", [
    "m~1-a", "mx~1-a", f"m{'k' * 32}+1", "m" + "a+1," * 20 + "~1-a", "mx+1~x", "m+1@5~1-a", "mx+1,+2@0~1-a",
    "mx+1,+2@9,+3@9~1-a", "mx+1,y+1,x+2~1-a", "mx+1@5~1-a",
    "mx+1," + ",".join(f"+{n}@{n}" for n in range(2, 60)) + "~1-a",
])  # fmt: skip
def test_what_was_never_a_cursor_is_refused(ledger: Any, cursor: str) -> None:
    with pytest.raises(UsageProblem, match="is not a cursor"):
        audit.list_events(ledger, Filters(), 5, cursor)


def test_a_cursor_comes_back_as_it_was_packed() -> None:
    known = [
        Piece("k" * 32, -3_600_000_000, 0, 7), Piece("k" * 32, 0, 7, 90), Piece("k" * 32, 250_000, 90),
        Piece("l" * 32, 40_000_001),
    ]  # fmt: skip
    packed = clocks.pack("17-a~b", known)
    assert packed == f"m{'k' * 32}-3600000000,+0@7,+250000@90,{'l' * 32}+40000001~17-a~b"
    assert clocks.unpack(packed) == ("17-a~b", known)
    assert clocks.unpack(clocks.pack("17-a~b", [])) == ("17-a~b", [])


def test_a_cursor_of_before_clocks_had_a_history_goes_on_with_the_skews_it_has(ledger: Any, url: str) -> None:
    first = audit.list_events(ledger, Filters(), 30)
    begun = f"m{'k' * 32}-3600000000,{'l' * 32}+40000000~"
    assert first.next and first.next.startswith(begun)
    assert clocks.unpack(f"{begun}17-a")[1] == [Piece("k" * 32, -3_600_000_000), Piece("l" * 32, 40_000_000)]
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("INSERT INTO clock_skews SELECT journal, 40, 0, oldest_us, newest_us FROM clock_skews")
    last = audit.list_events(ledger, Filters(), 100, begun + first.next.partition("~")[2])
    assert true_seconds(first.rows + last.rows) == list(range(90, 0, -1))
