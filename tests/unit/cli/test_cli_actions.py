"""`levaithan action`, `restraint` and `mode`: what people do, what is recorded of it, and what is asked first."""

from __future__ import annotations

import json
import os
import pty
import pwd
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.hot import halts, modes, paths, restraints

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def root(tmp_path: Path) -> str:
    return homes.make_home(tmp_path / "home", native=False)


def kinds(root: str) -> list[tuple[str, Any]]:
    return [(one["kind"], one.get("action")) for one in homes.journal_records(root) if one["kind"] not in ("segment",)]


def fails(root: str, *words: str) -> tuple[int, dict[str, Any]]:
    done = homes.cli(root, *words, "--json", check=False)
    return done.returncode, json.loads(done.stdout)


# --- restraint -------------------------------------------------------------------------------------------------------


def test_a_restraint_is_in_force_recorded_and_released(root: str) -> None:
    words = ["restraint", "set", "throttle", "--scope", "session", "--target", "s1", "--per-minute", "5"]
    (made,) = homes.rows(root, *words, "--reason", "too fast", "--expires", "30m")
    assert (made["kind"], made["calls_per_minute"], made["by"]) == ("throttle", 5, ME)
    assert [one.id for one in restraints.active(paths.home_at(root))] == [made["id"]]
    assert homes.rows(root, "restraint", "list") == [made]
    assert homes.rows(root, "restraint", "release", made["id"], "--yes") == [made]
    assert homes.rows(root, "restraint", "list") == []
    assert kinds(root) == [("restraint", "set"), ("restraint", "release")]


