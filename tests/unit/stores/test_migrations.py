"""The ledger's schema: made at once or migrated, it is the same; a migration keeps every row and a copy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores import migrate, versions
from levaithan.stores.roles import SchemaTooNewError, StoreDamagedError
from levaithan.stores.schema import METADATA
from levaithan.stores.sqlite_file import SqliteFile
from levaithan.stores.sqlite_ledger import SqliteLedger, make_engine


def at_version(path: Path, version: str) -> None:
    engine = make_engine(SqliteFile("ledger", str(path)))
    with engine.begin() as link:
        command.upgrade(migrate.config_for(link), version)
    engine.dispose()


def shape(path: Path) -> dict[str, Any]:
    """Columns with types, keys and defaults, and indices with their columns and conditions."""
    link = sqlite3.connect(path)
    found: dict[str, Any] = {}
    for (table,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table != "schema_version":
            found[table] = [row[1:] for row in link.execute(f"PRAGMA table_info({table})")]
            found[table + " rowid"] = [row[4:] for row in link.execute(f"PRAGMA table_list({table})")]
    for name, sql in link.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"):
        found[name] = " ".join(sql.replace('"', "").split())
    link.close()
    return found


def test_a_new_ledger_is_what_the_migrations_end_in(tmp_path: Path) -> None:
    at_version(tmp_path / "migrated", "head")
    SqliteLedger(str(tmp_path / "made")).migrate()
    assert shape(tmp_path / "migrated") == shape(tmp_path / "made")


def test_the_versions_known_are_the_migrations_shipped() -> None:
    scripts = ScriptDirectory(migrate.SCRIPTS)
    assert scripts.get_heads() == [versions.HEAD]
    assert tuple(reversed([one.revision for one in scripts.walk_revisions()])) == versions.KNOWN


def older_with_rows(path: Path) -> None:
    at_version(path, "0001")
    link = sqlite3.connect(path)
    link.executemany(
        "INSERT INTO events (id, seq, journal, hash, at_us, event, body) VALUES (?, ?, 'j', 'h', 1, 'Stop', '{}')",
        [(f"{n:032x}", n) for n in range(500)],
    )
    link.commit()
    link.close()


def test_a_ledger_with_rows_is_copied_counted_and_migrated(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    older_with_rows(path)
    ledger = SqliteLedger(str(path))
    ledger.migrate()
    assert ledger.rows("SELECT count(*) FROM events") == [(500,)]
    assert ledger.rows("SELECT sum(events) FROM rollups") == [(500,)], "what was there before is counted too"
    (kept,) = tmp_path.glob("ledger.sqlite3.before-*")
    assert sqlite3.connect(kept).execute("SELECT count(*) FROM events").fetchone() == (500,)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert any("500 rows kept" in note and str(kept) in note for note in ledger.found)
    assert ledger.apply([delivery(event(900, payload={"x": "\0"}))], cursor(2))[0].reason.startswith("NUL")


def test_an_empty_one_needs_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    at_version(path, "0001")
    SqliteLedger(str(path)).migrate()
    assert list(tmp_path.glob("*.before-*")) == []


def test_a_migration_that_loses_rows_is_rolled_back(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "ledger.sqlite3"
    older_with_rows(path)
    upgrade = command.upgrade

    def lossy(config: Any, target: str) -> None:
        upgrade(config, target)
        config.attributes["connection"].exec_driver_sql("DELETE FROM events WHERE seq > 9")

    monkeypatch.setattr(command, "upgrade", lossy)
    ledger = SqliteLedger(str(path))
    with pytest.raises(migrate.MigrationLostRowsError, match="events 500 -> 10") as caught:
        ledger.migrate()
    assert ".before-" in caught.value.fix
    assert ledger.version() == "0001"
    assert ledger.rows("SELECT count(*) FROM events") == [(500,)]


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    ledger.migrate()
    link = ledger.file.connect(write=True)
    link.execute("UPDATE schema_version SET version_num = '9999'")
    link.close()
    with pytest.raises(SchemaTooNewError, match="9999") as caught:
        ledger.apply([], cursor(1))
    assert "update levaithan" in caught.value.fix


def test_a_foreign_database_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    link = sqlite3.connect(path)
    link.execute("CREATE TABLE events (a)")
    link.commit()
    link.close()
    with pytest.raises(StoreDamagedError, match="no schema version"):
        SqliteLedger(str(path)).migrate()


def test_opening_a_current_ledger_loads_no_alembic(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    SqliteLedger(str(path)).migrate()
    code = (
        "import sys; from levaithan.stores.sqlite_ledger import SqliteLedger;"
        f"one = SqliteLedger({str(path)!r}); one.migrate(); print(one.cursor(), 'sqlalchemy' in sys.modules);"
        "from levaithan.stores.roles import Cursor; one.apply([], Cursor('j', 's', 1, 1, 'h'));"
        "print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "None False\nTrue False\n"


def test_every_table_has_a_key_and_no_foreign_keys() -> None:
    for table in METADATA.tables.values():
        assert table.primary_key.columns
        assert not table.foreign_keys
