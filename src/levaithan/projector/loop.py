"""The projector: brings every store along the journal, the ledger first. Also in-process, for commands that read.

Does not import Alembic (a migration does), nor the service. Under load the ledger goes first, and search gets one
batch every SEARCH_SHARE_S seconds; a store that fails waits by itself, the other goes on.
"""

from __future__ import annotations

import gc
import os
import select
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.projector import feed as feeds
from levaithan.projector.follower import Follower
from levaithan.projector.lock import ProjectionLock
from levaithan.projector.status import Status
from levaithan.stores.registry import open_ledger, open_search
from levaithan.stores.roles import LEDGER, SEARCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.paths import Home

SEARCH_SHARE_S = 1.0
LOOK_S = 1.0
"""How often the journal is looked at without being told: a one-shot tells nobody."""
STRETCH_S = 1.0
"""How long the lock is kept under load before another process may take a turn."""
COLLECT_EVERY = 256
"""Batches between two looks for cyclic garbage: records have no cycles, and looking costs a fifth of the time."""


def followers(home: Home, settings: Any, stores: Sequence[str] = (LEDGER, SEARCH)) -> list[Follower]:
    """A follower for each of `stores` that the settings have. Opens nothing. Raises NotConfigured."""
    feed = feeds.Feed(home.journal)
    opened: list[Any] = []
    if LEDGER in stores:
        opened.append(open_ledger(settings, home))
    if SEARCH in stores:
        opened.append(open_search(settings, home))
    return [Follower(store, feed) for store in opened if store is not None]


class Projector:
    """The loop of `python -m levaithan.projector`. `wake` is a file descriptor: a byte is news, its end is the end."""

    def __init__(self, home: Home, settings: Any, wake: int | None) -> None:
        self.home = home
        self.wake = wake
        self.followers = followers(home, settings)
        self.status = Status(home, self.followers)
        self.lock = ProjectionLock(home)
        self._search_at = 0.0
        self._batches = 0

    def run(self) -> None:
        """Work until `wake` ends or the home goes."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            while Path(self.home.root).is_dir():
                self.turn()
                if not self._wait():
                    break
        finally:
            gc.enable()
            self.lock.release()
            for one in self.followers:
                one.store.close()
            self.status.doing = "stopped"
            if Path(self.home.root).is_dir():
                self.status.update(force=True)

    def turn(self) -> None:
        """Bring the stores along until none has anything to do, or the stretch is over, or another process works."""
        try:
            if not self.lock.take(0.1):
                self._say("waiting: another process is projecting")
                return
        except OSError as error:
            self._say(f"waiting: {error}")
            return
        try:
            for one in self.followers:
                one.forget()
            until = time.monotonic() + STRETCH_S
            busy = True
            while busy and time.monotonic() < until:
                busy = self._round()
                self.status.doing = "projecting"
                self.status.update()
        finally:
            self.lock.release()
        if not busy:
            self._say("idle")

    def _round(self) -> bool:
        """One batch for the ledger, and one for the others when it is their turn."""
        now, busy, first = time.monotonic(), False, self.followers[0]
        if first.ready(now):
            busy = first.step()
        if not busy or now - self._search_at >= SEARCH_SHARE_S:
            self._search_at = now
            for one in self.followers[1:]:
                if one.ready(now):
                    busy = one.step() or busy
        self._batches += 1
        if self._batches % COLLECT_EVERY == 0:
            gc.collect()
        return busy

    def _say(self, doing: str) -> None:
        changed = doing != self.status.doing
        self.status.doing = doing
        self.status.update(force=changed)

    def _wait(self) -> bool:
        """Wait for news, a store's next try, or LOOK_S. False when the pipe has ended."""
        now = time.monotonic()
        pause = 0.0
        if self.status.doing != "projecting":
            tries = [one.retry_at - now for one in self.followers if one.error]
            pause = max(0.01, min([LOOK_S, *tries]))
        if self.wake is None:
            time.sleep(pause)
            return True
        readable, _, _ = select.select([self.wake], [], [], pause)
        return not readable or os.read(self.wake, 65_536) != b""


@dataclass(slots=True)
class CaughtUp:
    """What `catch_up` did. `busy`: another process was projecting; `errors`: what the stores said, by store."""

    delivered: int = 0
    busy: bool = False
    errors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def is_current(home: Home, settings: Any, stores: Sequence[str] = (LEDGER,)) -> bool:
    """Whether `stores` have all of the journal, by sizes and cursors alone: no lock, no SQLAlchemy. Never raises."""
    for one in followers(home, settings, stores):
        try:
            if not one.store.current():
                return not feeds.segments(home.journal) and one.store.version() is None
            if not feeds.at_end(home.journal, one.store.cursor()):
                return False
        except Exception:
            return False
        finally:
            one.store.close()
    return True


def catch_up(
    home: Home,
    settings: Any,
    stop_when_idle: bool = True,
    *,
    stores: Sequence[str] = (LEDGER,),
    wait_s: float = 2.0,
    timeout_s: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> CaughtUp:
    """Bring `stores` up to the journal's end in this process, unless another one is at it for over `wait_s` seconds.

    Nothing to do costs a millisecond. Stops at `timeout_s`, and when a store is down. With `stop_when_idle` False it
    goes on for all of `timeout_s`. `progress(store, bytes done, bytes in all)`. Raises NotConfigured only.
    """
    done = CaughtUp()
    if stop_when_idle and is_current(home, settings, stores):
        return done
    until = time.monotonic() + (timeout_s if timeout_s is not None else 1e9)
    with ProjectionLock(home) as lock:
        if not lock.take(wait_s):
            done.busy = True
            return done
        for one in followers(home, written_with(home, settings), stores):
            left = feeds.bytes_left(home.journal, None)
            while time.monotonic() < until:
                moved = one.step()
                if progress and moved:
                    progress(one.store.name, left - feeds.bytes_left(home.journal, one.position), left)
                if one.error and not moved:
                    done.errors[one.store.name] = one.error["message"]
                    break
                if not moved and stop_when_idle:
                    break
                if not moved:
                    time.sleep(0.05)
            done.delivered += one.delivered
            done.notes += [*one.store.found, *one.notes]
            one.store.close()
    return done


def written_with(home: Home, settings: Any) -> Any:
    """The full settings: those of a read (config.lean) do not say everything that writing needs."""
    if hasattr(settings, "fsync"):
        return settings
    from levaithan.config.settings import load  # noqa: PLC0415 - loads pydantic, which a read avoids

    return load(home.root)