@pytest.mark.parametrize(
    "words",
    [
        ["set", "hold", "--scope", "all", "--reason", "x"], ["set", "read_only", "--scope", "moon", "--reason", "x"],
        ["set", "read_only", "--scope", "session", "--reason", "x"],
        ["set", "throttle", "--scope", "all", "--reason", "x"],
        ["set", "block_tool", "--scope", "all", "--reason", "x"], ["release"], ["release", "t-1", "--all"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_exit_2(root: str, words: list[str]) -> None:
    code, told = fails(root, "restraint", *words)
    assert code == 2 and told["error"]["fix"]


def test_releasing_asks_first(root: str) -> None:
    (made,) = homes.rows(root, "restraint", "set", "read_only", "--scope", "all", "--reason", "x")
    assert fails(root, "restraint", "release", made["id"])[0] == 2
    assert fails(root, "restraint", "release", "t-none", "--yes")[0] == 1
    assert len(homes.rows(root, "restraint", "list")) == 1


def test_an_older_home_is_told_that_nothing_is_held(root: str) -> None:
    flows = Path(root, "context", "workflows.toml")
    flows.write_text(flows.read_text().replace(', "restraint_check"', ""))
    done = homes.cli(root, "restraint", "set", "read_only", "--scope", "all", "--reason", "x")
    assert "no workflow of this home has restraint_check" in done.stderr
    status = json.loads(homes.cli(root, "status", "--json", check=False).stdout)["rows"]
    assert {"fail", "warn"} == {row["status"] for row in status if row["item"] == "restraint"}


# --- mode ------------------------------------------------------------------------------------------------------------


def test_the_mode_is_shown_set_and_recorded(root: str) -> None:
    assert homes.rows(root, "mode", "show")[0]["mode"] == "normal"
    assert len(homes.rows(root, "mode", "show", "--table")) == len(modes.RUNGS)
    (now,) = homes.rows(root, "mode", "set", "degraded", "--rung", "2", "--reason", "load")
    assert (now["mode"], now["rung"], now["off"], now["by"]) == ("degraded", 2, "embeddings, log-patterns", ME)
    assert homes.rows(root, "mode", "set", "local-only", "--reason", "network")[0]["rung"] == 5
    assert homes.rows(root, "mode", "set", "normal", "--reason", "back")[0]["off"] == ""
    assert kinds(root) == [("mode", "set")] * 3


def test_a_dry_run_changes_and_records_nothing(root: str) -> None:
    done = homes.cli(root, "mode", "set", "local-only", "--reason", "x", "--dry-run")
    assert "would go from normal to local-only" in done.stderr
    assert homes.rows(root, "mode", "show")[0]["mode"] == "normal" and kinds(root) == []


def test_halted_is_the_emergency_stop(root: str) -> None:
    (now,) = homes.rows(root, "mode", "set", "halted", "--reason", "all stop")
    assert now["mode"] == "halted" and [one.scope for one in halts.active(paths.home_at(root))] == ["all"]
    done = homes.cli(root, "mode", "set", "normal", "--reason", "back")
    (stop,) = halts.active(paths.home_at(root))
    assert "agents stay halted" in done.stderr and f"`levaithan halt release {stop.id}`" in done.stderr
    assert homes.rows(root, "mode", "show")[0]["mode"] == "halted"
    homes.cli(root, "halt", "release", "--all", "--yes")
    assert homes.rows(root, "mode", "show")[0]["mode"] == "normal"


@pytest.mark.parametrize("words", [["asleep"], ["normal", "--rung", "3"], ["degraded", "--rung", "9"]])
def test_a_mode_that_there_is_not_is_exit_2(root: str, words: list[str]) -> None:
    assert fails(root, "mode", "set", *words, "--reason", "x")[0] == 2


# --- action ----------------------------------------------------------------------------------------------------------


def works(root: str, session: str) -> None:
    """A session that is heard of: it has made a call."""
    call = {"hook_event_name": "PreToolUse", "session_id": session, "cwd": "/", "tool_name": "Read", "tool_input": {}}
    subprocess.run(
        homes.oneshot(root, "PreToolUse"), input=json.dumps(call).encode(), capture_output=True, check=True, timeout=30
    )


@pytest.mark.parametrize("action", ["quarantine_session", "throttle_session"])
def test_a_session_that_was_never_heard_of_is_not_held(root: str, action: str) -> None:
    code, told = fails(root, "action", "run", action, "--session", "s1", "--reason", "odd")
    assert code == 1 and told["error"]["code"] == "not_found"
    assert "restraint set" in told["error"]["fix"] and "--target s1" in told["error"]["fix"]
    assert restraints.active(paths.home_at(root)) == [] and homes.rows(root, "action", "list", "--all") == []
    works(root, "s1")
    assert homes.rows(root, "action", "run", action, "--session", "s1", "--reason", "odd")[0]["phase"] == "verified"


def test_what_was_released_is_over_though_no_monitor_writes_it_down(root: str) -> None:
    words = ("action", "run", "emergency_stop", "--everything", "--reason", "x")
    (first,) = homes.rows(root, *words)
    assert "no monitor runs" in homes.cli(root, "action", "list").stderr
    homes.cli(root, "halt", "release", "--all", "--yes")
    done = homes.cli(root, "action", "list", "--json")
    assert json.loads(done.stdout)["rows"] == [] and f"{first['run']} is over (released)" in done.stderr
    (second,) = homes.rows(root, *words)
    assert second["run"] != first["run"], "the run that is over is not given again as in effect"
    assert [one.scope for one in halts.active(paths.home_at(root))] == ["all"]
    assert {row["run"]: row["phase"] for row in homes.rows(root, "action", "list", "--all")} == {
        first["run"]: "undone", second["run"]: "verified",
    }  # fmt: skip


def test_what_has_expired_is_over_though_no_monitor_writes_it_down(root: str) -> None:
    (run,) = homes.rows(root, "action", "run", "block_tool", "--tool", "Bash", "--everything", "--reason", "x")
    assert homes.rows(root, "action", "list") == [run]
    later = subprocess.run(
        [
            homes.CLI[0], "-c",
            "import sys, time; real = time.time; time.time = lambda: real() + 7200\n"
            "from levaithan.cli.main import run\n"
            f"run(['--home', {root!r}, 'action', 'list', '--json'])",
        ],
        capture_output=True, text=True, check=True, timeout=60, env=homes.plain_environment(),
    )  # fmt: skip
    assert json.loads(later.stdout)["rows"] == [] and f"{run['run']} is over (expired)" in later.stderr


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (["emergency_stop"], "--everything"), (["throttle_session"], "--session ID"),
        (["restart_projector"], "levaithan start"), (["platform_hook"], "LEVAITHAN_ACTION_PLATFORM"),
        (["retry_dead_letters", "--store", "ledger"], "levaithan store status"),
        (["circuit_break_store", "--store", "moon"], "use one of: ledger"),
        (["release_stale_lease", "--lease", "/none"], "levaithan lease list"),
    ],
)  # fmt: skip
def test_each_refusal_names_its_own_next_step(root: str, words: list[str], way_out: str) -> None:
    code, told = fails(root, "action", "run", *words, "--reason", "x")
    assert code == 1 and way_out in told["error"]["fix"]


def test_a_table_of_a_run_is_in_words(root: str) -> None:
    (run,) = homes.rows(root, "action", "run", "block_tool", "--tool", "Bash", "--everything", "--reason", "x")
    shown = homes.cli(root, "action", "show", run["run"]).stdout
    assert f"restraint=t-{run['run']}" in shown
    assert not {"{", "}", "None", "True", "False"} & set(shown.replace("{", " { ").replace("}", " } ").split())


def test_nothing_in_the_list_says_what_would_be(root: str) -> None:
    said = homes.cli(root, "action", "list").stderr
    assert said.count("\n") == 1 and "--dry-run" in said


def test_a_run_is_listed_shown_and_undone(root: str) -> None:
    works(root, "s1")
    (run,) = homes.rows(root, "action", "run", "quarantine_session", "--session", "s1", "--reason", "odd")
    assert (run["phase"], run["by"], run["target"]) == ("verified", ME, "session s1")
    assert homes.rows(root, "action", "list") == [run]
    (told,) = homes.rows(root, "action", "show", run["run"])
    assert told["reason"] == "odd" and told["undo"] == {"restraint": f"t-{run['run']}"}
    (undone,) = homes.rows(root, "action", "undo", run["run"], "--yes")
    assert undone["phase"] == "undone" and homes.rows(root, "action", "list") == []
    assert len(homes.rows(root, "action", "list", "--all")) == 1
    assert homes.rows(root, "restraint", "list") == []


def test_a_dry_run_of_an_action_does_nothing(root: str) -> None:
    words = ["action", "run", "emergency_stop", "--everything", "--reason", "x"]
    (run,) = homes.rows(root, *words, "--dry-run")
    assert run["phase"] == "dry_run" and halts.active(paths.home_at(root)) == []
    assert fails(root, "action", "undo", run["run"], "--yes")[0] == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "explode", "--reason", "x"], 1), (["run", "block_tool", "--session", "s", "--reason", "x"], 2),
        (["run", "emergency_stop", "--reason", "x"], 1),
        (["run", "retry_dead_letters", "--store", "ledger", "--reason", "x"], 1),
        (["run", "restart_projector", "--reason", "x"], 1), (["show", "a-none"], 1), (["undo", "a-none", "--yes"], 1),
        (["run", "degrade"], 2),
    ],
)  # fmt: skip
def test_what_is_refused_says_so_by_its_exit_code(root: str, words: list[str], code: int) -> None:
    done = homes.cli(root, "action", *words, "--json", check=False)
    assert done.returncode == code, (done.stdout, done.stderr)


