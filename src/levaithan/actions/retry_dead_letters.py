"""Retry dead letters: what a store could not take is tried again from the journal; what fails again waits as before."""

from __future__ import annotations

from typing import Any

from levaithan.actions.action import Action, Refused, Run, World, nothing_to_undo
from levaithan.projector import replay
from levaithan.stores.registry import open_store


def waiting(world: World, store: str) -> int:
    """How many of the store's records wait. Raises StoreError, NotConfigured."""
    opened = open_store(store, world.settings, world.home)
    if opened is None:
        return 0
    try:
        return int(opened.dead_count()) if opened.current() else 0
    finally:
        opened.close()


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused where none wait."""
    count = waiting(world, run.target["store"])
    if not count:
        raise Refused("none wait there", "`levaithan store status` shows how many wait in which store")
    return {"waiting": count}


def do(world: World, run: Run) -> dict[str, Any]:
    """Tries all of them once."""
    done = replay.replay(world.home, world.settings, run.target["store"])
    return {"delivered": len(done.delivered), "left": len(done.waiting), "why": [why for _, why in done.waiting[:3]]}


def check(world: World, run: Run) -> bool | None:
    """Whether fewer wait than before."""
    return waiting(world, run.target["store"]) < int(run.undo["waiting"])


ACTION = Action(
    name="retry_dead_letters",
    about="try again what a store could not take",
    bound="each once; what fails again waits as before",
    verifies="fewer wait than before",
    needs=("store",),
    deadline_s=120.0,
    plan=plan,
    do=do,
    check=check,
    undo=nothing_to_undo,
    slow=True,
)
