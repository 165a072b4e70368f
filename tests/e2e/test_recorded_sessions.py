"""The sessions that the real client once sent, sent again through the very commands that are registered."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes, payloads

from levaithan.hot.catalogue import EVENTS

Registered = tuple[str, Path]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """A home and a project whose hooks `levaithan hooks install` registered."""
    folder = tmp_path_factory.mktemp("recorded")
    root = homes.make_home(folder / "home")
    project = folder / "project"
    project.mkdir()
    homes.cli(root, "hooks", "install", "--project", str(project))
    return root, project


def command_of(project: Path, event: str) -> list[str]:
    """The command that the project's settings register for `event`."""
    settings = json.loads((project / ".claude" / "settings.json").read_text(encoding="utf-8"))
    (handler,) = settings["hooks"][event][0]["hooks"]
    return [handler["command"], *handler["args"]]


def send(project: Path, payload: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    """Call the registered command as Claude Code does: the payload on stdin, the project in the environment."""
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(project),
        "CLAUDE_PROJECT_DIR": str(project),
        "AI_AGENT": "claude-code_2-1-330_harness",
    }
    return subprocess.run(
        command_of(project, payload["hook_event_name"]),
        input=json.dumps(payload).encode(), env=environ, cwd=project, capture_output=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", payloads.sessions())
def test_a_recorded_session_is_answered_and_recorded(registered: Registered, name: str) -> None:
    root, project = registered
    session = [one for one in payloads.session(name) if EVENTS[one["hook_event_name"]].registered]
    for payload in session:
        done = send(project, payload | {"session_id": f"replay-{name}"})
        assert done.returncode == 0, (payload, done.stderr)
        assert b"Traceback" not in done.stdout + done.stderr
        if done.stdout:
            json.loads(done.stdout)
    audit = homes.rows(root, "audit", "list", "--session", f"replay-{name}", "--limit", "1000")
    recorded = [row["event"] for row in sorted(audit, key=lambda row: row["seq"])]
    assert recorded == [payload["hook_event_name"] for payload in session]


@pytest.mark.parametrize("event", ["PreToolUse", "UserPromptSubmit", "Stop", "SessionStart"])
def test_hooks_run_gives_what_the_registered_command_gives(registered: Registered, event: str) -> None:
    root, project = registered
    payload = payloads.payload(event)
    direct = send(project, payload)
    through = homes.cli(root, "hooks", "run", event, "--project", str(project), input=json.dumps(payload), check=False)
    assert (through.returncode, through.stdout) == (direct.returncode, direct.stdout.decode())


def test_hooks_run_denies_what_the_registered_command_denies(registered: Registered) -> None:
    root, project = registered
    payload = payloads.payload("PreToolUse", tool_name="Bash", tool_input={"command": "rm -rf /"}, tool_use_id="t-rm")
    direct = send(project, payload)
    through = homes.cli(
        root, "hooks", "run", "PreToolUse", "--project", str(project), input=json.dumps(payload), check=False
    )
    answer = json.loads(direct.stdout)["hookSpecificOutput"]
    assert answer["permissionDecision"] == "deny"
    assert answer["hookEventName"] == "PreToolUse"
    assert json.loads(through.stdout) == json.loads(direct.stdout)
