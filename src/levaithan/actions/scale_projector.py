"""Scale the projector: one process more for the stores on servers; one less again once all is well for a while."""

from __future__ import annotations

from typing import Any

from levaithan.actions import readings
from levaithan.actions.action import Action, Refused, Run, World
from levaithan.hot import modes
from levaithan.projector import status

FALLS = 0.2
"""By this share the lag must have fallen."""


def plan(world: World, _run: Run) -> dict[str, Any]:
    """Raises Refused at the bound, while the memory is short, and where nothing can be shared."""
    count = modes.workers(world.home)
    if count >= modes.MOST_WORKERS:
        raise Refused(
            f"{count} processes project already, which is the most", "`levaithan store status` shows what is behind"
        )
    used = world.readings().get(readings.MEMORY_USED, 0.0)
    if used > readings.OBJECTIVES[readings.MEMORY_USED]:
        raise Refused(
            f"{used:.0%} of the memory is in use: another process would make it worse",
            "free memory, or `levaithan action run degrade --reason TEXT`, which switches something off",
        )
    told = status.read(world.home) or {}
    remote = int(told.get("remote") or 0)
    if count > remote:
        raise Refused(
            f"{remote} stores are on servers: {count} processes are enough for them",
            "for an embedded store: `levaithan action run restart_projector --reason TEXT`",
        )
    return {"workers": count}


def do(world: World, run: Run) -> dict[str, Any]:
    """One process more than there were."""
    lag = world.readings().get(readings.LAG, 0.0)
    before, after = modes.set_workers(world.home, min(modes.MOST_WORKERS, int(run.undo["workers"]) + 1))
    return {"before": before, "workers": after, "lag_seconds": lag}


def check(world: World, run: Run) -> bool | None:
    """Whether the lag has fallen by a fifth, or is inside the objective."""
    found = world.readings().get(readings.LAG, 0.0)
    before = float(run.facts.get("lag_seconds") or 0.0)
    inside = readings.OBJECTIVES[readings.LAG] * (1.0 - readings.HYSTERESIS)
    there = int((status.read(world.home) or {}).get("workers") or 1)
    return True if found <= max(inside, before * (1.0 - FALLS)) and there >= modes.workers(world.home) else None


def undo(world: World, run: Run) -> str:
    """As many as before, where nobody has changed it since."""
    count, before = modes.workers(world.home), int(run.undo["workers"])
    if count != before + 1:
        return f"that was changed since: {count} project"
    modes.set_workers(world.home, before)
    return f"{before} project again"


ACTION = Action(
    name="scale_projector",
    about="share the stores on servers among one process more",
    bound="4 processes; never over 85% of the memory; one less after 15 minutes inside the objective",
    verifies="the lag falls by a fifth",
    needs=(),
    deadline_s=300.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
    stays=True,
    adds_up=True,
)
