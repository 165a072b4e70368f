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
from levaithan.stores import relogin

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.projector.follower import Follower

LOOK_S = 1.0
STRETCH_S = 1.0
YIELD_S = 0.015
_REFUSED = tuple(kind.code for kind in relogin.REFUSALS)


class Worker(threading.Thread):
    """Follows one store until `stop`. `news` wakes it; it looks by itself every LOOK_S seconds."""

    def __init__(self, home: Home, follower: Follower) -> None:
        super().__init__(name=f"projector-{follower.store.name}", daemon=True)
        self.home = home
        self.follower = follower
        self.lock = lock_of(home, follower.store)
        self.news = threading.Event()
        self._end = False

    def run(self) -> None:
        """The thread. Failures of the store are the follower's to keep; a lock that cannot be taken is tried again."""
        while not self._end:
            pause = self._stretch()
            if pause and self.news.wait(pause):
                self.news.clear()
        self.lock.release()
        self.follower.store.close()

    def stop(self, wait_s: float) -> None:
        """End after the batch that is under way, waiting up to `wait_s` seconds for it."""
        self._end = True
        self.news.set()
        self.join(wait_s)

    def _stretch(self) -> float:
        """Work until there is nothing to do or others may want a turn; how long to wait then, in seconds."""
        one = self.follower
        one.held = modes.held(self.home, one.store.name, remote=True)
        if not one.ready(time.monotonic()):
            return LOOK_S if one.held else max(0.01, min(LOOK_S, one.retry_at - time.monotonic()))
        if one.error and one.error["code"] in _REFUSED:
            self._log_in_anew()
        try:
            if not self.lock.take(0.1):
                return LOOK_S
        except OSError as error:
            one.note(f"waiting: {error}")
            return LOOK_S
        try:
            one.forget()
            until, pace = time.monotonic() + STRETCH_S, Pace(self.home.journal)
            pace.look(one.position)
            while one.step() and time.monotonic() < until and not self._end:
                time.sleep(pace.rest_s(one.position))
        finally:
            self.lock.release()
        return LOOK_S if one.idle or one.error else YIELD_S

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
