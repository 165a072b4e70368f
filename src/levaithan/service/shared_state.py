"""What this machine tells the others again and again: the leases in force here, and what it has spent.

The home's files are the truth about this machine: a server that lost everything has it back within seconds, one that
has a lease that no book knows lets it go.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot import leases
from levaithan.hot.database import damaged
from levaithan.hot.lease_book import Book
from levaithan.hot.spend import FILE as SPEND
from levaithan.hot.spend import SHARED, Spend, periods_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.stores.redis_coordination import RedisCoordination

_LOOK_S = 5.0
_FRESH_US = 1_000_000
_ENDING_S = 2.5
"""Longer than _FRESH_US and a turn of the service."""
_GHOST_US = 3_000_000
"""A lease of this machine that its book does not have is let go when it is so old: a call may be about to enter it."""
_MOST = 1000
_READ_S = 1.0
"""How long a read of what was spent waits for a process that changes it."""


class SharedLeases:
    """The leases of one home."""

    def __init__(self, home: Home, others: RedisCoordination, say: Callable[..., None]) -> None:
        self._home = home
        self._others = others
        self._say = say
        self._mine: dict[str, dict[str, Any]] = {}
        self._over: list[tuple[float, dict[str, Any]]] = []
        self._seen: tuple[object, ...] = ()
        self._looked = 0.0

    def tell(self) -> None:
        """Say which are in force here, end those that no longer are. Raises StoreError, OSError, sqlite3.Error."""
        seen = _stamps(self._home.state + leases.FILE)
        if seen == self._seen and not (self._mine or self._over) and time.monotonic() - self._looked < _LOOK_S:
            return  # there are none, and nobody took one since
        self._seen, now = seen, time.time_ns() // 1000
        here = {one["path"]: one for one in leases.every(self._home, now)}
        told = [
            {"path": path, "session": one["session"], "agent": one["agent"], "project": one["project"],
             "fence": one["fence"], "lasts_us": one["until_us"] - now}
            for path, one in here.items()
        ]  # fmt: skip
        lost = self._others.announce(told) if told else []
        if lost:
            self._lose([here.pop(path) for path in lost if path in here])
        self._end(here)
        if time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            self._let_go(here)

    def _end(self, here: dict[str, dict[str, Any]]) -> None:
        """Let go of what is no longer in force, for a moment again and again: what was told just now stays at first."""
        at = time.monotonic()
        ended = [(at + _ENDING_S, one) for one in self._mine.values()]
        self._over = [(until, one) for until, one in (*self._over, *ended) if until > at and one["path"] not in here]
        if self._over:
            self._others.free([one for _, one in self._over], unless_us=_FRESH_US)
        self._mine = here

    def _lose(self, lost: list[dict[str, Any]]) -> None:
        """Another machine's session has these: both took them while they were out of reach of each other."""
        book = Book(self._home)
        try:
            book.one_step(lambda: book.drop_all([(one["path"], one["fence"]) for one in lost]))
        finally:
            book.close()
        for one in lost:
            self._say("a lease is another machine's", level="warning", path=one["path"], session=one["session"])

    def _let_go(self, here: dict[str, dict[str, Any]]) -> None:
        found, now = self._others.leases()
        ghosts = [
            one for one in found
            if one["node"] == self._others.node and one["path"] not in here and now - one["renewed_us"] >= _GHOST_US
        ]  # fmt: skip
        if ghosts:
            self._others.free(ghosts, unless_us=_GHOST_US)


def _stamps(path: str) -> tuple[object, ...]:
    """What changes when the book does: its file's and its log's times and sizes."""
    found: list[object] = []
    for name in (path, path + "-wal"):
        try:
            seen = os.stat(name)  # noqa: PTH116 - once a second
        except OSError:
            continue
        found.append((seen.st_mtime_ns, seen.st_size, seen.st_ino))
    return tuple(found)


class SharedSums:
    """What one home has spent, by the buckets that machines share. A damaged file is set aside, and that is said."""

    def __init__(self, home: Home, others: RedisCoordination, say: Callable[..., None]) -> None:
        self._home = home
        self._others = others
        self._say = say
        self._told: dict[str, int] = {}
        self._was = ""

    def tell(self, *, again: bool) -> None:
        """Say what changed since it was told; everything, where `again`. Raises StoreError, OSError, sqlite3.Error."""
        sums = self._sums()
        fresh = {bucket: nano for bucket, nano in sums.items() if again or self._told.get(bucket) != nano}
        late = {bucket: nano for bucket, nano in fresh.items() if self._was and bucket not in self._told}
        if late:
            self._others.move(self._was, late)
        if fresh:
            self._others.settle(fresh)
        self._told = sums

    def move(self, was: str) -> None:
        """What was told under the name `was` is this service's from now on, if anything was; what this home does not
        know of now, for its file was damaged, when it is counted again. Raises as `tell`."""
        if sums := self._sums():
            self._others.move(was, sums)
        self._told, self._was = sums, was

    def _sums(self) -> dict[str, int]:
        """Nobody who changes the file holds this up: it is read without the lock. With it only where it is damaged,
        or has no tables."""
        path = self._home.state + SPEND
        if not os.path.exists(path):  # noqa: PTH110
            return {}
        periods = [*periods_of(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())).values()]
        try:
            link = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, timeout=_READ_S)
            try:
                return dict(link.execute(SHARED, (*periods, *periods, _MOST)).fetchall())
            finally:
                link.close()
        except sqlite3.DatabaseError as error:
            if not (damaged(error) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR):
                raise
        return self._anew(periods)

    def _anew(self, periods: list[str]) -> dict[str, int]:
        spend = Spend(self._home, orjson.loads)
        try:
            return spend.one_step(lambda: spend.shared(periods, _MOST))
        finally:
            if spend.found:
                self._say("what was spent is counted anew", level="warning", error=spend.found)
            spend.close()
