"""A clock for timers: the wall's at its start, and from then on what really went by.

A wall clock that is set forward or back while the monitor runs must open, escalate and end nothing by itself; and a
timer must outlive the process, which monotonic time cannot. So: wall time once, then monotonic differences.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Steady:
    """Call it: Unix seconds that never jump. `wall` and `ticks` are the system's but for tests."""

    def __init__(self, wall: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._base = wall() - ticks()

    def __call__(self) -> float:
        return self._base + self._ticks()
