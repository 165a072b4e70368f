"""The journal's records that are no events, as the ledger keeps them: what people and the monitor did.

`up_to_now` goes on from there in the journal itself: an incident must be seen while the stores are behind, or are what
is wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from levaithan.errors import StoreError
from levaithan.journal import notes
from levaithan.journal.identity import journal_id
from levaithan.stores.registry import open_store
from levaithan.stores.roles import LEDGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
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


def up_to_now(home: Home, settings: Any, *kinds: str) -> tuple[list[dict[str, Any]], str]:
    """(the records of several kinds up to the journal's end, ""), of other machines as far as the ledger has them; with
    a ledger that cannot be asked (this home's own, why it cannot). Raises NotConfigured, OSError."""
    why = ""
    try:
        known, after = _of_ledger(home, settings, kinds)
    except StoreError as problem:
        known, after, why = [], ("", 0), problem.message
    return [*known, *notes.notes(home.journal, kinds, after)], why


def _of_ledger(home: Home, settings: Any, kinds: tuple[str, ...]) -> tuple[list[dict[str, Any]], tuple[str, int]]:
    """(what the ledger has, the place in this home's journal up to which that is)."""
    ledger: Any = open_store(LEDGER, settings, home)
    try:
        ledger.check_version()
        if not ledger.current():
            return [], ("", 0)
        if ledger.shared:
            ledger.journal = journal_id(home.journal)
        cursor = ledger.cursor()
        return of_kinds(ledger, *kinds), (cursor.segment, cursor.offset) if cursor else ("", 0)
    finally:
        ledger.close()
