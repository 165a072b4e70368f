"""What a search finds in the order of corrected time, page by page, against a plain sort."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.errors import UsageProblem
from levaithan.queries import clocks, hits
from levaithan.queries.asking import Filters, keyset
from levaithan.stores.clock_history import LEAST_US
from levaithan.stores.roles import Hit, SearchFilters

JOURNALS = ("a", "b", "c")
HISTORY = [("a", 0, 50 * LEAST_US), ("a", 4, 0), ("b", 0, 3), ("b", 2, -7 * LEAST_US), ("b", 5, 9 * LEAST_US)]


class Index:
    """A search over (journal, number, time) as machines share one: by time, those of one moment by number."""

    shared = True

    def __init__(self, events: list[tuple[str, int, int]]) -> None:
        self.asked = 0
        lanes = {journal: number for number, journal in enumerate(JOURNALS)}
        order = sorted((at, lanes[journal], number, journal) for journal, number, at in events)
        self.hits = [
            (journal, Hit(name(journal, number), number, at, position))
            for position, (at, _, number, journal) in enumerate(order)
        ]

    def find(
        self, query: str, *, since_us: int | None, until_us: int | None, filters: SearchFilters, limit: int,
        before: int | None,
    ) -> list[Hit]:  # fmt: skip
        self.asked += 1
        part = filters.part
        found = [
            hit for journal, hit in reversed(self.hits)
            if (before is None or hit.position < before)
            and (since_us is None or hit.at_us >= since_us) and (until_us is None or hit.at_us < until_us)
            and (part is None or (journal not in part.but if part.but else journal == part.journal
                 and part.first <= hit.seq and (part.until is None or hit.seq < part.until)))
        ]  # fmt: skip
        return found[:limit]


class Ledger:
    """A ledger that knows what clocks did."""

    journal = "a"

    def __init__(self, history: list[tuple[str, int, int]], events: list[tuple[str, int, int]]) -> None:
        self.history, self.events = history, events

    def rows(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        assert "clock_skews" in sql
        if "UNION" not in sql:
            return self.history
        found: list[tuple[Any, ...]] = [("c", None, None, None)]
        for journal, first, _ in self.history:
            behind = [one for of, one, _ in self.history if of == journal and one > first]
            times = [at for of, number, at in self.events
                     if of == journal and first <= number < min(behind, default=1 << 60)]  # fmt: skip
            found.append((journal, first, min(times, default=0), max(times, default=0)))
        return found


def name(journal: str, number: int) -> str:
    return f"{(number * 7 + ord(journal)) % 11}{journal}{number}"  # ids are in no order of time


def skew_of(journal: str, number: int) -> int:
    known = [skew for of, first, skew in HISTORY if of == journal and first <= number]
    return known[-1] if known and abs(known[-1]) >= LEAST_US else 0


def pages(ledger: Any, index: Any, limit: int, **filters: Any) -> list[str]:
    """All ids, a page of `limit` after the other, each begun from the cursor of the last row before."""
    ids: list[str] = []
    cursor = None
    while True:
        found = hits.found(ledger, index, "word", Filters(**filters), limit=limit, cursor=cursor)
        some = list(islice(found, limit))
        ids += [hit.id for _, hit in some]
        if len(some) < limit:
            return ids
        cursor = some[-1][0]


events = st.lists(
    st.tuples(st.sampled_from(JOURNALS), st.integers(1, 8), st.integers(10, 80).map(lambda n: n * LEAST_US)),
    unique_by=lambda one: one[:2],
    max_size=24,
)


@given(events, st.integers(1, 9), st.sampled_from([{}, {"since_us": 30 * LEAST_US, "until_us": 60 * LEAST_US}]))
def test_pages_are_a_plain_sort_by_corrected_time(
    some: list[tuple[str, int, int]], limit: int, window: dict[str, int]
) -> None:
    low, high = window.get("since_us", 0), window.get("until_us", 1 << 60)
    wanted = [
        one for _, one in sorted(
            ((at - skew_of(of, number), name(of, number)) for of, number, at in some if low <= at < high),
            reverse=True,
        )
    ]  # fmt: skip
    assert pages(Ledger(HISTORY, some), Index(some), limit, **window) == wanted


def test_where_clocks_agree_and_in_a_search_of_one_home_the_order_is_the_search_s_own() -> None:
    some = [("a", 1, 10), ("a", 2, 30), ("b", 1, 20), ("b", 2, 20 + LEAST_US)]
    index = Index(some)
    assert pages(Ledger([("a", 0, LEAST_US - 1)], some), index, 3) == [hit.id for _, hit in reversed(index.hits)]
    assert index.asked == 2
    index.shared = False
    assert pages(Ledger(HISTORY, some), index, 3) == [hit.id for _, hit in reversed(index.hits)]


def test_a_piece_that_is_over_is_asked_for_when_its_turn_may_have_come() -> None:
    late = [("c", number, (100 + number) * LEAST_US) for number in range(1, 9)]
    some = [*late, ("a", 1, 60 * LEAST_US), ("a", 9, 120 * LEAST_US), ("b", 3, 20 * LEAST_US), ("b", 7, 115 * LEAST_US)]
    index, ledger = Index(some), Ledger(HISTORY, some)
    found = hits.found(ledger, index, "word", Filters(), limit=50, cursor=None)
    first = [next(found) for _ in range(10)]
    assert [hit.seq for _, hit in first] == [9, *range(8, 5, -1), 7, *range(5, 0, -1)]
    assert index.asked == 3, "the others, and the two pieces that go on"
    assert [hit.seq for _, hit in found] == [3, 1]
    assert index.asked == 6
    assert clocks.unpack(first[0][0])[1] == clocks.pieces(ledger)
    index.asked = 0
    (_, hit), *_ = hits.found(ledger, index, "word", Filters(since_us=110 * LEAST_US), limit=50, cursor=None)
    assert (hit.seq, index.asked) == (9, 3)


def test_the_cursor_of_before_goes_on_in_the_search_s_own_order() -> None:
    some = [("c", number, number * LEAST_US) for number in range(1, 9)]
    (_, old), *_ = hits.found(Ledger(HISTORY, some), Index(some), "word", Filters(), limit=50, cursor="5")
    assert old.position == 4


def test_what_was_never_a_cursor_is_refused() -> None:
    ledger: Any = Ledger(HISTORY, [])
    for cursor in ("ma~", "ma+1~x", "m~1-a"):
        with pytest.raises(UsageProblem, match="is not a cursor"):
            hits.found(ledger, Index([]), "word", Filters(), limit=5, cursor=cursor)


@pytest.mark.parametrize("cursor", ["²-a", "1" * 19 + "-a", "-" + "9" * 5_000 + "-a", "1-", "--1-a"])
def test_a_place_that_is_no_number_is_refused_in_words(cursor: str) -> None:
    with pytest.raises(UsageProblem, match="is not a cursor"):
        keyset(cursor)


def test_a_place_before_1970_is_one() -> None:
    assert keyset("-5-a") == (-5, "a")
