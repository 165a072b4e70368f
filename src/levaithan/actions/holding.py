"""A store that is held: why, by whom, until when, and which command lets it go; for whoever tells people of stores.

What counts is the address at which the store is written to now: a service goes on at the old one until its restart,
though the settings name another by then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.actions.jobs import attempt
from levaithan.hot import modes
from levaithan.projector import status
from levaithan.stores import address
from levaithan.stores.registry import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home

BACK = "levaithan mode set normal --reason TEXT (what went off by itself comes back by itself)"


@dataclass(frozen=True, slots=True)
class Held:
    """why: in words, until when in them where that is known; remedy: the command that lets it go; brief: by whom, until
    when and what releases it, in one line; circuit: its broken circuit ({until, reason, by, where}), None where the
    mode holds it."""

    why: str
    remedy: str
    brief: str
    circuit: dict[str, Any] | None

    def as_fields(self) -> dict[str, Any]:
        """What programs are told beside the row of a store: held, held_brief, circuit."""
        return {"held": self.why, "held_brief": self.brief, "circuit": self.circuit}


def all_held(briefs: Mapping[str, str]) -> str:
    """Which stores are held, in words, out of store -> `brief`; "" for none."""
    found: dict[str, list[str]] = {}
    for store, brief in briefs.items():
        found.setdefault(brief, []).append(store)
    return " ".join(f"Held: {', '.join(stores)} {brief}." for brief, stores in found.items())


def of(home: Home, store: Any) -> Held | None:
    """What holds the store (an opened one) now, None for nothing. Never raises."""
    where = running_at(home, store.name) or address.of(store)
    why = modes.held(home, store.name, remote=store.remote, where=where)
    if not why:
        return None
    circuit = modes.circuit(home, store.name, where)
    if circuit is None:
        return Held(why, BACK, f"by {modes.look(home)['by']}: {why}; `{BACK.partition(' (')[0]}` releases it", None)
    until, undo = circuit.get("until"), _undo(circuit)
    remedy = f"mend the store: it is tried again at {until}" + (f", at once by {undo}" if undo else "")
    brief = f"until {until} by {circuit.get('by')}" + (f"; {undo} releases it at once" if undo else "")
    return Held(why, remedy, brief, circuit)


def running_at(home: Home, store: str) -> str:
    """The address at which the projector that runs now has the store; "" where none says so. Never raises."""
    return str((status.of_now(home, store) or {}).get("where") or "")


def settings_at(home: Home, settings: Any, store: str) -> str | None:
    """The address that the settings give the store; None for one that is not in use. Raises LevaithanError."""
    opened = open_store(store, settings, home)
    if opened is None:
        return None
    try:
        return address.of(opened)
    finally:
        opened.close()


def circuits(home: Home, settings: Any | None) -> list[dict[str, Any]]:
    """Every broken circuit that is not over: {store, until, reason, by, where, at, holds}. at: the address where the
    store is written to now ("" where that cannot be told, None: nowhere); holds: whether that is held by it. `settings`
    may be None, for those that cannot be read. Never raises."""
    found = []
    for store, one in modes.breakers(home).items():
        at = _written_at(home, settings, store)
        holds = at is not None and modes.circuit(home, store, at) is not None
        found.append({"store": store, "where": "", "by": "", **one, "at": at, "holds": holds})
    return found


def _written_at(home: Home, settings: Any | None, store: str) -> str | None:
    """See `at` of circuits. Settings that cannot be used say nothing of an address."""
    running = running_at(home, store)
    if running or settings is None:
        return running
    at, problem = attempt(lambda: settings_at(home, settings, store))
    return "" if problem else at


def _undo(circuit: dict[str, Any]) -> str:
    """The command that closes it now; "" for one that no run of an action broke."""
    run = re.search(r"\((a-\w+)\)", str(circuit.get("by", "")))
    return f"`levaithan action undo {run[1]}`" if run else ""
