"""How far a journal's clock was from the database's, record by record: which records a new measurement speaks for.

A stretch begins at a record's number, not at a time: after a clock was set back the same time comes twice, and only the
order of the journal tells the two apart. Pure: no I/O, no driver.

What is known, and the rule made of it. A skew is measured when a batch is delivered, so it speaks for what was recorded
about then: a new stretch begins with the first of the batch's records that are new and about now (NEAR_US), or with the
one behind the widest gap among them, where that is as wide as what the clock is found to have been set ahead by. Of
records that waited (an outage) the last skew that was known before them is the better guess, so a measurement says
nothing of them. But where a record is earlier than the one before it, by about what the clock was set back, it was set
there.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_US = 100_000
"""Below this a skew is no more than what measuring it may be wrong by."""
NEAR_US = 60_000_000
"""What was recorded within this time before a measurement was recorded by the clock that was measured."""
MOST_KEPT = 16
"""Stretches of a journal. One more, and the one that changed the skew least goes into the one before it: of a clock
that drifts steps stay, and what was set by minutes stays longer than what went astray by a second."""


@dataclass(slots=True)
class Stretch:
    """The records from number `first` on, to the next stretch: by how much the clock was ahead, and the least and the
    greatest time that these records have by it. All in microseconds."""

    first: int
    skew_us: int
    oldest_us: int
    newest_us: int


@dataclass(slots=True, frozen=True)
class Measured:
    """This machine's clock when its skew was measured, the skew, and by how much that may be wrong; microseconds."""

    ours_us: int
    skew_us: int
    error_us: int = 0

    def change(self, known_us: int) -> int:
        """By how much the clock was set since it was `known_us` ahead; 0 for less than can be told."""
        changed = self.skew_us - known_us
        return changed if abs(changed) >= LEAST_US + self.error_us else 0


def after(
    history: Sequence[Stretch], events: Sequence[tuple[int, int]], measured: Measured, delivered: int | None
) -> list[Stretch]:
    """`history`, the oldest first, after a batch with `events`: (number, time in microseconds) in the order of numbers,
    at least one. delivered: the number of the last record that was there before; None for a batch of old ones, of which
    the measurement says nothing.

    The first measurement of a journal is the best guess for all that was recorded before it.
    """
    found = [replace(one) for one in history]
    if not found:
        found = [Stretch(0, measured.change(0), events[0][1], events[0][1])]
    elif delivered is not None and (change := measured.change(found[-1].skew_us)):
        after_this = max(delivered, found[-1].first)
        fresh = [one for one in events if one[0] > after_this]
        begin = _begin([at for _, at in fresh], found[-1].newest_us, measured.ours_us, change)
        if begin < len(fresh):
            first, at = fresh[begin]
            found.append(Stretch(first, measured.skew_us, at, at))
    _widen(found, events)
    while len(found) > MOST_KEPT:
        _thin(found)
    return found


def _begin(times: list[int], before_us: int, ours_us: int, change: int) -> int:
    """The index of the first of the times that were written after the clock was set by `change`; their number for none.
    before_us: the time of the record before them."""
    latest = ours_us + LEAST_US
    earlier = [before_us, *times]
    if change < 0 and times and times[-1] <= latest:
        falls = [number for number, at in enumerate(times) if -change // 2 <= earlier[number] - at <= LEAST_US - change]
        if falls:
            return falls[-1]
    begin = len(times)
    while begin and ours_us - NEAR_US <= times[begin - 1] <= latest:
        begin -= 1
    gaps = [(times[number] - earlier[number], number) for number in range(begin, len(times))]
    widest, at = max(gaps, default=(0, begin))
    return at if 0 < change * 9 // 10 <= widest else begin


def _widen(found: list[Stretch], events: Sequence[tuple[int, int]]) -> None:
    """Let each stretch reach as far as its records among `events` do. Those before the first stretch belong to it."""
    numbers = [number for number, _ in events]
    begins = [0, *(bisect_left(numbers, one.first) for one in found[1:]), len(events)]
    for one, (begin, end) in zip(found, pairwise(begins), strict=True):
        times = [at for _, at in events[begin:end]]
        one.oldest_us = min(one.oldest_us, *times, one.newest_us)
        one.newest_us = max(one.newest_us, *times, one.oldest_us)


def _thin(found: list[Stretch]) -> None:
    """Put the stretch that changed the skew least, of equals the oldest, into the one before it; never the last one,
    by which the next measurement is judged."""
    least = min(range(1, len(found) - 1), key=lambda number: abs(found[number].skew_us - found[number - 1].skew_us))
    gone, one = found.pop(least), found[least - 1]
    one.oldest_us, one.newest_us = min(one.oldest_us, gone.oldest_us), max(one.newest_us, gone.newest_us)
