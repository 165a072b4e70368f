"""Reads incidents out of the ledger: the records that the journal has of them, by the same fold as the monitor's.

Works on any ledger, of one machine or of many; the order is that of the records' times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.errors import NotFound
from levaithan.incidents.book import Book
from levaithan.incidents.incident import MONITOR
from levaithan.queries import notes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.incidents.incident import Incident
    from levaithan.queries.asking import Answers
    from levaithan.queries.notes import Place

KINDS = ("incident", "action", "halt")


def book(ledger: Answers) -> Book:
    """All incidents that the ledger knows of. Raises StoreError."""
    return of_records(notes.of_kinds(ledger, *KINDS))


def of_records(records: Iterable[dict[str, Any]]) -> Book:
    """All incidents of some records, in whatever order they come."""
    made = Book()
    for record in records:
        made.take(record)
    return made


def elsewhere(ledger: Answers, place: Place) -> tuple[list[dict[str, Any]], Place]:
    """(records, place to go on from): what people did to incidents on other machines since `place` (time, journal,
    number), in a ledger that machines share, a page at most. A monitor follows its own journal alone; it folds these
    beside it, each once or again. A ledger of one machine has none. Raises StoreError."""
    own = str(getattr(ledger, "journal", ""))
    if not own:
        return [], place
    found = notes.page(ledger, "incident", place)
    steps = [
        record for (_at_us, journal, _seq), record in found
        if journal != own and record.get("by") != MONITOR and record.get("action") != "open"
    ]  # fmt: skip
    return steps, found[-1][0] if found else place


_MOST_SHOWN = 10
"""Incidents that an ambiguous beginning of an id lists."""


def named(known: Book, name: str) -> Incident:
    """The incident that a person names: its id, or a beginning of it that no other has. Raises NotFound."""
    if name in known.incidents:
        return known.incidents[name]
    bare = name.removeprefix("inc-")
    alike = [one for one in known.incidents.values() if bare and one.id.removeprefix("inc-").startswith(bare)]
    if len(alike) == 1:
        return alike[0]
    if not alike:
        raise NotFound(what="incident", name=name, fix="`levaithan incident list --all` shows all")
    shown = ", ".join(sorted(one.id for one in alike)[:_MOST_SHOWN])
    more = f" and {len(alike) - _MOST_SHOWN} more" if len(alike) > _MOST_SHOWN else ""
    raise NotFound(what="single incident", name=name, fix=f"give more of its id: {shown}{more}")
