"""The emergency stop from the command line, with no service and no store."""

from __future__ import annotations

import json
import os
import pty
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import halts, paths


def test_a_halt_is_in_force_recorded_and_released(cli: Any) -> None:
    made = cli.rows(
        "halt", "set", "--scope", "session", "--target", "s1", "--reason", "wrong branch", "--expires", "30m"
    )[0]
    assert (made["scope"], made["target"], made["reason"]) == ("session", "s1", "wrong branch")
    assert made["by"] == pwd.getpwuid(os.getuid()).pw_name and made["expires_at"] > made["set_at"]
    assert [halt.id for halt in halts.active(paths.home_at(str(cli.home)))] == [made["id"]]
    assert cli.rows("halt", "list") == [made]
    assert cli.rows("halt", "release", made["id"], "--yes") == [made]
    assert cli.rows("halt", "list") == []
    kinds = [(body["kind"], body.get("action")) for body in journal_of(cli.home)]
    assert kinds[-2:] == [("halt", "set"), ("halt", "release")]
    assert {body["machine"] for body in journal_of(cli.home)[-2:]} == {os.uname().nodename}


def journal_of(home: Path) -> list[dict[str, Any]]:
    """The records of the journal, in order."""
    lines = [
        line for path in sorted((home / "logs/journal").glob("journal-*.log")) for line in path.read_text().splitlines()
    ]
    return [json.loads(line[65:]) for line in lines]


def test_the_environment_cannot_say_who_it_was(cli: Any) -> None:
    made = cli.rows("halt", "set", "--scope", "all", "--reason", "x", env={"USER": "mallory", "LOGNAME": "mallory"})[0]
    assert made["by"] == pwd.getpwuid(os.getuid()).pw_name != "mallory"


def test_a_project_is_halted_by_its_real_folder(cli: Any, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "link").symlink_to(project)
    words = ["halt", "set", "--scope", "project", "--reason", "x"]
    assert cli.rows(*words, "--target", str(tmp_path / "link"))[0]["target"] == str(project)
    assert cli.rows(*words, cwd=str(project))[0]["target"] == str(project)


def test_what_makes_no_sense_is_exit_2(cli: Any) -> None:
    for words in (
        ["set", "--scope", "planet", "--reason", "x"],
        ["set", "--scope", "session", "--reason", "x"],
        ["set", "--scope", "all", "--reason", "  "],
        ["set", "--scope", "all", "--reason", "x", "--expires", "later"],
        ["set", "--scope", "all"],
        ["release"],
        ["release", "h-1", "--all"],
    ):
        assert "next:" in cli("halt", *words, code=2).stderr, words
    assert cli.rows("halt", "list") == []


def test_nobody_there_to_confirm_releases_nothing(cli: Any) -> None:
    cli("halt", "set", "--scope", "all", "--reason", "x")
    assert "--yes" in cli("halt", "release", "--all", code=2, stdin=-3).stderr
    assert len(cli.rows("halt", "list")) == 1
    assert "no halt h-none" in cli("halt", "release", "h-none", "--yes", code=1).stderr


def test_it_works_with_a_damaged_ledger_and_a_journal_that_cannot_be_written(cli: Any) -> None:
    (cli.home / "state").mkdir()
    (cli.home / "state/ledger.sqlite3").write_bytes(b"no database")
    (cli.home / "logs").mkdir()
    (cli.home / "logs/journal").write_text("a file where the folder should be")
    done = cli("halt", "set", "--scope", "all", "--reason", "x", "--json")
    assert json.loads(done.stdout)["ok"] is True and "could not be recorded" in done.stderr
    assert len(halts.active(paths.home_at(str(cli.home)))) == 1


def test_a_file_of_halts_that_cannot_be_read_is_told_with_its_remedy(cli: Any) -> None:
    (cli.home / "state").mkdir()
    (cli.home / "state/halts.json").write_text("{")
    done = cli("halt", "list", code=1)
    assert "halts.json" in done.stderr and "doctor --fix" in done.stderr


def _at_a_terminal(cli: Any, typed: bytes, *words: str) -> tuple[int, str]:
    """The command's exit code and what it said, with `typed` at its terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(cli.home), *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=cli.env)
    os.close(theirs)
    os.write(ours, typed)
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        os.close(ours)
    return process.returncode, said.decode()


@pytest.mark.parametrize("typed", [b"n\n", b"y\nwrong\n", b"y\ny\n"])
def test_a_release_asks_twice_and_one_wrong_answer_releases_nothing(cli: Any, typed: bytes) -> None:
    cli("halt", "set", "--scope", "all", "--reason", "look")
    code, _ = _at_a_terminal(cli, typed, "halt", "release", "--all")
    assert code != 0
    assert len(cli.rows("halt", "list")) == 1


def test_a_release_that_is_confirmed_twice_lets_go_on(cli: Any) -> None:
    made = cli.rows("halt", "set", "--scope", "all", "--reason", "look")[0]
    code, said = _at_a_terminal(cli, f"y\n{made['id']}\n".encode(), "halt", "release", made["id"])
    assert (code, cli.rows("halt", "list")) == (0, []), said
