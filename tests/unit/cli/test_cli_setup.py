"""Setting up, looking over and taking out from the command line; the service's own tests start one."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.servers import fixtures

from levaithan.cli import setup
from levaithan.hot import paths
from levaithan.install import demo
from levaithan.queries import audit as questions


@pytest.fixture
def fresh(cli: Any, tmp_path: Path) -> Any:
    """`cli` on a home that is not there yet. What it is set up with leaves its gate time on a busy machine."""
    cli.env["LEVAITHAN_DEADLINE_MS"] = "4000"
    cli.home = tmp_path / "fresh"
    return cli


def test_a_plan_is_shown_and_nothing_is_done_in_a_dry_run_or_without_agreement(fresh: Any) -> None:
    done = fresh("setup", "--no-service", "--dry-run")
    assert "native hook client" in done.stderr and not fresh.home.exists()
    assert "--yes" in fresh("setup", "--no-service", code=2, stdin=-3).stderr and not fresh.home.exists()


def test_setting_up_shows_the_main_job_once_and_twice_is_no_change(fresh: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    done = fresh("setup", "--no-service", "--yes")
    assert "deny" in done.stdout and "PostToolUse" in done.stdout and "1 denied" in done.stderr
    before = {path: path.stat().st_mtime_ns for path in fresh.home.rglob("*") if path.is_file()}
    again = fresh("setup", "--no-service", "--yes")
    assert "nothing to do" in again.stderr and again.stdout == ""
    assert {path: path.stat().st_mtime_ns for path in fresh.home.rglob("*") if path.is_file()} == before
    rows = fresh.rows("setup", "--no-service", "--yes", "--project", str(project))
    assert [row["step"] for row in rows] == ["hooks"]
    (tmp_path / "other").mkdir()
    other = fresh("setup", "--no-service", "--yes", "--project", str(tmp_path / "other")).stderr
    assert "next: start Claude Code there" in other and "hooks install --project DIR" not in other
    assert fresh.rows("hooks", "list", "--project", str(project)) != []


def test_servers_that_are_not_up_yet_are_said_with_what_to_do(fresh: Any, tmp_path: Path) -> None:
    """A team that sets the URLs first. Also where a later step fails; and the main job is left to the next setup."""
    fixtures.driver("postgres", "psycopg")
    fresh.home.mkdir(0o700)
    (fresh.home / "docker-compose.yml").touch()
    env = fresh.home / ".env"
    env.write_text(
        "LEVAITHAN_LEDGER_URL=postgresql://x@127.0.0.1:1/x\nLEVAITHAN_GRAPH_URL=http://127.0.0.1:1\n"
        "LEVAITHAN_STORE_TIMEOUT_MS=100\n"
    )
    broken = tmp_path / "project" / ".claude" / "settings.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    note = "note: no server answers for ledger, graph. "
    said = fresh("setup", "--no-service", "--no-demo", "--yes", "--project", str(tmp_path / "project"), code=1).stderr
    assert said.index(" passwords in ") < said.index("no server answers") < said.index(note) < said.index("error: ")
    assert "next: `docker compose up -d --wait`, then ./setup.sh again" in said
    assert "\nLEVAITHAN_GRAPH_API_KEY=" in env.read_text()
    done = fresh("setup", "--no-service", "--yes")
    assert note in done.stderr
    assert "the next setup shows it" in done.stderr
    assert done.stdout == ""
    assert not demo.was_shown(paths.home_at(str(fresh.home)))


def test_setup_as_json_is_one_document(fresh: Any) -> None:
    rows = fresh.rows("setup", "--no-service", "--yes")
    assert rows[-1]["step"] == "demo" and {row["state"] for row in rows} == {"done"}


def test_uninstall_asks_and_a_dry_run_changes_nothing(fresh: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    fresh("setup", "--no-service", "--no-demo", "--yes", "--project", str(project))
    settings = (project / ".claude/settings.json").read_bytes()
    assert "--yes" in fresh("uninstall", code=2, stdin=-3).stderr
    assert "-" in fresh("uninstall", "--dry-run").stdout
    assert (project / ".claude/settings.json").read_bytes() == settings


def test_doctor_finds_and_mends(fresh: Any) -> None:
    fresh("setup", "--no-service", "--no-demo", "--yes")
    (fresh.home / "state/hot.conf").write_text("fsync=never\n")
    words = ["doctor", "--no-proof", "--only", "hot.conf"]
    answer = json.loads(fresh(*words, "--json", code=3).stdout)
    assert answer["error"]["code"] == "unhealthy" and answer["rows"][0]["status"] == "fail"
    assert "doctor --fix" in fresh(*words, code=3).stderr
    mended = fresh(*words, "--fix")
    assert "fixed hot.conf" in mended.stderr and "fail" not in mended.stdout
    assert "no check nothing" in fresh("doctor", "--only", "nothing", code=2).stderr


def test_what_the_main_job_recorded_is_waited_for_as_long_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that has just begun may need more than the second that a read waits."""
    there, asked = [0], list[str]()

    def arrive(_home: object, operation: str, _timeout_s: float) -> dict[str, object]:
        asked.append(operation)
        there[0] += 5
        return {"ok": False, "error": "the search store is at record 0 of 19"}

    def rows(_ledger: object, _filters: object, *, limit: int) -> SimpleNamespace:
        return SimpleNamespace(rows=[{}] * min(there[0], limit))

    monkeypatch.setattr(setup.reading, "ledger", lambda **_how: contextlib.nullcontext())
    monkeypatch.setattr(setup.reading, "ask_service", arrive)
    monkeypatch.setattr(questions, "list_events", rows)
    home: Any = None
    setup._wait_for(home, demo.Demo("demo-1", sent=17))
    assert asked == ["sync"] * 4, "not until the search has it, which nobody looks at here"
    for told in (None, {"ok": True}):
        there[0] = 0
        monkeypatch.setattr(setup.reading, "ask_service", lambda *_words, told=told: told)
        setup._wait_for(home, demo.Demo("demo-1", sent=17))
