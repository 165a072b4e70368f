"""Connections to a PostgreSQL ledger: where, as whom, how secured, and how long each call may take.

One of the few modules that import psycopg; it is loaded when a ledger's URL asks for it.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg_pool import ConnectionPool, PoolTimeout

from levaithan.errors import NotConfigured

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from levaithan.stores.opening import Opening

LONGER_S = 2.0
"""How much longer than the server we wait: it ends a statement by itself unless it does not run at all."""
READERS = 4
PATIENT_S = 3600
_SPARE_S = 30.0
_PASSED = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "target_session_attrs", "gssencmode",
     "hostaddr", "krbsrvname"}
)  # fmt: skip
"""What a URL may say behind its `?`: it is passed on to libpq. `options` and `host` would undo what is set here."""

for _name in ("psycopg", "psycopg.pool"):
    # What they warn of reaches the caller as an error; on stderr it would stand twice, and without the next step.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class TimeLimitError(psycopg.OperationalError):
    """The server did not answer within the limit: it is paused, or the network swallows what is sent."""


class Limited(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait ends after `limit_s` seconds; it is closed then, for its state is unknown.

    statement_timeout is the server's own limit, and a server that was stopped keeps none.
    """

    limit_s = 12.0

    def wait(self, gen: Any, *rest: Any, **more: Any) -> Any:
        """See psycopg.Connection. Raises TimeLimitError."""
        try:
            return super().wait(_bounded(gen, time.monotonic() + self.limit_s), *rest, **more)
        except TimeLimitError:
            self.pgconn.finish()
            raise


def _bounded(gen: Any, until: float) -> Generator[Any, Any, Any]:
    """`gen`, which psycopg drives several times a second, until the time is over."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            wanted = gen.send(ready)
            if time.monotonic() > until:
                raise TimeLimitError("no answer within the time limit")
    except StopIteration as end:
        return end.value


class _Number(Loader):
    """numeric as SQLite would give it: a sum of integers is an integer, an average a float."""

    def load(self, data: Any) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


class _Flag(Loader):
    def load(self, data: Any) -> int:
        return int(bytes(data) == b"t")


class _Refused(Dumper):
    """A list would become an array literal in a text column, and nobody would notice."""

    def dump(self, obj: Any) -> bytes:
        raise TypeError(f"type {type(obj).__name__!r} is not supported")


class _FlagDumper(Dumper):
    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


def _adapters() -> AdaptersMap:
    made = AdaptersMap(psycopg.adapters)
    made.register_loader("numeric", _Number)
    made.register_loader("bool", _Flag)
    for kind in (list, tuple, dict, set):
        made.register_dumper(kind, _Refused)
    return made


@contextmanager
def patient(link: psycopg.Connection[Any]) -> Iterator[None]:
    """Let what is done within take up to PATIENT_S a statement: work on all rows grows with them. `link` is in no
    transaction."""
    limited: Any = link
    kept = limited.limit_s
    link.execute(f"SET statement_timeout = {PATIENT_S * 1000}")
    limited.limit_s = PATIENT_S + LONGER_S
    try:
        yield
    finally:
        limited.limit_s = kept
        if not link.closed:
            link.execute("RESET statement_timeout")


def writing_adapters(link: psycopg.Connection[Any]) -> None:
    """Make `link` take what SQLite would take, and refuse what it would refuse."""
    link.adapters.register_dumper(bool, _FlagDumper)


ADAPTERS = _adapters()


def parameters(opening: Opening) -> dict[str, Any]:
    """What psycopg.connect needs. Raises NotConfigured for a URL that names no database or says what it may not."""
    server = opening.server
    unknown = sorted(set(server.query) - _PASSED)
    if unknown or not server.path:
        why = f"it may not say {', '.join(unknown)}" if unknown else "it names no database"
        raise NotConfigured(
            f"LEVAITHAN_LEDGER_URL cannot be used: {why}.",
            fix="write it as postgresql://user@host:5432/database?sslmode=verify-full",
        )
    limit_ms = round(opening.timeout_s * 1000)
    settings = {
        "statement_timeout": limit_ms, "lock_timeout": max(1, limit_ms // 2), "timezone": "UTC",
        "idle_in_transaction_session_timeout": limit_ms + round(_SPARE_S * 1000), "client_encoding": "UTF8",
    }  # fmt: skip
    found: dict[str, Any] = {
        "host": server.host, "port": server.port or 5432, "dbname": server.path,
        "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "application_name": "levaithan",
        "connect_timeout": max(2, round(opening.timeout_s)),
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()), "context": ADAPTERS,
        "prepare_threshold": None, **server.query,
    }  # fmt: skip
    if server.user:
        found["user"] = server.user
    if server.password:
        found["password"] = server.password
    if opening.ca_file:
        found["sslrootcert"] = opening.ca_file
    # A server on another machine is not believed without a certificate, unless the URL says how else.
    found.setdefault("sslmode", "prefer" if server.here and not opening.ca_file else "verify-full")
    return found


class Links:
    """The connections of one ledger: a pool that can only read, and what writes, which its caller keeps."""

    def __init__(self, opening: Opening) -> None:
        self.parameters = parameters(opening)
        self.timeout_s = opening.timeout_s
        self._kind: Any = type("Limited", (Limited,), {"limit_s": opening.timeout_s + LONGER_S})
        self._pool: Any = None
        self._sound = False
        self._guard = threading.Lock()

    def writer(self) -> psycopg.Connection[Any]:
        """A new connection in autocommit mode. Raises psycopg.Error."""
        link: psycopg.Connection[Any] = self._kind.connect(**self.parameters, autocommit=True)
        writing_adapters(link)
        return link

    def alone(self) -> psycopg.Connection[Any]:
        """A new connection that can only read, for a caller who keeps it. Raises psycopg.Error."""
        link: psycopg.Connection[Any] = self._kind.connect(**self._reading())
        return link

    @contextmanager
    def reader(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the pool, in autocommit mode, that can only read. Raises psycopg.Error.

        A pool does not say why it has none. So the first time, and after a failure, one is made beside it: its error
        has the reason, at once.
        """
        pool = self._reading_pool()
        if not self._sound:
            self.alone().close()
            self._sound = True
        try:
            with pool.connection() as link:
                yield link
        except PoolTimeout:
            self._sound = False
            self.alone().close()
            raise
        except psycopg.OperationalError:
            self._sound = False
            raise

    def pool(self) -> tuple[int, int] | None:
        """(connections in use, connections there may be) of the pool; None before it is opened."""
        pool = self._pool
        if pool is None:
            return None
        told = pool.get_stats()
        return told.get("pool_size", 0) - told.get("pool_available", 0), READERS

    def _reading(self) -> dict[str, Any]:
        options = f"{self.parameters['options']} -c default_transaction_read_only=on"
        return {**self.parameters, "options": options, "autocommit": True}

    def _reading_pool(self) -> Any:
        with self._guard:
            if self._pool is None:
                self._pool = ConnectionPool(
                    kwargs=self._reading(), connection_class=self._kind, min_size=0, max_size=READERS, open=True,
                    timeout=self.timeout_s, reconnect_timeout=self.timeout_s, num_workers=1, name="levaithan-ledger",
                    check=ConnectionPool.check_connection,
                )  # fmt: skip
            return self._pool

    def close(self) -> None:
        """Let go of the pool; it is opened again when it is asked for."""
        with self._guard:
            if self._pool is not None:
                self._pool.close(timeout=1.0)
                self._pool = None
