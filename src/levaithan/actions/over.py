"""Whether what a run had set still holds: by what is in force now, not by who wrote it down.

What stands in a file (a halt, a restraint, a broken circuit) ends by a person's release or by the wall clock, whether a
monitor lives or not; only the monitor writes that into the run's record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.actions.jobs import attempt

if TYPE_CHECKING:
    from levaithan.actions.action import Action, Run, World

RELEASED, EXPIRED = "released", "expired"


def why(action: Action | None, world: World, run: Run) -> str:
    """RELEASED or EXPIRED where what `run` had set is over, else "": also for what no file tells of, and what cannot be
    looked at."""
    look = action.gone if action is not None else None
    if look is None or run.phase not in ("done", "verified"):
        return ""
    if attempt(lambda: look(world, run))[0]:
        return RELEASED
    return EXPIRED if run.expires_s is not None and world.now() >= run.expires_s else ""
