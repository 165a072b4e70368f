"""Hooks from the command line: in, out, looked at, and run through the very command that is registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

FOREIGN = '{\n  "permissions": {"allow": ["Bash(ls:*)"]},\n  "hooks": {"Stop": []}\n}\n'


@pytest.fixture
def ready(cli: Any, tmp_path: Path) -> tuple[Any, Path]:
    cli.home = Path(homes.make_home(tmp_path / "made", native=False))
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    (project / ".claude/settings.json").write_text(FOREIGN)
    return cli, project


def test_a_dry_run_shows_the_change_and_makes_none(ready: tuple[Any, Path]) -> None:
    cli, project = ready
    done = cli("hooks", "install", "--project", str(project), "--dry-run")
    assert "+" in done.stdout and "PreToolUse" in done.stdout and "would be changed" in done.stderr
    assert (project / ".claude/settings.json").read_text() == FOREIGN


def test_in_and_out_again_leaves_the_file_as_it_was(ready: tuple[Any, Path]) -> None:
    cli, project = ready
    words = ["--project", str(project)]
    assert [row["what"] for row in cli.rows("hooks", "install", *words)] == ["changed"]
    assert [row["what"] for row in cli.rows("hooks", "install", *words)] == ["unchanged"]
    rows = cli.rows("hooks", "list", *words)
    assert {row["status"] for row in rows} == {"ok"} and "PreToolUse" in {row["event"] for row in rows}
    assert cli.rows("hooks", "validate", *words) == []
    assert cli.rows("hooks", "uninstall", *words, "--yes")[0]["changed"] is True
    assert (project / ".claude/settings.json").read_text() == FOREIGN
    assert cli.rows("hooks", "list", *words) == []


def test_everywhere_at_once(ready: tuple[Any, Path], tmp_path: Path) -> None:
    cli, project = ready
    other = tmp_path / "other"
    other.mkdir()
    cli("hooks", "install", "--project", str(project))
    cli("hooks", "install", cwd=str(other))
    assert len(cli.rows("hooks", "uninstall", "--all", "--yes")) == 2
    assert not (other / ".claude").exists() and (project / ".claude/settings.json").read_text() == FOREIGN


@pytest.mark.parametrize(
    ("payload", "exit_code"),
    [
        ({"tool_name": "Bash", "tool_input": {"command": "rm -rf /"}, "tool_use_id": "t1"}, 0),
        ({"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t2"}, 0),
        (None, None),
    ],
)
def test_run_passes_everything_through(ready: tuple[Any, Path], payload: Any, exit_code: int | None) -> None:
    cli, project = ready
    settings = project / ".claude/settings.json"
    cli("hooks", "install", "--project", str(project))
    sent = "{half" if payload is None else json.dumps({"hook_event_name": "PreToolUse", "session_id": "s"} | payload)
    if payload is None:  # a stand-in command that shows each channel
        text = json.loads(settings.read_text())
        handler = text["hooks"]["PreToolUse"][0]["hooks"][0]
        script = project / "levaithan-hook"
        script.write_text("#!/bin/sh\nprintf 'out:'; cat; printf 'err' >&2; exit 2\n")
        script.chmod(0o755)
        handler |= {"command": str(script), "args": ["PreToolUse", "--home", str(cli.home)]}
        settings.write_text(json.dumps(text))
        done = cli("hooks", "run", "PreToolUse", "--project", str(project), input=sent, code=2)
        assert (done.stdout, done.stderr) == ("out:{half", "err")
        return
    done = cli("hooks", "run", "PreToolUse", "--project", str(project), input=sent, code=exit_code)
    assert ("deny" in done.stdout) is (payload["tool_use_id"] == "t1")
    assert [row["tool_use_id"] for row in cli.rows("audit", "list")] == [payload["tool_use_id"]]


def test_what_is_not_registered_is_exit_4_and_what_is_no_event_exit_2(ready: tuple[Any, Path]) -> None:
    cli, project = ready
    words = ["--project", str(project)]
    assert "hooks install" in cli("hooks", "run", "PreToolUse", *words, input="{}", code=4).stderr
    assert "next:" in cli("hooks", "run", "NoSuchEvent", *words, input="{}", code=2).stderr
    assert "next:" in cli("hooks", "install", "--project", str(project / "missing"), code=2).stderr


def test_a_file_that_cannot_be_parsed_is_named_with_its_line_and_left(ready: tuple[Any, Path]) -> None:
    cli, project = ready
    settings = project / ".claude/settings.json"
    settings.write_text('{\n  "hooks": {,\n}\n')
    assert ":2:" in cli("hooks", "install", "--project", str(project), code=1).stderr
    assert settings.read_text() == '{\n  "hooks": {,\n}\n'
    answer = json.loads(cli("hooks", "validate", "--project", str(project), "--json", code=5).stdout)
    assert answer["rows"][0]["line"] == 2 and answer["ok"] is False


def test_a_home_that_was_not_set_up_registers_nothing(cli: Any, tmp_path: Path) -> None:
    assert "setup" in cli("hooks", "install", "--project", str(tmp_path), code=4).stderr
    assert not (tmp_path / ".claude").exists()


def test_status_says_what_is_where_and_what_is_not_well(ready: tuple[Any, Path]) -> None:
    cli, project = ready
    cli("hooks", "install", "--project", str(project))
    cli("halt", "set", "--scope", "session", "--target", "s9", "--reason", "testing")
    answer = json.loads(cli("status", "--json", code=3).stdout)
    rows = {row["item"]: row for row in answer["rows"]}
    assert answer["error"]["code"] == "unhealthy" and rows["service"]["status"] == "fail"
    assert rows["hooks"]["status"] == "ok" and str(project) in rows["hooks"]["value"]
    assert "s9" in rows["halt"]["value"] and "halt release" in rows["halt"]["remedy"]
    assert rows["journal"]["data"]["head"] >= 1 and rows["guard"]["status"] == "ok"
    told = cli("status", code=3)
    assert "levaithan start" in told.stdout and "Not all is well: service" in told.stderr


def test_a_bypassed_guard_is_in_the_status(ready: tuple[Any, Path]) -> None:
    cli, project = ready
    cli("hooks", "install", "--project", str(project))
    base = {"session_id": "s1", "cwd": str(project)}
    for event, more in (
        ("SessionStart", {"source": "startup"}),
        ("PostToolUse", {"tool_name": "Bash", "tool_use_id": "t-un", "tool_input": {}, "tool_response": {}}),
    ):
        sent = json.dumps(base | {"hook_event_name": event} | more)
        cli("hooks", "run", event, "--project", str(project), input=sent)
    cli("audit", "list")
    guard = [row for row in json.loads(cli("status", "--json", code=3).stdout)["rows"] if row["item"] == "guard"]
    assert guard[0]["status"] == "fail" and "t-un" in guard[0]["remedy"]
