"""How fast a store on a server catches up while events flow: its work shares processors and a disk with the hooks, and
who waits for a hook notices, who waits for a store that is some seconds longer behind does not.

After a batch it rests until it delivers GAINS times what arrives (so it is at the end in about as long as it was
away), or in a second one part in CATCH_UP_S of what waits if that is more; and its batches are small. One that can
barely follow does neither, and where nothing arrives nobody is in the way.

Measured on Weaviate, the slowest, 11,000 events behind while 500 a second arrive: at the end after 20 to 25 s where
GAINS is 2, after 10 where it is 4; the hooks' p99 meanwhile is 1.2 and 1.7 times that of quiet seconds, with 4 it is
1.6 and 2.5 times.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from levaithan.projector import segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.roles import Cursor

GAINS = 2.0
CATCH_UP_S = 20.0
NEARLY = 1 << 19
"""So many bytes are left in one batch, and not worth a rest before it."""
MOST_S = 1.0
"""The longest rest: what arrives is seen again after it."""


class Pace:
    """Of one store along the journal in `directory`. `clock` is time.monotonic but for tests."""

    def __init__(self, directory: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        self.gentle = False
        """Whether events flow and it gains on them as fast as it should: what it does then, it does in small pieces."""
        self._end = ("", 0)
        self._left = -1
        self._seen_at = self._began = clock()

    def begin(self, position: Cursor | None) -> None:
        """A batch begins, from `position` (None: not known yet, and nothing is known of this one's rest)."""
        self._began = self._clock()
        if self._left < 0 and position is not None:
            self._look(position)

    def forget(self) -> None:
        """The store is near the end: what was seen says nothing of the next time it falls behind."""
        self._left = -1

    def rest_s(self, position: Cursor | None) -> float:
        """A batch is delivered, up to `position`: how long to rest before the next one. What ended a segment since the
        last look is not seen."""
        (name, size), left_before, seen_at = self._end, self._left, self._seen_at
        self.gentle = False
        if not self._look(position) or left_before < 0 or self._left < NEARLY:
            return 0.0
        arrived = self._end[1] - (size if self._end[0] == name else 0)
        arriving = arrived / max(self._seen_at - seen_at, 1e-6)
        took, delivered = self._seen_at - self._began, left_before + arrived - self._left
        self.gentle = arriving > 0 and delivered > GAINS * arriving * took
        return rest_s(took, delivered, arriving, self._left)

    def _look(self, position: Cursor | None) -> bool:
        try:
            self._end, self._seen_at = segments.end(self._directory), self._clock()
            self._left = segments.bytes_left(self._directory, position)
        except OSError:  # what is wrong with the journal is the feed's to say
            self.forget()
            return False
        return True


def rest_s(took_s: float, delivered: int, arriving: float, left: int) -> float:
    """How long to rest after `delivered` bytes took `took_s` seconds, while `arriving` bytes a second come and `left`
    bytes wait."""
    if arriving <= 0 or delivered <= 0:
        return 0.0
    wanted = max(GAINS * arriving, left / CATCH_UP_S)
    return max(0.0, min(delivered / wanted - took_s, MOST_S))
