"""A scratch home and a payload for the tests of hook processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_process import make_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A scratch home."""
    return make_home(tmp_path / "home")


@pytest.fixture
def tool_call() -> Callable[..., dict[str, Any]]:
    """tool_call(command, **fields): the payload of a PreToolUse of Bash."""

    def make(command: str = "echo hi", **fields: Any) -> dict[str, Any]:
        return {
            "session_id": "s-1",
            "transcript_path": "/t.jsonl",
            "cwd": "/tmp",
            "hook_event_name": "PreToolUse",
            "permission_mode": "default",
            "tool_name": "Bash",
            "tool_input": {"command": command},
            "tool_use_id": "toolu_1",
            **fields,
        }

    return make
