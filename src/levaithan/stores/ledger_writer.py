"""Puts batches of journal records into the ledger in SQLite: one transaction a batch, the cursor in it.

Statements are compiled once from stores.schema and run with the driver's executemany: SQLAlchemy's own execution
costs more than the insert. Postgres has its own way (postgres_writer): a COPY a table.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from levaithan.stores import rollups
from levaithan.stores import rows as to_rows
from levaithan.stores.dead import dead_letter_values
from levaithan.stores.roles import LEDGER, Cursor, Delivery, Rejected
from levaithan.stores.schema import TABLES, upsert_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Connection, Engine

    from levaithan.errors import StoreError

    Translate = Callable[[BaseException], StoreError | None]

_LAST_ROW = "SELECT coalesce(max(rowid), 0) FROM events"
_OTHERS = "DELETE FROM cursors WHERE store = ? AND journal != ?"
_WRITTEN = ("journal_notes", "checkpoints", "sessions", "agents", "tool_calls", "decisions", "prompts", "events")


class LedgerWriter:
    """Writes for one engine. `translate` tells a store's failure (a StoreError) from poison (None)."""

    def __init__(self, engine: Engine, translate: Translate, max_field: int) -> None:
        self.engine = engine
        self.translate = translate
        self.max_field = max_field
        self.sql = {name: upsert_sql(name, engine.dialect) for name in _WRITTEN}
        self.count = rollups.count_sql("events", "e.rowid > ?", engine.dialect.name)

    def apply(self, batch: Sequence[Delivery], cursor: Cursor | None) -> list[Rejected]:
        """See roles.Projected.apply; without a cursor it is `put_again`."""
        try:
            with self.engine.begin() as link:
                rejected = self._put(link, batch)
                self._set_aside(link, batch, rejected)
                if cursor is not None:
                    _move(link, cursor)
        except Exception as error:
            failure = self.translate(error)
            if failure is None:
                raise
            raise failure from error
        return rejected

    def _put(self, link: Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        """Put what can be put. A batch that fails is halved until what makes it fail stands alone."""
        made, rejected = to_rows.build(batch, self.max_field)
        inner = link.begin_nested()
        try:
            self._execute(link, made)
            inner.commit()
        except Exception as error:
            if self.translate(error) is not None:
                raise  # the store's failure, not the data's: SQLite may have rolled all of it back already
            inner.rollback()
            bad = {id(one.delivery) for one in rejected}
            left = [one for one in batch if id(one) not in bad]
            if len(left) == 1:
                why = getattr(error, "orig", None) or error
                return [*rejected, Rejected(left[0], f"the ledger refused it: {type(why).__name__}: {why}")]
            middle = len(left) // 2
            rejected += self._put(link, left[:middle]) + self._put(link, left[middle:])
        return rejected

    def _execute(self, link: Connection, made: to_rows.Rows) -> None:
        """Keyed tables in the order of their keys: neighbours share pages, and two writers on Postgres cannot cross."""
        run, sql = link.exec_driver_sql, self.sql
        before = run(_LAST_ROW).scalar_one() if made.events else 0
        if made.events:
            run(sql["events"], made.events)
        if made.calls:
            run(sql["tool_calls"], [tuple(made.calls[key]) for key in sorted(made.calls)])
        if made.sessions:
            run(sql["sessions"], [tuple(made.sessions[key]) for key in sorted(made.sessions)])
        if made.agents:
            run(sql["agents"], [tuple(made.agents[key]) for key in sorted(made.agents)])
        for name, some in (("decisions", made.decisions), ("prompts", made.prompts)):
            if some:
                run(sql[name], some)
        for name, some in (("journal_notes", made.notes), ("checkpoints", made.checkpoints)):
            if some:
                run(sql[name], some)
        if made.events:
            run(self.count, (before,))  # what was there already has no new row, and is not counted twice

    def _set_aside(self, link: Connection, batch: Sequence[Delivery], rejected: list[Rejected]) -> None:
        """Note the rejected as dead letters, and take those out that arrived this time."""
        if not batch:
            return
        table = TABLES["dead_letters"]
        offsets = [one.offset for one in batch]
        waiting = link.execute(
            select(table.c.segment, table.c.offset).where(
                table.c.store == LEDGER,
                table.c.segment.in_({one.segment for one in batch}),
                table.c.offset.between(min(offsets), max(offsets)),
            )
        )
        refused = {(one.delivery.segment, one.delivery.offset) for one in rejected}
        tried = {(one.segment, one.offset) for one in batch}
        for place in waiting.all():
            key = (place[0], place[1])
            if key in tried and key not in refused:
                link.execute(
                    delete(table).where(table.c.store == LEDGER, table.c.segment == key[0], table.c.offset == key[1])
                )
        for one in rejected:
            link.execute(_dead_letter(link, one))


def _insert(link: Connection, name: str) -> Any:
    make: Any = sqlite.insert if link.dialect.name == "sqlite" else postgresql.insert
    return make(TABLES[name])


def _dead_letter(link: Connection, rejected: Rejected) -> Any:
    table = TABLES["dead_letters"]
    values = dead_letter_values(LEDGER, rejected)
    insert = _insert(link, "dead_letters").values(**values)
    return insert.on_conflict_do_update(
        index_elements=["store", "journal", "segment", "offset"],
        set_={"attempts": table.c.attempts + 1, "last_us": insert.excluded.last_us, "reason": insert.excluded.reason},
    )


def _move(link: Connection, cursor: Cursor) -> None:
    """Keep the place. An embedded ledger follows one journal: where that was replaced, the old one's place goes."""
    values = {
        "store": LEDGER, "journal": cursor.journal, "segment": cursor.segment, "offset": cursor.offset,
        "seq": cursor.seq, "hash": cursor.hash, "updated_us": time.time_ns() // 1000,
    }  # fmt: skip
    insert = _insert(link, "cursors").values(**values)
    keys = ["store", "journal"]
    link.execute(insert.on_conflict_do_update(index_elements=keys, set_={k: insert.excluded[k] for k in values}))
    link.exec_driver_sql(_OTHERS, (LEDGER, cursor.journal))
