"""Counters that Prometheus has not seen yet are shown as 0 first: `increase()` does not see a series' first sample, so
a counter that begins with ten at once would have risen by nothing.

Its 0 stands until Prometheus has fetched it, or for LONGEST_S where none fetches.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from levaithan.metrics.tally import Labels, Newborn

LONGEST_S = 90.0
_FETCHER = "Prometheus/"


class Births:
    """number: of the text that was made last. Texts are made in one thread, and fetched in others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.number = 0
        self._clock = clock
        self._fetched = 0
        self._unseen: dict[tuple[str, Labels], tuple[int, float]] = {}

    def next(self, fresh: Iterable[tuple[str, Labels]]) -> Newborn:
        """The counters that the next text shows as 0; fresh: those that began since the last."""
        now = self._clock()
        self.number += 1
        self._unseen = {
            key: (number, born) for key, (number, born) in self._unseen.items()
            if number > self._fetched and now - born < LONGEST_S
        }  # fmt: skip
        for key in fresh:
            self._unseen.setdefault(key, (self.number, now))
        return frozenset(self._unseen)

    def fetched(self, number: int, by: str) -> None:
        """The text `number` was fetched; by: the User-Agent. A person's look is none of Prometheus'."""
        if by.startswith(_FETCHER):
            self._fetched = max(self._fetched, number)
