"""Quarantine: what a session or an agent does from now on may only read; after an hour a person decides."""

from __future__ import annotations

from typing import Any

from levaithan.actions import probe, restraining
from levaithan.actions.action import Action, Run, World
from levaithan.hot import restraints


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused where it may only read already."""
    return restraining.planned(world, run, restraints.READ_ONLY)


def do(world: World, run: Run) -> dict[str, Any]:
    """Sets the restraint."""
    return restraining.put(world, run, restraints.READ_ONLY)


def check(world: World, run: Run) -> bool | None:
    """Whether a call that writes is refused and one that reads is not refused for that."""
    one = restraining.there(world, run)
    if one is None:
        return None
    writes = probe.restrained(world.home, probe.call_of(one.scope, one.target, probe.WRITES))
    reads = probe.restrained(world.home, probe.call_of(one.scope, one.target, probe.READS))
    return True if writes and reads != "restraint.read_only" else None


ACTION = Action(
    name="quarantine_session",
    about="let a session or an agent read only",
    bound="60 minutes, then a person decides",
    verifies="a call that writes is refused, one that reads is not",
    needs=(),
    deadline_s=900.0,
    plan=plan,
    do=do,
    check=check,
    undo=restraining.undo,
    gone=restraining.gone,
    stays=True,
    lasts_s=3600.0,
    stops_work=True,
)
