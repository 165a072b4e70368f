"""The monitor's loop: follow the journal, count, look every few seconds, and hand on what is seen.

A part that fails is said and tried again at the next look: monitoring breaks nothing, itself included. While the
journal's end is far away (the service was down, one-shots recorded), samples stand at the time of the events, and
nothing is judged before the end is reached: a replay is no burst.
"""

from __future__ import annotations

import gc
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.monitor.parts import Parts
from levaithan.monitor.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home

LOOK_S = 1.0
"""How often the journal is looked at: nobody waits for the monitor, so nobody tells it of news."""
KEEP_S = 15.0
"""How often what is known is kept on the disk; at most so much of the journal is read again after a crash."""
SAMPLE_S = 15.0
"""Event time between two samples of a replay."""
LATE_S = 60.0
"""An event that is older is a replay."""
WAIT_S = 30.0
"""How long another monitor may take to end."""


class Monitor:
    """The loop of `python -m levaithan.monitor`. `wake` is a file descriptor whose end is the end."""

    def __init__(self, home: Home, settings: Any, wake: int | None) -> None:
        self.home = home
        self.wake = wake
        self.parts = Parts(home, settings)
        self.status = Status(home, self.parts)
        self.every_s = settings.monitor_interval_s
        self._root = _identity(home.root)
        self._late = True
        self._sampled_s = 0.0
        self._looked = self._kept = float("-inf")

    def run(self) -> None:
        """Work until `wake` ends or the home goes."""
        if not self._alone():
            return
        gc.collect()
        gc.freeze()
        gc.disable()
        self.parts.start()
        try:
            while self._root == _identity(self.home.root):
                self.turn()
                if not self._wait(LOOK_S):
                    break
        finally:
            if self._root == _identity(self.home.root):
                self._attempt("keep", self.parts.keep)
                self.status.write("stopped")
            self.parts.stop()

    def turn(self) -> None:
        """Read on to the journal's end; look, and keep, when it is time."""
        self._attempt("follow", self._follow)
        now = time.monotonic()
        if now - self._looked >= self.every_s:
            self._looked = now
            self._attempt("look", self._look)
            self.status.write(self._doing)
        elif not self._late:
            self._attempt("answer", self._answer)
        if now - self._kept >= KEEP_S:
            self._kept = now
            self._attempt("keep", self.parts.keep)
            self.status.write(self._doing)  # the service ends a monitor that is silent for a minute
            gc.collect()  # records make no cycles: what libraries leave is seldom worth the look

    @property
    def _doing(self) -> str:
        return "catching up" if self._late else "watching"

    def _alone(self) -> bool:
        """Wait until no other monitor works for this home; False when `wake` ended meanwhile."""
        until = time.monotonic() + WAIT_S
        while not self.parts.own():
            if time.monotonic() > until or not self._wait(LOOK_S):
                return False
        return True

    def _follow(self) -> None:
        """Take all that is new. A long replay says that it lives, and is kept, between two batches."""
        begun, end = time.monotonic(), False
        while not end and (self.wake is None or not _readable(self.wake, 0)):
            end = self.parts.watching.step(each=self._take, anew=self.parts.forget).end
            self._late = self.parts.watching.catching_up(time.time())
            if not end and time.monotonic() - begun > KEEP_S:
                begun = time.monotonic()
                self._attempt("keep", self.parts.keep)
                self.status.write("catching up")

    def _take(self, record: dict[str, Any], at_s: float) -> None:
        """One record. A replay is sampled at its own time: how all stood before the first record of each SAMPLE_S."""
        if at_s - self._sampled_s >= SAMPLE_S and time.time() - at_s > LATE_S:
            self._sampled_s = at_s - at_s % SAMPLE_S
            self.parts.watching.settle(self._sampled_s)
            self.parts.sample(self._sampled_s)
        self.parts.take(record, at_s)

    def _look(self) -> None:
        now_s = time.time()
        self.parts.watching.collect(now_s)
        if not self._late:
            self._sampled_s = now_s
            self.parts.look(now_s)
        self.parts.outward.send(now_s)

    def _answer(self) -> None:
        """Between two looks: what came from outside, what people did, what is under way."""
        self.parts.answer([], time.time())

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do it; a failure is kept for the status and the log, and the others go on."""
        try:
            work()
        except Exception as error:
            self.status.failed(what, error)
        else:
            self.status.well(what)

    def _wait(self, seconds: float) -> bool:
        """Wait. False when the pipe has ended."""
        if self.wake is None:
            time.sleep(seconds)
            return True
        return not _readable(self.wake, seconds) or os.read(self.wake, 65_536) != b""


def _readable(descriptor: int, seconds: float) -> bool:
    """Whether there is news, or the end, within `seconds`."""
    readable, _, _ = select.select([descriptor], [], [], seconds)
    return bool(readable)


def _identity(folder: str) -> tuple[int, int] | None:
    """Device and inode of a folder; None when it is gone. One that was removed and made again is another one."""
    try:
        seen = Path(folder).stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
