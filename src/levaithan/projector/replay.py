"""Tries dead letters again: from the journal, under the settings of now, made harmless if asked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.projector import feed as feeds
from levaithan.projector.lock import ProjectionLock
from levaithan.projector.rebuild import RebuildBusyError
from levaithan.stores.registry import open_ledger, open_search
from levaithan.stores.roles import SEARCH

if TYPE_CHECKING:
    from collections.abc import Collection

    from levaithan.hot.paths import Home
    from levaithan.stores.roles import DeadLetter

CHUNK = 50
"""Dead letters tried in one transaction: each may be as large as the greatest record."""


@dataclass(slots=True)
class Replayed:
    """What arrived this time (event ids or places), and what did not: (id or place, reason)."""

    delivered: list[str] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)


def name_of(letter: DeadLetter) -> str:
    """How a person names a dead letter: the event's id, or segment:offset when it has none."""
    return letter.id or f"{letter.segment}:{letter.offset}"


def replay(
    home: Home, settings: Any, store: str, ids: Collection[str] | None = None, *, sanitize: bool = False
) -> Replayed:
    """Try the dead letters of `store` again; `ids` (see name_of) None = all.

    With `sanitize`, NUL becomes U+2400, a lone surrogate U+FFFD, a text over the limit is cut with a marker, and the
    ledger's row is marked. Raises StoreError, NotConfigured.
    """
    opened: Any = open_search(settings, home) if store == SEARCH else open_ledger(settings, home)
    done = Replayed()
    if opened is None:
        return done
    with ProjectionLock(home) as lock:
        if not lock.take(10.0):
            raise RebuildBusyError(seconds=10)
        try:
            letters = [one for one in opened.dead_letters(1_000_000) if ids is None or name_of(one) in ids]
            for start in range(0, len(letters), CHUNK):
                _try(home, opened, letters[start : start + CHUNK], sanitize, done)
        finally:
            opened.close()
    return done


def _try(home: Home, store: Any, letters: list[DeadLetter], sanitize: bool, done: Replayed) -> None:
    feed = feeds.Feed(home.journal)
    batch = [feed.line(one.segment, one.offset, one.journal) for one in letters]
    if sanitize:
        batch = [feeds.cured(one, store.max_field) for one in batch]
    refused = {(one.delivery.segment, one.delivery.offset): one.reason for one in store.put_again(batch)}
    for letter in letters:
        why = refused.get((letter.segment, letter.offset))
        if why is None:
            done.delivered.append(name_of(letter))
        else:
            done.waiting.append((name_of(letter), why))
