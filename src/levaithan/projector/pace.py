"""How fast a store on a server catches up while events flow: its work shares processors and a disk with the hooks, and
who waits for a hook notices, who waits for a store that is two seconds longer behind does not.

It rests after a batch, for as long as the batch took at most, and only as far as it still gains clearly on what
arrives: one that can barely follow never rests, and where nothing arrives nobody is in the way.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from levaithan.projector import segments

if TYPE_CHECKING:
    from levaithan.stores.roles import Cursor

GAINS = 4.0
"""It delivers so many times what arrives, at least, before it rests."""
MOST_S = 0.25


class Pace:
    """Of one store along the journal in `directory`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._end = ("", 0)
        self._left = 0
        self._since = 0.0

    def look(self, position: Cursor | None) -> None:
        """A batch begins."""
        self._end = segments.end(self._directory)
        self._left = segments.bytes_left(self._directory, position)
        self._since = time.monotonic()

    def rest_s(self, position: Cursor | None) -> float:
        """A batch is delivered, up to `position`, and another one begins: how long to rest before it."""
        (name, size), left, since = self._end, self._left, self._since
        self.look(position)
        arrived = self._end[1] - (size if self._end[0] == name else 0)  # what ended a segment in between is not seen
        return rest_s(self._since - since, left + arrived - self._left, arrived) if self._left else 0.0


def rest_s(took_s: float, delivered: int, arrived: int) -> float:
    """How long to rest after `took_s` seconds in which `delivered` bytes went and `arrived` bytes came."""
    if arrived <= 0 or delivered <= 0:
        return 0.0
    return min(took_s * max(0.0, min(1.0, delivered / (GAINS * arrived) - 1.0)), MOST_S)
