"""A probe call: what the checks of this home, as they are installed, would say to one event. Nothing is recorded.

The proof that a halt or a restraint bites is that a call is refused, not that a file was written. Only the checks of
the workflow run: reserves and observers keep things of sessions, and a probe is no session's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot import flows, hotconf
from levaithan.hot.event import Event
from levaithan.hot.hook_file import load_hook
from levaithan.hot.workflow import Context

if TYPE_CHECKING:
    from levaithan.hot.opinion import Opinion
    from levaithan.hot.paths import Home

WRITES: dict[str, Any] = {"tool_name": "Bash", "tool_input": {"command": "touch levaithan-probe"}}
READS: dict[str, Any] = {"tool_name": "Bash", "tool_input": {"command": "echo levaithan-probe"}}
PROBE = "levaithan-probe"


def refused(
    home: Home, payload: dict[str, Any], *, memory: dict[str, Any] | None = None, without: str = ""
) -> Opinion | None:
    """The first opinion of the installed PreToolUse checks that refuses `payload`; None where all let it pass.

    memory: what the checks find as the process's memory; without: a check that is left out. Raises RuntimeError for a
    workflow or a hook that is unusable.
    """
    found, problem = flows.load(home)
    if found is None:
        raise RuntimeError(problem or "there are no workflows")
    flow = found.get("PreToolUse") or found[flows.DEFAULT]
    event = Event("", "PreToolUse", {"hook_event_name": "PreToolUse", "cwd": "/", **payload})
    event.project = payload.get("cwd")
    event.path = "probe"
    context = Context(home, hotconf.read(home.hot_conf), orjson.loads, orjson.dumps)
    context.now_us = time.time_ns() // 1000
    context.memory.update(memory or {})
    for name in [one for one in flow["checks"] if one != without]:
        hook = load_hook(name, f"{home.hooks}/{name}.py", "hook")
        if hook.error:
            raise RuntimeError(f"the hook {name} cannot be used: {hook.error}")
        opinion: Opinion | None = hook.function(event, context)
        if opinion is not None and opinion.verdict in ("deny", "halt"):
            return opinion
    return None


def call_of(scope: str, target: str, what: dict[str, Any]) -> dict[str, Any]:
    """The payload of a call `what` within `scope`: of that session, that agent, in that project."""
    call = {"session_id": PROBE, **what}
    if scope == "session":
        call["session_id"] = target
    elif scope == "agent":
        call["agent_id"] = target
    elif scope == "project":
        call["cwd"] = target
    return call


def restrained(home: Home, payload: dict[str, Any], *, memory: dict[str, Any] | None = None) -> str:
    """The rule of the restraint that refuses `payload`, "" for none. A halt, which refuses all, is looked past."""
    rule = rule_of(refused(home, payload, memory=memory, without="halt_check"))
    return rule if rule.startswith("restraint.") else ""


def rule_of(opinion: Opinion | None) -> str:
    """The rule that an opinion names; "" for none."""
    return (opinion.rule or "") if opinion is not None else ""
