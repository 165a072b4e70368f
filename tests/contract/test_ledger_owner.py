"""The owner of the ledger's tables on a real server: handed over in one piece, newer schemas are its own, and it may
nothing else."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import homes, postgres_place
from tests.support.ledger_records import JournalFiles, cursor, delivery, event
from tests.support.ledger_team import Team, apply, given, warned

from levaithan.config import settings as settings_of
from levaithan.hot.paths import Home
from levaithan.install import checks_stores, ledger_roles, setup_plan
from levaithan.projector.loop import catch_up
from levaithan.stores import postgres_months, registry
from levaithan.stores.ledger_login import OWNER, READER, WRITER
from levaithan.stores.postgres_roles import make_roles
from levaithan.stores.roles import StoreUnsupportedError

psycopg = fixtures.driver("postgres", "psycopg")
_OWNERS = (
    "SELECT c.relname, pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
    "UNION ALL SELECT proname, pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
    "UNION ALL SELECT typname, pg_get_userbyid(typowner) FROM pg_type WHERE typnamespace = 'public'::regnamespace"
)
_CATALOGUE = (
    "SELECT 'class', oid::text, relowner::text, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
    "UNION ALL SELECT 'proc', oid::text, proowner::text, proacl::text FROM pg_proc WHERE pronamespace = "
    "'public'::regnamespace UNION ALL SELECT 'role', rolname, rolpassword, a::text FROM pg_authid a "
    "UNION ALL SELECT 'member', roleid::text, member::text, '' FROM pg_auth_members "
    "UNION ALL SELECT 'default', defaclrole::text, defaclobjtype::text, defaclacl::text FROM pg_default_acl "
    "UNION ALL SELECT 'schema', nspname, nspowner::text, nspacl::text FROM pg_namespace WHERE nspname = 'public' "
    "UNION ALL SELECT 'database', datname, datdba::text, datacl::text FROM pg_database ORDER BY 1, 2, 3"
)


@pytest.fixture
def team(own_server: Any, tmp_path: Path) -> Team:
    return Team(tmp_path, own_server("postgres"))


def owners(team: Team) -> set[str]:
    """To whom anything in the schema belongs."""
    return {owner for _, owner in team.execute(_OWNERS)}


def put(home: Home, **settings: object) -> None:
    with Path(home.root, ".env").open("a") as file:
        file.writelines(f"LEVAITHAN_{name.upper()}={value}\n" for name, value in settings.items())


def older_installation(team: Team, user: str = "postgres", password: str = "") -> Home:
    """A home as an earlier version set it up: writer and reader, and the tables are the URL's user's."""
    home = team.home("one", user, password)
    opening = registry.opening_of("ledger", settings_of.load(home.root), home, owner=True)
    ledger = postgres_place.ledger(opening.url, password=opening.password)
    ledger.migrate()
    ledger.close()
    make_roles(opening, "w pass", "r pass")
    put(home, ledger_writer_password="w pass", ledger_reader_password="r pass")
    return home


def as_role(team: Team, role: str, password: str, **more: Any) -> Any:
    return postgres_place.ledger(team.url(role), password=password, **more)


def owner_password(home: Home) -> str:
    return given(home)["LEVAITHAN_LEDGER_OWNER_PASSWORD"]


def test_an_older_installation_is_handed_over_whole_and_goes_on(team: Team) -> None:
    home = older_installation(team)
    year, month = postgres_months.month_of(time.time_ns() // 1000)
    moments = [postgres_months.start_us(year, month - back) + 1_000_000 for back in (5, 3, 0)]
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(one / 1e6)) for one in moments]
    writer = as_role(team, WRITER, "w pass")
    assert writer.apply([delivery(event(n, at=at)) for n, at in enumerate(stamps, 1)], cursor(4)) == []
    writer.close()
    team.execute(
        "CREATE TABLE theirs (id serial PRIMARY KEY)",
        "CREATE FUNCTION their_own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    assert any("belong to postgres, who is a superuser" in one for one in warned(home))
    done, notes = apply(home)
    assert (set(done), notes) == ({setup_plan.ROLES}, [])
    assert f"the tables belong to {OWNER}" in done[setup_plan.ROLES]
    others = {name for name, owner in team.execute(_OWNERS) if owner != OWNER}
    assert others == {"theirs", "theirs_id_seq", "theirs_pkey", "their_own", "_theirs"}, "the foreign ones, no more"
    assert given(home)["LEVAITHAN_LEDGER_WRITER_PASSWORD"] == "w pass"
    assert apply(home) == ({}, [])
    before = team.execute(_CATALOGUE)
    assert "ready" in ledger_roles.make(home)
    assert team.execute(_CATALOGUE) == before, "a second time changes nothing"
    assert warned(home) == []
    told = [one.message for one in checks_stores.of_store("ledger", settings_of.load(home.root), home)]
    assert any(f"belong to {OWNER}" in one for one in told)

    writer = as_role(team, WRITER, "w pass", options={"ledger_retention_months": "2"})
    assert writer.apply([delivery(event(9, at="2018-01-01T00:00:00.000000Z"))], cursor(10)) == []
    with writer.links.reader() as link:
        assert "events_2018_01" not in postgres_months.parts(link), "the retention dropped it again"
    assert writer.months.keep == 2
    writer.months.keep = 0
    assert writer.apply([delivery(event(11, at="2018-02-01T00:00:00.000000Z"))], cursor(12)) == []
    assert ("events_2018_02", OWNER) in team.execute(_OWNERS)
    writer.close()
    reader = as_role(team, READER, "r pass")
    assert reader.rows("SELECT count(*) FROM events_2018_02") == [(1,)]
    reader.close()


def test_who_writes_meanwhile_loses_nothing(team: Team) -> None:
    home = older_installation(team)
    writer = as_role(team, WRITER, "w pass")
    ended = threading.Event()

    def write() -> int:
        done = 0
        while not ended.is_set() or done < 20:
            done += 1
            at = f"{2016 + done % 8}-{done % 12 + 1:02d}-03T00:00:00.000000Z"  # a month that must be made, often
            assert writer.apply([delivery(event(done, at=at))], cursor(done + 1)) == []
        return done

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        homes.until(lambda: writer.rows("SELECT count(*) FROM events") > [(5,)], 20)
        said = apply(home)[0][setup_plan.ROLES]
        ended.set()
        written = writing.result(60)
    assert f"the tables belong to {OWNER}" in said
    assert writer.rows("SELECT count(*) FROM events") == [(written,)]
    assert owners(team) == {OWNER}
    writer.close()


def test_the_owner_may_change_this_schema_and_nothing_else(team: Team) -> None:
    home = older_installation(team)
    elsewhere = postgres_place.database(team.server.url(), "elsewhere")
    with psycopg.connect(elsewhere, autocommit=True) as link:
        link.execute("CREATE TABLE secrets (a int)")
    team.execute("CREATE SCHEMA private", "CREATE TABLE private.theirs (a int)", "CREATE TABLE theirs (a int)")
    apply(home)
    flags = "rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolpassword"
    ((*told, verifier),) = team.execute(f"SELECT {flags} FROM pg_authid WHERE rolname = '{OWNER}'")
    assert told == [True, False, False, False, False, False]
    assert verifier.startswith("SCRAM-SHA-256$")
    password = owner_password(home)
    denied = (
        "CREATE ROLE another", "CREATE DATABASE another", "CREATE SCHEMA another", "SET ROLE postgres",
        f"SET ROLE {WRITER}", f"ALTER ROLE {OWNER} SUPERUSER", f"ALTER ROLE {OWNER} CREATEROLE",
        f"ALTER ROLE {WRITER} CREATEDB", "SELECT * FROM pg_authid", "SELECT * FROM private.theirs",
        "CREATE TABLE private.mine (a int)", "SELECT * FROM theirs", "DROP TABLE theirs",
        "COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('postgresql.conf')", "ALTER SYSTEM SET port = 1",
    )  # fmt: skip
    with psycopg.connect(team.url(OWNER), password=password, autocommit=True) as link:
        for words in denied:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(words)
        for words in ("CREATE TABLE one_more (a int)", "ALTER TABLE events ADD one_more int", "DROP TABLE one_more"):
            link.execute(words)
    with psycopg.connect(team.url(OWNER), password=password, dbname="elsewhere", autocommit=True) as link:
        for words in ("SELECT * FROM secrets", "CREATE TABLE mine (a int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(words)


def test_a_hand_over_that_fails_in_the_middle_leaves_all_as_it_was(team: Team) -> None:
    home = older_installation(team)
    team.execute(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$",
        "CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse()",
        "ALTER EVENT TRIGGER refuse DISABLE",
    )
    before, env = team.execute(_CATALOGUE), given(home)
    team.execute("ALTER EVENT TRIGGER refuse ENABLE")
    done, _ = apply(home)
    assert "not yet" in done[setup_plan.ROLES]
    team.execute("ALTER EVENT TRIGGER refuse DISABLE")
    assert (team.execute(_CATALOGUE), given(home)) == (before, env)
    assert catch_up(home, settings_of.load(home.root)).errors == {}
    assert "ready" in apply(home)[0][setup_plan.ROLES]
    assert apply(home) == ({}, [])


def one_schema_older(team: Team, home: Home, version: str) -> None:
    """The ledger as an earlier version's owner would have it: empty, of that schema."""
    tables = "events, sessions, agents, tool_calls, decisions, prompts, journal_notes, checkpoints, cursors, "
    password = owner_password(home)
    with psycopg.connect(team.url(OWNER), password=password, autocommit=True) as link:
        link.execute(f"DROP TABLE {tables} dead_letters, machines, clock_skews, rollups, schema_version")
        link.execute("DROP FUNCTION levaithan_make_month, levaithan_drop_month")
    postgres_place.older(team.url(OWNER).replace(OWNER, f"{OWNER}:{password}"), version)


