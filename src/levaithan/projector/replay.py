"""Tries dead letters again: from the journal, under the settings of now, made harmless if asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.projector.again import Replayed, name_of, try_again
from levaithan.projector.lock import lock_of
from levaithan.projector.rebuild import RebuildBusyError
from levaithan.stores.registry import open_store

if TYPE_CHECKING:
    from collections.abc import Collection

    from levaithan.hot.paths import Home

_ALL = 1_000_000


def replay(
    home: Home,
    settings: Any,
    store: str,
    ids: Collection[str] | None = None,
    *,
    sanitize: bool = False,
    last: str = "",
) -> Replayed:
    """Try the dead letters of `store` again; `ids` (see again.name_of) None = all; `last`: none of a later segment.

    With `sanitize`, NUL becomes U+2400, a lone surrogate U+FFFD, a text over the limit is cut with a marker, and the
    ledger's row is marked. Raises StoreError, NotConfigured.
    """
    opened: Any = open_store(store, settings, home)
    if opened is None:
        return Replayed()
    with lock_of(home, opened) as lock:
        if not lock.take(10.0):
            raise RebuildBusyError(seconds=10)
        try:
            letters = [
                one
                for one in opened.dead_letters(_ALL)
                if (ids is None or name_of(one) in ids) and (not last or one.segment <= last)
            ]
            return try_again(home.journal, opened, letters, sanitize=sanitize)
        finally:
            opened.close()
