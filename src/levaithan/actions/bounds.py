"""How often the monitor may act by itself: beyond that, people only.

A stop is not counted against the bound on all together: what was thrown at the monitor before must not keep it from
stopping what has to be stopped. The bound on one target holds for it as well.

All of it is counted from the journal's records, so a restart forgets nothing. The bounds hold for what the monitor
does, never for what a person runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levaithan.actions.action import Action, Target
    from levaithan.actions.runs import Runs

OF_A_KIND = 2
"""Runs of one action on one target in an hour."""


def over(action: Action, target: Target, runs: Runs, settings: Any, now_s: float) -> str:
    """Why the monitor may not run `action` on `target` now, in words; "" when it may."""
    counted = runs.counted(now_s)
    most = int(settings.action_hourly_limit)
    if len(counted) >= most and not action.person_undoes:
        return f"bound: {len(counted)} automatic actions in the last hour, {most} are allowed"
    same = [run for run in counted if run.action == action.name]
    often = max(OF_A_KIND, action.most_an_hour)  # what has one target alone may be bounded more widely
    if sum(run.target == target for run in same) >= often:
        return f"bound: {often} runs of it on this target in the last hour"
    if action.most_an_hour and len(same) >= action.most_an_hour:
        return f"bound: {action.most_an_hour} runs of it in the last hour"
    return ""


def dry(action: Action, severity: str, settings: Any) -> bool:
    """Whether the setting makes an automatic run of `action` a dry one."""
    how = str(settings.action_dry_run)
    return how == "all" or (how == "stopping" and action.stops_work and severity != "P0")
