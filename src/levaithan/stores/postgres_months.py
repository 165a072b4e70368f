"""The months of a PostgreSQL ledger's events: made ahead and when a record needs one, dropped when they are too old.

The tables are made and dropped by two functions of the schema that run with their owner's rights (migration 0003), so
that the writer's role owns no table.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.stores import postgres_counted
from levaithan.stores.times import FIRST_US, month_of, start_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

_DAY_US = 86_400_000_000
AHEAD = 2
"""Months that are there before anything happens in them."""
EVERY_S = 3600.0
ACTIVE_US = 31 * 86_400_000_000
"""A machine that was heard within this time is still delivering; one that was not will not hold up retention."""
OTHER = "events_other"
_CHUNK = 20_000
_PARTS = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'events'::regclass ORDER BY 1"
)
_STRANDED = f"SELECT DISTINCT at_us / {_DAY_US} FROM {OTHER} LIMIT 1000"  # noqa: S608 - own words
_SLOWEST = "SELECT min(newest_us) FROM machines WHERE last_us > %s"
_OLD = {
    "tool_calls": "coalesce(end_us, pre_us) < %s", "decisions": f"at_us >= {FIRST_US} AND at_us < %s",
    "prompts": f"at_us >= {FIRST_US} AND at_us < %s",
    "sessions": "last_us < %s", "agents": "last_us < %s",
    "clock_skews": f"oldest_us >= {FIRST_US} AND newest_us < %s AND EXISTS (SELECT 1 FROM clock_skews l "  # noqa: S608 - own words
    "WHERE l.journal = clock_skews.journal AND l.from_seq > clock_skews.from_seq)",
}  # fmt: skip
"""What is derived from events goes with them, and how their clocks were, but for each journal's last. Sums,
checkpoints and notes of the journal stay, and so do opinions and prompts of before 2015, as their events do
(levaithan_make_month has no month for them)."""


class Months:
    """The months that are known to be there. `keep`: how many whole months before this one stay; 0 = all."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.dropped: list[str] = []
        self._there: set[int] = set()
        self._looked = -EVERY_S

    def forget(self) -> None:
        """Look again: the connection is another one, perhaps the database too."""
        self._there.clear()
        self._looked = -EVERY_S

    def ensure(self, link: Connection[Any], times_us: Iterable[int]) -> None:
        """Make the months that records of `times_us` go into. Raises psycopg.Error."""
        self._make(link, {at // _DAY_US for at in times_us})

    def keep_house(self, link: Connection[Any]) -> None:
        """Once an hour, after a batch: make the months ahead, move what went into the other partition while its month
        was missing, and drop what is too old. Raises psycopg.Error."""
        now = time.monotonic()
        if now - self._looked < EVERY_S:
            return
        self._looked = now
        self._there.clear()
        year, month = month_of(time.time_ns() // 1000)
        ahead = {start_us(year, month + one) // _DAY_US for one in range(AHEAD + 1)}
        self._make(link, ahead | {int(row[0]) for row in link.execute(_STRANDED).fetchall()})
        if self.keep:
            self.retain(link)

    def _make(self, link: Connection[Any], days: set[int]) -> None:
        for day in sorted(days - self._there):
            if -(1 << 62) < day * _DAY_US < 1 << 62:  # beyond: the insert says that it is no bigint
                link.execute("SELECT levaithan_make_month(%s::bigint)", (day * _DAY_US,))
            self._there.add(day)

    def retain(self, link: Connection[Any]) -> list[str]:
        """Drop the months that are older than `keep` whole months, by the database's clock; their names.

        Not a month that a machine heard of in the last 31 days is still delivering: its records would come into a
        month that was dropped under them. None at all while a ledger's rebuild goes on, on whatever machine: it counts
        the sums anew from what is there at its end. Raises psycopg.Error.
        """
        if not postgres_counted.may_drop(link):
            return []
        try:
            return self._retain(link)
        finally:
            postgres_counted.dropped(link)

    def _retain(self, link: Connection[Any]) -> list[str]:
        row = link.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint").fetchone()
        now_us = int(row[0]) if row else 0
        year, month = month_of(now_us)
        oldest = start_us(year, month - self.keep)
        row = link.execute(_SLOWEST, (now_us - ACTIVE_US,)).fetchone()
        if row and row[0] is not None:
            oldest = min(oldest, start_us(*month_of(int(row[0]))))
        gone = []
        for name in parts(link):
            if name != OTHER and name < "events_{:04d}_{:02d}".format(*month_of(oldest)):
                link.execute("SELECT levaithan_drop_month(%s)", (name,))
                gone.append(name)
        if gone:
            for table, condition in _OLD.items():
                self._delete(link, table, condition, oldest)
            self._there.clear()
            self.dropped += gone
        return gone

    def _delete(self, link: Connection[Any], table: str, condition: str, oldest: int) -> None:
        """In parts, each a transaction of its own: none of them takes long."""
        some = f"SELECT ctid FROM {table} WHERE {condition} LIMIT {_CHUNK}"  # noqa: S608 - own words
        while link.execute(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({some}))", (oldest,)).rowcount == _CHUNK:  # noqa: S608 - own words
            pass


def parts(link: Connection[Any]) -> list[str]:
    """The names of the tables that events consists of."""
    return [str(row[0]) for row in link.execute(_PARTS).fetchall()]


def known(names: Iterable[str]) -> frozenset[tuple[int, int]]:
    """(year, month) of those of `names` that are months."""
    numbers = (name.removeprefix("events_").split("_") for name in names if name != OTHER)
    return frozenset((int(year), int(month)) for year, month in numbers)
