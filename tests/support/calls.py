"""Hook calls as Claude Code makes them, through each of the three ways into LevAIthan, and what their answers mean."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support import homes

if TYPE_CHECKING:
    from collections.abc import Callable

DANGEROUS = "rm -rf /"
"""Data in an event, which nothing here runs; the shipped rules deny it."""
WAYS: dict[str, Callable[[str, str], list[str]]] = {
    "native": homes.client_command,
    "python": homes.python_client,
    "oneshot": homes.oneshot,
}


def tool_call(command: str = "true", event: str = "PreToolUse", **more: Any) -> dict[str, Any]:
    """The payload of a Bash call, with a tool_use_id of its own."""
    return {
        "session_id": "s-calls",
        "transcript_path": "/t.jsonl",
        "cwd": "/tmp",
        "hook_event_name": event,
        "permission_mode": "default",
        "tool_name": "Bash",
        "tool_input": {"command": command},
        "tool_use_id": "toolu_" + os.urandom(8).hex(),
        **more,
    }


class Answered:
    """One answered call: its id, what was said, and whether the call may go on."""

    def __init__(self, tool_use_id: str, done: subprocess.CompletedProcess[bytes]) -> None:
        self.id = tool_use_id
        self.code = done.returncode
        self.words = done.stderr.decode()
        assert done.returncode in (0, 2), done
        assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode()
        self.said: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        assert isinstance(self.said, dict), done.stdout
        special = self.said.get("hookSpecificOutput", {})
        self.denied = self.code == 2 or special.get("permissionDecision") == "deny"
        self.reason: str = special.get("permissionDecisionReason", "")

    def __repr__(self) -> str:
        return f"Answered({self.code}, {self.said}, {self.words!r})"

    @property
    def recorded(self) -> bool:
        """Whether nothing was said of a record that could not be made."""
        return "could not record" not in self.words


def call(root: str, way: str, payload: dict[str, Any] | None = None, **environ: str) -> Answered:
    """Send `payload` (default: a harmless Bash call) one of the WAYS."""
    asked = payload or tool_call()
    command = WAYS[way](root, asked["hook_event_name"])
    environment = homes.plain_environment(**environ)
    done = subprocess.run(
        command, input=json.dumps(asked).encode(), capture_output=True, env=environment, timeout=30, check=False
    )
    return Answered(asked.get("tool_use_id", ""), done)


def reading(root: str, *words: str, code: int) -> list[dict[str, Any]]:
    """The rows that a command prints; it must exit with `code`, and an error must come with its next step."""
    done = homes.cli(root, *words, "--json", check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is (code == 0), told
    assert code == 0 or told["error"]["fix"], told
    found: list[dict[str, Any]] = told.get("rows", [])
    return found
