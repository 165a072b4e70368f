"""The main job once: hooks into a scratch project, a recorded session through the registered commands, its audit.

The session is one that the real client sent, with one call that must be denied put into it; nothing of it is run, for
hooks are only asked. Nothing of it stays but its records in the journal.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import Unhealthy
from levaithan.install import answers, hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home

SESSION = Path(__file__).with_name("demo_session.jsonl")
_SHOWN = "demo-shown"


@dataclass(slots=True)
class Demo:
    """What happened. session: its id in the audit; project: the folder that was used, gone by now; commands: what a
    person would type; sent: events; denied: the reasons given."""

    session: str
    project: str = ""
    commands: list[str] = field(default_factory=list)
    sent: int = 0
    denied: list[str] = field(default_factory=list)


def was_shown(home: Home) -> bool:
    """Whether this home has had its demonstration."""
    return Path(home.state, _SHOWN).exists()


def run(home: Home, say: Callable[[int, int], None] = lambda _done, _total: None) -> Demo:
    """Do it. `say(done, total)` hears of each event. Raises Unhealthy when a hook did not answer as it should,
    InstallError when the hooks cannot be installed; the scratch project is removed in any case."""
    made = Demo(f"demo-{uuid.uuid4()}")
    folder = os.path.realpath(tempfile.mkdtemp(prefix="levaithan-demo-"))
    made.project = folder
    try:
        place = hooks.place_of(folder)
        made.commands.append(f"levaithan hooks install --project {folder}")
        hooks.install(home, place)
        try:
            _send(home, made, say)
        finally:
            made.commands.append(f"levaithan hooks uninstall --project {folder}")
            hooks.uninstall(home, place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Path(home.state, _SHOWN).touch(mode=0o600)
    return made


def session(identifier: str, project: str) -> list[dict[str, Any]]:
    """The recorded session, as if it had taken place in `project`."""
    text = SESSION.read_text("utf-8")
    for mark, value in (
        ("{session}", identifier),
        ("{prompt}", str(uuid.uuid4())),
        ("{call}", identifier[-12:]),
        ("{project}", json.dumps(project)[1:-1]),
    ):
        text = text.replace(mark, value)
    return [json.loads(line) for line in text.splitlines()]


def _send(home: Home, made: Demo, say: Callable[[int, int], None]) -> None:
    payloads = session(made.session, made.project)
    made.commands.append(f"levaithan hooks run EVENT --project {made.project} < payload   # {len(payloads)} times")
    for payload in payloads:
        event = str(payload["hook_event_name"])
        done = hooks.run(hooks.registered(home, event, made.project), json.dumps(payload).encode())
        read = answers.read(event, done)
        if read.verdict == "broken":
            raise Unhealthy(f"The registered {event} hook failed: {read.reason}.")
        if read.stops:
            made.denied.append(read.reason)
        made.sent += 1
        say(made.sent, len(payloads))
    if not made.denied:
        raise Unhealthy("The call that had to be denied was let through.")
