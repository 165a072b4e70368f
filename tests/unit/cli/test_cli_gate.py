"""What people lay down and decide at the terminal: budgets, approvals, the charter."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.transcripts import Transcript

from levaithan.hot import hotconf, paths
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate
from levaithan.hot.spend import Spend
from levaithan.install import checks_state
from levaithan.install.finding import Asked

SHIPPED = Path(__file__).parents[3] / ".claude"
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def home(cli: Any) -> paths.Home:
    """The command line's home, with the shipped rules and hooks."""
    shutil.rmtree(cli.home / "context")
    for name in ("context", "hooks"):
        shutil.copytree(SHIPPED / name, cli.home / name, ignore=shutil.ignore_patterns("__pycache__"))
    return paths.home_at(str(cli.home))


def _kinds(home: paths.Home) -> list[tuple[str, str, str]]:
    lines = [
        line for path in sorted(Path(home.journal).glob("journal-*.log")) for line in path.read_text().splitlines()
    ]
    records = [json.loads(line[65:]) for line in lines]
    return [(one["kind"], one.get("action"), one.get("by")) for one in records]


def _asked(home: paths.Home, command: str = "git push --force-with-lease origin main") -> str:
    payload = {"session_id": "s", "hook_event_name": "PreToolUse", "cwd": "/tmp", "tool_name": "Bash"}
    header = {"event": "PreToolUse", "path": "native", "attended": "0"}
    event = parse(header, json.dumps(payload | {"tool_input": {"command": command}}).encode())
    gate = Gate(home, hotconf.HotConf(), json.loads)
    return gate.decide(event)[0].decision.reason or ""


def test_a_ticket_is_listed_shown_approved_and_recorded(cli: Any, home: paths.Home) -> None:
    Path(home.context, "charter.toml").write_text('[policy.rules]\n"git.*" = "ask"\n')
    assert cli.rows("approval", "list") == []
    reason = _asked(home)
    (row,) = cli.rows("approval", "list")
    assert row["id"] in reason and (row["status"], row["tool"], row["cwd"]) == ("waiting", "Bash", "/tmp")
    assert "hash" not in row and row["expires_at"] > row["asked_at"]
    assert "git push" in cli("approval", "show", row["id"]).stdout
    assert "Nobody is there" in cli("approval", "approve", row["id"], code=2, stdin=None, input="").stderr
    made = cli.rows("approval", "approve", row["id"], "--yes", "--comment", "fine")[0]
    assert (made["status"], made["by"], made["comment"]) == ("approved", ME, "fine")
    assert _asked(home) == f"approved by {ME} ({row['id']})"
    assert cli.rows("approval", "list") == []
    assert [one["status"] for one in cli.rows("approval", "list", "--all")] == ["used"]
    assert ("approval", "approve", ME) in _kinds(home)
    again = cli("approval", "approve", row["id"], "--yes", code=1).stderr
    assert "used already" in again


def test_a_ticket_is_denied_and_an_unknown_one_is_said(cli: Any, home: paths.Home) -> None:
    Path(home.context, "charter.toml").write_text('[policy.rules]\n"git.*" = "ask"\n')
    _asked(home)
    (row,) = cli.rows("approval", "list")
    assert cli.rows("approval", "deny", row["id"], "--comment", "no")[0]["status"] == "denied"
    assert "has denied this" in _asked(home)
    assert ("approval", "deny", ME) in _kinds(home)
    assert "approval list" in cli("approval", "show", "ap-none", code=1).stderr


def test_budgets_are_set_shown_frozen_and_removed(cli: Any, home: paths.Home, tmp_path: Path) -> None:
    assert cli.rows("budget", "show") == []
    made = cli.rows("budget", "set", "--scope", "day", "--usd", "10", "--ask", "0.9")[0]
    assert (made["id"], made["usd"], made["ask"], made["deny"], made["source"]) == ("day", 10, 0.9, 1.0, "terminal")
    one = Transcript(tmp_path, "s-1")
    one.spend(8.5, at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    spend = Spend(home, json.loads)
    spend.one_step(lambda: spend.settle("s-1", str(one.path), "/srv/demo"))
    spend.close()
    cli.rows("budget", "set", "--scope", "session", "--usd", "5")
    day, session = cli.rows("budget", "show")
    assert (day["spent_usd"], day["left_usd"], day["used"], day["state"]) == (8.5, 1.5, 0.85, "warn")
    assert (session["bucket"], session["state"], session["left_usd"]) == ("session:s-1", "deny", -3.5)
    assert cli.rows("budget", "freeze", "--scope", "day")[0]["state"] == "frozen"
    assert "is frozen" in _asked(home, "echo hi")
    assert cli.rows("budget", "unfreeze", "--scope", "day")[0]["state"] == "warn"
    cli("budget", "remove", "--scope", "day")
    assert [row["id"] for row in cli.rows("budget", "show")] == ["session"]
    assert [kind for kind in _kinds(home) if kind[0] == "budget"] == [
        ("budget", action, ME) for action in ("set", "set", "freeze", "unfreeze", "remove")
    ]


def test_a_budget_of_the_charter_is_shown_and_frozen_in_its_place(cli: Any, home: paths.Home) -> None:
    Path(home.context, "charter.toml").write_text('[[budgets.limit]]\nscope = "week"\nusd = 50\nask = 0.5\n')
    (row,) = cli.rows("budget", "show")
    assert (row["id"], row["source"], row["ask"]) == ("week", "charter", 0.5)
    assert "laid down in the charter" in cli("budget", "remove", "--scope", "week", code=2).stderr
    assert cli.rows("budget", "freeze", "--scope", "week")[0]["state"] == "frozen"
    (frozen,) = cli.rows("budget", "show")
    assert (frozen["state"], frozen["usd"], frozen["ask"]) == ("frozen", 50, 0.5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "--scope", "year", "--usd", "1"], "use one of session"),
        (["set", "--scope", "day", "--usd", "-1"], "--usd"),
        (["set", "--scope", "day", "--usd", "nan"], "--usd"),
        (["set", "--scope", "day", "--usd", "inf"], "--usd"),
        (["set", "--scope", "day", "--usd", "1e300"], "--usd"),
        (["set", "--scope", "day", "--usd", "1", "--warn", "0"], "--warn"),
    ],
)
def test_a_budget_that_makes_no_sense_is_exit_2(cli: Any, home: paths.Home, words: list[str], said: str) -> None:
    assert said in cli("budget", *words, code=2).stderr


