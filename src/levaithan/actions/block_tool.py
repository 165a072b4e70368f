"""Block a tool: it may not be used, by a session, an agent, in a project or at all."""

from __future__ import annotations

from typing import Any

from levaithan.actions import probe, restraining
from levaithan.actions.action import Action, Run, World
from levaithan.hot import restraints


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused where it is blocked already."""
    return restraining.planned(world, run, restraints.BLOCK_TOOL, run.target["tool"])


def do(world: World, run: Run) -> dict[str, Any]:
    """Sets the restraint."""
    return restraining.put(world, run, restraints.BLOCK_TOOL, tool=run.target["tool"])


def check(world: World, run: Run) -> bool | None:
    """Whether a call of the tool is refused for that."""
    one = restraining.there(world, run)
    if one is None:
        return None
    what = {"tool_name": one.tool.replace("*", "x"), "tool_input": {}}
    said = probe.refused(world.home, probe.call_of(one.scope, one.target, what), without="halt_check")
    return True if said is not None else None


ACTION = Action(
    name="block_tool",
    about="keep a tool from being used",
    bound="one tool (or the prefix of a server's), for 60 minutes",
    verifies="a call of it is refused",
    needs=("tool",),
    deadline_s=60.0,
    plan=plan,
    do=do,
    check=check,
    undo=restraining.undo,
    gone=restraining.gone,
    stays=True,
    lasts_s=3600.0,
    stops_work=True,
)
