"""Makes stores again from nothing but the journal, beside the old ones, which answer until the new ones are whole."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.errors import StoreError
from levaithan.projector import segments
from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.projector.lock import ProjectionLock
from levaithan.projector.loop import followers, written_with
from levaithan.stores.roles import LEDGER, SEARCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.paths import Home

WAIT_S = 30.0


class RebuildBusyError(StoreError):
    """Another process has been projecting for {seconds} seconds without a pause, so nothing was rebuilt."""

    code = "rebuild_busy"
    fix = "run it again in a moment, or stop the service first: `levaithan stop`"


class RebuildFailedError(StoreError):
    """The {store} store could not be rebuilt: {reason}. The old one is untouched."""

    code = "rebuild_failed"
    fix = "see that the disk has room for a second copy of the store, then run `levaithan journal rebuild` again"


@dataclass(slots=True, frozen=True)
class Rebuilt:
    """What one store holds after its rebuild."""

    store: str
    records: int
    dead_letters: int
    seconds: float


def rebuild(
    home: Home,
    settings: Any,
    stores: Sequence[str] = (LEDGER, SEARCH),
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
        return [_rebuild(home, one.store, progress) for one in followers(home, written_with(home, settings), stores)]


def _rebuild(home: Home, store: Any, progress: Callable[[str, int, int], None] | None) -> Rebuilt:
    began = time.monotonic()
    store.clear_leftovers()
    fresh = store.beside()
    follower = Follower(fresh, Feed(home.journal))
    try:
        while follower.step() or follower.error:
            if follower.error:
                raise RebuildFailedError(store=store.name, reason=follower.error["message"])
            if progress:
                total = segments.bytes_left(home.journal, None)
                progress(store.name, total - segments.bytes_left(home.journal, follower.position), total)
        store.take_over(fresh)
    except BaseException:
        fresh.close()
        store.clear_leftovers()
        raise
    finally:
        store.close()
    return Rebuilt(store.name, follower.delivered, follower.dead, time.monotonic() - began)
