"""What is asked of the search on Elasticsearch: the reading half of the adapter (elastic_search)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from levaithan.stores import elastic_queries as queries
from levaithan.stores import sqlite_search_counts as counts
from levaithan.stores.elastic_documents import TEMPLATE, place, position
from levaithan.stores.patterns import joined
from levaithan.stores.roles import Hit, Pattern, SearchFilters
from levaithan.stores.roles.search import MOST_TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.elastic_setup import Stream

Answer = TypeVar("Answer")
REFRESH_S = 1.0
"""How old an answer may be."""
MOST_HITS = 10_000
"""Hits of one answer (index.max_result_window)."""


class Questions:
    """Answers from the stream. What this object wrote is seen at once, what others wrote within REFRESH_S seconds."""

    stream: Stream
    client: Any
    _seen_s = float("-inf")

    def call(self, ask: Callable[[], Answer], *, again: bool = True) -> Answer:
        """See elastic_search."""
        raise NotImplementedError

    def current(self) -> bool:
        """See roles.Projected."""
        raise NotImplementedError

    def wrote(self) -> None:
        """Something was put: the next question has the server make it visible first."""
        self._seen_s = float("-inf")

    def find(
        self,
        query: str,
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[Hit]:
        """See roles.Search. Newest by time. Raises StoreError, never for what was asked."""
        asked = queries.query(query, since_us, until_us, filters) if query.strip() else None
        if asked is None or not self.current():
            return []
        after = None if before is None else place(before)
        hits: list[Hit] = []
        while len(hits) < limit:
            size = min(limit - len(hits), MOST_HITS)
            found = self._ask(
                query=asked, size=size, sort=queries.NEWEST_FIRST, search_after=after, source=False
            )["hits"]["hits"]  # fmt: skip
            for one in found:
                at_us, lane, seq = after = one["sort"]
                hits.append(Hit(one["_id"], seq, at_us, position(at_us, lane, seq)))
            if len(found) < size:
                break
        return hits

    def histogram(
        self,
        query: str = "",
        *,
        interval_s: int,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 1000,
    ) -> list[tuple[int, int]]:
        """See roles.Search."""
        counts.interval(interval_s)
        asked = queries.query(query, since_us, until_us, filters)
        found = self._counted(asked, queries.histogram(interval_s, counts.buckets(limit)))
        return sorted((one["key"]["start"] * 1000, one["doc_count"]) for one in found)

    def top(
        self,
        field: str,
        query: str = "",
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 20,
    ) -> list[tuple[str, int]]:
        """See roles.Search."""
        counts.known(field)
        found = self._counted(queries.query(query, since_us, until_us, filters), queries.top(field, limit))
        return [(one["key"], one["doc_count"]) for one in found]

    def patterns(
        self,
        query: str = "",
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 20,
    ) -> list[Pattern]:
        """See roles.Search. Not by the server's own categories (categorize_text): those are of a sample and of the
        Platinum licence's module, these count all events, as every adapter does."""
        asked = queries.query(query, since_us, until_us, filters)
        found = self._counted(asked, queries.top(TEMPLATE, MOST_TEMPLATES))
        groups = joined((one["key"], one["doc_count"]) for one in found)[:limit]
        if not groups:
            return []
        newest = self._counted(asked, queries.newest(TEMPLATE, [one.template for one in groups]))
        examples = {one["key"]: one["newest"]["hits"]["hits"][0]["_id"] for one in newest}
        return [Pattern(one.pattern, one.count, examples.get(one.template, "")) for one in groups]

    def _counted(self, asked: queries.Query | None, aggregation: queries.Query) -> list[dict[str, Any]]:
        if asked is None or not self.current():
            return []
        answer = self._ask(query=asked, size=0, aggs=aggregation)
        buckets: list[dict[str, Any]] = answer.get("aggregations", {}).get("counted", {}).get("buckets", [])
        return buckets

    def _ask(self, **asked: Any) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            if time.monotonic() > self._seen_s + REFRESH_S:
                self.client.indices.refresh(index=self.stream.events, ignore_unavailable=True)
                self._seen_s = time.monotonic()
            answer: dict[str, Any] = self.client.search(
                index=self.stream.events, ignore_unavailable=True, track_total_hits=False,
                allow_partial_search_results=False, **asked,
            ).body  # fmt: skip
            return answer

        return self.call(ask)
