"""Break a store's circuit: the projector leaves it alone, its cursor waits, and after a while it is probed once."""

from __future__ import annotations

import time
from typing import Any

from levaithan.actions.action import Action, Refused, Run, World
from levaithan.hot import modes
from levaithan.projector import status
from levaithan.stores.registry import known, open_store
from levaithan.stores.roles import LEDGER

_SPARE_S = 600.0
"""So much longer than the run the circuit stays broken: it is the probe that closes it, not the clock."""


def _by(run: Run) -> str:
    return f"{run.by} ({run.id})"


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused for a store that there is not, for the ledger in the home, and for a circuit that is broken."""
    store = run.target["store"]
    if store not in known():
        raise Refused(f"there is no store {store!r}", f"use one of: {', '.join(known())}")
    broken = modes.breakers(world.home).get(store)
    if broken and broken.get("by") != _by(run):
        raise Refused(
            f"its circuit is broken already, until {broken.get('until')}",
            "nothing more is needed: it closes by itself then",
        )
    opened = open_store(store, world.settings, world.home)
    if opened is None:
        raise Refused("it is not in use", "`levaithan store status` shows the stores that are")
    remote = opened.remote
    opened.close()
    if store == LEDGER and not remote:
        raise Refused(
            "the ledger is in this home: every question is asked of it", "`levaithan doctor` says what is wrong with it"
        )
    return {"close": store}


def do(world: World, run: Run) -> dict[str, Any]:
    """Breaks it, until the run's expiry and a little longer."""
    left_s = (run.expires_s or world.now()) - world.now() + _SPARE_S
    until_us = int((time.time() + left_s) * 1_000_000)  # by the wall clock, as every expiry in a file
    modes.break_circuit(world.home, run.target["store"], until_us, by=_by(run), reason=run.reason)
    return {"store": run.target["store"]}


def check(world: World, run: Run) -> bool | None:
    """Whether the projector says that it leaves the store alone; without a projector, whether it is told to."""
    store = run.target["store"]
    if store not in modes.breakers(world.home):
        return False
    told = (status.read(world.home) or {}).get("stores") or {}
    running = world.ask("ping", 2.0, {}) is not None
    return True if not running or (told.get(store) or {}).get("held") else None


def undo(world: World, run: Run) -> str:
    """Closes it, after one probe; a store that does not answer is given to the projector all the same, which waits for
    it by itself."""
    store = run.target["store"]
    modes.close_circuit(world.home, store, by=_by(run))
    opened = open_store(store, world.settings, world.home)
    if opened is None:
        return "closed; the store is not in use any more"
    try:
        health = opened.health()
    finally:
        opened.close()
    said = "it answers" if health.ok else f"it does not answer yet ({'; '.join(health.problems)[:200]})"
    return f"closed; {said}"


ACTION = Action(
    name="circuit_break_store",
    about="leave a store alone for a while; its cursor waits",
    bound="10 minutes; never the ledger of this home",
    verifies="the projector says that it leaves it alone",
    needs=("store",),
    deadline_s=30.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
    stays=True,
    lasts_s=600.0,
    slow=True,
)
