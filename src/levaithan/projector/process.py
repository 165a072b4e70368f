"""The projector's process: every store along the journal, the ledger first, told of news through a pipe.

Loads no Alembic (a migration does) and not the service. The embedded stores take turns in the main thread: under load
the ledger goes first and one of the others, in turn, gets a batch every OTHERS_SHARE_S seconds. A store on a server has
a thread of its own (see worker). A store that fails waits by itself, the others go on.

While events trickle in, nobody asks for the next batch before there are some: each one writes the same pages again.
Measured at 500 events a second: a batch whenever there was anything wrote 29 MB a second, and the journal's own syncs
waited for it.
"""

from __future__ import annotations

import gc
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import modes
from levaithan.projector.lock import ProjectionLock
from levaithan.projector.loop import followers, usable
from levaithan.projector.shares import Shares
from levaithan.projector.status import STOPPED, Status
from levaithan.projector.worker import GATHER_S, Worker
from levaithan.stores import address

if TYPE_CHECKING:
    from collections.abc import Collection

    from levaithan.hot.paths import Home
    from levaithan.projector.follower import Follower

OTHERS_SHARE_S = 1.0
LOOK_S = 1.0
"""How often the journal is looked at without being told: a one-shot tells nobody."""
STRETCH_S = 1.0
"""How long the lock is kept under load before another process may take a turn."""
GATHER_OTHERS_S = 0.5
"""How often the other stores get what trickled in, while the first has something each time."""
LEAVE_S = 1.0
"""How long a store on a server may take to end its last batch; it is put again at the next start."""
YIELD_S = 0.015
"""How long the lock is left alone between two stretches: who waits for it looks every 10 ms."""
COLLECT_EVERY = 256
"""Batches between two looks for cyclic garbage: records have no cycles, and looking costs a fifth of the time."""


class Projector:
    """The loop of `python -m levaithan.projector`. `wake` is a file descriptor: a byte is news, its end is the end.

    `part`: the number of a further process, which has `stores` (on servers) and nothing else; 0 is the first one, which
    has the rest, and starts and ends the others (see shares).
    """

    def __init__(
        self, home: Home, settings: Any, wake: int | None, part: int = 0, stores: Collection[str] = ()
    ) -> None:
        self.home = home
        self._root = _identity(home.root)
        self.wake = wake
        roles, wrong = usable(home, settings)
        if part:
            roles = [one for one in roles if one in stores]
            wrong = {role: one for role, one in wrong.items() if role in stores}
        self.followers = followers(home, settings, roles)
        self.local = [one for one in self.followers if not one.store.remote]
        self.workers = [Worker(home, one) for one in self.followers if one.store.remote]
        self.status = Status(home, self.followers, wrong, part)
        self.status.remote = len(self.workers)
        self.shares = Shares(home, settings, self.workers, self.status) if self.workers and not part else None
        self.lock = ProjectionLock(home)
        self._others_at = 0.0
        self._turn = 0
        self._batches = 0
        self._full = self._told = False

    def run(self) -> None:
        """Work until `wake` ends or the home goes."""
        gc.collect()
        gc.freeze()
        gc.disable()
        for worker in self.workers:
            worker.start()
        try:
            while self._root == _identity(self.home.root):
                self.turn()
                if not self._wait():
                    break
        finally:
            gc.enable()
            self.lock.release()
            if self.shares is not None:
                self.shares.stop()
            for worker in self.workers:
                worker.stop(LEAVE_S)
            for one in self.local:
                one.store.close()
            self.status.doing = STOPPED
            if self._root == _identity(self.home.root):
                self.status.update(force=True)

    def turn(self) -> None:
        """Bring the stores along until none has anything to do, or the stretch is over, or another process works."""
        if self.shares is not None:
            self.shares.look()
        if self.status.part:
            self._say("idle" if all(one.idle or one.held for one in self.followers) else "projecting on servers")
            return
        try:
            if not self.lock.take(0.1):
                self._say("waiting: another process is projecting")
                return
        except OSError as error:
            self._say(f"waiting: {error}")
            return
        try:
            for one in self.local:
                one.forget()
                one.idle = False  # of before: who was not asked since may be behind
                one.held = modes.held(self.home, one.store.name, remote=False, where=address.of(one.store))
            until = time.monotonic() + STRETCH_S
            busy = self._full = True
            while busy and self._full and time.monotonic() < until:
                busy = self._round()
                self.status.doing = "projecting"
                self.status.update()
        finally:
            self.lock.release()
        if not busy or all(one.idle or one.error or one.held for one in self.local):
            self._say("idle")

    def _round(self) -> bool:
        """One batch for the first, and one for another when it is time for one; for each when the first has none, or
        had all there was. Whether anybody had something."""
        now, busy = time.monotonic(), False
        for first in self.local[:1]:
            if first.ready(now):
                busy = first.step()
        self._full = busy and self.local[0].full
        for one in self._others(now, busy=busy):
            if one.ready(now) and one.step():
                busy, self._full = True, self._full or one.full
        self._batches += 1
        if self._batches % COLLECT_EVERY == 0:
            gc.collect()
        return busy

    def _others(self, now: float, *, busy: bool) -> list[Follower]:
        """Whose turn it is beside the first, which is `busy` or has nothing."""
        others = self.local[1:]
        if busy and now - self._others_at < (OTHERS_SHARE_S if self._full else GATHER_OTHERS_S):
            return [] if self._full else [one for one in others if one.full and not one.idle]
        self._others_at = now
        if not self._full or not others:
            return others
        self._turn += 1
        return [others[self._turn % len(others)]]

    def _say(self, doing: str) -> None:
        changed = doing != self.status.doing
        self.status.doing = doing
        self.status.update(force=changed)

    def _wait(self) -> bool:
        """Wait for news, a store's next try, or LOOK_S. False when the pipe has ended."""
        pause = 0.0
        if self.status.doing == "projecting" and self._full:
            time.sleep(YIELD_S)
        elif self.status.doing == "projecting":
            pause = GATHER_S
        else:
            now = time.monotonic()
            tries = [one.retry_at - now for one in self.local if one.error and not one.held]
            # Whoever waits for a store on a server (`control sync`) reads the status, which is written here.
            soon = [GATHER_S] if self._told or any(one.behind for one in self.workers) else []
            pause = max(0.01, min([LOOK_S, *tries, *soon]))
        if self.wake is None:
            time.sleep(pause)
            return True
        readable, _, _ = select.select([self.wake], [], [], pause)
        if readable and os.read(self.wake, 65_536) == b"":
            return False
        self._told = bool(readable and self.workers)
        if readable:
            for worker in self.workers:
                worker.news.set()
            if self.shares is not None:
                self.shares.news()
        return True


def _identity(folder: str) -> tuple[int, int] | None:
    """Device and inode of a folder; None when it is gone. One that was removed and made again is another one."""
    try:
        seen = Path(folder).stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
