"""Restart the projector: the service ends its child and starts it again; every store goes on from its cursor."""

from __future__ import annotations

from typing import Any

from levaithan.actions.action import Action, Refused, Run, World, nothing_to_undo
from levaithan.projector import status

_ASK_S = 20.0


def plan(world: World, _run: Run) -> dict[str, Any]:
    """Raises Refused without a service: there is no projector that it could restart then."""
    if world.ask("ping", 2.0, {}) is None:
        raise Refused("no service answers, so there is no projector of its own", "`levaithan start`, which starts one")
    return {}


def do(world: World, _run: Run) -> dict[str, Any]:
    """Asks the service; gives the projector's pid and places as they were before."""
    before = status.read(world.home) or {}
    told = world.ask("restart_loop", _ASK_S, {"loop": "projector"})
    if told is None or not told.get("ok"):
        raise RuntimeError(f"the service did not restart it: {(told or {}).get('error') or 'no answer'}")
    return {"pid": before.get("pid"), "seqs": _seqs(before)}


def check(world: World, run: Run) -> bool | None:
    """Whether another process projects, and its cursors move or are at the end."""
    now = status.read(world.home) or {}
    if now.get("pid") in (None, run.facts.get("pid")) or now.get("doing") == "starting":
        return None
    before, head = run.facts.get("seqs") or {}, int(now.get("head_seq") or 0)
    moving = [seq >= head or seq > int(before.get(name) or 0) for name, seq in _seqs(now).items()]
    return True if moving and any(moving) else None


def _seqs(told: dict[str, Any]) -> dict[str, int]:
    stores = told.get("stores") or {}
    return {name: int(one.get("seq") or 0) for name, one in stores.items() if isinstance(one, dict)}


ACTION = Action(
    name="restart_projector",
    about="end the projector and start it again; the stores go on from their cursors",
    bound="three times an hour",
    verifies="another process projects, and its cursors move",
    needs=(),
    deadline_s=120.0,
    plan=plan,
    do=do,
    check=check,
    undo=nothing_to_undo,
    slow=True,
    most_an_hour=3,
)
