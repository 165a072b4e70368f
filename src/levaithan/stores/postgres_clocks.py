"""Keeps the history of each journal's clock (clock_history) in a PostgreSQL ledger: a few rows a journal.

Written in the batch's own transaction, under the lock on the journal's place: no two write one journal's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.stores import clock_history
from levaithan.stores.clock_history import Measured, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

_KNOWN = "SELECT from_seq, skew_us, oldest_us, newest_us FROM clock_skews WHERE journal = %s ORDER BY from_seq"
_PUT = (
    "INSERT INTO clock_skews (journal, from_seq, skew_us, oldest_us, newest_us) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT (journal, from_seq) DO UPDATE SET skew_us = excluded.skew_us, oldest_us = excluded.oldest_us, "
    "newest_us = excluded.newest_us"
)
_GONE = "DELETE FROM clock_skews WHERE journal = %s AND from_seq = %s"


def note(link: Connection[Any], events: Iterable[tuple[Any, ...]], measured: Measured, delivered: int | None) -> None:
    """Note what `measured` says of a batch's rows of events (see clock_history.after). Raises psycopg.Error."""
    journals: dict[str, list[tuple[int, int]]] = {}
    for row in events:
        journals.setdefault(row[2], []).append((row[1], row[4]))
    for journal in sorted(journals):
        known = [Stretch(*row) for row in link.execute(_KNOWN, (journal,)).fetchall()]
        now = clock_history.after(known, sorted(journals[journal]), measured, delivered)
        before = {one.first: one for one in known}
        for first in before.keys() - {one.first for one in now}:
            link.execute(_GONE, (journal, first))
        for one in now:
            if one != before.get(one.first):
                link.execute(_PUT, (journal, one.first, one.skew_us, one.oldest_us, one.newest_us))
