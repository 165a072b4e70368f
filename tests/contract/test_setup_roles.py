"""Setup makes PostgreSQL's roles of least privilege on a real server; the service then works as the writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.servers import fixtures
from tests.support import calls, homes
from tests.support.ledger_team import Team, apply, given, warned

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.hot.paths import Home
from levaithan.install import setup_plan
from levaithan.projector.loop import catch_up
from levaithan.stores import registry
from levaithan.stores.roles import StoreUnsupportedError

psycopg = fixtures.driver("postgres", "psycopg")
WRITER, READER, OWNER = "levaithan_writer", "levaithan_reader", "levaithan_owner"
_WHO = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'levaithan'"


@pytest.fixture
def team(own_server: Any, tmp_path: Path) -> Team:
    return Team(tmp_path, own_server("postgres"))


def test_roles_are_made_once_and_daily_work_is_the_writers(team: Team) -> None:
    home = team.home("one")
    assert "is a superuser" in " ".join(_after_schema(home))
    done, notes = apply(home)
    assert (set(done), notes) == ({setup_plan.ROLES}, [])
    env = given(home)
    secrets = [env[f"LEVAITHAN_LEDGER_{role}_PASSWORD"] for role in ("WRITER", "READER", "OWNER")]
    assert len(set(secrets)) == 3
    assert all(len(one) >= 32 and one not in done[setup_plan.ROLES] for one in secrets)
    assert Path(home.root, ".env").stat().st_mode & 0o777 == 0o600
    assert apply(home) == ({}, []), "a second time there is nothing to do"

    settings = settings_of.load(home.root)
    assert catch_up(home, settings).errors == {}
    store = registry.open_ledger(settings, home)
    assert store.rows("SELECT current_user, (SELECT count(*) FROM events)") == [(WRITER, 20)]
    store.close()
    assert warned(home) == []
    with psycopg.connect(team.url(READER), password=secrets[1], autocommit=True) as link:
        assert link.execute("SELECT count(*) FROM events").fetchone() == (20,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            link.execute("DELETE FROM events")
    shown = homes.cli(home.root, "config", "show")
    assert not any(one in shown.stdout + shown.stderr for one in secrets)


def _after_schema(home: Home) -> list[str]:
    """Make the schema alone, as the projector of a home does that was never set up again."""
    store = registry.open_store("ledger", settings_of.load(home.root), home, owner=True)
    store.migrate()
    store.close()
    return warned(home)


def test_what_is_taken_from_a_role_is_given_back_and_its_password_stays(team: Team) -> None:
    home = team.home("one")
    apply(home)
    before = given(home)
    team.execute(f"REVOKE INSERT ON events FROM {WRITER}")
    done, _ = apply(home)
    assert set(done) == {setup_plan.ROLES}
    assert given(home) == before
    assert apply(home) == ({}, [])
    assert catch_up(home, settings_of.load(home.root)).errors == {}


def test_another_machine_does_not_change_the_passwords_of_all(team: Team) -> None:
    apply(team.home("one"))
    other = team.home("two")
    done, (note,) = apply(other)
    assert done == {}
    assert "copy LEVAITHAN_LEDGER_WRITER_PASSWORD and LEVAITHAN_LEDGER_READER_PASSWORD" in note
    env = given(team_home := paths.home_at(str(team.folder / "one")))
    with Path(other.root, ".env").open("a") as file:
        file.writelines(
            f"{name}={env[name]}\n" for name in env if name.endswith(("WRITER_PASSWORD", "READER_PASSWORD"))
        )
    assert apply(other) == ({}, [])
    assert catch_up(other, settings_of.load(other.root)).errors == {}
    assert catch_up(team_home, settings_of.load(team_home.root)).errors == {}


def test_who_may_not_make_roles_is_told_and_it_is_no_error(team: Team) -> None:
    team.execute("CREATE ROLE plain LOGIN PASSWORD 'plain pass'", "ALTER DATABASE levaithan OWNER TO plain",
                 "ALTER SCHEMA public OWNER TO plain")  # fmt: skip
    home = team.home("one", "plain", "plain pass")
    done, (note,) = apply(home)
    assert set(done) == {"stores"}
    assert "ALTER ROLE plain CREATEROLE" in note
    assert catch_up(home, settings_of.load(home.root)).errors == {}
    assert any("owns the tables" in one for one in warned(home)), warned(home)
    env = Path(home.root, ".env")
    kept = env.read_text()
    env.write_text(f"{kept}LEVAITHAN_LEDGER_WRITER_PASSWORD=of-the-server-before\n")
    _, (note,) = apply(home)
    assert f"next: take LEVAITHAN_LEDGER_WRITER_PASSWORD out of {env}" in note, "else nobody is let in"
    env.write_text(kept)
    team.execute("ALTER ROLE plain CREATEROLE")
    assert set(apply(home)[0]) == {setup_plan.ROLES}
    assert apply(home) == ({}, [])
    assert warned(home) == []


def test_a_server_that_is_down_is_said_and_tried_again(team: Team) -> None:
    home = team.home("one")
    team.server.kill()
    done, (note,) = apply(home)
    assert "not yet" in done["stores"]
    assert "not yet" in done[setup_plan.ROLES]
    assert note.startswith("no server answers for ledger. ")
    assert "next: start it, then run setup again" in note
    assert "LEVAITHAN_LEDGER_WRITER_PASSWORD" not in given(home)
    team.server.restart()
    apply(home)
    assert apply(home) == ({}, [])


def test_the_roles_url_itself_needs_nothing(team: Team) -> None:
    apply(home := team.home("one"))
    password = given(home)["LEVAITHAN_LEDGER_WRITER_PASSWORD"]
    assert apply(team.home("two", WRITER, password)) == ({}, [])


def test_passwords_that_store_migrate_kept_are_taken_up(team: Team) -> None:
    home = team.home("one")
    homes.cli(home.root, "store", "migrate", "ledger", "--roles")
    done, notes = apply(home)
    assert (set(done), notes) == ({setup_plan.ROLES}, [])
    kept = Path(home.keys, f"{WRITER}.password").read_text().strip()
    assert given(home)["LEVAITHAN_LEDGER_WRITER_PASSWORD"] == kept
    rows = json.loads(homes.cli(home.root, "store", "migrate", "ledger", "--roles", "--json").stdout)["rows"]
    assert [row.get("password_file") for row in rows[1:]] == [str(Path(home.root, ".env"))] * 3
    assert apply(home) == ({}, [])
    env = Path(home.root, ".env")
    kept = env.read_text()
    env.write_text(kept.replace(given(home)["LEVAITHAN_LEDGER_WRITER_PASSWORD"], "a-wrong-one"))
    _, (note,) = apply(home)
    assert f"{env} has another password. next: copy LEVAITHAN_LEDGER_WRITER_PASSWORD from" in note
    _an_empty_database_is_not_made_for_the_urls_user_alone(team, home, env, kept)


def _an_empty_database_is_not_made_for_the_urls_user_alone(team: Team, home: Home, env: Path, kept: str) -> None:
    """The roles have no rights in it, whichever user makes the tables."""
    team.execute("CREATE DATABASE other")
    env.write_text(kept.replace("/levaithan\n", "/other\n"))
    store = registry.open_store("ledger", settings_of.load(home.root), home)
    with pytest.raises(StoreUnsupportedError, match="its schema is not there") as caught:
        store.migrate()
    store.close()
    assert "`levaithan store migrate ledger --roles`" in caught.value.fix
    said = homes.cli(home.root, "store", "migrate", "ledger", check=False)
    assert (said.returncode, "store migrate ledger --roles" in said.stderr) == (1, True), said.stderr
    with psycopg.connect(team.server.url("other")) as link:
        assert link.execute("SELECT to_regclass('schema_version')").fetchone() == (None,), "nothing is made"
    homes.cli(home.root, "store", "migrate", "ledger", "--roles")
    assert catch_up(home, settings_of.load(home.root)).errors == {}


def test_setup_shows_it_and_the_service_goes_on_as_the_writer(team: Team) -> None:
    home = team.home("one")
    _after_schema(home)
    service = homes.start_service(home.root)
    try:
        homes.sync(home.root)
        assert team.execute(_WHO) == [("postgres",)]
        planned = homes.cli(home.root, "setup", "--dry-run", "--no-demo").stderr
        assert "roles of least privilege" in planned
        assert "start the service" in planned
        assert "WRITER_PASSWORD" not in given(home)
        homes.cli(home.root, "setup", "--yes", "--no-demo")
        assert service.wait(10) == 0
        assert calls.call(home.root, "python").code == 0
        homes.sync(home.root)
        assert team.execute(_WHO) == [(WRITER,)]
        assert "nothing to do" in homes.cli(home.root, "setup", "--yes", "--no-demo").stderr
    finally:
        homes.cli(home.root, "stop")
        service.wait(10)
