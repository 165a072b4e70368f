"""The journal's records that are no events, as the ledger keeps them: what people and the monitor did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.queries.asking import Answers

    Place = tuple[int, str, int]

STEP = 5_000
BEGINNING: Place = (-(1 << 62), "", 0)
_SQL = (
    "SELECT at_us, journal, seq, body FROM journal_notes WHERE kind = :kind AND at_us >= :at_us "
    "AND (at_us > :at_us OR journal > :journal OR (journal = :journal AND seq > :seq)) "
    "ORDER BY at_us, journal, seq LIMIT :step"
)


def page(ledger: Answers, kind: str, place: Place = BEGINNING) -> list[tuple[Place, dict[str, Any]]]:
    """(place, record) of the records of `kind` after a place (time in microseconds, journal, number), by time, STEP at
    most. Raises StoreError."""
    values: dict[str, object] = {
        "kind": kind, "at_us": place[0], "journal": place[1], "seq": place[2], "step": STEP,
    }  # fmt: skip
    rows = ledger.rows(_SQL, values)
    return [((at_us, journal, seq), {**json.loads(body), "seq": seq}) for at_us, journal, seq, body in rows]


def records(ledger: Answers, kind: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """All of them, in pages. Raises StoreError."""
    place = BEGINNING
    while True:
        found = page(ledger, kind, place)
        yield from found
        if len(found) < STEP:
            return
        place = found[-1][0]


def of_kinds(ledger: Answers, *kinds: str) -> list[dict[str, Any]]:
    """The records of several kinds, by time. Raises StoreError."""
    found = [one for kind in kinds for one in records(ledger, kind)]
    return [record for _place, record in sorted(found, key=lambda one: one[0])]