def test_a_budget_that_is_not_there_is_said(cli: Any, home: paths.Home) -> None:
    assert "budget show" in cli("budget", "freeze", "--scope", "day", code=1).stderr


def test_limits_that_are_damaged_are_told_and_put_aside_by_doctor_alone(cli: Any, home: paths.Home) -> None:
    cli("budget", "set", "--scope", "day", "--usd", "5")
    path = Path(home.state, "budgets.json")
    path.write_bytes(path.read_bytes().replace(b"5.0", b"9.0"))
    for words in (("show",), ("freeze", "--scope", "day"), ("set", "--scope", "week", "--usd", "1")):
        said = cli("budget", *words, code=1).stderr
        assert f"{path} is damaged" in said and "next: `levaithan doctor --fix`" in said
    assert "9.0" in path.read_text()
    asked = Asked(home)
    (found,) = checks_state.budget_file(asked)
    assert found.status == "fail" and found.fix is not None
    assert "do not hold any more" in found.fix()
    assert [one.status for one in checks_state.budget_file(asked)] == ["ok"]
    assert cli.rows("budget", "show") == []


def test_the_charter_is_shown_and_validated(cli: Any, home: paths.Home, tmp_path: Path) -> None:
    values = {(row["section"], row["key"]): row["value"] for row in cli.rows("charter", "show")}
    assert values[("pace", "calls_per_minute")] == 600
    assert "human-sovereignty" in {key for section, key in values if section == "directive"}
    assert [row["ok"] for row in cli.rows("charter", "validate")] == [True]
    Path(home.context, "charter.toml").write_text("[pace]\ncalls_per_minute = 'many'\n")
    told = cli("charter", "validate", code=5)
    assert "charter.toml:2" in told.stderr
    project = tmp_path / "demo"
    (project / ".claude").mkdir(parents=True)
    (project / ".claude" / "levaithan.toml").write_text("[pace]\ncalls_per_minute = 5\n")
    shown = {
        (row["section"], row["key"]): row["value"] for row in cli.rows("charter", "show", "--project", str(project))
    }
    assert shown[("pace", "calls_per_minute")] == 5
    Path(home.context, "charter.toml").unlink()
    (project / ".claude" / "levaithan.toml").write_text('[policy.rules]\n"fs.*" = "off"\n')
    assert "cannot loosen" in cli("charter", "validate", code=5, cwd=str(project)).stderr


def test_leases_are_listed_and_released_by_a_person(cli: Any, home: paths.Home, tmp_path: Path) -> None:
    assert cli.rows("lease", "list") == []
    gate = Gate(home, hotconf.HotConf(), json.loads)

    def edit(session: str, name: str) -> str | None:
        payload = {"session_id": session, "hook_event_name": "PreToolUse", "cwd": str(tmp_path), "tool_name": "Edit"}
        payload["tool_input"] = {"file_path": str(tmp_path / name)}  # type: ignore[assignment]
        header = {"event": "PreToolUse", "path": "native", "project": str(tmp_path)}
        return gate.decide(parse(header, json.dumps(payload).encode()))[0].decision.rule

    assert [edit("one", "a"), edit("one", "b"), edit("two", "c")] == ["lease.taken"] * 3
    assert edit("two", "a") == "lease.held"
    rows = {Path(row["path"]).name: row for row in cli.rows("lease", "list")}
    assert {name: row["session"] for name, row in rows.items()} == {"a": "one", "b": "one", "c": "two"}
    assert rows["a"]["waiting"] == 1 and rows["a"]["longest_wait_s"] >= 0 and rows["b"]["waiting"] == 0
    assert "Nobody is there" in cli("lease", "release", str(tmp_path / "a"), code=2, input="").stderr
    (ended,) = cli.rows("lease", "release", "a", "--yes", cwd=str(tmp_path))
    assert (ended["session"], ended["path"]) == ("one", str(tmp_path / "a"))
    assert edit("two", "a") == "lease.taken"
    assert len(cli.rows("lease", "release", "--session", "two", "--yes")) == 2
    assert [Path(row["path"]).name for row in cli.rows("lease", "release", "--all", "--yes")] == ["b"]
    assert [kind for kind in _kinds(home) if kind[0] == "lease"] == [("lease", "release", ME)] * 3
    assert "lease list" in cli("lease", "release", "nowhere", "--yes", code=1).stderr
    assert "Name one file" in cli("lease", "release", code=2).stderr
