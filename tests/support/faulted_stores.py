"""The servers that tests/faults/test_store_faults.py hurts, one entry each: how a home uses it, and what only it knows
of its passwords, its older schema and its rows. Adding a store is a class and its name in SERVERS.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tests.servers import catalogue
from tests.servers.process import alive
from tests.support import homes, postgres_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.process import Server

_DISK = "levaithan-disk-"


class Faulted:
    """A server of this test's own that a home uses for `role`. Raises ServerMissingError where it is not installed."""

    role: ClassVar[str]
    signs: ClassVar[dict[str, frozenset[str]]] = {}
    """A fault's name -> what the projector must say of this store then, where it is not what store_flow says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: Server = self.make()

    def make(self) -> Server:
        """The server, not started."""
        raise NotImplementedError

    def settings(self) -> dict[str, object]:
        """What the home's .env says, passwords in files."""
        raise NotImplementedError

    def prepare(self, root: str) -> None:
        """Make what must be there before the home's service starts."""

    def change_password(self) -> Callable[[], None]:
        """Give the home's user another password and end its connections; what makes the home know it."""
        raise NotImplementedError

    def age(self) -> None:
        """Put a store of the last schema but one in its place: nothing of this home is in it, other rows are."""
        raise NotImplementedError

    def brought_up(self, root: str) -> None:
        """What a person does about an older schema, where the store does not bring it up by itself; then looks whether
        the other rows are there."""

    def rows(self, store: Any) -> tuple[int, int]:
        """Rows that are there of events, and how many ids they have."""
        raise NotImplementedError


class PostgresLedger(Faulted):
    """The ledger under the least rights: the home's user is the writer, who may not change the schema."""

    role = "ledger"
    signs: ClassVar = {"aged": frozenset({"store_unsupported"})}
    _OLD = 90

    def make(self) -> Server:
        from tests.servers.postgres import Postgres

        return Postgres(max_wal_size="128MB", min_wal_size="32MB", wal_recycle="off")

    def _url(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/levaithan"

    @property
    def _secret(self) -> Path:
        return self.folder / "writer.password"

    def settings(self) -> dict[str, object]:
        self._secret.touch(0o600)
        self._secret.write_text(secrets.token_hex(12))
        return {"ledger_url": self._url("levaithan_writer"), "ledger_password_file": self._secret}

    def prepare(self, root: str) -> None:
        postgres_place.database(self.server.url(), "levaithan")
        self._as_owner(root)

    def _as_owner(self, root: str) -> None:
        owner = homes.plain_environment(
            LEVAITHAN_LEDGER_URL=self._url("postgres"), LEVAITHAN_LEDGER_PASSWORD=self.server.password
        )
        words = ["store", "migrate", "ledger", "--roles", "--writer-password-file", str(self._secret)]
        homes.cli(root, *words, "--reader-password-file", str(self.folder / "reader.password"), env=owner)

    def change_password(self) -> Callable[[], None]:
        password = secrets.token_hex(12)
        self._execute(
            f"ALTER ROLE levaithan_writer PASSWORD '{password}'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'levaithan_writer'",
        )
        return lambda: self._secret.write_text(password)

    def age(self) -> None:
        from levaithan.stores.versions import KNOWN

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

    def rows(self, store: Any) -> tuple[int, int]:
        found: tuple[int, int] = store.rows("SELECT count(*), count(DISTINCT id) FROM events")[0]
        return found

    def _execute(self, *statements: str, database: str = "levaithan") -> list[Any]:
        import psycopg

        with psycopg.connect(self.server.url(database), autocommit=True) as link:
            for one in statements:
                run = link.execute(one)
            return run.fetchall() if run.description else []


SERVERS: dict[str, type[Faulted]] = {"postgres": PostgresLedger}
"""The store's name in tests/servers/catalogue.py -> how it is hurt."""
assert set(SERVERS) <= set(catalogue.STORES)


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A disk of `size` (such as 256m) for a server's folder; None where this user may not mount one.

    It is seen by everybody, for the server runs as another user; what a killed run left is unmounted by the next one.
    """
    temp = Path("/tmp")
    for left in temp.glob(f"{_DISK}*"):
        owner = left.name.removeprefix(_DISK).partition("-")[0]
        if owner.isdigit() and not alive(int(owner)):
            _unmount(left)
    folder = Path(tempfile.mkdtemp(prefix=f"{_DISK}{os.getpid()}-", dir=temp))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "none", str(folder)]
    mounted = bool(shutil.which("mount")) and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        _unmount(folder)


def _unmount(folder: Path) -> None:
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=False)
    with contextlib.suppress(OSError):
        folder.rmdir()
