"""The canary: a call that must be denied and one that must pass, through the very command that is registered.

A guard that silently stopped guarding looks like one that has nothing to object. `rm -rf /` is only data here: it is
in a payload that no client ever sent, and nobody runs it. Used by doctor, and by the service at its start and daily.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.hot import wire
from levaithan.hot.catalogue import EVENTS
from levaithan.hot.event import CANARY
from levaithan.install import answers, hooks, listing
from levaithan.install.hooks import Registered

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.install.places import Place

EVENT = "PreToolUse"
PROBES = {"deny": "rm -rf /", "pass": "echo canary"}
"""What is asked, and the command that it is asked with."""

Row = dict[str, Any]


def run(home: Home, places: list[Place] | None = None) -> list[Row]:
    """Send both calls through the command of each place (default: all in installs.json).

    A row a call: place, path, probe, status (ok, warn, fail), verdict, reason, ms, problem, remedy. Takes up to 10 s a
    call when nothing answers. Never raises for what it finds.
    """
    try:
        asked = listing.known_places(home) if places is None else places
    except LevaithanError as problem:
        return [_row("", "", "deny", "fail", problem=problem.message, remedy=problem.fix)]
    return [row for place in asked if not listing.gone(place) for row in _place(home, place)]


def _place(home: Home, place: Place) -> list[Row]:
    where = listing.place_row(home, place)["where"]
    mine = [one for one in hooks.handlers(place) if one.event == EVENT and one.home == home.root and one.words]
    if not mine:
        remedy = f"levaithan hooks install {listing.option(place)}"
        words = f"no {EVENT} hook of ours is registered there"
        return [_row(where, place.path, "deny", "fail", problem=words, remedy=remedy)]
    folder = place.project if place.project and os.path.isdir(place.project) else "/"  # noqa: PTH112
    timeout = mine[0].timeout_s or EVENTS[EVENT].timeout_s
    command = Registered(mine[0].words, hooks.environment(folder), folder, timeout, place.path)
    return [send(command, probe, where) for probe in PROBES]


def send(command: Registered, probe: str, where: str) -> Row:
    """Send one probe through a registered command and judge the answer."""
    begun = time.monotonic()
    try:
        done = hooks.run(command, json.dumps(payload(probe, command.cwd)).encode())
    except LevaithanError as problem:
        return _row(where, command.path, probe, "fail", problem=problem.message, remedy=problem.fix)
    ms = round((time.monotonic() - begun) * 1000, 3)
    read = answers.read(EVENT, done)
    status, words, remedy = _judge(probe, read)
    return _row(where, command.path, probe, status, read.verdict, read.reason, ms, words, remedy)


def payload(probe: str, cwd: str) -> dict[str, Any]:
    """The call as Claude Code would send it; its session marks it as a canary."""
    number = wire.new_event_id()
    return {
        "session_id": f"{CANARY}-{number}",
        "transcript_path": "",
        "cwd": cwd,
        "permission_mode": "default",
        "hook_event_name": EVENT,
        "tool_name": "Bash",
        "tool_input": {"command": PROBES[probe], "description": "LevAIthan's canary: nobody runs this"},
        "tool_use_id": f"canary-{number}",
        "levaithan_canary": True,
    }


def _judge(probe: str, read: answers.Read) -> tuple[str, str, str]:
    if read.verdict == "broken":
        return "fail", f"the hook failed ({read.reason})", "levaithan doctor --fix"
    if probe == "deny":
        if read.verdict in ("deny", "halt"):
            return "ok", "", ""
        return (
            "fail",
            f"`{PROBES['deny']}` was not denied",
            "look at the rules in context/policies, then levaithan doctor",
        )
    if read.verdict == "allow":
        return "ok", "", ""
    unreadable = "cannot be read" in read.reason
    if not unreadable and (read.verdict == "halt" or "halt" in read.reason.lower()):
        return "warn", f"a harmless call is stopped by a halt ({read.reason[:120]})", "levaithan halt list"
    words = f"a harmless call was not let through: {read.reason[:200]}"
    return "fail", words, _way_out(read.reason)


def _way_out(reason: str) -> str:
    """What ends a refusal of the harmless call, by who refused: doctor mends none that people or the monitor meant, and
    of a file that cannot be read there is no list."""
    if "cannot be read" in reason:
        return "levaithan doctor --fix, which puts that file aside and begins an empty one"
    if "restraint" in reason:
        return "levaithan restraint list shows it; levaithan restraint release ID ends it"
    if "budget" in reason:
        return "levaithan budget show says which is spent"
    return "levaithan doctor --only gate says which rule it is; levaithan doctor --fix mends what a machine can"


def _row(  # noqa: PLR0917 - a row's columns, in their order
    where: str, path: str, probe: str, status: str, verdict: str = "", reason: str = "", ms: float | None = None,
    problem: str = "", remedy: str = "",
) -> Row:  # fmt: skip
    return {
        "place": where, "path": path, "probe": probe, "status": status, "verdict": verdict, "reason": reason, "ms": ms,
        "problem": problem, "remedy": remedy,
    }  # fmt: skip
