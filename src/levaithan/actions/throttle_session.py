"""Throttle: so many tool calls a minute and no more, for a session, an agent, a project or all."""

from __future__ import annotations

import time
from typing import Any

from levaithan.actions import probe, restraining
from levaithan.actions.action import Action, Run, World
from levaithan.hot import restraints


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused where it is throttled already."""
    return restraining.planned(world, run, restraints.THROTTLE)


def do(world: World, run: Run) -> dict[str, Any]:
    """Sets the restraint, at the rate of the settings."""
    rate = int(world.settings.action_throttle_per_minute)
    return restraining.put(world, run, restraints.THROTTLE, calls_per_minute=rate)


def check(world: World, run: Run) -> bool | None:
    """Whether one call more than are let through within a minute is refused by it."""
    one = restraining.there(world, run)
    if one is None:
        return None
    full = [one.calls_per_minute, [[int(time.time()), one.calls_per_minute]]]
    call = probe.call_of(one.scope, one.target, probe.READS)
    return True if probe.restrained(world.home, call, memory={"throttles": {one.id: {"window": full}}}) else None


ACTION = Action(
    name="throttle_session",
    about="let only so many tool calls a minute pass",
    bound="LEVAITHAN_ACTION_THROTTLE_PER_MINUTE calls a minute, for 30 minutes",
    verifies="a call beyond that rate is refused",
    needs=(),
    deadline_s=300.0,
    plan=plan,
    do=do,
    check=check,
    undo=restraining.undo,
    gone=restraining.gone,
    stays=True,
    lasts_s=1800.0,
    stops_work=True,
)
