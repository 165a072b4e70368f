"""A scratch home, and transcripts as the client writes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from levaithan.cost import calls, scan
from levaithan.hot import paths

RECORDED = Path(__file__).parents[2] / "data" / "transcripts"


@pytest.fixture
def home(tmp_path: Path) -> paths.Home:
    """A home with nothing in it but its folders."""
    for folder in ("context", "state"):
        (tmp_path / "home" / folder).mkdir(parents=True)
    return paths.home_at(str(tmp_path / "home"))


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """The client's folder of projects, with one project in it."""
    folder = tmp_path / "client" / "projects"
    (folder / "-p").mkdir(parents=True)
    return folder


@pytest.fixture
def recorded(projects: Path) -> Path:
    """The same folder with every recorded session."""
    for case in RECORDED.iterdir():
        shutil.copytree(case, projects / "-p", dirs_exist_ok=True)
    return projects


def line(
    message_id: str, at: str = "2026-11-23T12:00:00Z", model: str = "claude-opus-5-5", **more: Any
) -> dict[str, Any]:
    """A call as a transcript has it; keys of `more` are of its usage, but session and agent."""
    who = {"sessionId": more.pop("session", "s1"), "agentId": more.pop("agent", None)}
    message = {"id": message_id, "model": model, "usage": {"input_tokens": 1000, **more}}
    return {"type": "assistant", **who, "timestamp": at, "cwd": "/p/one", "message": message}


def write(path: Path, *lines: Any, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write("".join(json.dumps(one) + "\n" for one in lines))
    return path


@pytest.fixture
def scanned(home: paths.Home, projects: Path) -> Callable[[], list[calls.Known]]:
    """scanned(): every call after a scan of the folder, in a file that is opened anew."""

    def run() -> list[calls.Known]:
        sources = scan.Sources()
        scan.of_folder(str(projects), sources)
        with calls.opened(home) as known:
            scan.scan(known, sources)
            return list(known.all())

    return run
