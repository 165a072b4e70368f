"""Up to which record a journal's events are in the hourly sums already, noted when its place in the ledger goes back.

A rebuild puts records again, and so does a place that no longer fits the journal. What is there of them is not counted
again, for it is there; but of a month that retention has dropped only the sums are left, and they would be too much by
whatever is put, if nothing were known of it: for good, where the month is dropped again before the sums are counted
anew. The mark is a row of `cursors` beside the journal's own. It goes when the place has passed it, or with a recount.

Beside it: the lock by which a rewrite keeps months from being dropped amid it, by any machine. It ends with the
connection, so a rebuild that was killed holds up nobody.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from levaithan.stores import rollups
from levaithan.stores.roles import LEDGER, StoreBusyError

if TYPE_CHECKING:
    from psycopg import Connection

_NAME = f"{LEDGER} counted"
"""What the mark says instead of a store's name. Its time is that of the newest event that was counted, and no later
than the server last took any: an event of a clock that was ahead would pass what is recorded from now on for counted.
Too early a time does no harm but to months that were dropped: what is still there is not put again."""
_NOTE = (
    'INSERT INTO cursors (store, journal, segment, "offset", seq, hash, updated_us) '
    "SELECT %s, c.journal, '', 0, c.seq, '', coalesce((SELECT max(least(newest_us, last_us)) FROM machines m WHERE "
    "m.journal = c.journal), 0) FROM cursors c WHERE c.store = %s AND c.journal = %s AND c.seq > 0 "
    "ON CONFLICT (store, journal) DO UPDATE SET seq = greatest(cursors.seq, excluded.seq), "
    "updated_us = greatest(cursors.updated_us, excluded.updated_us)"
)
_KNOWN = (
    "UPDATE cursors c SET updated_us = least(c.updated_us, (SELECT max(last_us) FROM machines m WHERE m.journal = "
    "c.journal), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) WHERE store = %s AND journal = %s "
    "RETURNING seq, updated_us"
)
"""A time of the future, which a version of before noted, is set to one that has been, once and for all: a bound that
went along with the clock would pass what is recorded meanwhile for counted."""
_FORGET = "DELETE FROM cursors WHERE store = %s AND journal = %s AND seq <= %s"
_LEFT_OUT = (
    "(e.seq > %(seq)s OR e.at_us > %(newest_us)s OR EXISTS (SELECT 1 FROM dead_letters d WHERE d.store = %(store)s "
    "AND d.journal = e.journal AND d.seq = e.seq))"
)
"""A record behind the mark is new, and so is one that is newer: of a journal that was put back from a copy, it has the
number of another. A dead letter was never counted."""
_LOCK = 549920383
_HELD = (
    "SELECT pg_advisory_unlock_shared(%s) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() "
    "AND classid = 0 AND objid = %s AND mode = 'ShareLock'"
)
WAIT_S = 30.0
"""How long a rewrite waits for a retention that has begun to end."""


class Counted(NamedTuple):
    """The greatest number of a record that was counted, and the mark's time, microseconds."""

    seq: int
    newest_us: int


def note(link: Connection[Any], journal: str) -> None:
    """Note where the place of `journal` is now, before it goes back. Raises psycopg.Error."""
    link.execute(_NOTE, (_NAME, LEDGER, journal))


def known(link: Connection[Any], journal: str) -> Counted | None:
    """What is noted of `journal`, whose time is mended. Raises psycopg.Error."""
    found = link.execute(_KNOWN, (_NAME, journal)).fetchone()
    return Counted(*found) if found else None


def forget(link: Connection[Any], journal: str, seq: int = 1 << 62) -> None:
    """Forget the mark, if it is not behind the record `seq`. Raises psycopg.Error."""
    link.execute(_FORGET, (_NAME, journal, seq))


def count_sql(source: str) -> str:
    """rollups.count_sql of what was not counted before, with the parameters of `values`."""
    return rollups.count_sql(source, "NOTED", "postgresql").replace("%", "%%").replace("NOTED", _LEFT_OUT)


def values(counted: Counted) -> dict[str, Any]:
    """The parameters of `count_sql`."""
    return {"seq": counted.seq, "newest_us": counted.newest_us, "store": LEDGER}


def hold_months(link: Connection[Any]) -> None:
    """Let no month be dropped until `release_months`, or the end of `link`. Raises StoreBusyError when that goes on
    for WAIT_S, psycopg.Error."""
    release_months(link)
    until = time.monotonic() + WAIT_S
    while not _took(link, "pg_try_advisory_lock_shared"):
        if time.monotonic() > until:
            raise StoreBusyError(
                store=LEDGER, reason="months past the retention are being dropped", fix="wait a minute"
            )
        time.sleep(0.1)


def release_months(link: Connection[Any]) -> None:
    """See hold_months."""
    link.execute(_HELD, (_LOCK, _LOCK))


def may_drop(link: Connection[Any]) -> bool:
    """Whether months may be dropped now; `dropped` must follow then. Raises psycopg.Error."""
    return _took(link, "pg_try_advisory_lock")


def dropped(link: Connection[Any]) -> None:
    """The end of what `may_drop` began. Raises psycopg.Error."""
    if not link.closed:
        link.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _took(link: Connection[Any], lock: str) -> bool:
    row = link.execute(f"SELECT {lock}(%s)", (_LOCK,)).fetchone()
    return bool(row and row[0])
