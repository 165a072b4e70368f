"""The search: full text over the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from levaithan.stores.roles.projected import Projected


@dataclass(slots=True, frozen=True)
class SearchFilters:
    """What a search may be narrowed to; None means any. Exact values."""

    session: str | None = None
    tool: str | None = None
    event: str | None = None


@dataclass(slots=True, frozen=True)
class Hit:
    """One event that a search found. `snippet` is None when the adapter does not keep the text itself."""

    id: str
    seq: int
    at_us: int
    position: int
    snippet: str | None = None


class Search(Projected, Protocol):
    """Full text over the events."""

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

        Any text is a valid query: "several words" is a phrase, word* a prefix, all else plain words.
        """
