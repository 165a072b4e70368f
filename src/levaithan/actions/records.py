"""An action's records as docs/reference/journal-format.md promises them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.hot.bounded import short
from levaithan.hot.halts import stamp

if TYPE_CHECKING:
    from levaithan.actions.action import Action, Run

KIND = "action"
_LONGEST = 1000


def body(
    action: Action | None, run: Run, phase: str, why: str = "", *, at_s: float | None = None, **more: Any
) -> dict[str, Any]:
    """The record of `run` reaching `phase`; an intent says all that it takes to finish or to undo it."""
    told: dict[str, Any] = {"phase": phase, "action": run.action, "run": run.id, "target": dict(run.target)}
    told["by"] = run.by
    told["at"] = stamp(int((run.at_s if at_s is None else at_s) * 1_000_000))
    if run.incident:
        told["incident"] = run.incident
    if phase in ("intent", "refused", "dry_run"):
        told |= {"reason": short(run.reason, _LONGEST), "undo": run.undo, "fingerprint": run.fingerprint}
        told["alert"] = run.alert
        if action is not None:
            told |= {"bound": action.bound, "verify": action.verifies, "stays": run.stays}
        told |= {"deadline_s": run.deadline_s, "expires_s": run.expires_s}
    if why:
        told["why"] = short(why, _LONGEST)
    return {name: value for name, value in {**told, **more}.items() if value is not None and value != ""}


def said(problem: BaseException) -> str:
    """An exception in one bounded line, without its traceback."""
    return short(f"{type(problem).__name__}: {problem}".replace("\n", " "), _LONGEST)
