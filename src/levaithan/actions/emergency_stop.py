"""Emergency stop: a halt of the smallest scope that holds the cause. Nobody but a person lifts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.actions import probe
from levaithan.actions.action import Action, Refused, Run, World
from levaithan.actions.restraining import NAME_ONE
from levaithan.hot import halt_merge, halts

if TYPE_CHECKING:
    from levaithan.hot.halts import Halt

SCOPES = ("session", "agent", "project", "all")
"""The smallest first."""


def place(run: Run) -> tuple[str, str]:
    """(scope, target) of a run's target; raises Refused for none that is known."""
    for scope in SCOPES:
        if scope in run.target:
            return scope, run.target[scope]
    raise Refused(f"it needs one of: {', '.join(SCOPES)}", NAME_ONE)


def _mine(world: World, run: Run) -> Halt | None:
    return next((halt for halt in halts.active(world.home) if halt.by.endswith(f"({run.id})")), None)


def plan(world: World, run: Run) -> dict[str, Any]:
    """Raises Refused where a halt holds the same already."""
    scope, target = place(run)
    for halt in halts.active(world.home):
        if halt.scope == "all" or (halt.scope, halt.target) == (scope, target):
            raise Refused(
                f"the halt {halt.id} ({halt.scope}) holds it already",
                f"nothing more is needed; `levaithan halt release {halt.id}` ends it",
            )
    return {"release": f"levaithan action undo {run.id}"}


def do(world: World, run: Run) -> dict[str, Any]:
    """Sets the halt, unless this very run has."""
    scope, target = place(run)
    halt = _mine(world, run)
    if halt is None:
        halt = halts.set_halt(world.home, scope, target, run.reason, f"{run.by} ({run.id})")
    return {"halt": halt.id}


def check(world: World, run: Run) -> bool | None:
    """Whether a call of that scope is refused by the halt."""
    scope, target = place(run)
    said = probe.refused(world.home, probe.call_of(scope, target, probe.READS))
    return True if said is not None and said.verdict == "halt" else None


def undo(world: World, run: Run) -> str:
    """A person lifts it, for every machine."""
    halt = _mine(world, run)
    if halt is None:
        return "that halt is not in force any more"
    released = halts.release_halt(world.home, halt.id)
    halt_merge.note_released(world.home, [one.id for one in released])
    return f"released the halt {halt.id}"


def gone(world: World, run: Run) -> bool:
    """Whether somebody has lifted it: a halt of this kind never ends by itself."""
    return _mine(world, run) is None


ACTION = Action(
    name="emergency_stop",
    about="stop every agent within the smallest scope that holds the cause",
    bound="one halt a scope; nothing but a person lifts it",
    verifies="a call of that scope is refused",
    needs=(),
    deadline_s=5.0,
    plan=plan,
    do=do,
    check=check,
    undo=undo,
    gone=gone,
    stays=True,
    stops_work=True,
    person_undoes=True,
)
