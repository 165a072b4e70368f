"""One store following the journal: its cursor, its failures, its waiting. No loop here, one step at a time.

Each store has its own, so that one that is down never holds another: see loop.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.projector import segments
from levaithan.stores import slow
from levaithan.stores.roles import Cursor, Rejected, StoreDamagedError, StoreDownError

if TYPE_CHECKING:
    from levaithan.projector.feed import Feed

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 5.0
DOWN_WAIT_S = 1.0
"""The longest wait for a server that does not answer: its edge (stores.edge) spaces the real tries, and fails all
others at once."""
DAMAGE_WAIT_S = 60.0
RELAPSES, FLAPS_S = 3, 300.0
"""A store that began to fail so often within so many seconds, and was well between, flaps. One that is down fails again
and again, and began to only once."""
BATCH_BYTES = 3 << 19
"""Bodies of one transaction: about 1,400 records of 1 KiB. More rows share the pages of the one random index
(tool_use_id); beyond this the memory grows faster than the speed."""

PUT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges (seconds) by which `puts` counts how long batches took."""


class Follower:
    """Brings one store along the journal. `clock` is time.monotonic but for tests."""

    def __init__(self, store: Any, feed: Feed, *, batch_bytes: int = BATCH_BYTES) -> None:
        self.store = store
        self.feed = feed
        self.batch_bytes = batch_bytes
        self.position: Cursor | None = None
        self.known = False
        self.idle = False
        self.full = False
        """Whether the last batch was as large as one may be: more was there already."""
        self.error: dict[str, str] | None = None
        self.held = ""
        self.notes: list[str] = []
        self.last_at = ""
        self.delivered = 0
        self.dead = 0
        self.retry_at = 0.0
        self.puts = [0.0] * (len(PUT_S) + 2)
        self.failures: dict[str, int] = {}
        self._wait = FIRST_WAIT_S
        self._damages: list[float] = []
        self._relapses: deque[float] = deque(maxlen=RELAPSES)
        self._opened = False

    @property
    def flaps(self) -> bool:
        """Whether it fails now and then, so that one look at `error` may find it well."""
        return len(self._relapses) == RELAPSES and self._relapses[0] > time.monotonic() - FLAPS_S

    def forget(self) -> None:
        """Read the cursor again at the next step: another process may have moved it, or swapped the store."""
        self.known = False

    def follow_by(self, store: Any) -> None:
        """Go on with another object for the same store, from the place that it knows."""
        self.store = store
        self.known = self._opened = False

    def ready(self, now: float) -> bool:
        """Whether it is time for a step: not backing off, and not held (see levaithan.hot.modes)."""
        return now >= self.retry_at and not self.held

    def step(self) -> bool:
        """Put one batch into the store. True when there was something. Failures are kept in `error`, never raised."""
        with slow.unsaid():  # `puts` counts them
            return self._stepped()

    def _stepped(self) -> bool:
        try:
            self._open()
            batch, after = self.feed.batch(self.position, self.batch_bytes)
            if self.feed.note:
                self.note(self.feed.note)
            if after is None or (not batch and after == self.position):
                self.idle, self.full = True, False
                self._well()
                return False
            if batch and self.store.shared and not self.store.journal and self.feed.journal():
                self.known = self.idle = False  # it began just now: what is there of it is asked for by its name
                self.full = True
                return True
            begun = time.monotonic()
            rejected = self.store.apply(batch, after)
            self._timed(time.monotonic() - begun)
            self.position = after
            self.delivered += len(batch)
            self._seen(batch, rejected)
            self.full = sum(len(one.body) for one in batch) >= self.batch_bytes // 2
            self.idle = not self.full and segments.at_end(self.feed.directory, after)
        except StoreDamagedError as error:
            self._damaged(error)
            return True
        except Exception as error:
            self._failed(error)
            return False
        self._well()
        return True

    def _open(self) -> None:
        """The first step heals the file; every step after a `forget` reads the cursor and doubts it."""
        if self.known:
            return
        if not self._opened:
            if self.store.heal():
                self._damages.append(time.monotonic())
            self._opened = True
        if self.store.shared:
            self.store.journal = self.feed.journal()
        self.store.migrate()
        before, self.position = self.position, self.store.cursor()
        if self.position is not None and self.position != before and (why := self.feed.doubt(self.position)):
            self.note(f"the {self.store.name} store's place in the journal does not fit ({why}): read from the start")
            if not self.store.rereads:
                self.store.drop_all()
            self.position = None
        self.dead = self.store.dead_count()
        self.known = True

    def note(self, words: str) -> None:
        """Keep something to tell, the last twenty."""
        self.notes = [*self.notes, words][-20:]

    def _seen(self, batch: list[Any], rejected: list[Rejected]) -> None:
        if rejected or self.dead:
            self.dead = self.store.dead_count()
        for delivery in reversed(batch):
            at = delivery.record.get("at") if delivery.record else None
            if isinstance(at, str):
                self.last_at = at
                break

    def _timed(self, seconds: float) -> None:
        """Count how long a batch took: a count an edge of PUT_S, one beyond, and the sum in seconds."""
        self.puts[bisect_left(PUT_S, seconds)] += 1
        self.puts[-1] += seconds

    def _well(self) -> None:
        self.error = None
        self.retry_at = 0.0
        self._wait = FIRST_WAIT_S

    def _failed(self, error: Exception) -> None:
        """Wait twice as long each time. The cursor is read again: what is on disk counts, not what was meant."""
        self.known = False
        self.idle = False
        told = error if isinstance(error, LevaithanError) else None
        if self.error is None:
            self._relapses.append(time.monotonic())
        since = self.error["since"] if self.error else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        code = told.code if told else "unexpected"
        self.failures[code] = self.failures.get(code, 0) + 1
        self.error = {
            "code": code,
            "message": str(told) if told else f"{type(error).__name__}: {error}",
            "fix": told.fix if told else "run `levaithan doctor`; if it stays, report it with logs/service.log",
            "since": since,
        }
        longest = DOWN_WAIT_S if isinstance(error, StoreDownError) else LONGEST_WAIT_S
        self.retry_at = time.monotonic() + min(self._wait, longest)
        self._wait = min(self._wait * 2, longest)

    def _damaged(self, error: StoreDamagedError) -> None:
        """Keep the damaged file, begin anew; the third time in ten minutes wait, for then it is the disk."""
        now = time.monotonic()
        self._failed(error)
        self._damages = [when for when in self._damages if when > now - 600] + [now]
        try:
            self.store.move_aside(str(error.values.get("reason", error)))
        except (OSError, LevaithanError) as failure:
            self._failed(failure)
        if len(self._damages) >= 3:
            self.retry_at = now + DAMAGE_WAIT_S
