"""A halt of any scope stops the very next step of a running service, with every store down."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from tests.support import homes

from levaithan.hot import halts, paths, wire
from levaithan.install import answers

WITHIN_S = 0.1
EVENTS = ("PreToolUse", "UserPromptSubmit", "PostToolBatch")
TARGETS = {"all": "", "project": "/srv/demo", "session": "s-1", "agent": "a-1", "task": "7"}


def _stopped(home: paths.Home, event: str, session: str = "s-1", **more: object) -> bool:
    """Whether the service stops this step of `session`."""
    payload = {"session_id": session, "cwd": "/srv/demo", "hook_event_name": event, "prompt": "go on"} | more
    if event != "UserPromptSubmit":
        payload = {"tool_name": "Bash", "tool_input": {"command": "true"}, "tool_use_id": wire.new_event_id()} | payload
    header = {"id": wire.new_event_id(), "event": event, "path": "native", "project": "/srv/demo"}
    code, out, err = wire.request(home.socket, wire.pack_request(header, json.dumps(payload).encode()), 20.0)
    return answers.read(event, subprocess.CompletedProcess([], code, out, err)).verdict == "halt"


@pytest.mark.faults
def test_a_halt_stops_the_next_step_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    home = paths.home_at(root)
    with homes.serving(root):
        task = {"tool_name": "TaskUpdate", "tool_input": {"taskId": "7", "status": "in_progress"}}
        assert not _stopped(home, "PostToolUse", **task)
        homes.sync(root)
        stores = [path for path in Path(home.state).rglob("*.sqlite3") if path.stem in ("ledger", "search")]
        assert len(stores) == 2
        for store in stores:
            store.rename(store.with_suffix(".away"))
            store.mkdir()
        for scope, target in TARGETS.items():
            for event in EVENTS:
                agent = {"agent_id": "a-1"} if scope == "agent" else {}
                assert not _stopped(home, event, **agent), (scope, event)
                halt = halts.set_halt(home, scope, target, "stop", "ann")
                time.sleep(WITHIN_S)
                assert _stopped(home, event, **agent), (scope, event)
                if scope in ("session", "agent", "task"):
                    assert not _stopped(home, event, session="s-2"), (scope, event)
                halts.release_halt(home, halt.id)
                time.sleep(WITHIN_S)
        shutil.rmtree(home.state + "/sessions")  # the rest is known without them
        halts.set_halt(home, "all", "", "stop", "ann")
        time.sleep(WITHIN_S)
        assert all(_stopped(home, event) for event in EVENTS)