@pytest.mark.parametrize(
    ("who", "version"), [("owner", "0002"), ("owner", "0003"), ("administrator", "0002"), ("administrator", "0003")]
)
def test_a_newer_schema_is_the_owners_whoever_asks_for_it(team: Team, who: str, version: str) -> None:
    apply(home := team.home("one"))
    env = given(home)
    one_schema_older(team, home, version)
    if who == "owner":  # the URL's user may make nothing: the projector's own migration can only be the owner's
        asking = team.home("two", WRITER, env["LEVAITHAN_LEDGER_WRITER_PASSWORD"])
        put(asking, ledger_owner_password=owner_password(home))
        assert catch_up(asking, settings_of.load(asking.root)).errors == {}
    else:
        asking = team.home("two")
        rows = homes.rows(asking.root, "store", "migrate", "ledger")
        assert [row["done"] for row in rows] == ["made or brought up"]
    assert owners(team) == {OWNER}
    assert team.execute("SELECT version_num FROM schema_version") != [(version,)]
    assert catch_up(home, settings_of.load(home.root)).errors == {}, "the writer sees what is new"
    reader = as_role(team, READER, env["LEVAITHAN_LEDGER_READER_PASSWORD"])
    for table in ("machines", "rollups", "clock_skews"):
        assert reader.rows(f"SELECT count(*) > 0 FROM {table}") == [(1,)], table
    reader.close()
    assert apply(home) == ({}, [])


