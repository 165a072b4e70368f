"""A look that may take long, in a thread of its own: a store or a disk that hangs must stall nothing else.

What it found is taken by the thread that owns the tally. Imports the standard library only.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


SHARE = 0.02


class Found(NamedTuple):
    """What one look gave: its value, or what it raised; how long it took, seconds."""

    value: Any
    error: Exception | None
    took_s: float


class Look:
    """Does `work` every `every_s` seconds once it is started, less often where it takes more than SHARE of a processor.
    A look that takes longer than `limit_s` is overdue.

    end: called in the thread when it is stopped, to let go of what `work` keeps open.
    """

    def __init__(
        self, name: str, work: Callable[[], Any], every_s: float, limit_s: float, end: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self.limit_s = limit_s
        self._work = work
        self._end = end
        self._every_s = every_s
        self._found: SimpleQueue[Found] = SimpleQueue()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._since: float | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, now and from now on."""
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"look-{self.name}", daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Look again at once, or after the look that is under way."""
        self._wake.set()

    def once(self) -> None:
        """One look, here: for who looks only once."""
        self._look()
        if self._end is not None:
            self._end()

    def stop(self, wait_s: float = 0.0) -> None:
        """End after the look that is under way, waiting up to `wait_s` seconds for it."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None and wait_s:
            self._thread.join(wait_s)

    def take(self) -> list[Found]:
        """What was found since the last time, the oldest first."""
        found = []
        while True:
            try:
                found.append(self._found.get_nowait())
            except Empty:
                return found

    def overdue(self) -> float:
        """For how many seconds a look is under way beyond its limit; 0 when none is."""
        since = self._since
        return max(0.0, time.monotonic() - since - self.limit_s) if since is not None else 0.0

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.thread_time()
            self._look()
            self._wake.wait(max(self._every_s, (time.thread_time() - begun) / SHARE))
            self._wake.clear()
        if self._end is not None:
            self._end()

    def _look(self) -> None:
        begun = self._since = time.monotonic()
        value, error = None, None
        try:
            value = self._work()
        except Exception as problem:  # told to whoever takes it
            error = problem
        self._since = None
        self._found.put(Found(value, error, time.monotonic() - begun))
