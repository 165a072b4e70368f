"""Break a store's circuit: the projector leaves it alone, its cursor waits, and after a while it is probed once.

A circuit is broken for the store where it is now: one that has another address later is not held by it. What the
monitor answers may be long over (a ratio looks an hour back), so it breaks none of a store that does not fail now.
"""

from __future__ import annotations

import time
from typing import Any

from levaithan.actions.action import MONITOR, Action, Refused, Run, World
from levaithan.hot import modes
from levaithan.projector import status
from levaithan.stores import address
from levaithan.stores.registry import known, open_store
from levaithan.stores.roles import LEDGER

_SPARE_S = 600.0
"""So much longer than the run the circuit stays broken: it is the probe that closes it, not the clock."""


def _by(run: Run) -> str:
    return f"{run.by} ({run.id})"


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused for a store that there is not, for the ledger in the home, for a circuit that is broken, and by
    the monitor for a store that does not fail now."""
    store = run.target["store"]
    if store not in known():
        raise Refused(f"there is no store {store!r}", f"use one of: {', '.join(known())}")
    opened = open_store(store, world.settings, world.home)
    if opened is None:
        raise Refused("it is not in use", "`levaithan store status` shows the stores that are")
    remote, where = opened.remote, address.of(opened)
    opened.close()
    broken = modes.circuit(world.home, store, where)
    if broken and broken.get("by") != _by(run):
        raise Refused(
            f"its circuit is broken already, until {broken.get('until')}",
            "nothing more is needed: it closes by itself then",
        )
    if store == LEDGER and not remote:
        raise Refused(
            "the ledger is in this home: every question is asked of it", "`levaithan doctor` says what is wrong with it"
        )
    if run.by == MONITOR and (why := _not_failing(world, store, where)):
        raise Refused(why, f"nothing more is needed; `levaithan store check {store}` tries it")
    return {"close": store, "where": where}


def _not_failing(world: World, store: str, where: str) -> str:
    """Why the projector's word is none that `store` fails now, at the address `where`; "" when it does."""
    told = status.of_now(world.home, store)
    if told is None:
        return "nobody says that it fails now: the projector is silent"
    if where and told.get("where") not in (None, "", where):
        return "nobody says that it fails now: the projector knows it at another address"
    return "" if told.get("error") else "it does not fail any more"


def do(world: World, run: Run) -> dict[str, Any]:
    """Breaks it for the address of the plan, until the run's expiry and a little longer."""
    left_s = (run.expires_s or world.now()) - world.now() + _SPARE_S
    until_us = int((time.time() + left_s) * 1_000_000)  # by the wall clock, as every expiry in a file
    store, where = run.target["store"], str(run.undo.get("where") or "")
    modes.break_circuit(world.home, store, until_us, by=_by(run), reason=run.reason, where=where)
    return {"store": store}


def check(world: World, run: Run) -> bool | None:
    """Whether the projector says that it leaves the store alone, or has it at another address by now; without a
    projector, whether it is told to."""
    store = run.target["store"]
    broken = modes.breakers(world.home).get(store)
    if broken is None:
        return False
    told = ((status.read(world.home) or {}).get("stores") or {}).get(store) or {}
    moved = bool(broken.get("where") and told.get("where") and told["where"] != broken["where"])
    running = world.ask("ping", 2.0, {}) is not None
    return True if not running or told.get("held") or moved else None


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
