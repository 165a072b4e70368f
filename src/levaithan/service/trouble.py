"""One trouble that lasts, said seldom: when it begins, every some minutes while it is there, and when it is over.

What is asked once a second fails once a second, and in other words each time: a log must not fill with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN_S = 300.0
"""How often a trouble that lasts is said again."""


class Trouble:
    """words: what is the matter now, "" while all is well. `clock` is time.monotonic but for tests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.words = ""
        self._clock = clock
        self._kinds: set[str] = set()
        self._said = 0.0

    def is_news(self, kind: str, words: str) -> bool:
        """Take note of it; whether it is to be said now: when it begins, when it is of a `kind` that was not said since
        then, and when nothing was for AGAIN_S."""
        now = self._clock()
        if not self.words:
            self._kinds.clear()
        self.words = words
        if kind in self._kinds and now - self._said < AGAIN_S:
            return False
        self._kinds.add(kind)
        self._said = now
        return True

    def is_over(self) -> bool:
        """All is well: whether that is news."""
        over, self.words = bool(self.words), ""
        return over
