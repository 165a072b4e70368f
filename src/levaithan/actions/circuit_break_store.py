"""Break a store's circuit: the projector leaves it alone, its cursor waits, and after a while it is probed once.

A circuit is broken for the store where it is now: one that has another address later is not held by it. It ends when
its run does, and the projector asks the store again then, whether a monitor lives to close it or not. What the monitor
answers may be long over (a ratio looks an hour back), so it breaks none of a store that does not fail now.
"""

from __future__ import annotations

import time
from typing import Any

from levaithan.actions import holding
from levaithan.actions.action import MONITOR, Action, Refused, Run, World
from levaithan.actions.jobs import attempt
from levaithan.hot import modes
from levaithan.projector import status
from levaithan.stores import address
from levaithan.stores.registry import known, open_store
from levaithan.stores.roles import LEDGER

_SAME_S = 1.0
"""Clocks that are no further apart show the same time: then the run and its circuit end at the same moment."""
_IN_HOME = ("/", "sqlite:")


def _by(run: Run) -> str:
    return f"{run.by} ({run.id})"


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused for a store that there is not, for the ledger in the home, for a circuit that is broken, and by
    the monitor for a store that does not fail now."""
    store = run.target["store"]
    if store not in known():
        raise Refused(f"there is no store {store!r}", f"use one of: {', '.join(known())}")
    where = _where(world, run)
    broken = modes.circuit(world.home, store, where)
    if broken and broken.get("by") != _by(run):
        raise Refused(
            f"its circuit is broken already, until {broken.get('until')}",
            "nothing more is needed: it closes by itself then",
        )
    if store == LEDGER and where.startswith(_IN_HOME):
        raise Refused(
            "the ledger is in this home: every question is asked of it", "`levaithan doctor` says what is wrong with it"
        )
    if run.by == MONITOR and (why := _not_failing(world, store, where)):
        raise Refused(why, f"nothing more is needed; `levaithan store check {store}` tries it")
    return {"close": store, "where": where}


def _where(world: World, run: Run) -> str:
    """The address to hold. A person's is where the service that runs has the store: the settings of the command may
    name another by now. Raises Refused for a store that is used nowhere."""
    store = run.target["store"]
    running = "" if run.by == MONITOR else _running(world, store)
    where = running or holding.settings_at(world.home, world.settings, store)
    if where is None:
        raise Refused("it is not in use", "`levaithan store status` shows the stores that are")
    return where


def _running(world: World, store: str) -> str:
    """Where the running service has it; "" without one."""
    return holding.running_at(world.home, store) if world.ask("ping", 2.0, {}) is not None else ""


def _not_failing(world: World, store: str, where: str) -> str:
    """Why the projector's word is none that `store` fails now, at the address `where`; "" when it does."""
    told = status.of_now(world.home, store)
    if told is None:
        return "nobody says that it fails now: the projector is silent"
    if where and told.get("where") not in (None, "", where):
        return "nobody says that it fails now: the projector knows it at another address"
    return "" if told.get("error") or told.get("flaps") else "it does not fail any more"


def do(world: World, run: Run) -> dict[str, Any]:
    """Breaks it for the address of the plan, until the run's expiry."""
    store, where = run.target["store"], str(run.undo.get("where") or "")
    ahead_s = time.time() - world.now()  # what is in a file goes by the wall clock, which may have been set
    until_s = (run.expires_s or world.now()) + (ahead_s if abs(ahead_s) > _SAME_S else 0.0)
    modes.break_circuit(world.home, store, int(until_s * 1e6), by=_by(run), reason=run.reason, where=where)
    facts = {"store": store, "where": where, "at": holding.running_at(world.home, store)}
    settled, _ = attempt(lambda: holding.settings_at(world.home, world.settings, store))
    if settled and facts["at"] == where != settled:
        facts["note"] = (
            f"the {store} store is held at {where}, where the running service has it; the settings name another "
            "address by now. next: `levaithan restart`, after which that one is used, and not held"
        )
    return facts


def check(world: World, run: Run) -> bool | None:
    """Whether the projector says that it leaves the store alone by this circuit, or has taken it to another address
    since; without a projector, whether it is told to."""
    store = run.target["store"]
    broken = modes.breakers(world.home).get(store)
    if broken is None or broken.get("by") != _by(run):
        return False
    if world.ask("ping", 2.0, {}) is None:
        return True
    told, where = status.of_now(world.home, store) or {}, broken.get("where")
    if where and told.get("where") not in (None, "", where):
        return bool(run.facts.get("at") == where)
    return True if broken["until"] in str(told.get("held")) else None


def elsewhere(world: World, run: Run) -> bool:
    """Whether the store is at another address by now, where this holds nothing."""
    mine = (one for one in holding.circuits(world.home, world.settings) if one["by"] == _by(run))
    return any(not one["holds"] for one in mine)


def gone(world: World, run: Run) -> bool:
    """Whether somebody closed it, or broke another one in its place."""
    return modes.breakers(world.home, 0).get(run.target["store"], {}).get("by") != _by(run)


def undo(world: World, run: Run) -> str:
    """Closes it, after one probe; a store that does not answer is given to the projector all the same, which waits for
    it by itself."""
    store = run.target["store"]
    said, problem = attempt(lambda: _probed(world, store, str(run.undo.get("where") or "")))
    if modes.close_circuit(world.home, store, by=_by(run)):
        return f"closed; {said or f'it could not be asked ({problem})'}"
    return "another circuit took its place" if store in modes.breakers(world.home, 0) else "it was closed already"


def _probed(world: World, store: str, where: str) -> str:
    """What the store that was held answers now, in words: the one at the address `where` ("" = wherever it is)."""
    opened = open_store(store, world.settings, world.home)
    if opened is None:
        return "the settings have no such store now, so none was asked"
    try:
        if where not in ("", address.of(opened)):
            return f"the settings name another address than {where} now, so none was asked"
        health = opened.health()
    finally:
        opened.close()
    return "it answers" if health.ok else f"it does not answer yet ({'; '.join(health.problems)[:200]})"


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
    gone=gone,
    elsewhere=elsewhere,
    stays=True,
    lasts_s=600.0,
    slow=True,
)
