"""From an event's record to its being readable in each store, as the metrics see both ends.

Records are marked as they are read, many in one mark, and a mark is measured when the projector says that a store has
got it: too long by the time between two looks at most. What is read late (after a start) is not marked, for nobody
knows when the stores had it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from levaithan.metrics.tally import Tally

MARK_S = 0.25
LIVE_S = 5.0
MOST_MARKS = 8192


class ProjectionLag:
    """The marks that each store has not reached yet: (time of the first record, number of the last, how many)."""

    def __init__(self, stores: Iterable[str] = ()) -> None:
        self._waiting: dict[str, deque[tuple[float, int, int]]] = {}
        self._know(stores)
        self._open: tuple[float, int, int] | None = None

    def mark(self, at_s: float, seq: int, count: int, now_s: float) -> None:
        """`count` records up to number `seq` were read at now_s; the first was recorded at at_s (s since 1970)."""
        if not count or not 0 <= now_s - at_s <= LIVE_S:
            return
        begun = self._open
        if begun is not None and at_s - begun[0] < MARK_S:
            self._open = (begun[0], seq, begun[2] + count)
            return
        self._shut()
        self._open = (at_s, seq, count)

    def reached(self, tally: Tally, stores: Mapping[str, Mapping[str, Any]], now_s: float) -> None:
        """Measure what the stores have got by now; `stores` as the projector tells of them."""
        self._know(stores)
        self._shut()
        for role, marks in self._waiting.items():
            seq = stores.get(role, {}).get("seq")
            while marks and isinstance(seq, int) and marks[0][1] <= seq:
                at_s, _, count = marks.popleft()
                tally.observe("levaithan_projection_latency_seconds", (role,), max(now_s - at_s, 0.0), count)

    def _know(self, stores: Iterable[str]) -> None:
        for role in stores:
            self._waiting.setdefault(role, deque(maxlen=MOST_MARKS))

    def _shut(self) -> None:
        if self._open is not None:
            for marks in self._waiting.values():
                marks.append(self._open)
            self._open = None
