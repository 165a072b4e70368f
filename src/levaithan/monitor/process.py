"""The monitor's loop: follow the journal, count, look every few seconds, and hand on what is seen.

A look takes gauges, gives the evaluator a sample of every series, and passes what fires to the incidents and what came
of them to the actions. A part that fails is said and tried again at the next look: monitoring breaks nothing, itself
included. While the journal's end is far away (the service was down, one-shots recorded), samples stand at the time of
the events, and nothing is judged before the end is reached: a replay is no burst.
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
from levaithan.stores.times import Times

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
"""Older than this, an event is a replay."""


class Monitor:
    """The loop of `python -m levaithan.monitor`. `wake` is a file descriptor whose end is the end."""

    def __init__(self, home: Home, settings: Any, wake: int | None) -> None:
        self.home = home
        self.wake = wake
        self.parts = Parts(home, settings)
        self.status = Status(home, self.parts)
        self.every_s = settings.monitor_interval_s
        self._root = _identity(home.root)
        self._times = Times()
        self._late = False
        self._sampled_s = 0.0
        self._looked = self._kept = 0.0

    def run(self) -> None:
        """Work until `wake` ends or the home goes."""
        gc.collect()
        gc.freeze()
        self.parts.start()
        try:
            while self._root == _identity(self.home.root):
                self.turn()
                if not self._wait():
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
            self.status.write("catching up" if self._late else "watching")
        if now - self._kept >= KEEP_S:
            self._kept = now
            self._attempt("keep", self.parts.keep)

    def _follow(self) -> None:
        """Take all that is new. A long replay says that it lives, and is kept, between two batches."""
        following, begun = self.parts.following, time.monotonic()
        while True:
            before = following.cursor
            for record in following.records():
                self._take(record)
            if following.cursor == before:
                self._late = False
                return
            if time.monotonic() - begun > KEEP_S:
                begun = time.monotonic()
                self._attempt("keep", self.parts.keep)
                self.status.write("catching up")
            if not self._more():
                return

    def _take(self, record: dict[str, Any]) -> None:
        at_s = self._at(record)
        if at_s and time.time() - at_s > LATE_S:
            self._late = True
            if at_s >= self._sampled_s + SAMPLE_S:
                self._sampled_s = at_s - at_s % SAMPLE_S
                self.parts.sample(self._sampled_s)
        self.parts.take(record)

    def _at(self, record: dict[str, Any]) -> float:
        """When it happened, seconds since 1970; 0 when it does not say."""
        try:
            return self._times.us(record["at"]) / 1e6
        except (KeyError, TypeError, ValueError):
            return 0.0

    def _look(self) -> None:
        now = time.time()
        self.parts.gauges(now, late=self._late)
        if not self._late:
            self._sampled_s = now
            self.parts.judge(now)

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do it; a failure is kept for the status and the log, and the others go on."""
        try:
            work()
        except Exception as error:
            self.status.failed(what, error)
        else:
            self.status.well(what)

    def _more(self) -> bool:
        """Whether to go on at once: not when the end has come meanwhile."""
        if self.wake is None:
            return True
        readable, _, _ = select.select([self.wake], [], [], 0)
        return not readable

    def _wait(self) -> bool:
        """Wait LOOK_S. False when the pipe has ended."""
        if self.wake is None:
            time.sleep(LOOK_S)
            return True
        readable, _, _ = select.select([self.wake], [], [], LOOK_S)
        return not (readable and os.read(self.wake, 65_536) == b"")


def _identity(folder: str) -> tuple[int, int] | None:
    """Device and inode of a folder; None when it is gone. One that was removed and made again is another one."""
    try:
        seen = Path(folder).stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
