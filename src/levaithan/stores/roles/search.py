"""The search: full text over the log, and what a log explorer asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from levaithan.stores.roles.projected import Projected

FIELDS = ("event", "tool", "decision", "rule", "session", "agent", "project", "machine")
"""What an event is narrowed to and counted by, in the order of the filters."""
MOST_BUCKETS = 10_000
MOST_TEMPLATES = 2_000
"""The most frequent templates that `patterns` joins into patterns; what is rarer is not counted."""


@dataclass(slots=True, frozen=True)
class Part:
    """Some of the records of all journals: those of one, from number `first` on and before `until` (None: to its end);
    or, where `but` names some, those of all other journals."""

    journal: str = ""
    first: int = 0
    until: int | None = None
    but: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class SearchFilters:
    """What a search may be narrowed to; None means any. Exact values, of which the first 512 characters count.

    canary: False = without the events by which the guard tests itself, None = with them. part: in a search that
    several journals share.
    """

    session: str | None = None
    tool: str | None = None
    event: str | None = None
    decision: str | None = None
    rule: str | None = None
    agent: str | None = None
    project: str | None = None
    machine: str | None = None
    canary: bool | None = None
    part: Part | None = None


@dataclass(slots=True, frozen=True)
class Hit:
    """One event that a search found. `snippet` is None when the adapter does not keep the text itself."""

    id: str
    seq: int
    at_us: int
    position: int
    snippet: str | None = None


@dataclass(slots=True, frozen=True)
class Pattern:
    """Events that say the same but for numbers, paths, names: the text with <*> for what differs, how many there are,
    and the id of the newest of them."""

    pattern: str
    count: int
    example: str


class Search(Projected, Protocol):
    """Full text over the events.

    Any text is a valid query: "several words" is a phrase, word* a prefix, all else plain words; case and accents do
    not matter. Where a window is taken, since_us <= at < until_us. `histogram`, `top` and `patterns` count all events
    for a query without any text (as `find` finds none for it, which has no words).
    """

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
        """Events that hold every word of `query`, newest first; `before` is the `position` of the last hit of a page.

        Newest is by the journal's order where one journal is in the store, by time where several machines' are.
        """

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
        """(start in microseconds, events) of each interval that has events, the oldest first, counted from 1970 UTC.

        The newest `limit` (at most MOST_BUCKETS) of them. Raises ValueError for an interval below a second.
        """

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
        """(value, events) of the most frequent values of `field` (see FIELDS), then by value.

        Events without one are not counted. Raises ValueError for another field.
        """

    def patterns(
        self,
        query: str = "",
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        filters: SearchFilters | None = None,
        limit: int = 20,
    ) -> list[Pattern]:
        """What the events say, alike ones as one, the most frequent first. Among the MOST_TEMPLATES most frequent."""
