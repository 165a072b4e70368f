"""What the embedded stores share that are made again, not migrated, when their version changes: search, graph, memory.

One file a store, one transaction a batch with the cursor and the dead letters in it. Standard library only.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from levaithan.stores.dead import dead_letter_values
from levaithan.stores.roles import Cursor, Delivery, Rejected, StoreDamagedError
from levaithan.stores.sqlite_file import is_open, translate
from levaithan.stores.sqlite_store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COMMON = (
    "CREATE TABLE cursors (store TEXT PRIMARY KEY, journal TEXT NOT NULL, segment TEXT NOT NULL, "
    '"offset" INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, updated_us INTEGER NOT NULL)',
    'CREATE TABLE dead_letters (store TEXT, segment TEXT, "offset" INTEGER, journal TEXT NOT NULL, seq INTEGER, '
    "id TEXT, tool_use_id TEXT, reason TEXT NOT NULL, attempts INTEGER NOT NULL, first_us INTEGER NOT NULL, "
    'last_us INTEGER NOT NULL, PRIMARY KEY (store, segment, "offset"))',
)
_DEAD = (
    'INSERT INTO dead_letters (store, segment, "offset", journal, seq, id, tool_use_id, reason, attempts, first_us, '
    "last_us) VALUES (:store, :segment, :offset, :journal, :seq, :id, :tool_use_id, :reason, :attempts, :first_us, "
    ':last_us) ON CONFLICT (store, segment, "offset") DO UPDATE SET attempts = attempts + 1, '
    "last_us = excluded.last_us, reason = excluded.reason"
)


class SqliteIndex(SqliteStore):
    """One such store. An adapter gives `schema_version`, `schema` (statements) and `put`."""

    rereads = False  # its rows are numbered by their place in the journal: another journal's would be in the way
    schema_version = ""
    schema: tuple[str, ...] = ()

    def __init__(self, path: str, max_field: int = 1 << 20) -> None:
        super().__init__(path, max_field)
        self._link: sqlite3.Connection | None = None
        self._link_of: tuple[int, int] | None = None

    def put(self, link: sqlite3.Connection, batch: Sequence[Delivery]) -> list[Rejected]:
        """Put `batch`, idempotent; gives what cannot be put."""
        raise NotImplementedError

    def began(self, link: sqlite3.Connection) -> None:
        """Called for each new writing connection."""

    def version(self) -> str | None:
        """See SqliteStore."""
        if not self.file.exists():
            return None
        found = str(self.rows("PRAGMA user_version")[0][0])
        return "" if found == "0" else found

    def current(self) -> bool:
        """See SqliteStore."""
        return self.version() == self.schema_version

    def migrate(self) -> None:
        """Make the schema. A store of another version is dropped: it is made again from the journal in minutes."""
        present = self.version()
        if present == self.schema_version:
            return
        if present is not None:
            if present == "" and self.rows("SELECT 1 FROM sqlite_master LIMIT 1"):
                raise StoreDamagedError(store=self.name, path=self.file.path, reason="it has tables but no version")
            self.found.append(f"the {self.name} store was of version {present or 'none'}: made again from the journal")
            self.close()
            self.file.remove()
        link = self.file.connect(write=True)
        try:
            link.execute("BEGIN IMMEDIATE")
            for statement in (*self.schema, *_COMMON, f"PRAGMA user_version = {self.schema_version}"):
                link.execute(statement)
            link.execute("COMMIT")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self.file.wrap(error) from error
        finally:
            link.close()

    def _write_link(self) -> sqlite3.Connection:
        if self._link is not None and (self.file.identity() != self._link_of or not is_open(self._link)):
            self._link.close()
            self._link = None
        if self._link is None:
            self.migrate()
            self._link = self.file.connect(write=True)
            self._link_of = self.file.identity()
            self.began(self._link)
        return self._link

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected."""
        return self._apply(batch, cursor)

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self._apply(batch, None)

    def _apply(self, batch: Sequence[Delivery], cursor: Cursor | None) -> list[Rejected]:
        with self.one_step() as link:
            rejected = self.put(link, batch)
            self._set_aside(link, batch, rejected)
            if cursor is not None:
                link.execute(
                    "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self.name, cursor.journal, cursor.segment, cursor.offset, cursor.seq, cursor.hash,
                     time.time_ns() // 1000),
                )  # fmt: skip
        return rejected

    @contextmanager
    def one_step(self) -> Iterator[sqlite3.Connection]:
        """The writing connection in a transaction, which is undone where it fails. Raises StoreError."""
        try:
            link = self._write_link()
            try:
                link.execute("BEGIN IMMEDIATE")
                yield link
                link.execute("COMMIT")
            except BaseException:
                self._link_of = None  # opened anew: what an adapter remembers of it went with the transaction
                if link.in_transaction:
                    link.execute("ROLLBACK")
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise translate(self.name, self.file.path, error) or self.file.wrap(error) from error

    def _set_aside(self, link: sqlite3.Connection, batch: Sequence[Delivery], rejected: list[Rejected]) -> None:
        refused = {(one.delivery.segment, one.delivery.offset) for one in rejected}
        waiting = link.execute('SELECT segment, "offset" FROM dead_letters').fetchall()
        if waiting:
            tried = {(one.segment, one.offset) for one in batch}
            link.executemany(
                'DELETE FROM dead_letters WHERE segment = ? AND "offset" = ?',
                [place for place in waiting if place in tried and place not in refused],
            )
        link.executemany(_DEAD, [dead_letter_values(self.name, one) for one in rejected])

    def close(self) -> None:
        """See roles.Projected."""
        super().close()
        if self._link is not None:
            self._link.close()
            self._link = None
