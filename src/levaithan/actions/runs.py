"""The runs of actions as the journal's records tell them: the fold that the monitor and the command line share.

Bounds, what is in effect and what is owed come from here, so a restart forgets none of it. A record may come twice (the
monitor folds what it writes at once and meets it again in the journal) and may be anybody's: nothing in it raises.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from levaithan.actions.action import MONITOR, Run
from levaithan.incidents import kept
from levaithan.incidents.fields import moment, number, text

KIND = "action"
OPEN = ("intent", "done", "verified")
"""Phases of a run that is under way or in effect."""
PHASES = (*OPEN, "failed", "undone", "expired", "refused", "dry_run")
_RANK = {"intent": 0, "done": 1, "verified": 2, "failed": 3, "expired": 4, "undone": 4, "refused": 0, "dry_run": 0}
_FIRST = ("intent", "refused", "dry_run")
HOUR_S = 3600.0
MOST = 2000
_LONGEST = 2000


class Runs:
    """by_id: the runs, the oldest first; those that are over are forgotten when there are more than MOST."""

    def __init__(self) -> None:
        self.by_id: dict[str, Run] = {}

    def fold(self, record: dict[str, Any]) -> Run | None:
        """Take one record; the run that it moved on, None where it moved none."""
        if record.get("kind", KIND) != KIND:
            return None
        one, phase = text(record.get("run")), text(record.get("phase"))
        at_s = moment(record.get("at"))
        if not one or phase not in _RANK or at_s is None:
            return None
        run = self.by_id.get(one)
        if run is not None:
            return self._moved(run, record, phase)
        if phase not in _FIRST:
            return None
        self.by_id[one] = _begun(record, one, phase, at_s)
        self._forget()
        return self.by_id.get(one)

    def _moved(self, run: Run, record: dict[str, Any], phase: str) -> Run | None:
        if phase in _FIRST or _RANK[phase] <= _RANK[run.phase]:
            return None
        run.phase = phase
        run.why = text(record.get("why"), _LONGEST)
        facts = record.get("facts")
        if type(facts) is dict:
            run.facts = facts
        return run

    def active(self, action: str, target: dict[str, str]) -> Run | None:
        """The run of `action` on `target` that is under way or in effect."""
        for run in reversed(self.by_id.values()):
            if run.action == action and run.target == target and run.phase in OPEN and in_effect(run):
                return run
        return None

    def successor(self, run: Run) -> Run | None:
        """The run that was begun next after `run`, of the same action on the same target; None for none. What cannot
        stand twice (a store's one circuit) was overwritten by it."""
        found = None
        for one in reversed(self.by_id.values()):
            if one.id == run.id:
                break
            if (one.action, one.target) == (run.action, run.target) and one.phase not in ("refused", "dry_run"):
                found = one
        return found

    def open(self) -> list[Run]:
        """Every run that is under way or in effect, the oldest first."""
        return [run for run in self.by_id.values() if run.phase in OPEN]

    def failed(self) -> list[Run]:
        """The runs that have failed and were not undone, the oldest first."""
        return [run for run in self.by_id.values() if run.phase == "failed"]

    def counted(self, now_s: float) -> list[Run]:
        """The monitor's runs of the last hour: what its bounds go by. A time to come counts as now."""
        return [
            run
            for run in self.by_id.values()
            if run.by == MONITOR and run.phase not in ("refused", "dry_run") and now_s - min(run.at_s, now_s) < HOUR_S
        ]

    def of_incident(self, incident: str) -> list[Run]:
        """What was done for an incident, the oldest first."""
        return [run for run in self.by_id.values() if run.incident == incident]

    def _forget(self) -> None:
        if len(self.by_id) > MOST:
            over = [one for one, run in self.by_id.items() if run.phase not in OPEN or not in_effect(run)]
            for one in over[: MOST // 4]:
                del self.by_id[one]

    def dump(self) -> list[dict[str, Any]]:
        """JSON-able; `load` reads it again."""
        return [asdict(run) for run in self.by_id.values()]

    def load(self, values: list[dict[str, Any]]) -> None:
        """Go on from what `dump` gave. Raises one of kept.DAMAGED for what it never gave."""
        made: list[Run] = kept.read(list[Run], values)
        if any(run.phase not in _RANK for run in made):
            raise ValueError("a phase that there is not")
        self.by_id = {run.id: run for run in made}


def in_effect(run: Run) -> bool:
    """Whether there is something that is yet to be verified or undone."""
    return run.phase in ("intent", "done") or (run.phase == "verified" and run.stays)


def _begun(record: dict[str, Any], one: str, phase: str, at_s: float) -> Run:
    undo = record.get("undo")
    expires = record.get("expires_s")
    return Run(
        id=one,
        action=text(record.get("action")),
        target=_target(record.get("target")),
        by=text(record.get("by")),
        reason=text(record.get("reason"), _LONGEST),
        alert=text(record.get("alert")),
        incident=text(record.get("incident")),
        fingerprint=text(record.get("fingerprint")),
        phase=phase,
        at_s=at_s,
        deadline_s=number(record.get("deadline_s"), at_s),
        expires_s=None if expires is None else number(expires, at_s),
        undo=undo if type(undo) is dict else {},
        why=text(record.get("why"), _LONGEST),
        stays=record.get("stays") is True,
    )


def _target(value: Any) -> dict[str, str]:
    if type(value) is not dict:
        return {}
    return {text(name): text(said, 4096) for name, said in list(value.items())[:8]}
