"""The ledger in PostgreSQL: several machines' journals in one database. Registered for postgresql:// URLs.

What it is made of: postgres_link (connections), _writer (batches), _months (partitions, retention), _rewrite, _migrate,
_errors, _sql. Nothing is opened before it is used.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg

from levaithan.stores import (
    ledger_prints,
    postgres_health,
    postgres_migrate,
    postgres_months,
    postgres_prints,
    postgres_rewrite,
)
from levaithan.stores.edge import Edge
from levaithan.stores.in_place import InPlace
from levaithan.stores.postgres_errors import translator
from levaithan.stores.postgres_link import Links
from levaithan.stores.postgres_months import Months
from levaithan.stores.postgres_sql import spelled
from levaithan.stores.roles import LEDGER, Cursor, DeadLetter, Health, StoreBusyError, StoreUnsupportedError
from levaithan.stores.versions import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from levaithan.stores.opening import Opening
    from levaithan.stores.postgres_writer import PostgresWriter
    from levaithan.stores.roles import Delivery, Rejected

_CURSOR = 'SELECT journal, segment, "offset", seq, hash FROM cursors WHERE store = :store AND journal = :journal'
_DEAD = (
    'SELECT store, segment, "offset", journal, seq, id, tool_use_id, reason, attempts, first_us, last_us '
    'FROM dead_letters WHERE store = :store AND journal = :journal ORDER BY first_us, segment, "offset" LIMIT :limit'
)


class PostgresLedger(InPlace):
    """The Ledger role on PostgreSQL 14 and newer. Writing is one thread's; any number may read."""

    name = LEDGER
    remote = True
    shared = True
    rereads = True

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.journal = opening.journal
        self.max_field = opening.max_field
        self.found: list[str] = []
        self.links = Links(opening)
        self.edge = Edge(LEDGER, opening.where, translator(opening), timeout_s=opening.timeout_s, logs=opening.logs)
        self.months = Months(int(str(opening.options.get("ledger_retention_months") or 0)))
        self._writer: PostgresWriter | None = None
        self._left_at: Cursor | None = None
        self._unsure = False
        self._rewriting = False

    def __repr__(self) -> str:
        return f"PostgresLedger({self.opening.where})"

    # Reading

    def rows(self, sql: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """See roles.Ledger. Raises StoreError."""
        asked = spelled(sql)

        def ask() -> list[tuple[Any, ...]]:
            with self.links.reader() as link:
                return link.execute(asked, dict(values or {})).fetchall()

        return self.edge.call(ask)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See roles.Ledger; it cannot write."""
        from sqlalchemy import create_engine  # noqa: PLC0415 - costs more than most questions
        from sqlalchemy.pool import StaticPool  # noqa: PLC0415

        link = self.edge.call(self.links.alone)
        link.autocommit = False
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: link, poolclass=StaticPool, use_native_hstore=False
        )
        try:
            with engine.connect() as over:
                yield over
        finally:
            engine.dispose()
            link.close()

    def version(self) -> str:
        """The schema's version, "" where there is none. Raises StoreError."""

        def ask() -> str:
            with self.links.reader() as link:
                return postgres_migrate.version(link)

        return self.edge.call(ask)

    def current(self) -> bool:
        """See roles.Projected."""
        return self.version() == HEAD

    def cursor(self) -> Cursor | None:
        """See roles.Projected."""
        if not self.current():
            return None
        found = self.rows(_CURSOR, {"store": LEDGER, "journal": self.journal})
        self._left_at = Cursor(*found[0]) if found else None
        self._unsure = False
        return self._left_at

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """See roles.Projected."""
        if not self.current():
            return []
        values = {"store": LEDGER, "journal": self.journal, "limit": limit}
        return [DeadLetter(*row) for row in self.rows(_DEAD, values)]

    def dead_count(self) -> int:
        """See roles.Projected."""
        if not self.current():
            return 0
        asked = "SELECT count(*) FROM dead_letters WHERE store = :store AND journal = :journal"
        return int(self.rows(asked, {"store": LEDGER, "journal": self.journal})[0][0])

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected."""
        return ledger_prints.expected(delivery)

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        if not self.current():
            return {}
        return dict(self.rows(postgres_prints.SQL, {"journal": self.journal, "first": first, "last": last}))

    def months_there(self) -> frozenset[tuple[int, int]]:
        """(year, month) of each month that events may be in: the others were never needed, or dropped. Raises
        StoreError."""

        def ask() -> list[str]:
            with self.links.reader() as link:
                return postgres_months.parts(link)

        return postgres_months.known(self.edge.call(ask))

    def health(self) -> Health:
        """See roles.Projected."""
        return postgres_health.health(self)

    # Writing

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected."""
        return self.edge.call(lambda: self._write(batch, cursor))

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self.edge.call(lambda: self._write(batch, None))

    def _write(self, batch: Sequence[Delivery], cursor: Cursor | None) -> list[Rejected]:
        writer = self._writer_now()
        try:
            left_at = self._left_at if self._unsure else None
            rejected = writer.apply(batch, cursor, left_at, rewriting=self._rewriting)
            if cursor is not None:
                self._left_at, self._unsure = cursor, False
            if not self._rewriting:  # what a rewrite puts is counted at its end, so nothing goes before that
                self.months.keep_house(writer.link)
        except BaseException:
            if writer.link.closed or writer.link.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self._let_go()
            raise
        if self.months.dropped:
            self.found.append(f"events past the retention were dropped: {', '.join(self.months.dropped)}")
            self.months.dropped = []
        return rejected

    def _writer_now(self) -> PostgresWriter:
        if self._writer is None:
            from levaithan.stores.postgres_writer import PostgresWriter  # noqa: PLC0415 - loads SQLAlchemy

            if self._rewriting:
                raise StoreBusyError(
                    store=LEDGER,
                    reason="the connection was lost amid a rebuild",
                    fix="see why the server, or the way to it, went away",
                )
            self.months.forget()
            link = self.links.writer()
            try:
                self._writer = PostgresWriter(link, self.edge.translate, self.months, self.max_field)
            except BaseException:
                link.close()
                raise
        return self._writer

    def _let_go(self) -> None:
        """Close the writing connection. The next one may lead to a server that was restored: its cursor is compared."""
        if self._writer is not None:
            self._writer.link.close()
            self._writer = None
            self._unsure = self._left_at is not None

    def migrate(self) -> None:
        """See roles.Projected. Raises StoreError; everything is then as before."""
        present = self.version()
        if present == HEAD:
            return
        postgres_migrate.check(self.opening, present)
        self._let_go()
        ((schema,),) = self.rows("SELECT coalesce(current_schema(), '')")
        try:
            done = postgres_migrate.migrated(self.opening, self.edge, str(schema))
        except StoreUnsupportedError as error:
            cause = getattr(error.__cause__, "orig", error.__cause__)
            if not isinstance(cause, psycopg.errors.InsufficientPrivilege):
                raise
            words = f"its schema is {present or 'not there'}, {HEAD} is needed, and this user may not change it"
            whose = "the URL of the schema's owner or of an administrator"
            fix = f"run `levaithan setup` or `levaithan store migrate ledger --roles`, once with {whose}"
            raise self._unsupported(words, fix) from error
        self.found += done

    def check_version(self) -> None:
        """See roles.Projected."""
        postgres_migrate.check(self.opening, self.version())

    def heal(self) -> bool:
        """See roles.Projected. A server looks after its own files; what is missing of the schema is made."""
        self.migrate()
        return False

    def rewrite_begin(self) -> None:
        """See roles.Shared."""
        self._rewriting = False
        writer = self.edge.call(self._writer_now)
        self.edge.call(lambda: postgres_rewrite.begin(writer.link, self.journal), again=False)
        self.months.forget()  # another machine may have dropped some
        self._left_at, self._rewriting = None, True

    def rewrite_end(self, last: int) -> None:
        """See roles.Shared."""
        writer = self._writer_now()
        self.edge.call(lambda: postgres_rewrite.end(writer.link, self.journal, last), again=False)
        self._rewriting = False

    def drop_all(self) -> None:
        """Remove all of this object's journal; what others have put stays."""
        self.migrate()
        writer = self.edge.call(self._writer_now)
        self.edge.call(lambda: postgres_rewrite.drop_journal(writer.link, self.journal))
        self._left_at = None

    def pool(self) -> tuple[int, int] | None:
        """(connections in use, connections there may be); None while there are none."""
        return self.links.pool()

    def close(self) -> None:
        """See roles.Projected."""
        self._let_go()
        self.links.close()

    def _never(self, what: str) -> NoReturn:
        raise self._unsupported(
            f"it cannot {what}", "restore the database from a copy, then run `levaithan journal rebuild`"
        )

    def _unsupported(self, words: str, fix: str) -> StoreUnsupportedError:
        return StoreUnsupportedError(store=LEDGER, role=LEDGER.upper(), where=self.opening.where, reason=words, fix=fix)


def opened(opening: Opening) -> PostgresLedger:
    """The adapter, as the registry asks for it."""
    return PostgresLedger(opening)
