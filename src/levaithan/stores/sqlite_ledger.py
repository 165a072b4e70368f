"""The ledger in one SQLite file. Reading uses the standard library's driver; SQLAlchemy loads with the first write.

`import sqlalchemy` costs four times what `import typer` does, and every `levaithan audit list` would pay for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from levaithan.stores.roles import LEDGER, SchemaTooNewError, StoreDamagedError
from levaithan.stores.sqlite_file import SqliteFile, translate
from levaithan.stores.sqlite_store import SqliteStore
from levaithan.stores.versions import HEAD, KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine

    from levaithan.stores.ledger_writer import LedgerWriter
    from levaithan.stores.opening import Opening
    from levaithan.stores.roles import Cursor, Delivery, Rejected


_SEQ = "seq BETWEEN :first AND :last"


class SqliteLedger(SqliteStore):
    """The Ledger role on SQLite (WAL)."""

    name = LEDGER
    counted = "SELECT coalesce(max(rowid), 0) FROM events"

    def __init__(self, path: str, max_field: int = 1 << 20) -> None:
        super().__init__(path, max_field)
        self._engine: Engine | None = None
        self._writer: LedgerWriter | None = None
        self._written_of: tuple[int, int] | None = None

    def version(self) -> str | None:
        """The schema's version, "" for a file without a schema, None without a file. Raises StoreError."""
        if not self.file.exists():
            return None
        if not self.rows("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'"):
            return ""
        found = self.rows("SELECT version_num FROM schema_version")
        return str(found[0][0]) if found else ""

    def current(self) -> bool:
        """Whether the file is there and of this version. Raises StoreError."""
        return self.version() == HEAD

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A SQLAlchemy connection for questions built from stores.schema; it cannot write."""
        if not self.current():
            self.migrate()
        engine = make_engine(self.file, write=False)
        try:
            with engine.connect() as link:
                yield link
        finally:
            engine.dispose()

    def _engine_now(self) -> Engine:
        """The engine of the present generation: a swapped, moved or removed file is opened anew, migrated first."""
        if self._engine is not None and (self.file.identity() != self._written_of or self._written_of is None):
            self._engine.dispose()
            self._engine = self._writer = None
        if self._engine is None:
            self.migrate()
            self._engine = make_engine(self.file)
            self._engine.connect().close()
            self._written_of = self.file.identity()
        return self._engine

    def _writer_now(self) -> LedgerWriter:
        from levaithan.stores.ledger_writer import LedgerWriter  # noqa: PLC0415 - loads SQLAlchemy

        engine = self._engine_now()
        if self._writer is None:
            self._writer = LedgerWriter(engine, self._translate, self.max_field)
        return self._writer

    def _translate(self, error: BaseException) -> Any:
        return translate(LEDGER, self.file.path, error)

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected."""
        return self._writer_now().apply(batch, cursor)

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self._writer_now().apply(batch, None)

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        from levaithan.stores import ledger_prints  # noqa: PLC0415 - a read of the command line never needs it

        return ledger_prints.expected(delivery)

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        if not self.current():
            return {}
        from levaithan.stores import ledger_prints  # noqa: PLC0415 - see expected

        span, beside = {"first": first, "last": last}, dict[int, list[tuple[Any, ...]]]()
        for table, names in {"decisions": ledger_prints.OPINIONS, "prompts": ledger_prints.PROMPT}.items():
            wanted = ", ".join(f"o.{name}" for name in names)
            sql = f"SELECT e.seq, {wanted} FROM events e JOIN {table} o ON o.event_id = e.id WHERE e.{_SEQ} "  # noqa: S608 - own words
            for number, *one in self.rows(sql + "ORDER BY 1, 2", span):
                beside.setdefault(number, []).append(tuple(one))
        found = {}
        for table, columns in ledger_prints.PRINTED.items():
            seq = columns.index("seq")
            for row in self.rows(f"SELECT {', '.join(columns)} FROM {table} WHERE {_SEQ}", span):  # noqa: S608 - own words
                more = beside.get(row[seq], ()) if table == "events" else ()
                found[row[seq]] = ledger_prints.printed(row, more)
        return found

    def migrate(self) -> None:
        """Make the schema, or bring it to this version. Raises SchemaTooNewError, StoreDamagedError, StoreBusyError.

        A ledger of an older version that holds rows is copied to `<file>.before-<version>` first.
        """
        present = self.version()
        if present == HEAD:
            return
        if present and present not in KNOWN:
            self.check_version()
            raise StoreDamagedError(store=LEDGER, path=self.file.path, reason=f"its schema version is {present!r}")
        from levaithan.stores import migrate  # noqa: PLC0415 - loads SQLAlchemy, and Alembic for an older schema

        if present:
            self.found.append(migrate.upgrade(self.file, present))
        elif present == "" and self.rows("SELECT 1 FROM sqlite_master WHERE name = 'events'"):
            raise StoreDamagedError(store=LEDGER, path=self.file.path, reason="it has tables but no schema version")
        else:
            migrate.create(self.file)

    def check_version(self) -> None:
        """See roles.Projected."""
        present = self.version()
        if present and present.isdigit() and len(present) == len(HEAD) and present > HEAD:
            raise SchemaTooNewError(store=LEDGER, path=self.file.path, found=present, known=HEAD)

    def close(self) -> None:
        """See roles.Projected."""
        super().close()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = self._writer = None


def make_engine(file: SqliteFile, *, write: bool = True) -> Engine:
    """An engine of one connection; a writer's transactions begin IMMEDIATE: it waits at the start, not midway."""
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - see the module's docstring
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415

    engine = create_engine("sqlite://", creator=lambda: file.connect(write=write), poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def _begin(link: Connection) -> None:
        link.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def opened(opening: Opening) -> SqliteLedger:
    """The adapter, as the registry asks for it."""
    store = SqliteLedger(opening.path, opening.max_field)
    store.logs = opening.logs
    return store
