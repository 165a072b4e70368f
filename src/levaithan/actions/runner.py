"""Runs actions: bounded, once a cause, written down before and after, verified, undone. The monitor's, and a command's.

Each run is an intent in the journal (with what undoing takes) before anything is done, and a result after: a crash in
between is finished or undone at the next tick. What may wait for others is done in a thread; the journal is written by
the caller's alone. Knows no action by name; responses.py says what answers what.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from levaithan.actions import asking, bounds, over, readings, records, responses
from levaithan.actions.action import MONITOR, Refused, Run, Target, World
from levaithan.actions.following import Following
from levaithan.actions.jobs import attempt
from levaithan.actions.message import of_change
from levaithan.actions.outbox import Outbox
from levaithan.actions.registry import ACTIONS, HUMAN_ALERT
from levaithan.actions.runs import Runs
from levaithan.errors import NotFound, UsageProblem
from levaithan.incidents.fields import text
from levaithan.incidents.kept import DAMAGED, list_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from levaithan.actions.action import Action
    from levaithan.actions.message import Message
    from levaithan.hot.paths import Home

_FORMAT = 1
MOST_UNWRITTEN = 1000
MOST_TOLD = 5000
MOST_REFUSED = 1000
_RELEASES = ("halt", "restraint")
_ACTS = ("opened", "reopened", "raised", "standing")
_TELLS = ("opened", "reopened", "raised", "escalated", "flapping", "resolved", "standing")
_LOOK = "levaithan doctor"
QUIET_S = 3600.0
"""A refusal of the same kind is written down once in so long: a storm must not fill the journal."""


class Runner:
    """One process's. write(kind, body): appends one synced record, or raises; tell(message): people are to be told;
    now: Unix seconds; mono: monotonic seconds; ask, look: see action.World."""

    def __init__(
        self,
        home: Home,
        settings: Any,
        write: Callable[[str, dict[str, Any]], object],
        now: Callable[[], float] = time.time,
        tell: Callable[[Message], object] = lambda _message: None,
        *,
        mono: Callable[[], float] = time.monotonic,
        ask: Callable[[str, float, Mapping[str, str]], dict[str, Any] | None] | None = None,
        look: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self.runs = Runs()
        self.world = World(
            home=home,
            settings=settings,
            now=now,
            ask=ask or (lambda *what: asking.service(home, *what)),
            readings=look or (lambda: readings.look(home)),
        )
        self.write, self.tell = write, tell
        self.following = Following(self, mono)
        self._told: dict[str, None] = {}
        self._refused: dict[str, float] = {}
        self.released: dict[str, str] = {}
        self.unwritten: list[dict[str, Any]] = []
        self.trouble = ""

    def fold(self, record: dict[str, Any]) -> None:
        """Take one journal record of any kind; its own are known again. Never raises for what a record holds."""
        if record.get("kind") in _RELEASES and record.get("action") == "release":
            self._note_released(record)
        if record.get("kind") != records.KIND:
            return
        if record.get("action") == HUMAN_ALERT and isinstance(record.get("incident"), str):
            self._told[record["incident"]] = None
            if len(self._told) > MOST_TOLD:
                del self._told[next(iter(self._told))]
        self.runs.fold(record)

    def _note_released(self, record: dict[str, Any]) -> None:
        """Who let go of a halt or a restraint, by its id."""
        one, by = record.get(str(record["kind"])), text(record.get("by"))
        if type(one) is dict and text(one.get("id")) and by:
            self.released[text(one["id"])] = by
            if len(self.released) > MOST_TOLD:
                del self.released[next(iter(self.released))]

    def respond(self, changes: Iterable[Any], now_s: float) -> None:
        """Act on what happened to incidents, and let people know what was done. Never raises for an action."""
        for change in changes:
            if change.kind not in _TELLS:
                continue
            standing, known = change.kind == "standing", self.runs.of_incident(change.incident.id)
            if standing and self._was_told(change.incident.id):
                continue
            acts = change.kind in _ACTS and not (
                standing and known
            )  # what was done before this start is not done again
            done = self._answer(change, now_s) if acts else known[-5:]
            self.tell(of_change(change, done))

    def _was_told(self, incident: str) -> bool:
        """Whether people were told of it, or what tells them is in the outbox. That something was done is no proof: a
        monitor may end between the two."""
        if incident in self._told:
            return True
        messages = [one.get("message") for one in Outbox(self.world.home).waiting()]
        return any(type(one) is dict and one.get("incident") == incident for one in messages)

    def _answer(self, change: Any, now_s: float) -> list[Run]:
        incident, done = change.incident, []
        for step in responses.steps(incident):
            target = step.target(self.world, incident)
            if target is not None:
                done.append(self.by_itself(ACTIONS[step.action], target, incident, now_s))
        return done

    def by_itself(self, action: Action, target: Target, incident: responses.Troubled, now_s: float) -> Run:
        """An automatic run: within its bounds, dry where the settings say so. Never raises."""
        run = self._made(
            action, target, by=MONITOR, reason=incident.title or incident.alert, incident=incident.id, now_s=now_s
        )
        run.fingerprint, run.alert = incident.fingerprint, incident.alert
        known = self._same(action, target)
        if known is not None:
            return known
        if incident.frozen:
            return self._refuse(run, "flapping: automation for this trouble is frozen until a person closes it")
        bound = bounds.over(action, target, self.runs, self.world.settings, now_s)
        if bound:
            return self._refuse(run, bound)
        return self._go(action, run, dry=bounds.dry(action, incident.severity, self.world.settings))

    def run(self, name: str, target: Target, *, by: str, reason: str, incident: str = "", dry_run: bool = False) -> Run:
        """What a person has run, done when this returns (verified where the world says so at once, else at a tick).

        The same again while it is in effect gives the first one. Raises NotFound, UsageProblem.
        """
        action = ACTIONS.get(name)
        if action is None:
            raise NotFound(what="action", name=name, fix="`levaithan action list --known` shows what there is")
        missing = [key for key in action.needs if not target.get(key)]
        if missing:
            raise UsageProblem(f"{name} needs a target: {', '.join(missing)}.", fix=f"give --{missing[0]}")
        known = self._same(action, target)
        if known is not None and not self._over(action, known):
            return known
        run = self._made(action, target, by=by, reason=reason, incident=incident, now_s=self.world.now())
        return self._go(action, run, dry=dry_run, wait=True)

    def undo(self, run_id: str, by: str, reason: str) -> Run:
        """Undo a run; the run as it is. Raises NotFound; UsageProblem for one that is over or a person's to end."""
        run = self.runs.by_id.get(run_id)
        if run is None:
            raise NotFound(what="run", name=run_id, fix="`levaithan action list` shows the runs")
        if run.phase not in ("intent", "done", "verified", "failed"):
            raise UsageProblem(
                f"The run {run_id} is {run.phase.replace('_', ' ')}.", fix="there is nothing left to undo"
            )
        action = ACTIONS.get(run.action)
        if action is None:
            raise NotFound(what="action", name=run.action, fix="a newer levaithan knows it: undo it there")
        if action.person_undoes and by == MONITOR:
            raise UsageProblem("Only a person ends this.", fix=f"in a terminal: `levaithan action undo {run_id}`")
        return self.following.take_back(action, run, by=by, why=reason, phase="undone")

    def tick(self, now_s: float) -> None:
        """Let time pass: collect what was done, verify, undo what expired or failed, go on after a crash. Each second
        or so. Never raises for an action."""
        self.following.tick(now_s)

    def dump(self) -> dict[str, Any]:
        """The whole state, JSON-able. Save it with the place in the journal up to which records were folded."""
        well_s = dict(self.following.recovery.well_s)
        return {"format": _FORMAT, "runs": self.runs.dump(), "well_s": well_s, "unwritten": self.unwritten,
                "told": list(self._told)}  # fmt: skip

    def load(self, values: dict[str, Any]) -> bool:
        """Go on from what `dump` gave. False where that cannot be read: then the whole journal is to be folded."""
        runs = Runs()
        try:
            if values["format"] != _FORMAT:
                return False
            runs.load(values["runs"])
            well_s = {str(name): float(passed) for name, passed in values["well_s"].items()}
            unwritten, told = list_of(dict, values["unwritten"]), list_of(str, values["told"])
        except DAMAGED:
            return False
        self.runs, self.unwritten, self._told = runs, unwritten, dict.fromkeys(told)
        self.following.recovery.well_s.update(well_s)
        return True

    def close(self) -> None:
        """Let go of the threads; what is under way in one is gone on with at the next start."""
        self.following.jobs.close()

    def record(self, run: Run, phase: str, why: str = "", **more: Any) -> bool:
        """Write the run's next phase and fold it; False where the journal cannot be written: it follows later then."""
        body = records.body(ACTIONS.get(run.action), run, phase, why, at_s=self.world.now(), **more)
        self.runs.fold({**body, "kind": records.KIND})
        self.unwritten = [*self.unwritten, body][-MOST_UNWRITTEN:]
        return self.write_down()

    def write_down(self) -> bool:
        """Write what waits, in order; the first failure ends it until the next time."""
        while self.unwritten:
            try:
                self.write(records.KIND, dict(self.unwritten[0]))
            except Exception as problem:  # a full disk must not keep a stop from being set; it is tried again
                self.trouble = records.said(problem)
                return False
            self.trouble = ""
            del self.unwritten[0]
        return True

    def do(self, action: Action, run: Run, *, wait: bool) -> None:
        """Do it: here, or in a thread where it may wait for others."""
        if wait or not action.slow:
            self._did(action, run, *attempt(lambda: action.do(self.world, run)), wait=wait)
            return
        self.following.jobs.add(
            run.id, lambda: action.do(self.world, run), lambda facts, why: self._did(action, run, facts, why)
        )

    def _did(self, action: Action, run: Run, facts: dict[str, Any] | None, why: str, *, wait: bool = False) -> None:
        if run.phase != "intent":  # it took too long, and has failed by now
            return
        if why:
            self.following.failed(run, why)
            return
        self.record(run, "done", facts=facts)
        self.following.verify(action, run, wait=wait)

    def _go(self, action: Action, run: Run, *, dry: bool, wait: bool = False) -> Run:
        try:
            run.undo = action.plan(self.world, run)
        except Refused as problem:
            return self._refuse(run, str(problem), problem.fix)
        except Exception as problem:
            return self._refuse(run, f"it cannot be planned: {records.said(problem)}", _LOOK)
        if dry:
            self.record(run, "dry_run", "it is only recorded: nothing was done")
            return self.runs.by_id.get(run.id, run)
        written = self.record(run, "intent")
        kept = self.runs.by_id.get(run.id, run)
        if not written and not action.person_undoes:  # a stop is set all the same: its record follows
            del self.runs.by_id[run.id]
            self.unwritten.pop()
            return self._refuse(run, f"the journal cannot be written ({self.trouble})", _LOOK)
        self.do(action, kept, wait=wait)
        return kept

    def _refuse(self, run: Run, why: str, fix: str = "") -> Run:
        run.phase, run.why, run.fix = "refused", why, fix
        kind = f"{run.action} {run.target if not why.startswith('bound: ') else ''} {why.partition(':')[0]}"
        last = self._refused.get(kind)
        if run.by != MONITOR or last is None or not 0 <= run.at_s - last < QUIET_S:
            self._refused.pop(kind, None)
            self._refused[kind] = run.at_s
            if len(self._refused) > MOST_REFUSED:
                del self._refused[next(iter(self._refused))]
            self.record(run, "refused", why)
        return run

    def _same(self, action: Action, target: Target) -> Run | None:
        known, look = self.runs.active(action.name, target), action.elsewhere
        if known is None or (action.adds_up and known.phase == "verified"):
            return None
        return None if look is not None and attempt(lambda: look(self.world, known))[0] else known

    def _over(self, action: Action, run: Run) -> bool:
        """Whether what the run had set is not in force any more, which is written down: the same again is done anew."""
        what = over.why(action, self.world, run)
        if what:
            phase, by = ("expired", MONITOR) if what == over.EXPIRED else ("undone", "person")
            if what == over.RELEASED and (other := self.runs.successor(run)):
                what, by = f"another took its place: {other.id}", other.by
            self.record(run, phase, f"{what}; no monitor had written it down", by=by)
        return bool(what)

    def _made(self, action: Action, target: Target, *, by: str, reason: str, incident: str, now_s: float) -> Run:
        run = Run("a-" + secrets.token_hex(4), action.name, dict(target), by, reason, incident, at_s=now_s)
        run.deadline_s = now_s + action.deadline_s
        run.expires_s = None if action.lasts_s is None else now_s + action.lasts_s
        run.stays = action.stays
        return run
