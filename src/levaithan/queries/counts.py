"""How many events there are, by time, by a field's values, by what they say: asked of the search."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.errors import UsageProblem
from levaithan.queries.asking import iso
from levaithan.stores.roles import FIELDS, SearchFilters
from levaithan.stores.roles.search import MOST_BUCKETS

if TYPE_CHECKING:
    from levaithan.queries.asking import Filters
    from levaithan.stores.roles import Search

WANTED = 60
"""About so many intervals a window is divided into when nobody says how long one is."""
STEPS_S = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800)
_DAY_S = 86_400


def narrow(filters: Filters) -> SearchFilters:
    """The filters of a question as the search takes them."""
    return SearchFilters(
        session=filters.session, tool=filters.tool, event=filters.event, decision=filters.decision, rule=filters.rule,
        agent=filters.agent, project=filters.project, canary=None if filters.include_canary else False,
    )  # fmt: skip


def histogram(index: Search, text: str, filters: Filters, interval_s: int | None = None) -> list[dict[str, Any]]:
    """Rows of `start`, `end` (ISO, UTC) and `count`, the oldest first, those between without events too.

    interval_s: its length in seconds; None chooses one by the window. The newest MOST_BUCKETS. Raises StoreError,
    UsageProblem.
    """
    if interval_s is not None and interval_s < 1:
        raise UsageProblem("An interval is a second at least.", fix="give --interval 1s or more")
    step = interval_s or _step(index, text, filters)
    found = dict(_counted(index, text, filters, step))
    if not found:
        return []
    step_us = step * 1_000_000
    first = max(min(found), max(found) - (MOST_BUCKETS - 1) * step_us)
    starts = range(first, max(found) + 1, step_us)
    return [{"start": iso(one), "end": iso(one + step_us), "count": found.get(one, 0)} for one in starts]


def _counted(index: Search, text: str, filters: Filters, step: int) -> list[tuple[int, int]]:
    return index.histogram(
        text, interval_s=step, limit=MOST_BUCKETS, since_us=filters.since_us, until_us=filters.until_us,
        filters=narrow(filters),
    )  # fmt: skip


def _step(index: Search, text: str, filters: Filters) -> int:
    """The shortest of STEPS_S of which WANTED at most cover the window, or the days that have events."""
    since, until = filters.since_us, filters.until_us
    if since is None:
        days = _counted(index, text, filters, _DAY_S)
        if not days:
            return STEPS_S[0]
        since, last = days[0][0], days[-1][0] + _DAY_S * 1_000_000
        until = last if until is None else min(until, last)
    until = time.time_ns() // 1000 if until is None else until
    length_s = max(1, (until - since) // 1_000_000)
    return next((step for step in STEPS_S if length_s <= step * WANTED), STEPS_S[-1])


def top(index: Search, field: str, text: str, filters: Filters, limit: int = 20) -> list[dict[str, Any]]:
    """Rows of `value` and `count`, the most frequent first. Raises StoreError, UsageProblem."""
    if field not in FIELDS:
        raise UsageProblem(f"Nothing is counted by {field!r}.", fix=f"choose one of: {', '.join(FIELDS)}")
    found = index.top(
        field, text, since_us=filters.since_us, until_us=filters.until_us, filters=narrow(filters), limit=limit
    )
    return [{"value": value, "count": count} for value, count in found]


def patterns(index: Search, text: str, filters: Filters, limit: int = 20) -> list[dict[str, Any]]:
    """Rows of `pattern`, `count` and `example` (the id of its newest event), the most frequent first."""
    found = index.patterns(
        text, since_us=filters.since_us, until_us=filters.until_us, filters=narrow(filters), limit=limit
    )
    return [{"pattern": one.pattern, "count": one.count, "example": one.example} for one in found]
