"""What the three actions that set a restraint have in common: throttle a session, quarantine it, block a tool.

The restraint has an id made from the run's, so that a second attempt after a crash finds it; it ends by itself at its
expiry, whether the monitor lives or not.
"""

from __future__ import annotations

import time
from typing import Any

from levaithan.actions.action import Refused, Run, World
from levaithan.hot import restraints
from levaithan.hot.halts import stamp

SCOPES = ("session", "agent", "project", "all")
NAME_ONE = "say whom it is about: --session ID, --agent ID, --project DIR or --everything"


def place(run: Run) -> tuple[str, str]:
    """(scope, target) of what the run restrains; raises Refused for none that is known."""
    for scope in SCOPES:
        if scope in run.target:
            return scope, run.target[scope]
    raise Refused(f"it needs one of: {', '.join(SCOPES)}", NAME_ONE)


def name_of(run: Run) -> str:
    """The restraint's id."""
    return "t-" + run.id


def planned(world: World, run: Run, kind: str, tool: str = "") -> dict[str, Any]:
    """Raises Refused where such a restraint is in force for the same already."""
    scope, target = place(run)
    for one in restraints.active(world.home):
        if (one.kind, one.scope, one.target, one.tool) == (kind, scope, target, tool) and one.id != name_of(run):
            raise Refused(
                f"the restraint {one.id} holds it already",
                f"nothing more is needed; `levaithan restraint release {one.id}` ends it",
            )
    return {"restraint": name_of(run)}


def put(world: World, run: Run, kind: str, *, tool: str = "", calls_per_minute: int = 0) -> dict[str, Any]:
    """Sets it, until the run's expiry."""
    scope, target = place(run)
    lasts_s = None if run.expires_s is None else max(1.0, run.expires_s - world.now())
    made = restraints.set_restraint(
        world.home, kind, scope, target, reason=run.reason, by=f"{run.by} ({run.id})",
        tool=tool, calls_per_minute=calls_per_minute, lasts_s=lasts_s, restraint_id=name_of(run),
    )  # fmt: skip
    return {"restraint": made.id, "until": made.expires_at}


def there(world: World, run: Run) -> restraints.Restraint | None:
    """The run's restraint, while it is in force."""
    return next((one for one in restraints.active(world.home) if one.id == name_of(run)), None)


def gone(world: World, run: Run) -> bool:
    """Whether somebody has released it: it is not there, and its time, by the clock that ends it, is not over."""
    until = run.facts.get("until")
    return there(world, run) is None and (type(until) is not str or until[:19] > stamp(time.time_ns() // 1000)[:19])


def undo(world: World, run: Run) -> str:
    """Takes it back."""
    released = restraints.release_restraint(world.home, name_of(run))
    return f"released the restraint {name_of(run)}" if released else "that restraint is not in force any more"
