"""One server's store along the journal, in a thread of its own: a server that hangs holds nobody else up.

Works under the store's own lock, which it lets go between two stretches as the projector does (see process).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from levaithan.errors import LevaithanError
from levaithan.hot import modes
from levaithan.projector.lock import lock_of
from levaithan.projector.pace import Pace
from levaithan.stores import address, relogin

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.projector.follower import Follower

LOOK_S = 1.0
STRETCH_S = 1.0
YIELD_S = 0.015
GATHER_S = 0.1
"""How long a store that has had all there was leaves the next events alone, unless it is told of news (as often)."""
LEAVES, LEAVES_S = 4.0, 1.0
"""And whatever it is told: so many times as long as its last batch took, up to so many seconds. A batch costs much
however little is in it, so where the machine is busy and each takes longer, there are fewer and larger ones. Measured
with 1,500 events a second into five servers on two cores: graph and memory fell behind by 0.14 s a second each without
it, by 0.02 s with it."""
GENTLE_BYTES = 3 << 16
"""A batch while events flow: hooks wait for what a server does at once, so that is a little, more often. Measured on
PostgreSQL at 500 events a second: p99 and p99.5 of hooks 3.7 and 5.0 ms, with whole batches 4.5 and 7.7; on Weaviate
p99 8 to 18 ms, with whole ones 14 to 20, and no more of them in a second."""
_REFUSED = tuple(kind.code for kind in relogin.REFUSALS)


class Worker(threading.Thread):
    """Follows one store until `stop`. `news` wakes it; it looks by itself every LOOK_S seconds."""

    def __init__(self, home: Home, follower: Follower) -> None:
        super().__init__(name=f"projector-{follower.store.name}", daemon=True)
        self.home = home
        self.follower = follower
        self.lock = lock_of(home, follower.store)
        self.news = threading.Event()
        self.pace = Pace(home.journal)
        self.behind = False
        """Whether its store is being brought along just now."""
        self._over = threading.Event()
        self._whole = follower.batch_bytes

    def run(self) -> None:
        """The thread. Failures of the store are the follower's to keep; a lock that cannot be taken is tried again."""
        while not self._over.is_set():
            pause = self._stretch()
            if pause and self.news.wait(pause):
                self.news.clear()
        self.lock.release()
        self.follower.store.close()

    def stop(self, wait_s: float) -> None:
        """End after the batch that is under way, waiting up to `wait_s` seconds for it."""
        self._over.set()
        self.news.set()
        self.join(wait_s)

    def _stretch(self) -> float:
        """Work until there is nothing to do or others may want a turn; how long to wait then, in seconds."""
        one = self.follower
        self.behind = False
        one.held = modes.held(self.home, one.store.name, remote=True, where=address.of(one.store))
        if not one.ready(time.monotonic()):
            return LOOK_S if one.held else self._until_retry()
        if one.error and one.error["code"] in _REFUSED:
            self._log_in_anew()
        try:
            if not self.lock.take(0.1):
                return LOOK_S
        except OSError as error:
            one.note(f"waiting: {error}")
            return LOOK_S
        self.behind = True
        try:
            one.forget()
            rest = self._batches(time.monotonic() + STRETCH_S)
        finally:
            self.lock.release()
        self.behind = not (one.idle or one.error)
        if one.error:
            return self._until_retry()
        more = one.full and not one.idle
        self._over.wait(max(rest, YIELD_S) if more else rest)  # not `news`: what arrives is why it rests
        if more:
            return 0.0
        return LOOK_S if one.idle else GATHER_S

    def _until_retry(self) -> float:
        return max(0.01, min(LOOK_S, self.follower.retry_at - time.monotonic()))

    def _batches(self, until: float) -> float:
        """Put batches until there is none, the time is over, or others should have the machine: for how long then."""
        rest = 0.0
        while not rest and not self._over.is_set() and time.monotonic() < until:
            self.pace.begin(self.follower.position)
            began = time.monotonic()
            more = self.follower.step()
            if not more or not self.follower.full:
                self.pace.forget()
                return min(LEAVES * (time.monotonic() - began), LEAVES_S) if more else 0.0
            rest = self.pace.rest_s(self.follower.position)
            self.follower.batch_bytes = min(self._whole, GENTLE_BYTES) if self.pace.gentle else self._whole
        return rest

    def _log_in_anew(self) -> None:
        """The server refused who asks: when the settings name another user or password by now, ask as that."""
        one = self.follower
        try:
            store = relogin.opened_anew(one.store, self.home)
        except LevaithanError as problem:
            one.note(f"other settings for the {one.store.name} store cannot be used: {problem.message}")
            return
        if store is not None:
            one.follow_by(store)
            one.note(f"the {store.name} store's user or password was changed in the settings: logged in anew")