def test_an_owner_whose_password_is_wrong_is_said_and_the_urls_user_does_it(team: Team) -> None:
    apply(home := team.home("one"))
    one_schema_older(team, home, "0003")
    other = team.home("two")
    put(other, ledger_owner_password="not the password")
    store = registry.open_store("ledger", settings_of.load(other.root), other, owner=True)
    store.migrate()
    assert any(f"could not be made as {OWNER}" in one for one in store.found), store.found
    assert store.current()
    store.close()
    assert owners(team) == {OWNER}
    writer = team.home("three", WRITER, given(home)["LEVAITHAN_LEDGER_WRITER_PASSWORD"])
    put(writer, ledger_owner_password="not the password")
    team.execute("UPDATE schema_version SET version_num = '0003'")
    store = registry.open_store("ledger", settings_of.load(writer.root), writer)
    with pytest.raises(StoreUnsupportedError, match="may not change it"):
        store.migrate()
    store.close()


def test_an_administrator_that_is_no_superuser_hands_over_and_still_can_bring_up(team: Team) -> None:
    team.execute("CREATE ROLE plain LOGIN CREATEROLE PASSWORD 'plain pass'",
                 "ALTER DATABASE levaithan OWNER TO plain", "ALTER SCHEMA public OWNER TO plain")  # fmt: skip
    home = older_installation(team, "plain", "plain pass")
    assert owners(team) == {"plain"}
    assert f"the tables belong to {OWNER}" in apply(home)[0][setup_plan.ROLES]
    assert owners(team) == {OWNER}
    assert apply(home) == ({}, [])
    assert warned(home) == []
    alone = team.home("two", "plain", "plain pass")
    assert catch_up(alone, settings_of.load(alone.root)).errors == {}, "a machine that knows no role yet goes on"
    one_schema_older(team, home, "0002")
    store = registry.open_store("ledger", settings_of.load(alone.root), alone, owner=True)
    store.migrate()
    store.close()
    assert owners(team) == {OWNER}
    assert catch_up(home, settings_of.load(home.root)).errors == {}
    assert apply(home) == ({}, [])


