"""The stores on servers shared among several processes of the projector: threads of one interpreter share one core.

The first process has the embedded stores (which have one lock together) and starts the others, each with some of the
stores on servers; every store keeps its own lock, so what is handed over while a batch is under way waits for it. How
many there are to be is looked up in levaithan.hot.modes; with one, which is the default, nothing here does anything.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.hot import modes
from levaithan.projector import status as status_of
from levaithan.projector.loop import followers
from levaithan.projector.worker import Worker

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.projector.status import Status

LEAVE_S = 3.0
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
STEADY_S = 60.0


@dataclass(slots=True)
class Child:
    """One further process. pipe: what tells it of news, and by its end to end; again_s: when it may be started."""

    number: int
    stores: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    pipe: int = -1
    began_s: float = 0.0
    again_s: float = 0.0
    wait_s: float = FIRST_WAIT_S
    said: dict[str, dict[str, Any]] = field(default_factory=dict)


class Shares:
    """Of the first process. workers: its threads, which it gives away and takes back; status: where it says so."""

    def __init__(self, home: Home, settings: Any, workers: list[Worker], status: Status) -> None:
        self.home = home
        self.settings = settings
        self.workers = workers
        self.status = status
        self.children: list[Child] = []
        self._all = tuple(worker.follower.store.name for worker in workers)
        self._count = 1

    def look(self) -> None:
        """Be as many processes as there are to be; start what ended; gather what the others say."""
        wanted = min(modes.workers(self.home), 1 + len(self._all))
        if wanted != self._count:
            self._arrange(wanted)
        for child in self.children:
            self._keep(child)
        if self.children:
            self.status.elsewhere = {
                name: one for child in self.children for name, one in self._said(child).items() if name in child.stores
            }

    def news(self) -> None:
        """Tell the others that there is news. A full pipe is news enough."""
        for child in self.children:
            if child.pipe >= 0:
                with contextlib.suppress(OSError):
                    os.write(child.pipe, b"\n")

    def stop(self) -> None:
        """End the others."""
        for child in self.children:
            _end(child)
            with contextlib.suppress(OSError):
                status_of.path_of(self.home, child.number).unlink()
        self.children = []

    def _arrange(self, count: int) -> None:
        """Share anew: the others end, then each store goes where it belongs now."""
        self.stop()
        given = self._all if count > 1 else ()
        for worker in [one for one in self.workers if one.follower.store.name in given]:
            worker.stop(LEAVE_S)
            self.workers.remove(worker)
        mine = {worker.follower.store.name for worker in self.workers}
        for one in followers(self.home, self.settings, [name for name in self._all if name not in (*given, *mine)]):
            worker = Worker(self.home, one)
            worker.start()
            self.workers.append(worker)
        for number in range(1, count):
            self.children.append(Child(number, given[number - 1 :: count - 1]))
        self._count = self.status.workers = count
        local = [one for one in self.status.followers if not one.store.remote]
        self.status.followers = [*local, *(worker.follower for worker in self.workers)]
        self.status.elsewhere = {}

    def _keep(self, child: Child) -> None:
        """Start it, or start it again, later and later when it ends by itself."""
        now = time.monotonic()
        if child.process is not None and child.process.poll() is not None:
            sys.stderr.write(f"the projector's process {child.number} ended with {child.process.returncode}\n")
            sys.stderr.flush()
            if now - child.began_s >= STEADY_S:
                child.wait_s = FIRST_WAIT_S
            child.again_s = now + child.wait_s
            child.wait_s = min(child.wait_s * 2, LONGEST_WAIT_S)
            _end(child)
        if child.process is None and now >= child.again_s:
            theirs, child.pipe = os.pipe()
            os.set_blocking(child.pipe, False)
            command = (sys.executable, "-P", "-m", "levaithan.projector", "--home", self.home.root)
            try:
                child.process = subprocess.Popen(
                    [*command, "--part", str(child.number), "--stores", ",".join(child.stores)],
                    stdin=theirs, stdout=subprocess.DEVNULL, cwd="/",
                )  # fmt: skip
            finally:
                os.close(theirs)
            child.began_s = now

    def _said(self, child: Child) -> dict[str, dict[str, Any]]:
        """What it says of its stores, its last words while it is not there."""
        told = status_of.read(self.home, child.number)
        if told is not None and child.process is not None and told.get("pid") == child.process.pid:
            stores = told.get("stores")
            child.said = stores if isinstance(stores, dict) else child.said
        return child.said


def _end(child: Child) -> None:
    """The end of the pipe ends it; what does not end is killed."""
    if child.pipe >= 0:
        os.close(child.pipe)
        child.pipe = -1
    if child.process is not None:
        for deed in (None, child.process.terminate, child.process.kill):
            if deed is not None:
                deed()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(LEAVE_S)
                break
        child.process = None
