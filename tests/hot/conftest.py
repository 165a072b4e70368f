"""A scratch home, a payload and the clients for the tests of hook processes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_process import CLIENT, PYTHON, make_home

from levaithan.install.native import WAYS, command

COMPILER = shutil.which("cc")
Client = Callable[..., list[str]]


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


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """native(how): the native client, linked in one of WAYS, built once."""
    if COMPILER is None:
        pytest.skip(
            "there is no C compiler here, so no native client either: the Python client is what gets registered"
        )
    folder, built = tmp_path_factory.mktemp("native"), {}

    def made(how: str) -> str:
        if how not in built:
            built[how] = folder / how
            subprocess.run([*command(COMPILER, how, built[how]), "-Werror"], check=True)
        return str(built[how])

    return made


@pytest.fixture(params=[*WAYS, "python"])
def client(request: pytest.FixtureRequest) -> Client:
    """client(home, event): the command of one of the clients; client.path: what it calls itself."""
    words = [PYTHON, "-I", "-S", CLIENT]
    if request.param != "python":
        words = [request.getfixturevalue("native")(request.param)]

    def make(home: Path, event: str = "PreToolUse") -> list[str]:
        return [*words, *([event] if event else []), "--home", str(home)]

    make.path = "python" if request.param == "python" else "native"  # type: ignore[attr-defined]
    return make
