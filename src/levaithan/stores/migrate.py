"""Makes the ledger's schema and brings an older one up to date. Loads SQLAlchemy; Alembic only for `upgrade`.

A migration of a ledger that holds rows is backed up first, runs in one transaction, and counts the rows before and
after: fewer rows are an error and the transaction is rolled back (a migration elsewhere deleted 98 % of the rows).
"""
# Links, inodes and the sides of a file are the subject here, and os is their language.
# ruff: noqa: PTH101, PTH118, PTH120

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from levaithan.errors import StoreError
from levaithan.stores.schema import COUNTED, HEAD, METADATA, schema_version
from levaithan.stores.sqlite_ledger import make_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection

    from levaithan.stores.sqlite_file import SqliteFile

SCRIPTS = os.path.join(os.path.dirname(__file__), "migrations")


class MigrationLostRowsError(StoreError):
    """The migration to schema {to} would have changed the number of rows: {reason}; it was rolled back."""

    code = "migration_lost_rows"
    fix = "keep {backup}, report this, and run `levaithan journal rebuild` to make the ledger from the journal"


def create(file: SqliteFile) -> None:
    """Make the newest schema in an empty file: the same tables that the migrations end in (a test compares)."""
    engine = make_engine(file)
    try:
        with engine.begin() as link:
            METADATA.create_all(link)
            link.execute(schema_version.delete())
            link.execute(schema_version.insert().values(version_num=HEAD))
    except Exception as error:
        raise file.wrap(error) from error
    finally:
        engine.dispose()


def config_for(link: Connection) -> Config:
    """Alembic's configuration, without an ini file."""
    from alembic.config import Config  # noqa: PLC0415 - costs half a second, needed once a release

    config = Config()
    config.set_main_option("script_location", SCRIPTS.replace("%", "%%"))
    config.attributes["connection"] = link
    return config


def upgrade(file: SqliteFile, present: str, target: str = "head") -> str:
    """Migrate from `present`; returns what was done, in words. Raises StoreError; the file is then as before."""
    from alembic import command  # noqa: PLC0415 - see config_for

    kept = backup(file, present)
    engine = make_engine(file)
    try:
        with engine.begin() as link:
            before = counts(link)
            command.upgrade(config_for(link), target)
            after = counts(link)
            less = [
                f"{name} {before[name]} -> {after.get(name, 0)}"
                for name in before
                if after.get(name, 0) != before[name]
            ]
            if less:
                raise MigrationLostRowsError(to=HEAD, reason=", ".join(less), backup=kept or "the file")
    except StoreError:
        raise
    except Exception as error:
        raise file.wrap(error) from error
    finally:
        engine.dispose()
    total = sum(after.values())
    return f"the ledger went from schema {present} to {HEAD}, {total} rows kept" + (
        f"; the old one is {kept}" if kept else ""
    )


def counts(link: Connection) -> dict[str, int]:
    """The number of rows of each table that is there."""
    there = {row[0] for row in link.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = {}
    for name in COUNTED:
        if name in there:
            found[name] = int(link.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())  # noqa: S608 - own names
    return found


def backup(file: SqliteFile, present: str) -> str | None:
    """A copy of a ledger that holds rows, made by SQLite's backup API, as `<file>.before-<version>`; its path."""
    source = file.connect(write=False)
    try:
        if source.execute("SELECT 1 FROM events LIMIT 1").fetchone() is None:
            return None
        path = f"{file.path}.before-{HEAD}-from-{present}"
        copy = sqlite3.connect(path)
        try:
            source.backup(copy, pages=4096)
        finally:
            copy.close()
        os.chmod(path, 0o600)
    except (sqlite3.Error, OSError) as error:
        raise file.wrap(error) from error
    finally:
        source.close()
    return path
