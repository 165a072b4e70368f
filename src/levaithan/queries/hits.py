"""What a search finds, hit by hit, newest first, and the cursor that goes on after each.

In a search that machines share, where clocks are known to differ (clocks), the order is that of corrected time, over
all pages: the rest and each piece of a journal are asked for by themselves, a piece that is over when its turn may have
come, and their hits are merged. Else it is the search's own order.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from levaithan.queries import clocks, counts, merging
from levaithan.queries.asking import keyset
from levaithan.stores.roles.search import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.queries.asking import Answers, Filters
    from levaithan.stores.roles import Hit, Search, SearchFilters

_Timed = tuple[int, str, "Hit | None"]
"""Corrected time, id, hit; None for what stands before all hits of a part that nothing was asked of yet."""
_BEFORE_ALL = "\U0010ffff"


def found(
    ledger: Answers, index: Search, text: str, filters: Filters, *, limit: int, cursor: str | None
) -> Iterator[tuple[str, Hit]]:
    """(cursor of what comes after it, hit) of each event that holds all words of `text`, asked for by `limit` at once.
    Raises StoreError, UsageProblem."""
    rest, known = clocks.unpack(cursor) if cursor else (None, clocks.pieces(ledger) if index.shared else [])
    asked = _Asked(index, text, filters, limit)
    if not known:
        before = int(rest) if rest and rest.isdecimal() else None
        return ((str(hit.position), hit) for hit in asked.hits(counts.narrow(filters), filters.until_us, before))
    timed = asked.merged(known, merging.Known(ledger), keyset(rest))
    return ((clocks.pack(f"{at}-{one}", known), hit) for at, one, hit in timed if hit is not None)


class _Asked:
    """One question: which events, and how many at once."""

    def __init__(self, index: Search, text: str, filters: Filters, limit: int) -> None:
        self.index = index
        self.text = text
        self.filters = filters
        self.limit = limit

    def hits(self, narrow: SearchFilters, until_us: int | None, before: int | None = None) -> Iterator[Hit]:
        """The hits in the search's own order."""
        while True:
            some = self.index.find(
                self.text, since_us=self.filters.since_us, until_us=until_us, filters=narrow, limit=self.limit,
                before=before,
            )  # fmt: skip
            yield from some
            if len(some) < self.limit:
                return
            before = some[-1].position

    def merged(
        self, known: list[clocks.Piece], there: merging.Known, place: tuple[int, str] | None
    ) -> Iterator[_Timed]:
        """The hits in the order of corrected time, those after `place` (corrected time and id of a hit)."""
        others = Part(but=tuple(sorted({one.journal for one in known})))
        parts = [self._of(others, 0, None, place)]
        for one in known:
            span = there.span(one)
            if one.until is None or self._may_hold(span, one.skew_us, place):
                high = None if one.until is None or span.high_us is None else span.high_us - one.skew_us
                parts.append(self._of(Part(one.journal, one.first, one.until), one.skew_us, high, place))
        return heapq.merge(*parts, key=lambda one: one[:2], reverse=True)

    def _may_hold(self, span: merging.Span, skew_us: int, place: tuple[int, str] | None) -> bool:
        return merging.may_hold(span, skew_us, self.filters.since_us, self.filters.until_us, place)

    def _of(self, part: Part, skew_us: int, top_us: int | None, place: tuple[int, str] | None) -> Iterator[_Timed]:
        """A part's hits by corrected time, of which the greatest is top_us; those of one moment, which the search has
        in an order of its own, by id."""
        if top_us is not None:
            yield top_us, _BEFORE_ALL, None
        until = self.filters.until_us
        if place is not None:
            until = min(until if until is not None else 1 << 62, place[0] + skew_us + 1)
        narrow = replace(counts.narrow(self.filters), part=part)
        for at_us, moment in groupby(self.hits(narrow, until), key=lambda hit: hit.at_us):
            for hit in sorted(moment, key=lambda hit: hit.id, reverse=True):
                if place is None or (at_us - skew_us, hit.id) < place:
                    yield at_us - skew_us, hit.id, hit
