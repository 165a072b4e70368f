"""What becomes of runs as time passes: verified, failed and undone, expired; gone on with after a crash.

Time is the seconds that the monitor has seen pass (incidents.timers): a clock that is set ends and undoes nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.actions import records
from levaithan.actions.action import MONITOR, Run, nothing_to_undo
from levaithan.actions.message import of_run
from levaithan.actions.recovery import STEPS_S, Recovery
from levaithan.actions.registry import ACTIONS
from levaithan.errors import LevaithanError
from levaithan.incidents.timers import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.actions.action import Action
    from levaithan.actions.runner import Runner

CHECK_S = 1.0
LOOK_S = 5.0
"""How often the readings are looked at for what may come on again."""
OTHERS_S = 60.0
"""After so long an intent of somebody else is gone on with: a command does its own at once."""
AGAIN_S = (2.0, 10.0, 60.0, 600.0)
"""Pauses between tries to undo what cannot be undone yet."""


class Following:
    """A runner's part that time drives. now: the runner's own time, None before the first tick."""

    def __init__(self, runner: Runner, mono: Callable[[], float]) -> None:
        self.recovery = Recovery()
        self.now: float | None = None
        self._runner = runner
        self._mono = mono
        self._clock = Clock()
        self._checked: dict[str, float] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        self._looked = 0.0
        self._unlooked_s = 0.0

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        passed = self._clock.passed(now_s, self._mono())
        self.now = now_s if self.now is None else self.now + passed
        self._runner.write_down()
        for failed, run in self.owed():
            self.take_back(failed, run, by=MONITOR, why="it failed", phase="undone")
        self._collect()
        for run in self._runner.runs.open():
            action = ACTIONS.get(run.action)
            if action is None or run.id in self._runner.working:
                continue
            if run.phase == "intent":
                self._resume(action, run)
            elif run.phase == "done" and self._due(run):
                self.verify(action, run)
            if run.phase in ("done", "verified") and self._over(run):
                self.take_back(action, run, by=MONITOR, why="its time is over", phase="expired")
        self._give_back(passed)

    def verify(self, action: Action, run: Run) -> None:
        """Look whether the world is as meant; what it does not become in time has failed."""
        try:
            holds = action.check(self._runner.world, run)
        except Exception as problem:  # it cannot be looked at now: that is no proof of anything
            holds, run.why = None, records.said(problem)
        if holds:
            self._runner.record(run, "verified", why="")
        elif holds is False or self._late(run):
            why = "" if holds is False or not run.why else f" ({run.why})"
            self.failed(run, f"not verified: {action.verifies}{why}")

    def failed(self, run: Run, why: str) -> None:
        """Write that it failed. It is undone at the next tick: between the two the incident's engine reads that it
        failed, and tells more people; and a crash between the two is no other case."""
        self._runner.record(run, "failed", why)

    def owed(self) -> list[tuple[Action, Run]]:
        """What failed and is to be undone; a stop stays until a person lifts it."""
        found = [(ACTIONS.get(run.action), run) for run in self._runner.runs.failed()]
        return [
            (action, run)
            for action, run in found
            if action is not None and not action.person_undoes and action.undo is not nothing_to_undo
        ]

    def take_back(self, action: Action, run: Run, *, by: str, why: str, phase: str) -> Run:
        """Undo `run`. By the monitor: what cannot be undone is tried again later; by a person: LevaithanError."""
        if by == MONITOR and not self._may_try(run):
            return run
        try:
            words = action.undo(self._runner.world, run)
        except Exception as problem:
            if by != MONITOR:
                raise LevaithanError(f"{run.label} cannot be undone: {records.said(problem)}") from problem
            self._stuck(action, run, records.said(problem))
            return run
        self._tries.pop(run.id, None)
        self._runner.record(run, phase, f"{why}: {words}", by=by)
        if by == MONITOR and action.stops_work and phase == "expired":
            self._runner.tell(of_run(run, "It has ended by itself; a person decides what comes next."))
        return run

    def _resume(self, action: Action, run: Run) -> None:
        """An intent without a result: whoever made it is gone. Done again while there is time (a deed looks before it
        does), else undone."""
        if self.now is None or (run.by != MONITOR and self.now - run.at_s < OTHERS_S):
            return
        if action.person_undoes or not self._late(run):
            self._runner.do(action, run, wait=False)
        else:
            self.failed(run, "it was interrupted, and its time is over")

    def _collect(self) -> None:
        for one, future in list(self._runner.working.items()):
            run = self._runner.runs.by_id.get(one)
            action = ACTIONS.get(run.action) if run is not None else None
            if run is None or action is None:
                del self._runner.working[one]
                continue
            if not future.done():
                continue
            del self._runner.working[one]
            problem = future.exception()
            if problem is not None:
                self.failed(run, records.said(problem))
            else:
                self._runner.record(run, "done", facts=future.result())

    def _give_back(self, passed_s: float) -> None:
        """Scaling and degradation, a step at a time, once all has been well for a while."""
        self._unlooked_s += passed_s
        if self._unlooked_s < LOOK_S:
            return
        if any(run.action in STEPS_S for run in self._runner.runs.open()):
            for run in self.recovery.due(self._runner.runs, self._runner.world.readings(), self._unlooked_s):
                self.take_back(ACTIONS[run.action], run, by=MONITOR, why="all is well again", phase="expired")
        self._unlooked_s = 0.0

    def _due(self, run: Run) -> bool:
        now = self.now or 0.0
        if now - self._checked.get(run.id, 0.0) < CHECK_S:
            return False
        if len(self._checked) > 1000:
            self._checked.clear()
        self._checked[run.id] = now
        return True

    def _late(self, run: Run) -> bool:
        return self.now is not None and self.now > run.deadline_s

    def _over(self, run: Run) -> bool:
        return self.now is not None and run.expires_s is not None and self.now >= run.expires_s

    def _may_try(self, run: Run) -> bool:
        return (self.now or 0.0) >= self._tries.get(run.id, (0, 0.0))[1]

    def _stuck(self, action: Action, run: Run, why: str) -> None:
        tries = self._tries.get(run.id, (0, 0.0))[0] + 1
        pause = AGAIN_S[min(tries, len(AGAIN_S)) - 1]
        self._tries[run.id] = (tries, (self.now or 0.0) + pause)
        if tries == 1:
            self._runner.tell(of_run(run, f"It cannot be undone yet ({why}); it is tried again. {action.about}"))
