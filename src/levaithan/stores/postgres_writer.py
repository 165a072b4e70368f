"""Puts batches of journal records into a PostgreSQL ledger: COPY into temporary tables, then INSERT ... ON CONFLICT,
one transaction a batch with cursor, dead letters, hourly sums and the machine's clock.

One writer a journal at a time: the cursor's row is locked for the transaction. Keyed tables are written in the order of
their keys, so writers of two journals wait for each other and do not meet in a deadlock.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql

from levaithan import __version__
from levaithan.stores import postgres_clocks, postgres_counted, postgres_rewrite, rollups
from levaithan.stores import rows as to_rows
from levaithan.stores.clock_history import Measured
from levaithan.stores.dead import dead_letter_values
from levaithan.stores.roles import LEDGER, Cursor, Delivery, Rejected, StoreBusyError
from levaithan.stores.schema import TABLES, merge_sql
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

    from levaithan.stores.edge import Translate
    from levaithan.stores.postgres_months import Months

_MERGED = ("tool_calls", "sessions", "agents", "decisions", "prompts", "journal_notes", "checkpoints")
_COPIED = ("events", *_MERGED)
_HELD_S = 2.0
"""How long a writer waits for another one of its journal before it says so."""
_LOCK = (
    'SELECT journal, segment, "offset", seq, hash FROM cursors WHERE store = %s AND journal = %s FOR UPDATE SKIP LOCKED'
)
_BEGIN = (
    'INSERT INTO cursors (store, journal, segment, "offset", seq, hash, updated_us) '
    "VALUES (%s, %s, '', 0, 0, '', 0) ON CONFLICT DO NOTHING"
)
_MOVE = (
    'UPDATE cursors SET segment = %s, "offset" = %s, seq = %s, hash = %s, updated_us = %s '
    "WHERE store = %s AND journal = %s"
)
_FORGET = "DELETE FROM cursors WHERE store = %s AND journal = %s"
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_SEEN = (
    "INSERT INTO machines (machine, journal, first_us, last_us, newest_us, skew_us, version) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (machine, journal) DO UPDATE SET last_us = excluded.last_us, "
    "newest_us = greatest(machines.newest_us, excluded.newest_us), skew_us = excluded.skew_us, "
    "version = excluded.version"
)
_WAITING = 'SELECT segment, "offset" FROM dead_letters WHERE store = %s AND journal = %s AND "offset" BETWEEN %s AND %s'
_TAKE_OUT = 'DELETE FROM dead_letters WHERE store = %s AND journal = %s AND segment = %s AND "offset" = %s'
_DEAD = (
    'INSERT INTO dead_letters (store, segment, "offset", journal, seq, id, tool_use_id, reason, attempts, first_us, '
    "last_us) VALUES (%(store)s, %(segment)s, %(offset)s, %(journal)s, %(seq)s, %(id)s, %(tool_use_id)s, %(reason)s, "
    '%(attempts)s, %(first_us)s, %(last_us)s) ON CONFLICT (store, journal, segment, "offset") DO UPDATE SET '
    "attempts = dead_letters.attempts + 1, last_us = excluded.last_us, reason = excluded.reason"
)


class PostgresWriter:
    """Writes over one connection. `translate` tells a store's failure (a StoreError) from poison (None)."""

    def __init__(self, link: Connection[Any], translate: Translate, months: Months, max_field: int) -> None:
        self.link = link
        self.translate = translate
        self.months = months
        self.max_field = max_field
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        self.merge = {name: merge_sql(name, f"fresh_{name}", dialect) for name in _MERGED}
        columns = ", ".join(one.name for one in TABLES["events"].columns)
        put = (
            f"WITH put AS (INSERT INTO events ({columns}) SELECT {columns} FROM fresh_events ORDER BY at_us, id "  # noqa: S608 - own words
            "ON CONFLICT DO NOTHING RETURNING id, seq, journal, at_us, project, tool_name, event, decision, "
            "duration_us, session_id, tool_use_id, canary) "
        )
        self.events = put + rollups.count_sql("put", "true", "postgresql")
        self.events_again = put + postgres_counted.count_sql("put")
        self._counted: postgres_counted.Counted | None = None
        for name in _COPIED:
            link.execute(f"CREATE TEMP TABLE fresh_{name} (LIKE {name}) ON COMMIT DELETE ROWS")

    def apply(
        self, batch: Sequence[Delivery], cursor: Cursor | None, left_at: Cursor | None, rewriting: bool
    ) -> list[Rejected]:
        """See roles.Projected.apply; without a cursor it is `put_again`. `left_at`: where the cursor must still be,
        None for anywhere. `rewriting`: what is there of these records is replaced.

        Raises StoreBusyError when another service holds the journal's cursor, or has moved it; psycopg.Error.
        """
        made, rejected = to_rows.build(batch, self.max_field)
        if rewriting and rejected:
            batch = postgres_rewrite.harmless_again(self.link, batch, rejected, self.max_field)
            made, rejected = to_rows.build(batch, self.max_field)
        self.months.ensure(self.link, (one[4] for one in made.events))
        until = time.monotonic() + _HELD_S
        while True:
            with self.link.transaction():
                there = self._hold(_journal(batch, cursor), cursor, left_at)
                if there is not None:
                    self._counted = self._counted_before(_journal(batch, cursor), cursor, there)
                    rejected = self._put(batch, made, rejected, rewriting)
                    self._set_aside(batch, rejected)
                    self._seen(batch, made, None if rewriting or cursor is None else there)
                    self._move(_journal(batch, cursor), cursor)
                    return rejected
            if time.monotonic() > until:
                raise StoreBusyError(store=LEDGER, reason="another service is projecting the same journal")
            time.sleep(random.uniform(0.005, 0.03))  # noqa: S311 - so that two do not meet again

    def _hold(self, journal: str, cursor: Cursor | None, left_at: Cursor | None) -> int | None:
        """Lock the cursor's row, made where there is none; its record's number. None when another writer has it."""
        found = self.link.execute(_LOCK, (LEDGER, journal)).fetchone()
        if found is None:
            made = self.link.execute(_BEGIN, (LEDGER, journal)).rowcount == 1
            return 0 if made and _fits(None, cursor, left_at) else None
        there = Cursor(*found)
        return there.seq if _fits(there, cursor, left_at) else None

    def _counted_before(self, journal: str, cursor: Cursor | None, there: int) -> postgres_counted.Counted | None:
        """What of the journal is in the sums though it may not be in the events; the cursor is at `there` still."""
        if cursor is not None and cursor.seq < there:
            postgres_counted.note(self.link, journal)
        return postgres_counted.known(self.link, journal)

    def _put(
        self, batch: Sequence[Delivery], made: to_rows.Rows, rejected: list[Rejected], rewriting: bool
    ) -> list[Rejected]:
        """Put what can be put. A batch that fails is halved until what makes it fail stands alone."""
        try:
            with self.link.transaction():
                self._execute(batch, made, rewriting)
        except Exception as error:
            if self.translate(error) is not None:
                raise
            bad = {id(one.delivery) for one in rejected}
            left = [one for one in batch if id(one) not in bad]
            if len(left) == 1:
                why = str(error).splitlines()[0] if str(error) else ""
                return [*rejected, Rejected(left[0], f"the ledger refused it: {type(error).__name__}: {why}")]
            middle = len(left) // 2
            for half in (left[:middle], left[middle:]):
                rejected = rejected + self._put(half, *to_rows.build(half, self.max_field), rewriting)
        return rejected

    def _execute(self, batch: Sequence[Delivery], made: to_rows.Rows, rewriting: bool) -> None:
        """Everything that is keyed by something else than the event comes first: the sums look it up."""
        tables: dict[str, Iterable[Any]] = {
            "events": made.events, "tool_calls": made.calls.values(), "sessions": made.sessions.values(),
            "agents": made.agents.values(), "decisions": made.decisions, "prompts": made.prompts,
            "journal_notes": made.notes, "checkpoints": made.checkpoints,
        }  # fmt: skip
        filled = [name for name, some in tables.items() if some]
        with self.link.cursor() as run:
            for name in filled:
                with run.copy(f"COPY fresh_{name} FROM STDIN") as copy:
                    for row in tables[name]:
                        copy.write_row(row)
            if rewriting:
                postgres_rewrite.make_room(run, batch)
            for name in _MERGED:
                if name in filled:
                    run.execute(self.merge[name])
            if made.events and self._counted is None:
                run.execute(self.events)
            elif made.events and self._counted is not None:
                run.execute(self.events_again, postgres_counted.values(self._counted))
            if filled:
                run.execute("TRUNCATE " + ", ".join(f"fresh_{name}" for name in filled))

    def _set_aside(self, batch: Sequence[Delivery], rejected: list[Rejected]) -> None:
        """Note the rejected as dead letters, and take those out that arrived this time."""
        if not batch:
            return
        offsets = [one.offset for one in batch]
        refused = {(one.delivery.segment, one.delivery.offset) for one in rejected}
        tried = {(one.segment, one.offset): one.journal for one in batch}
        for journal in sorted(set(tried.values())):
            asked = (LEDGER, journal, min(offsets), max(offsets))
            for place in self.link.execute(_WAITING, asked).fetchall():
                if place in tried and place not in refused:
                    self.link.execute(_TAKE_OUT, (LEDGER, journal, *place))
        for one in rejected:
            self.link.execute(_DEAD, dead_letter_values(LEDGER, one))

    def _seen(self, batch: Sequence[Delivery], made: to_rows.Rows, there: int | None) -> None:
        """Note when the machines of the batch were heard, and how far this machine's clock is from the database's, now
        and by records. there: see clock_history.after."""
        newest: dict[tuple[str, str], str] = {}
        for one in batch:
            record = one.record or {}
            machine, at = record.get("machine"), record.get("at")
            if isinstance(machine, str) and isinstance(at, str) and record.get("kind") == "event":
                key = (machine[:200].replace("\0", ""), one.journal)
                newest[key] = max(newest.get(key, ""), at)
        if not newest and not made.events:
            return
        before = time.time_ns()
        row = self.link.execute(_CLOCK).fetchone()
        behind = time.time_ns()
        ours, theirs = (before + behind) // 2000, int(row[0]) if row else 0
        postgres_clocks.note(self.link, made.events, Measured(ours, ours - theirs, (behind - before) // 2000), there)
        times = Times()
        for (machine, journal), at in sorted(newest.items()):
            try:
                newest_us = times.us(at)
            except (ValueError, TypeError):
                continue  # the record is a dead letter for it
            seen = (machine, journal, theirs, theirs, newest_us, ours - theirs, __version__)
            self.link.execute(_SEEN, seen)

    def _move(self, journal: str, cursor: Cursor | None) -> None:
        if cursor is None:
            self.link.execute(_FORGET + " AND updated_us = 0", (LEDGER, journal))
            return
        place = (cursor.segment, cursor.offset, cursor.seq, cursor.hash, time.time_ns() // 1000)
        self.link.execute(_MOVE, (*place, LEDGER, journal))
        if self._counted is not None:
            postgres_counted.forget(self.link, journal, cursor.seq)


def _journal(batch: Sequence[Delivery], cursor: Cursor | None) -> str:
    return cursor.journal if cursor is not None else batch[0].journal if batch else ""


def _fits(found: Cursor | None, cursor: Cursor | None, left_at: Cursor | None) -> bool:
    """True, for the cursor is where it was left, or there already. Raises StoreBusyError when it is elsewhere: the
    database was restored from a copy, or another service moved it; what lies between would be skipped."""
    if left_at is None or cursor is None or found in (left_at, cursor):
        return True
    words = "the place in the journal is not where it was left (a database restored, or a second service)"
    raise StoreBusyError(
        store=LEDGER, reason=words, fix="nothing to do: the place is read again and it goes on from there"
    )
