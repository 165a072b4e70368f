"""Why a command is held up or not: its simple commands, its deeds, and every rule that it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.hot import policy, shell
from levaithan.hot.deed import shown
from levaithan.hot.event import Event

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


def of(home: Home, command: str, cwd: str) -> dict[str, Any]:
    """The whole way of `command`, run in `cwd`, through the rules of `home`."""
    rules = policy.load(home)
    event = Event("", "PreToolUse", {"tool_name": "Bash", "tool_input": {"command": command}, "cwd": cwd})
    event.project = cwd
    line = shell.split(command, cwd, rules.user_home)
    said = rules.judge(event)
    return {
        "command": command,
        "decision": said.verdict if said else "allow",
        "rule": said.rule if said else None,
        "reason": said.reason if said else None,
        "unsure": line.unsure,
        "commands": [shown(one.words) for one in line.commands],
        "deeds": [f"{one.kind} {one.target}".replace("\x00", "?") for one in rules.deeds(event)],
        "rules": [f"{one.verdict} {one.rule}" for one in rules.opinions(event)],
    }
