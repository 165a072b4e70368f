"""Degrade: one rung down the ladder of modes.py; up again one rung each five minutes once all is well.

By itself it never stops an agent: the last rung, halted, is the emergency stop's and a person's.
"""

from __future__ import annotations

from typing import Any

from levaithan.actions import readings
from levaithan.actions.action import Action, Refused, Run, World
from levaithan.hot import modes


def plan(world: World, _run: Run) -> dict[str, Any]:
    """Raises Refused on the last rung but one."""
    level = int(modes.look(world.home)["level"])
    if level >= modes.LOWEST:
        raise Refused(
            f"the mode is {modes.RUNGS[level].mode}: there is nothing left to switch off but the agents",
            "`levaithan mode set halted --reason TEXT` stops those",
        )
    return {"level": level}


def do(world: World, run: Run) -> dict[str, Any]:
    """One rung further down than it was."""
    level = int(run.undo["level"])
    modes.set_mode(world.home, level + 1, by=f"{run.by} ({run.id})", reason=run.reason, expect=level)
    now = int(modes.look(world.home)["level"])
    return {"level": now, "off": list(modes.RUNGS[now].off)}


def check(world: World, run: Run) -> bool | None:
    """Whether the rung is that one or a lower one, and the readings, the alert's own too, are within objectives."""
    well = not readings.outside(world.readings(), of=readings.of_alert(run.alert))
    if int(modes.look(world.home)["level"]) < int(run.facts.get("level") or 0):
        return well  # it is up again: was it well?
    return True if well else None


def undo(world: World, run: Run) -> str:
    """One rung up, where nobody has changed it since."""
    level = int(run.facts.get("level") or int(run.undo["level"]) + 1)
    before, after = modes.set_mode(world.home, max(0, level - 1), by=run.by, reason=f"undone: {run.id}", expect=level)
    if before == after:
        return "the mode was changed since: it stays"
    return f"the mode is {modes.RUNGS[after].mode} (rung {after})"


ACTION = Action(
    name="degrade",
    about="switch one thing off that is neither deciding nor recording",
    bound="one rung a time; never the rules, the journal, redaction or the agents",
    verifies="the readings are back within their objectives",
    needs=(),
    deadline_s=600.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
    stays=True,
    adds_up=True,
)
