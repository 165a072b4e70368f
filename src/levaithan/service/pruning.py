"""Keeps the journal within its bound: the oldest segments go, and only what every store has.

A rebuild reads the journal from its start, so nothing is pruned while somebody else projects: the projection lock is
held meanwhile, and how far the stores are is read from the stores themselves. Dead letters in what is about to go are
delivered made harmless first: afterwards nobody could deliver them at all.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot import segments
from levaithan.journal import read
from levaithan.projector import status
from levaithan.projector.lock import ProjectionLock
from levaithan.service.supervisor import in_thread, stamp
from levaithan.stores import address, registry, relogin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.service.app import App
    from levaithan.stores.roles import Projected

LOCK_S = 5.0
_DELIVER_S = 600.0
_ROUNDS = 5


class Pruner:
    """`prune` is called again and again; state: what it did and what holds the rest, for status."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.state: dict[str, Any] = {"at": None, "removed": 0, "held_by": []}

    async def prune(self) -> None:
        """Keep the journal within its bound, as far as the stores have it."""
        app, most = self.app, self.app.conf.journal_max_bytes
        going, left = doomed(app.home.journal, most)
        if not going and left <= most:
            self.state["held_by"] = []
            return
        last, undeliverable = going[-1] if going else "", 0
        for _ in range(_ROUNDS):
            lock = ProjectionLock(app.home)
            if not await in_thread(lambda: lock.take(LOCK_S)):  # noqa: B023 - awaited here
                self._held(["another process is projecting (a rebuild?): it may need what would go"])
                return
            try:
                if elsewhere := await in_thread(self.elsewhere):
                    self._held(elsewhere)
                    return
                if await in_thread(lambda: self._waiting(last)) <= undeliverable:
                    await self._prune(most, last)
                    return
            finally:
                lock.release()
            undeliverable, why = await self._deliver(last)
            if why:
                self._held([f"dead letters in what would go could not be delivered: {why}"])
                return
        self._held(["dead letters keep coming up in what would go: the stores are behind"])

    async def _prune(self, most: int, last: str) -> None:
        """Under the lock: remove what must go, up to the segment `last`."""
        from levaithan.journal import prune  # noqa: PLC0415 - rarely needed

        app, delivered = self.app, await in_thread(self.delivered)
        done = await app.committer.job(lambda: prune.prune(app.home.journal, most, delivered, app.journal, last=last))
        self._held(done.held_by, left=done.left)
        if done.removed:
            self.state |= {"at": stamp(time.time()), "removed": self.state["removed"] + len(done.removed)}
            app.say("pruned", removed=done.removed, bytes=done.bytes, left=done.left)

    def _held(self, by: list[str], **more: Any) -> None:
        if by != self.state["held_by"]:
            self.app.say("pruning", level="warning" if by else "info", held_by=by, **more)
        self.state["held_by"] = by

    def _stores(self) -> Iterator[tuple[str, Projected | None]]:
        """(role, store) of those in use; None for one that cannot be used, whose place nobody can tell."""
        for role in registry.known():
            try:
                store = registry.open_store(role, self.app.settings, self.app.home)
            except LevaithanError:
                yield role, None
                continue
            if store is not None:
                yield role, store

    def elsewhere(self) -> list[str]:
        """Why nothing may go, in words: each store that the projector has at another address than this service asks,
        since one of them began with other settings. What is read at the one may be lacking at the other."""
        here: dict[str, str | None] = {}
        for role, store in self._stores():
            here[role] = address.of(store) if store is not None else None  # None holds everything anyway (delivered)
            if store is not None:
                store.close()
        found = []
        for role, where in status.places(self.app.home).items():
            if role in registry.known() and here.get(role, "") not in (where, None):
                found.append(
                    f"the projector has the {role} store at {where or 'no address'}, this service at "
                    f"{here.get(role) or 'none'}: the settings changed since one of them began (`levaithan restart`)"
                )
        return found

    def delivered(self) -> dict[str, read.Position | None]:
        """How far each store has read, as it says itself; None for one that has nothing, or cannot be asked."""
        positions: dict[str, read.Position | None] = {}
        for name, store in self._stores():
            cursor = self._cursor(store) if store is not None else None
            positions[name] = read.Position(cursor.segment, cursor.offset) if cursor else None
        return positions

    def _cursor(self, store: Any) -> Any:
        """The place of `store`, which is closed then; None where it cannot be asked. One that refuses the password is
        asked with the settings of now, as the projector does."""
        try:
            return store.cursor()
        except relogin.REFUSALS:
            store = relogin.opened_anew(store, self.app.home) or store
            try:
                return store.cursor()
            except LevaithanError:
                return None
        except LevaithanError:
            return None
        finally:
            store.close()

    async def _deliver(self, last: str) -> tuple[int, str]:
        """Deliver what waits in `last` and older segments, made harmless: how many nobody can deliver (a forged line,
        no JSON at all), and why it could not be tried, or ""."""
        command = (sys.executable, "-P", "-m", "levaithan.projector", "--home", self.app.home.root, "--harmless", last)
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, cwd="/",
        )  # fmt: skip
        _, told = await asyncio.wait_for(child.communicate(), _DELIVER_S)
        words = told.decode("utf-8", "replace").strip()
        if child.returncode != 0:
            return 0, words[-600:]
        undeliverable = len(words.splitlines())
        self.app.say(
            "dead letters were delivered made harmless, for their segments are about to be pruned",
            level="warning" if undeliverable else "info", until=last, undeliverable=undeliverable, said=words[-600:],
        )  # fmt: skip
        return undeliverable, ""

    def _waiting(self, last: str) -> int:
        """The dead letters in `last` and older segments."""
        count = 0
        for _, store in self._stores():
            if store is not None:
                try:
                    count += sum(one.segment <= last for one in store.dead_letters(1_000_000))
                except LevaithanError:
                    continue
                finally:
                    store.close()
        return count


def doomed(directory: str, most: int) -> tuple[list[str], int]:
    """The oldest segments that must go until the journal has at most `most` bytes, never the last one (0 = no bound),
    and how many bytes are left then."""
    try:
        names = segments.listing(directory)[0]
        sizes = [os.stat(f"{directory}/{name}").st_size for name in names]  # noqa: PTH116
    except OSError:
        return [], 0
    left = sum(sizes) if most else 0
    going: list[str] = []
    for name, size in zip(names[:-1], sizes, strict=False):
        if left <= most:
            break
        going.append(name)
        left -= size
    return going, left
