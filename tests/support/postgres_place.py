"""Databases for tests of the ledger on PostgreSQL: on the run's shared server, or on a server of a test's own."""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.servers import sharing
from tests.support import lines
from tests.support.ledger_records import JOURNAL

from levaithan.stores.ledger_login import as_user
from levaithan.stores.opening import Opening

if TYPE_CHECKING:
    from levaithan.stores.postgres_ledger import PostgresLedger


def database(server_url: str, name: str = "", options: str = "") -> str:
    """The URL of a new, empty database."""
    import psycopg
    from tests.servers.fixtures import database_url

    name = name or f"lv_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}" {options}')
    return database_url(server_url, name)


@cache
def _template(server_url: str) -> str:
    """The name of a database with the schema of now, which others are copied from: once a process."""
    url = database(server_url)
    made = ledger(url)
    made.migrate()
    made.close()
    return urlsplit(url).path.strip("/")


def made() -> str:
    """The URL of a new database on the run's server, with the schema of now. Raises ConnectionError without one."""
    server_url = sharing.shared("postgres").url
    return database(server_url, options=f'TEMPLATE "{_template(server_url)}"')


@cache
def _handed_over(server_url: str) -> tuple[str, str]:
    """(template, user and password of the writer) of a schema that belongs to an owner, as setup leaves it: once a
    process, with roles that no other process uses."""
    from levaithan.stores.postgres_roles import Names, make_roles

    url, mark = database(server_url, options=f'TEMPLATE "{_template(server_url)}"'), secrets.token_hex(6)
    names = Names(f"cw_{mark}", f"cr_{mark}", f"co_{mark}")
    make_roles(opening(url), mark, mark, mark, names=names)
    return urlsplit(url).path.strip("/"), f"{names.writer}:{mark}"


def made_for_writer() -> str:
    """The same as `made`, and as whom daily work asks: its writer. Raises ConnectionError without a server."""
    server_url = sharing.shared("postgres").url
    template, writer = _handed_over(server_url)
    url = urlsplit(database(server_url, options=f'TEMPLATE "{template}"'))
    return url._replace(netloc=f"{writer}@{url.netloc.rpartition('@')[2]}").geturl()


def opening(url: str, journal: str = JOURNAL, **more: Any) -> Opening:
    """How a home would open it. A `password` stands in the place of the URL's own, which would go before it."""
    if "password" in more:
        url = as_user(url, urlsplit(url).username or "")
    return Opening("ledger", "", "/nowhere", url=url, journal=journal, **more)


def ledger(url: str, journal: str = JOURNAL, **more: Any) -> PostgresLedger:
    """The adapter on the database `url`."""
    from levaithan.stores.postgres_ledger import PostgresLedger

    return PostgresLedger(opening(url, journal, **more))


def older(url: str, version: str = "0001") -> None:
    """A schema of an older version in the database."""
    import psycopg
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    from levaithan.stores import migrate

    with psycopg.connect(url) as link:
        engine = create_engine("postgresql+psycopg://", creator=lambda: link, poolclass=StaticPool)
        with engine.begin() as over:
            command.upgrade(migrate.config_for(over), version)


def place(make: Any) -> Any:
    """The Place of the contract suite: it is opened as the writer of a schema that is its owner's. `make_older` puts an
    administrator's, who may bring it up, in its stead. Raises ConnectionError where there is no server."""
    url = made_for_writer()

    def make_older() -> None:
        nonlocal url
        url = database(sharing.shared("postgres").url)
        older(url)

    def line() -> lines.Line:
        return lines.ServerLine(
            [lines.address_of(url, 5432)], lambda at: ledger(lines.by(at[0], url), timeout_s=lines.LIMIT_S)
        )

    return make("postgres", lambda: ledger(url), make_older, line=line)
