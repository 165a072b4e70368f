"""What Alertmanager sent and the monitor has not taken yet: bounded, for a monitor that hangs goes on being told.

What is refused is not lost: Alertmanager sends again what it got a 5xx for. The listener's threads fill it, and the
monitor's empties it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levaithan.detectors.signal import Signal

MOST = 50_000
"""Signals that may wait: five storms."""


class Arrivals:
    """The signals that wait, in the order in which they came."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[Signal] = []

    def put(self, signals: list[Signal]) -> bool:
        """Keep a message's signals; False where too many wait already: then none of them is kept."""
        with self._lock:
            if self._waiting and len(self._waiting) + len(signals) > self._most:
                return False
            self._waiting += signals
            return True

    def take(self) -> list[Signal]:
        """All that waits; it waits no longer."""
        with self._lock:
            found, self._waiting = self._waiting, []
            return found
