"""Reads incidents out of the ledger: the records that the journal has of them, by the same fold as the monitor's.

Works on any ledger, of one machine or of many; the order is that of the records' times.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from levaithan.errors import NotFound
from levaithan.incidents.book import Book
from levaithan.incidents.incident import MONITOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.incidents.incident import Incident
    from levaithan.queries.asking import Answers

KINDS = ("incident", "action", "halt")
_STEP = 5_000
_SQL = (
    "SELECT at_us, journal, seq, body FROM journal_notes WHERE kind = :kind AND at_us >= :at_us "
    "AND (at_us > :at_us OR journal > :journal OR (journal = :journal AND seq > :seq)) "
    "ORDER BY at_us, journal, seq LIMIT :step"
)


def book(ledger: Answers) -> Book:
    """All incidents that the ledger knows of. Raises StoreError."""
    made = Book()
    found = [(key, record) for kind in KINDS for key, record in records(ledger, kind)]
    for _key, record in sorted(found, key=lambda one: one[0]):
        made.take(record)
    return made


def records(ledger: Answers, kind: str) -> Iterator[tuple[tuple[int, str, int], dict[str, Any]]]:
    """((time, journal, number), record) of each record of `kind`, the oldest first, in pages. Raises StoreError."""
    place: tuple[int, str, int] = (-(1 << 62), "", 0)
    while True:
        values: dict[str, object] = {
            "kind": kind, "at_us": place[0], "journal": place[1], "seq": place[2], "step": _STEP,
        }  # fmt: skip
        rows = ledger.rows(_SQL, values)
        for at_us, journal, seq, body in rows:
            place = (at_us, journal, seq)
            record = json.loads(body)
            if type(record) is dict:
                yield place, {**record, "seq": seq}
        if len(rows) < _STEP:
            return


def elsewhere(ledger: Answers, place: tuple[int, str, int]) -> tuple[list[dict[str, Any]], tuple[int, str, int]]:
    """(records, place to go on from): what people did to incidents on other machines since `place` (time, journal,
    number), in a ledger that machines share, 5,000 at most. A monitor follows its own journal alone; it folds these
    beside it, each once or again. A ledger of one machine has none. Raises StoreError."""
    own = str(getattr(ledger, "journal", ""))
    if not own:
        return [], place
    values: dict[str, object] = {
        "kind": "incident", "at_us": place[0], "journal": place[1], "seq": place[2], "step": _STEP,
    }  # fmt: skip
    rows = ledger.rows(_SQL, values)
    found = [json.loads(body) for _at_us, journal, _seq, body in rows if journal != own]
    last = rows[-1][:3] if rows else place
    steps = [one for one in found if type(one) is dict and one.get("by") != MONITOR and one.get("action") != "open"]
    return steps, (last[0], last[1], last[2])


def named(known: Book, name: str) -> Incident:
    """The incident that a person names: its id, or a beginning of it that no other has. Raises NotFound."""
    if name in known.incidents:
        return known.incidents[name]
    bare = name.removeprefix("inc-")
    alike = [one for one in known.incidents.values() if len(bare) >= 3 and one.id.removeprefix("inc-").startswith(bare)]
    if len(alike) == 1:
        return alike[0]
    fix = "`levaithan incident list --all` shows all" if not alike else "give more of its id"
    raise NotFound(what="incident" if not alike else "single incident", name=name, fix=fix)