def test_who_may_not_hand_over_is_told_what_to_do_and_the_others_are_made(team: Team) -> None:
    team.execute("CREATE ROLE plain LOGIN CREATEROLE PASSWORD 'plain pass'",
                 "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "GRANT CREATE ON SCHEMA public TO plain")  # fmt: skip
    home = team.home("one", "plain", "plain pass")
    done, (note,) = apply(home)
    fix = "GRANT CREATE, USAGE ON SCHEMA public TO plain WITH GRANT OPTION"
    assert fix in note
    assert fix in done[setup_plan.ROLES]
    assert set(given(home)) >= {"LEVAITHAN_LEDGER_WRITER_PASSWORD", "LEVAITHAN_LEDGER_READER_PASSWORD"}
    assert "LEVAITHAN_LEDGER_OWNER_PASSWORD" not in given(home)
    done, (note,) = apply(home)
    assert (done, fix in note) == ({}, True)
    assert catch_up(home, settings_of.load(home.root)).errors == {}
    said = homes.cli(home.root, "store", "migrate", "ledger", "--roles", "--json")
    rows = json.loads(said.stdout)["rows"]
    assert [(row["role"], row["done"]) for row in rows[1:]] == [
        (WRITER, "brought up"), (READER, "brought up"), (OWNER, "not made"),
    ]  # fmt: skip
    assert fix in said.stderr
    assert not Path(home.keys, f"{OWNER}.password").exists()
    team.execute(fix)
    assert set(apply(home)[0]) == {setup_plan.ROLES}
    assert apply(home) == ({}, [])
    assert owners(team) == {OWNER}


def test_an_owner_that_may_too_much_may_no_more(team: Team) -> None:
    apply(home := team.home("one"))
    team.execute(f"ALTER ROLE {OWNER} SUPERUSER CREATEDB")
    assert any("is a superuser" in one and OWNER in one for one in warned(home))
    assert set(apply(home)[0]) == {setup_plan.ROLES}
    assert team.execute(f"SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = '{OWNER}'") == [(False, False)]
    assert warned(home) == []
    team.execute("ALTER TABLE events_other OWNER TO postgres")
    assert set(apply(home)[0]) == {setup_plan.ROLES}
    assert owners(team) == {OWNER}


def test_an_owner_without_a_login_is_given_one(team: Team) -> None:
    apply(home := team.home("one"))
    lines = Path(home.root, ".env").read_text().splitlines(keepends=True)
    Path(home.root, ".env").write_text("".join(one for one in lines if "OWNER_PASSWORD" not in one))
    assert apply(home) == ({}, []), "one machine need not know the password"
    team.execute(f"ALTER ROLE {OWNER} NOLOGIN PASSWORD NULL")
    assert set(apply(home)[0]) == {setup_plan.ROLES}
    ledger = as_role(team, OWNER, owner_password(home))
    assert ledger.rows("SELECT current_user") == [(OWNER,)]
    ledger.close()
    assert apply(home) == ({}, [])


def test_its_password_is_rotated_in_its_file_and_is_in_no_other_place(team: Team, tmp_path: Path) -> None:
    home = team.home("one")
    secret = tmp_path / "owner"
    secret.write_text("first one\n")
    put(home, ledger_owner_password_file=secret)
    assert set(apply(home)[0]) == {"stores", setup_plan.ROLES}
    assert "LEVAITHAN_LEDGER_OWNER_PASSWORD" not in given(home)
    assert apply(home) == ({}, [])
    as_role(team, OWNER, "first one").version()
    secret.write_text("second one\n")
    _, (note,) = apply(home)
    assert "copy LEVAITHAN_LEDGER_OWNER_PASSWORD" in note
    said = homes.cli(home.root, "store", "migrate", "ledger", "--roles")
    assert "second one" not in said.stdout + said.stderr
    assert apply(home) == ({}, [])
    chosen = tmp_path / "chosen"
    homes.cli(home.root, "store", "migrate", "ledger", "--roles", "--owner-password-file", str(chosen))
    assert chosen.stat().st_mode & 0o777 == 0o600
    as_role(team, OWNER, chosen.read_text().strip()).version()
    shown = homes.cli(home.root, "config", "show")
    assert "second one" not in shown.stdout + shown.stderr


@pytest.mark.parametrize("role", [WRITER, OWNER])
def test_a_rebuild_works_as_either(team: Team, role: str) -> None:
    apply(home := team.home("one"))
    env = given(home)
    password = env["LEVAITHAN_LEDGER_WRITER_PASSWORD"] if role == WRITER else owner_password(home)
    used = team.home("two", role, password)
    assert catch_up(used, settings_of.load(used.root)).errors == {}
    with psycopg.connect(team.url(role), password=password, autocommit=True) as link:
        assert link.execute("DELETE FROM events WHERE seq = 3").rowcount == 1
    JournalFiles(used.journal)
    assert [row["equal"] for row in _compared(used)] == [False]
    homes.cli(used.root, "store", "rebuild", "ledger")
    assert [row["equal"] for row in _compared(used)] == [True]


def _compared(home: Home) -> list[dict[str, Any]]:
    return json.loads(homes.cli(home.root, "store", "compare", "ledger", "--json", check=False).stdout)["rows"]
