"""Time as the monitor sees it pass, and the timers that go by it.

An interval counts for what both clocks say, the lesser of the two, and for a minute at most: the wall clock may be set,
the monotonic one may go on while nobody looked. So neither a clock that jumps nor a laptop that slept lets a timer
lapse, or a detector have been quiet; what is lost is at most a late page. Standard library only.
"""

from __future__ import annotations

ACK_S = {"P0": 300.0, "P1": 900.0, "P2": 3600.0, "P3": 86_400.0}
"""Seconds in which somebody has to acknowledge; each lapse tells the next in line."""
PAGE_S = 60.0
"""Seconds in which a P0's page has to be out."""
QUIET_S = 1800.0
"""Seconds that a detector must be quiet before its incident may count as resolved, or three times its `for`."""
REOPEN_S = 1800.0
"""Seconds after its resolution in which the same fingerprint is the same incident."""
FLAPPING_S = 3600.0
SETTLED_S = 86_400.0
"""Seconds after which a resolved incident that owes nothing closes by itself."""
MOST_LEVELS = 10
GAP_S = 60.0
"""An interval without a look counts for so much at most."""


class Clock:
    """Seconds that have passed since the last look, by both clocks."""

    __slots__ = ("mono_s", "wall_s")

    def __init__(self) -> None:
        self.mono_s: float | None = None
        self.wall_s: float | None = None

    def passed(self, wall_s: float, mono_s: float) -> float:
        """Seconds since the last call; 0 at the first, and where either clock went back."""
        before = (self.wall_s, self.mono_s)
        self.wall_s, self.mono_s = wall_s, mono_s
        if before[0] is None or before[1] is None:
            return 0.0
        return max(0.0, min(wall_s - before[0], mono_s - before[1], GAP_S))


def quiet_needed_s(for_s: float, least_s: float = QUIET_S) -> float:
    """How long the detector of an alert with this `for` must be quiet."""
    return max(least_s, 3 * for_s)


def ack_left_s(severity: str, waited_s: float, paged_s: float) -> float:
    """Seconds until the acknowledgement timer lapses; `paged_s`: what had been waited at the last lapse."""
    return max(0.0, ACK_S.get(severity, ACK_S["P3"]) - (waited_s - paged_s))


def lapsed(severity: str, waited_s: float, paged_s: float) -> bool:
    """Whether it has lapsed: at 15:00 of a P1, not at 14:59."""
    return waited_s - paged_s >= ACK_S.get(severity, ACK_S["P3"])
