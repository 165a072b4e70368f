"""Restraints with a service: set at the terminal or by an action, they hold the next call and end as promised."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.hot import paths, restraints


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = homes.make_home(tmp_path_factory.mktemp("served") / "h", canary_interval_s=0)
    with homes.serving(made):
        yield made


def verdict(root: str, session: str, command: str, number: int = 0) -> tuple[str, str]:
    call = {
        "hook_event_name": "PreToolUse", "session_id": session, "cwd": "/", "tool_name": "Bash",
        "tool_use_id": f"{session}-{number}", "tool_input": {"command": command},
    }  # fmt: skip
    done = subprocess.run(
        homes.client_command(root, "PreToolUse"), input=json.dumps(call).encode(), capture_output=True, check=False,
        timeout=30, env=homes.plain_environment(),
    )  # fmt: skip
    told = json.loads(done.stdout or b"{}").get("hookSpecificOutput", {})
    return str(told.get("permissionDecision", "allow")), str(told.get("permissionDecisionReason", ""))


def test_a_quarantine_holds_the_next_call_and_ends_with_its_undoing(root: str) -> None:
    assert verdict(root, "q1", "touch /tmp/x")[0] == "allow"
    (run,) = homes.rows(root, "action", "run", "quarantine_session", "--session", "q1", "--reason", "odd")
    said = verdict(root, "q1", "touch /tmp/x")
    assert said[0] == "deny" and "odd" in said[1]
    assert verdict(root, "q1", "ls")[0] == "allow" and verdict(root, "q2", "touch /tmp/x")[0] == "allow"
    homes.rows(root, "action", "undo", run["run"], "--yes")
    assert verdict(root, "q1", "touch /tmp/x")[0] == "allow"


def test_a_throttle_counts_in_the_service(root: str) -> None:
    words = ["restraint", "set", "throttle", "--scope", "session", "--target", "t1", "--per-minute", "3"]
    homes.rows(root, *words, "--reason", "too fast")
    found = [verdict(root, "t1", "ls", number)[0] for number in range(5)]
    assert found == ["allow"] * 3 + ["deny"] * 2


def test_it_holds_on_when_the_service_is_gone_and_when_it_is_back(tmp_path: Path) -> None:
    made = homes.make_home(tmp_path / "h", canary_interval_s=0)
    home = paths.home_at(made)
    with homes.serving(made):
        restraints.set_restraint(home, "read_only", "session", "s1", reason="r", by="ann")
        assert verdict(made, "s1", "touch a")[0] == "deny"
    assert verdict(made, "s1", "touch a")[0] == "deny"
    with homes.serving(made):
        assert verdict(made, "s1", "touch a")[0] == "deny"


def test_a_file_that_breaks_while_the_service_runs_holds_everything(root: str) -> None:
    file = Path(paths.home_at(root).restraints)
    before = file.read_bytes() if file.exists() else b""
    try:
        file.write_text("{")
        said = verdict(root, "b1", "ls")
        assert said[0] == "deny" and "restraints cannot be read" in said[1]
    finally:
        file.write_bytes(before or b'{"version":1,"restraints":[]}')
    assert verdict(root, "b1", "ls", 1)[0] == "allow"
