"""`levaithan store migrate --roles` against a real PostgreSQL: users of least privilege, their passwords in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import homes, postgres_place
from tests.support.ledger_records import JournalFiles

from levaithan.hot import paths

psycopg = fixtures.driver("postgres", "psycopg")
WRITER, READER, OWNER = "levaithan_writer", "levaithan_reader", "levaithan_owner"


class Installed:
    """A home, and the database on a server of the test's own (roles are the whole server's)."""

    def __init__(self, folder: Path, server: Any) -> None:
        self.server = server
        postgres_place.database(server.url(), "levaithan")
        self.root = homes.make_home(folder / "home", native=False, search="off", graph="off")
        JournalFiles(paths.home_at(self.root).journal).events(20)

    def url(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/levaithan"

    def as_user(self, user: str, password: str, *words: str, code: int = 0) -> Any:
        given = homes.plain_environment(LEVAITHAN_LEDGER_URL=self.url(user), LEVAITHAN_LEDGER_PASSWORD=password)
        done = homes.cli(self.root, *words, check=False, env=given)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert password not in done.stdout + done.stderr
        return done

    def as_owner(self, *words: str, code: int = 0) -> Any:
        return self.as_user(
            "postgres", self.server.password, "store", "migrate", "ledger", "--roles", *words, code=code
        )


@pytest.fixture
def installed(own_server: Any, tmp_path: Path) -> Installed:
    return Installed(tmp_path, own_server("postgres"))


def test_writer_and_reader_are_made_and_may_what_they_need(installed: Installed) -> None:
    planned = json.loads(installed.as_owner("--dry-run", "--json").stdout)["rows"]
    assert [row["done"] for row in planned] == ["would be made or brought up"] * 4
    assert not list(Path(installed.root, "keys").glob("*.password"))
    rows = json.loads(installed.as_owner("--json").stdout)["rows"]
    assert [(row["done"], row.get("role")) for row in rows] == [
        ("made or brought up", None), ("made", WRITER), ("made", READER), ("made", OWNER),
    ]  # fmt: skip
    files = {row["role"]: Path(row["password_file"]) for row in rows[1:]}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files.values())
    passwords = {role: file.read_text().strip() for role, file in files.items()}
    assert len(set(passwords.values())) == 3
    installed.as_user(WRITER, passwords[WRITER], "store", "check", "ledger")
    listed = json.loads(installed.as_user(WRITER, passwords[WRITER], "audit", "list", "--json").stdout)["rows"]
    assert len(listed) == 20, "the writer has projected the journal"
    read = json.loads(installed.as_user(READER, passwords[READER], "audit", "list", "--json").stdout)["rows"]
    assert read == listed
    with psycopg.connect(installed.url(READER), password=passwords[READER], autocommit=True) as link:
        link.execute("SET default_transaction_read_only = off")
        for words in ("DELETE FROM events", "INSERT INTO cursors SELECT * FROM cursors", "DROP TABLE events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(words)
    with psycopg.connect(installed.url(WRITER), password=passwords[WRITER], autocommit=True) as link:
        for words in ("DROP TABLE events", "ALTER TABLE events ADD x int", "CREATE ROLE another"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(words)


def test_the_second_time_passwords_are_those_of_the_files(installed: Installed, tmp_path: Path) -> None:
    chosen = tmp_path / "secrets" / "writer"
    chosen.parent.mkdir()
    chosen.write_text("first choice\n")
    words = ["--writer-password-file", str(chosen), "--json"]
    installed.as_owner(*words)
    installed.as_user(WRITER, "first choice", "store", "check", "ledger")
    reader = Path(installed.root, "keys", f"{READER}.password").read_bytes()
    chosen.write_text("another one")
    rows = json.loads(installed.as_owner(*words).stdout)["rows"]
    assert [row["done"] for row in rows] == ["up to date", *["brought up"] * 3]
    installed.as_user(WRITER, "first choice", "store", "check", "ledger", code=3)
    installed.as_user(WRITER, "another one", "store", "check", "ledger")
    assert Path(installed.root, "keys", f"{READER}.password").read_bytes() == reader


def test_who_may_not_make_roles_is_told_and_nothing_is_changed(installed: Installed) -> None:
    installed.as_owner()
    password = Path(installed.root, "keys", f"{WRITER}.password").read_text().strip()
    done = installed.as_user(WRITER, password, "store", "migrate", "ledger", "--roles", code=1)
    assert "may not create roles" in done.stderr
    assert "next: " in done.stderr
    installed.as_user(WRITER, password, "store", "check", "ledger")
