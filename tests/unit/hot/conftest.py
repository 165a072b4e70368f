"""A scratch home with the shipped workflows and hooks, and what makes hooks and events for a test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journal_by_hand import close_all, new_home
from losing_disk import LosingDisk
from tests.support import compiled_rules

from levaithan.hot import charter, hotconf, paths
from levaithan.hot.event import Event, parse
from levaithan.hot.gate import Gate

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed charter counts at once: a test's clock often stands still."""
    monkeypatch.setattr(charter, "FRESH_US", -1)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a gate has is not what these tests are about; a busy machine can use it up at the first event."""
    monkeypatch.setitem(hotconf._NUMBER, "deadline_ms", (20_000, 10, 20_000))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty home for journals that the tests write by themselves."""
    yield new_home(tmp_path / "home")
    close_all()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> LosingDisk:
    """A disk that loses what was not synced, under all journals of the test."""
    return LosingDisk(monkeypatch)


@pytest.fixture
def scratch(tmp_path: Path) -> paths.Home:
    """A home like an installation's, with the shipped context and hooks."""
    root = tmp_path / "home"
    shutil.copytree(ROOT / ".claude" / "context", root / "context")
    shutil.copytree(ROOT / ".claude" / "hooks", root / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("state", "logs", "run"):
        (root / folder).mkdir(mode=0o700)
    compiled_rules.put(root)
    return paths.home_at(str(root))


@pytest.fixture
def gate_of(scratch: paths.Home) -> Callable[..., Gate]:
    """gate_of({"name": source}, workflows, **conf): a gate whose hooks and workflows are these."""

    def make(hooks: dict[str, str], workflows: str, **conf: str) -> Gate:
        for name, source in hooks.items():
            Path(scratch.hooks, name + ".py").write_text(source)
        Path(scratch.context, "workflows.toml").write_text(workflows)
        return Gate(scratch, hotconf.HotConf(conf))

    return make


@pytest.fixture
def call() -> Callable[..., Event]:
    """call(name, **fields): an event as the client sends it."""

    def make(event_name: str = "PreToolUse", **fields: Any) -> Event:
        payload: dict[str, Any] = {"session_id": "s-1", "hook_event_name": event_name, "cwd": "/tmp"}
        if event_name in ("PreToolUse", "PermissionRequest"):
            payload |= {"tool_name": "Bash", "tool_input": {"command": "echo hi"}, "tool_use_id": "toolu_1"}
        return parse({"event": event_name, "path": "native"}, json.dumps(payload | fields).encode())

    return make