def test_a_command_waits_for_a_verification_as_long_as_it_was_told(root: str) -> None:
    """The monitor goes on with it."""
    flows = Path(root, "context", "workflows.toml")
    flows.write_text(flows.read_text().replace(', "restraint_check"', ""))
    (run,) = homes.rows(
        root, "action", "run", "block_tool", "--tool", "Bash", "--everything", "--reason", "x", "--wait", "0.3"
    )
    assert run["phase"] == "done"


def test_undoing_a_stop_asks_a_person_twice(root: str) -> None:
    (run,) = homes.rows(root, "action", "run", "emergency_stop", "--everything", "--reason", "x")
    assert fails(root, "action", "undo", run["run"])[0] == 2, "nobody is there"
    for answers, released in ((["y", "no"], False), (["n"], False), (["y", run["run"]], True)):
        _at_a_terminal(root, ["action", "undo", run["run"]], answers)
        assert (halts.active(paths.home_at(root)) == []) is released, answers


def _at_a_terminal(root: str, words: list[str], answers: list[str]) -> None:
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        [*homes.CLI, "--home", root, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=homes.plain_environment()
    )
    os.close(theirs)
    os.write(ours, "".join(answer + "\n" for answer in answers).encode())
    while started.poll() is None:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                os.read(ours, 4096)
            except OSError:
                break
    started.wait(20)
    os.close(ours)


def test_the_environment_cannot_say_who_it_was(root: str) -> None:
    env = homes.plain_environment(USER="mallory", LOGNAME="mallory")
    done = homes.cli(root, "action", "run", "degrade", "--reason", "x", "--json", env=env)
    assert json.loads(done.stdout)["rows"][0]["by"] == ME


@pytest.mark.parametrize("words", ["action undo a-1", "action run degrade", "restraint release t-1", "mode set normal"])
def test_an_agent_may_not_do_that_in_a_persons_place(root: str, words: str) -> None:
    call: dict[str, Any] = {"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/", "tool_name": "Bash"}
    call["tool_input"] = {"command": f"levaithan {words}"}
    done = subprocess.run(
        homes.oneshot(root, "PreToolUse"), input=json.dumps(call).encode(), capture_output=True, check=False, timeout=30
    )
    assert b"self.switch-off" in done.stdout


def test_a_throttle_without_its_rate_says_what_to_give(root: str) -> None:
    words = ("restraint", "set", "throttle", "--scope", "all", "--reason", "x")
    done = homes.cli(root, *words, check=False)
    assert done.returncode == 2 and "--per-minute N" in done.stderr
    assert homes.rows(root, "restraint", "list") == []


def test_a_session_is_held_also_where_the_ledger_cannot_be_asked(root: str) -> None:
    """An outage is when somebody needs it: whether the session is one is not known then, and that is said."""
    env = homes.plain_environment(LEVAITHAN_LEDGER_URL="postgresql://nobody@127.0.0.1:9/none")
    done = homes.cli(root, "action", "run", "quarantine_session", "--session", "s1", "--reason", "odd", env=env)
    assert "whether there is a session s1 is not known (" in done.stderr
    assert [one.target for one in restraints.active(paths.home_at(root))] == ["s1"]


def test_a_stop_of_a_session_that_was_never_heard_of_is_set_and_that_is_said(root: str) -> None:
    done = homes.cli(root, "action", "run", "emergency_stop", "--session", "s2", "--reason", "x")
    assert "no session s2 was heard of here" in done.stderr
    assert [one.target for one in halts.active(paths.home_at(root))] == ["s2"]
