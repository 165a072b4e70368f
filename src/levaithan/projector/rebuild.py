"""Makes stores again from the journal, beside the old ones, which answer until the new ones are whole.

What the journal no longer has because it was pruned comes from the ledger, and what a person had made harmless is made
harmless again: a rebuild must not lose what nothing else can give back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.errors import StoreError
from levaithan.journal.identity import journal_id
from levaithan.projector import again, segments
from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.projector.lock import ProjectionLock, lock_of
from levaithan.projector.loop import followers, written_with
from levaithan.stores.registry import open_ledger
from levaithan.stores.roles import GRAPH, LEDGER, ROLES, StoreDamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.paths import Home

WAIT_S = 30.0
_ALL = 1_000_000


class RebuildBusyError(StoreError):
    """Another process has been projecting for {seconds} seconds without a pause, so nothing was rebuilt."""

    code = "rebuild_busy"
    fix = "run it again in a moment, or stop the service first: `levaithan stop`"


class RebuildFailedError(StoreError):
    """The {store} store could not be rebuilt: {reason}. {left}"""

    code = "rebuild_failed"
    fix = "{remedy}; then run `levaithan store rebuild {store}` again"


BESIDE = "The old one is untouched."
IN_PLACE = "Records that were not put again stay as they were."


@dataclass(slots=True, frozen=True)
class Rebuilt:
    """What one store holds after its rebuild. carried: records that were pruned from the journal, from the ledger;
    lost: why there may have been more of them, in words."""

    store: str
    records: int
    dead_letters: int
    seconds: float
    carried: int = 0
    lost: str = ""


def rebuild(
    home: Home,
    settings: Any,
    stores: Sequence[str] = ROLES,
    *,
    progress: Callable[[str, int, int], None] | None = None,
    wait_s: float = WAIT_S,
) -> list[Rebuilt]:
    """Make `stores` again. `progress(store, bytes done, bytes in all)` after each batch.

    Other processes project nothing meanwhile; hooks and the journal go on. Raises RebuildBusyError,
    RebuildFailedError, NotConfigured.
    """
    with ProjectionLock(home) as lock:
        if not lock.take(wait_s):
            raise RebuildBusyError(seconds=wait_s)
        full = written_with(home, settings)
        ledger = open_ledger(full, home)
        try:
            return [
                _again(home, one.store, ledger, progress, wait_s) if one.store.remote
                else _rebuild(home, one.store, ledger, progress)
                for one in followers(home, full, stores)
            ]  # fmt: skip
        finally:
            ledger.close()


def _again(
    home: Home, store: Any, ledger: Any, progress: Callable[[str, int, int], None] | None, wait_s: float
) -> Rebuilt:
    """A store on a server, under its own lock: in place where machines share it, else beside the old one."""
    with lock_of(home, store) as lock:
        if not lock.take(wait_s):
            raise RebuildBusyError(seconds=wait_s)
        return (_rewrite if store.shared else _rebuild)(home, store, ledger, progress)


def _rewrite(home: Home, store: Any, _ledger: Any, progress: Callable[[str, int, int], None] | None) -> Rebuilt:
    """Put every record of this journal again over what is there. Records that were pruned stay as they are."""
    began = time.monotonic()
    try:
        store.journal = journal_id(home.journal)
        store.migrate()
        store.rewrite_begin()
        follower = Follower(store, Feed(home.journal))
        _to_the_end(home, follower, progress, IN_PLACE)
        store.rewrite_end(follower.position.seq if follower.position else 0)
        if store.name == GRAPH:
            from levaithan.projector import nodes  # noqa: PLC0415 - loads what makes a graph's facts

            nodes.mend(home.journal, store)
        dead = store.dead_count()
    except StoreError as error:
        if isinstance(error, RebuildFailedError):
            raise
        raise _failed(store.name, str(error), error.fix, IN_PLACE) from error
    finally:
        store.close()
    return Rebuilt(store.name, follower.delivered, dead, time.monotonic() - began)


def _failed(store: str, reason: str, remedy: str, left: str) -> RebuildFailedError:
    """Why it failed, in the words of what made it fail, and that one's remedy."""
    return RebuildFailedError(store=store, reason=reason.rstrip("."), remedy=remedy, left=left)


def _to_the_end(
    home: Home, follower: Follower, progress: Callable[[str, int, int], None] | None, left: str = BESIDE
) -> None:
    while follower.step() or follower.error:
        if follower.error:
            raise _failed(follower.store.name, follower.error["message"], follower.error["fix"], left)
        if progress:
            total = segments.bytes_left(home.journal, None)
            progress(follower.store.name, total - segments.bytes_left(home.journal, follower.position), total)


def _rebuild(home: Home, store: Any, ledger: Any, progress: Callable[[str, int, int], None] | None) -> Rebuilt:
    began = time.monotonic()
    store.clear_leftovers()
    fresh = store.beside()
    follower = Follower(fresh, Feed(home.journal))
    harmless = again.made_harmless(ledger) if store.name == LEDGER else set()
    try:
        carried, damage = _carry(home, ledger, fresh)
        _to_the_end(home, follower, progress)
        letters = [one for one in fresh.dead_letters(_ALL) if one.id in harmless] if harmless else []
        again.try_again(home.journal, fresh, letters, sanitize=True)
        dead = fresh.dead_count()
        if damage and store.name == LEDGER:
            store.move_aside(damage)
        store.take_over(fresh)
    except BaseException:
        fresh.close()
        store.clear_leftovers()
        raise
    finally:
        store.close()
    lost = f"what was pruned from the journal could not be read from the old ledger: {damage}" if damage else ""
    lost = lost if again.pruned(home.journal) else ""
    return Rebuilt(store.name, carried + follower.delivered, dead, time.monotonic() - began, carried, lost)


def _carry(home: Home, ledger: Any, fresh: Any) -> tuple[int, str]:
    """Put what was pruned from the journal into `fresh`: how many records, and what is wrong with the ledger, or ""."""
    carried, limit, damage = 0, fresh.max_field, ""
    try:
        fresh.max_field = 1 << 62  # the store has had them already, under the limit of then
        for batch in again.older(ledger, home.journal):
            fresh.put_again(batch)
            carried += len(batch)
        ledger.cursor()  # nothing may have been asked yet
    except StoreDamagedError as error:
        damage = str(error.values.get("reason", error))
    finally:
        fresh.max_field = limit
        fresh.close()
    return carried, damage
