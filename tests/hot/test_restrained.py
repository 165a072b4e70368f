"""Restraints where there is no service: the one-shot as Claude Code starts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hot.hook_process import PYTHON, journal, oneshot, run, sound

from levaithan.hot import paths, restraints

Payload = Callable[..., dict[str, Any]]


def _decision(home: Path, payload: dict[str, Any], event: str = "PreToolUse") -> tuple[str, str]:
    done = run(oneshot(home, event), payload)
    said = sound(done)
    if done.returncode == 2:
        return "deny", done.stderr.decode()
    told = (said or {}).get("hookSpecificOutput", {})
    return told.get("permissionDecision", "allow"), told.get("permissionDecisionReason", "")


def _put(home: Path, kind: str, **more: Any) -> restraints.Restraint:
    return restraints.set_restraint(
        paths.home_at(str(home)), kind, "session", "s1", reason="too fast", by="ann", **more
    )


def test_a_quarantined_session_reads_and_does_not_write(home: Path, tool_call: Payload) -> None:
    one = _put(home, "read_only")
    call = tool_call("ls") | {"session_id": "s1"}
    assert _decision(home, call)[0] == "allow"
    verdict, why = _decision(home, tool_call("touch a") | {"session_id": "s1"})
    assert verdict == "deny" and "too fast" in why and one.id in why
    assert _decision(home, tool_call("touch a") | {"session_id": "s2"})[0] == "allow"
    assert [record["rule"] for record in journal(home) if record.get("rule")] == ["restraint.read_only"]


def test_a_throttle_counts_over_processes(home: Path, tool_call: Payload) -> None:
    _put(home, "throttle", calls_per_minute=2)
    call = tool_call("ls") | {"session_id": "s1"}
    found = [_decision(home, call | {"tool_use_id": f"t{number}"})[0] for number in range(4)]
    assert found == ["allow", "allow", "deny", "deny"]


def test_what_the_rules_refuse_does_not_count(home: Path, tool_call: Payload) -> None:
    _put(home, "throttle", calls_per_minute=1)
    assert "restraint" not in _decision(home, tool_call("rm -rf /") | {"session_id": "s1"})[1]
    assert _decision(home, tool_call("ls") | {"session_id": "s1"})[0] == "allow"


@pytest.mark.parametrize("event", ["PreToolUse", "UserPromptSubmit"])
def test_a_file_that_cannot_be_read_refuses(home: Path, tool_call: Payload, event: str) -> None:
    (home / "state" / "restraints.json").write_text("{")
    done = run(oneshot(home, event), tool_call("ls") | {"hook_event_name": event, "prompt": "hello"})
    assert b"restraints cannot be read" in done.stdout + done.stderr


def test_without_a_file_the_check_loads_nothing(home: Path, tool_call: Payload) -> None:
    """Nearly every home has none: the call must not pay for what restraints could do."""
    for _ in range(2):
        run(oneshot(home, "PreToolUse"), tool_call("ls"))
    command = oneshot(home, "PreToolUse")
    done = run([PYTHON, "-X", "importtime", *command[1:]], tool_call("ls"))
    loaded = {line.split("|")[-1].strip() for line in done.stderr.decode().splitlines() if "import time:" in line}
    assert "levaithan.hot.halts" in loaded
    assert not loaded & {"levaithan.hot.restraints", "levaithan.hot.throttle", "levaithan.hot.harmless", "re"}


def test_a_throttled_call_does_not_load_the_readers_of_commands_for_it(home: Path, tool_call: Payload) -> None:
    _put(home, "throttle", calls_per_minute=9)
    run(oneshot(home, "PreToolUse"), tool_call("ls"))
    command = oneshot(home, "PreToolUse")
    done = run([PYTHON, "-X", "importtime", *command[1:]], tool_call("ls") | {"session_id": "s1"})
    loaded = {line.split("|")[-1].strip() for line in done.stderr.decode().splitlines() if "import time:" in line}
    assert "levaithan.hot.throttle" in loaded and "levaithan.hot.harmless" not in loaded and "re" not in loaded


def test_a_home_whose_workflows_know_no_restraints_works_on(home: Path, tool_call: Payload) -> None:
    flows = home / "context" / "workflows.toml"
    flows.write_text(flows.read_text().replace(', "restraint_check"', ""))
    (home / "hooks" / "restraint_check.py").unlink()
    _put(home, "read_only")
    assert _decision(home, tool_call("touch a") | {"session_id": "s1"})[0] == "allow"
    assert _decision(home, tool_call("rm -rf /"))[0] == "deny"


def test_the_modules_are_for_a_bare_python(home: Path) -> None:
    names = ["restraints", "throttle", "harmless", "standing", "modes"]
    code = f"import sys; sys.path.insert(0, {str(Path(restraints.__file__).parents[2])!r})\n"
    code += "\n".join(f"import levaithan.hot.{name}" for name in names)
    done = run([PYTHON, "-I", "-S", "-c", code], b"")
    assert done.returncode == 0, done.stderr
