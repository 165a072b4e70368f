"""The owner of the ledger's schema on real PostgreSQL servers of two versions: made by setup's own function, and what
there is and what comes later belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures
from tests.servers.postgres import Postgres, binaries
from tests.support import postgres_place
from tests.support.ledger_records import cursor, delivery, event

from levaithan.errors import StoreError
from levaithan.stores import postgres_migrate, postgres_roles, postgres_standing
from levaithan.stores.ledger_login import OWNER, READER, WRITER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

psycopg = fixtures.driver("postgres", "psycopg")
_OWNERS = (
    "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
    "AND relkind IN ('r', 'p', 'i') AND relname <> 'mine' UNION "
    "SELECT proowner::regrole::text FROM pg_proc WHERE proname LIKE 'levaithan%'"
)
_MONTHS = ("2018-01-01T00:00:00.000000Z", "2021-06-30T00:00:00.000000Z", "2024-02-29T00:00:00.000000Z")


class Installed:
    """A database whose owner `chief` may make roles and is no superuser, and which holds events of several months."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.execute(
            "CREATE ROLE chief LOGIN CREATEROLE PASSWORD 'chief pass'", "CREATE DATABASE levaithan OWNER chief",
            database="postgres",
        )  # fmt: skip
        self.execute(
            "ALTER SCHEMA public OWNER TO chief", "CREATE TABLE mine (a int)", "ALTER TABLE mine OWNER TO chief"
        )
        old = self.ledger("chief", "chief pass")
        old.migrate()
        assert old.apply([delivery(event(n, at=at)) for n, at in enumerate(_MONTHS, 1)], cursor(4)) == []
        old.close()

    def url(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/levaithan"

    def ledger(self, user: str, password: str) -> Any:
        return postgres_place.ledger(self.url(user), password=password)

    def make_roles(self, user: str = "chief", password: str = "chief pass") -> postgres_roles.RolesMade:
        return postgres_roles.make_roles(postgres_place.opening(self.url(user), password=password), "w", "r", "o")

    def execute(self, *statements: str, database: str = "levaithan") -> list[Any]:
        with psycopg.connect(self.server.url(database), autocommit=True) as link:
            for one in statements:
                run = link.execute(one)
            return run.fetchall() if run.description else []

    def owners(self) -> list[str]:
        return sorted(row[0] for row in self.execute(_OWNERS))


@pytest.fixture(params=range(2), ids=["installed", "another version"])
def installed(request: pytest.FixtureRequest, own_server: Callable[..., Any]) -> Iterator[Installed]:
    found = binaries()
    if request.param >= len(found):
        fixtures.without("postgres", "there is one version of PostgreSQL here, and this is for a second one")
    yield Installed(own_server("postgres", lambda: Postgres(found[request.param])))


def test_what_is_ours_is_handed_over_and_nothing_else(installed: Installed) -> None:
    assert installed.owners() == ["chief"]
    assert sorted(installed.make_roles().made) == [OWNER, READER, WRITER]
    assert installed.owners() == [OWNER]
    assert installed.execute("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'mine'") == [("chief",)]
    assert installed.make_roles().made == []
    found = postgres_standing.standing(postgres_place.opening(installed.url("chief"), password="chief pass"), {})
    assert (found.absent, found.poorer) == ([], [])
    installed.execute("ALTER TABLE prompts OWNER TO chief")
    found = postgres_standing.standing(postgres_place.opening(installed.url("chief"), password="chief pass"), {})
    assert found.poorer == [OWNER]
    installed.make_roles("postgres", installed.server.password)
    assert installed.owners() == [OWNER]


def test_the_owner_may_change_its_schema_and_nothing_else(installed: Installed) -> None:
    installed.make_roles()
    flags = "rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolinherit"
    assert installed.execute(f"SELECT {flags} FROM pg_roles WHERE rolname = '{OWNER}'") == [(True, *(False,) * 6)]
    assert installed.execute(f"SELECT count(*) FROM pg_auth_members WHERE member = '{OWNER}'::regrole") == [(0,)]
    with psycopg.connect(installed.url("chief"), password="chief pass", autocommit=True) as link:
        link.execute(f"SET ROLE {OWNER}")
        link.execute("ALTER TABLE events ADD later int")
        for words in ("CREATE ROLE more", "CREATE DATABASE more", "CREATE SCHEMA more", "SELECT * FROM mine",
                      "DROP TABLE mine", "SELECT pg_read_file('postgresql.conf')"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(words)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(installed.url(OWNER), password="", connect_timeout=5)


def test_months_that_the_writer_has_made_are_the_owners_and_go_when_they_are_old(installed: Installed) -> None:
    installed.make_roles()
    writer, reader = installed.ledger(WRITER, "w"), installed.ledger(READER, "r")
    assert writer.apply([delivery(event(9, at="2019-05-05T00:00:00.000000Z"))], cursor(10)) == []
    assert installed.owners() == [OWNER]
    assert reader.rows("SELECT count(*) FROM events_2019_05") == [(1,)]
    writer.months.keep = 1
    with writer.links.writer() as link:
        assert "events_2019_05" in writer.months.retain(link)
    assert reader.rows("SELECT count(*) FROM events") == [(1,)], "the month that the machine still delivers into stays"
    for one in (writer, reader):
        one.close()


@pytest.mark.parametrize("user", ["chief", "postgres"])
def test_what_a_migration_makes_later_is_the_owners_and_the_others_may_use_it(
    installed: Installed, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    installed.make_roles()
    installed.execute("UPDATE schema_version SET version_num = '0003'")

    def upgrade(link: Any, _target: str) -> dict[str, int]:
        link.execute("CREATE TABLE later (a int)")
        link.execute("UPDATE schema_version SET version_num = '0004'")
        return {}

    monkeypatch.setattr(postgres_migrate, "_upgrade", upgrade)
    store = installed.ledger(user, "chief pass" if user == "chief" else installed.server.password)
    store.migrate()
    store.close()
    assert installed.owners() == [OWNER]
    writer, reader = installed.ledger(WRITER, "w"), installed.ledger(READER, "r")
    with writer.links.writer() as link:
        link.execute("INSERT INTO later VALUES (1)")
    assert reader.rows("SELECT a FROM later") == [(1,)]
    for one in (writer, reader):
        one.close()


def test_a_real_migration_runs_as_the_owner(installed: Installed) -> None:
    installed.make_roles()
    installed.execute(
        "DROP INDEX ix_journal_notes_kind", "DROP TABLE clock_skews", "UPDATE schema_version SET version_num = '0003'"
    )
    store = installed.ledger("chief", "chief pass")
    store.migrate()
    assert store.current()
    store.close()
    assert installed.owners() == [OWNER]


def test_a_failure_on_the_way_leaves_everything_as_it_was(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(postgres_roles), "FUNCTIONS", (*postgres_roles.FUNCTIONS, "levaithan_none()"))
    with pytest.raises(StoreError):
        installed.make_roles()
    assert installed.owners() == ["chief"]
    assert installed.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'levaithan%'") == []
