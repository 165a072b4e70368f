"""Dead letters tried again, and what a rebuild cannot find in the journal: rows of records that were pruned, and which
records a person had made harmless. Both are read from the ledger as it is.

Imports the journal's reader and the stores' types, no driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.errors import LevaithanError
from levaithan.journal.identity import beginning
from levaithan.projector import feed as feeds
from levaithan.stores.roles import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.stores.roles import DeadLetter

CHUNK = 50
"""Dead letters tried in one transaction: each may be as large as the greatest record."""
_WINDOW = 1000
"""Records of the ledger that are looked for at once: a range of numbers, which an index answers."""
_PRUNED = "pruned"
_WHERE = "WHERE journal = :journal AND seq > :after AND seq <= :until"
_OLDER = (
    f"SELECT seq, hash, body, sanitized FROM events {_WHERE} UNION ALL "  # noqa: S608 - own words
    f"SELECT seq, hash, body, 0 FROM journal_notes {_WHERE} UNION ALL "
    f"SELECT seq, hash, body, 0 FROM checkpoints {_WHERE} ORDER BY seq"
)


@dataclass(slots=True)
class Replayed:
    """What arrived this time (event ids or places), and what did not: (id or place, reason)."""

    delivered: list[str] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)


def name_of(letter: DeadLetter) -> str:
    """How a person names a dead letter: the event's id, or segment:offset when it has none."""
    return letter.id or f"{letter.segment}:{letter.offset}"


def try_again(directory: str, store: Any, letters: list[DeadLetter], *, sanitize: bool) -> Replayed:
    """Try `letters` of `store` again, from the journal in `directory`; `sanitize`: made harmless. Raises StoreError."""
    done, feed = Replayed(), feeds.Feed(directory)
    for start in range(0, len(letters), CHUNK):
        some = letters[start : start + CHUNK]
        batch = [feed.line(one.segment, one.offset, one.journal) for one in some]
        if sanitize:
            batch = [feeds.cured(one, store.max_field) for one in batch]
        refused = {(one.delivery.segment, one.delivery.offset): one.reason for one in store.put_again(batch)}
        for letter in some:
            why = refused.get((letter.segment, letter.offset))
            if why is None:
                done.delivered.append(name_of(letter))
            else:
                done.waiting.append((name_of(letter), why))
    return done


def made_harmless(ledger: Any) -> set[str]:
    """The ids of the events that a person had delivered made harmless. Nothing for a ledger that cannot be read."""
    try:
        return {row[0] for row in ledger.rows("SELECT id FROM events WHERE sanitized = 1")}
    except LevaithanError:
        return set()


def older(ledger: Any, directory: str) -> Iterator[list[Delivery]]:
    """The records that `ledger` holds of this journal from before its first segment, some at a time, in order.

    They were pruned when every store had them: nobody else has them any more. Raises StoreError for a ledger that
    cannot be read; nothing when nothing was pruned.
    """
    journal, first = beginning(directory)
    for after in range(0, first - 1, _WINDOW):
        until = min(after + _WINDOW, first - 1)
        rows = ledger.rows(_OLDER, {"journal": journal, "after": after, "until": until})
        if rows:
            yield [_delivery(journal, *row) for row in rows]


def pruned(directory: str) -> bool:
    """Whether the journal does not begin with its first record any more."""
    return beginning(directory)[1] > 1


def _delivery(journal: str, seq: int, digest: str, body: str, sanitized: int) -> Delivery:
    data = body.encode()
    return Delivery(seq, digest, journal, _PRUNED, seq, orjson.loads(data), data, sanitized=bool(sanitized))
