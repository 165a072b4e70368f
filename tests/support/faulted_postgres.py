"""The ledger on PostgreSQL, to be hurt: see faulted_stores."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from tests.servers.postgres import Postgres
from tests.support import homes, postgres_place
from tests.support.faulted_stores import Faulted

from levaithan.stores.versions import KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.process import Server


class PostgresLedger(Faulted):
    """The ledger under the least rights: the home's user is the writer, who may not change the schema."""

    role = "ledger"
    signs: ClassVar = {"aged": frozenset({"store_unsupported"})}
    _OLD = 90

    def make(self) -> Server:
        return Postgres(max_wal_size="128MB", min_wal_size="32MB", wal_recycle="off")

    def _url(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/levaithan"

    def settings(self) -> dict[str, object]:
        self.writer_file = self.secret(secrets.token_hex(12))
        return {"ledger_url": self._url("levaithan_writer"), "ledger_password_file": self.writer_file}

    def prepare(self, root: str) -> None:
        postgres_place.database(self.server.url(), "levaithan")
        self._as_owner(root)

    def _as_owner(self, root: str) -> None:
        owner = homes.plain_environment(
            LEVAITHAN_LEDGER_URL=self._url("postgres"), LEVAITHAN_LEDGER_PASSWORD=self.server.password
        )
        words = ["store", "migrate", "ledger", "--roles", "--writer-password-file", str(self.writer_file)]
        homes.cli(root, *words, "--reader-password-file", str(self.folder / "reader.password"), env=owner)

    def change_password(self) -> Callable[[], None]:
        password = secrets.token_hex(12)
        self._execute(
            f"ALTER ROLE levaithan_writer PASSWORD '{password}'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'levaithan_writer'",
        )
        return lambda: self.secret(password) and None

    def age(self) -> None:
        self._execute("DROP DATABASE levaithan WITH (FORCE)", database="postgres")
        url = postgres_place.database(self.server.url(), "levaithan")
        postgres_place.older(url, KNOWN[-2])
        self._execute(
            "INSERT INTO events (id, seq, journal, hash, at_us, event, body) SELECT 'e' || n, n, 'old', 'h', "
            f"1700000000000000 + n, 'Stop', '{{}}' FROM generate_series(1, {self._OLD}) n",
            "GRANT SELECT ON schema_version TO levaithan_writer",
        )

    def brought_up(self, root: str) -> None:
        self._as_owner(root)
        assert self._execute("SELECT count(*) FROM events WHERE journal = 'old'") == [(self._OLD,)]

    def doubled(self, store: Any, root: str) -> int:
        ((doubled,),) = store.rows("SELECT count(*) - count(DISTINCT id) FROM events")
        return int(doubled)

    def _execute(self, *statements: str, database: str = "levaithan") -> list[Any]:
        import psycopg

        with psycopg.connect(self.server.url(database), autocommit=True) as link:
            for one in statements:
                run = link.execute(one)
            return run.fetchall() if run.description else []
