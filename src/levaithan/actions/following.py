"""What becomes of runs as time passes: verified, failed and undone, expired; gone on with after a crash.

Time is the seconds that the monitor has seen pass (incidents.timers): a clock that is set ends and undoes nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.actions.action import MONITOR, Run, nothing_to_undo
from levaithan.actions.jobs import Jobs, attempt
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
        self.jobs = Jobs()
        self.now: float | None = None
        self._runner = runner
        self._mono = mono
        self._clock = Clock()
        self._checked: dict[str, float] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        self._unlooked_s = 0.0
        self._missing: set[str] = set()

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        passed = self._clock.passed(now_s, self._mono())
        self.now = now_s if self.now is None else self.now + passed
        self._runner.write_down()
        self.jobs.collect()
        for failed, run in self.owed():
            if run.id not in self.jobs:
                self.take_back(failed, run, by=MONITOR, why="it failed", phase="undone")
        for run in self._runner.runs.open():
            action = ACTIONS.get(run.action)
            if action is not None and run.id not in self.jobs:
                self._go_on(action, run)
            elif action is not None and run.phase in ("intent", "done") and self._late(run):
                self.failed(run, "it did not end in time")
        self._give_back(passed)

    def _go_on(self, action: Action, run: Run) -> None:
        if self._gone(action, run):
            return
        if run.phase == "intent":
            self._resume(action, run)
        elif run.phase == "done" and self._due(run):
            self.verify(action, run)
        if run.phase in ("done", "verified") and self._over(run) and run.id not in self.jobs:
            self.take_back(action, run, by=MONITOR, why="its time is over", phase="expired")

    def _gone(self, action: Action, run: Run) -> bool:
        """Whether somebody took away what the run had set, which ends it. Seen at two ticks in a row: who undoes the
        run itself takes it away first, and writes that down a moment later."""
        look = action.gone
        if look is None or run.phase == "intent" or not attempt(lambda: look(self._runner.world, run))[0]:
            self._missing.discard(run.id)
            return False
        if run.id in self._missing:
            self._missing.discard(run.id)
            by = self._runner.released.get(str(run.facts.get("halt") or run.facts.get("restraint")), "")
            why = "released by a person" if by else "released; no record here says by whom"
            if other := self._runner.runs.successor(run):
                why, by = f"another took its place: {other.id}", other.by
            self._runner.record(run, "undone", why, by=by or "person")
        else:
            self._missing.add(run.id)
        return True

    def verify(self, action: Action, run: Run, *, wait: bool = False) -> None:
        """Look whether the world is as meant; what it does not become in time has failed."""

        def look() -> bool | None:
            return action.check(self._runner.world, run)

        if action.slow and not wait:
            self.jobs.add(run.id, look, lambda holds, why: self._looked_at(action, run, holds, why))
        else:
            self._looked_at(action, run, *attempt(look))

    def _looked_at(self, action: Action, run: Run, holds: bool | None, why: str) -> None:
        """What cannot be looked at just now is no proof of anything."""
        if run.phase != "done":
            return
        if holds:
            self._runner.record(run, "verified")
        elif holds is False or self._late(run):
            self.failed(run, f"not verified: {action.verifies}" + (f" ({why})" if why else ""))

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

        def work() -> str:
            return action.undo(self._runner.world, run)

        def then(words: str | None, problem: str) -> None:
            self._taken_back(action, run, words or "", problem, by=by, why=why, phase=phase)

        if by != MONITOR:
            words, problem = attempt(work)
            if problem:
                raise LevaithanError(f"{run.label} cannot be undone: {problem}.")
            then(words, "")
        elif self._may_try(run):
            if action.slow:
                self.jobs.add(run.id, work, then)
            else:
                then(*attempt(work))
        return run

    def _taken_back(self, action: Action, run: Run, words: str, problem: str, *, by: str, why: str, phase: str) -> None:
        if problem:
            self._stuck(action, run, problem)
            return
        self._tries.pop(run.id, None)
        self._runner.record(run, phase, f"{why}: {words}", by=by)
        if by == MONITOR and action.stops_work and phase == "expired":
            self._runner.tell(of_run(run, "It has ended by itself; a person decides what comes next."))

    def _resume(self, action: Action, run: Run) -> None:
        """An intent without a result: whoever made it is gone. Done again while there is time (a deed looks before it
        does), else undone."""
        if self.now is None or (run.by != MONITOR and self.now - run.at_s < OTHERS_S):
            return
        if action.person_undoes or not self._late(run):
            self._runner.do(action, run, wait=False)
        else:
            self.failed(run, "it was interrupted, and its time is over")

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
