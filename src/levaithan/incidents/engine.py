"""Opens incidents from signals, folds what people and actions did, and lets the timers lapse: the monitor's part.

Each step is a journal record first and a change of state by the same fold that everybody reads it with. Where the
journal cannot be written the incident stands all the same (that may be the very trouble), and the record follows.
Signals that repeat are counters, written at most once a minute. Imports no driver.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from levaithan.detectors.signal import SEVERITIES, Signal
from levaithan.errors import LevaithanError
from levaithan.hot.halts import stamp
from levaithan.incidents import correlate, intake, kept, progress, timers
from levaithan.incidents.book import KIND, Book
from levaithan.incidents.change import OF_ACTION, Change
from levaithan.incidents.incident import MONITOR, Incident

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

MOST_UNWRITTEN = 2_000
_FORMAT = 1


class Engine:
    """write(kind, body): appends one synced record; what it raises is kept in `trouble`, and the record is written
    later. settings: see config.incident_settings. now: wall clock, seconds; mono: monotonic. alike(session): sessions
    that touched the same files (the graph's neighbours), asked when an incident of a session opens.

    take and tick give what has happened since, what people did included; fold only reads.
    """

    def __init__(
        self,
        write: Callable[[str, dict[str, Any]], object],
        settings: Any = None,
        now: Callable[[], float] = time.time,
        *,
        mono: Callable[[], float] = time.monotonic,
        alike: Callable[[str], Collection[str]] | None = None,
    ) -> None:
        self.book = Book(brief=True)
        self.limits = progress.Limits.of(settings)
        self.unwritten: list[dict[str, Any]] = []
        self.dropped = 0
        self.trouble = ""
        self.storm = intake.Storm()
        self.held: dict[str, Signal] = {}
        """By fingerprint, what is muted for a moment only; see correlate.lingers."""
        self.written: dict[str, progress.Written] = {}
        self.alike = alike
        self.left: Mapping[tuple[str, str], float] = {}
        """(store, address as a label has it) of what stores of this home were, and no longer are -> since when."""
        self.now = now
        self._write, self._mono = write, mono
        self._clock = timers.Clock()
        self._news: list[Change] = []
        self._live = False

    def fold(self, record: dict[str, Any]) -> None:
        """Take one journal record (any kind, in the journal's order); its own are known again. Never raises for what
        a record holds. What it changes is told by the next take or tick, once the engine has begun."""
        incident = self.book.take(record)
        if incident is not None and self._live and record.get("kind") == KIND:
            self._tell(incident, record)

    def take(self, signals: Iterable[Signal], now_s: float) -> list[Change]:
        """Take what detectors say, firing and resolved alike; what came of it. The same signal twice is one."""
        self._pass(now_s)
        for signal in signals:
            if signal.severity in SEVERITIES:
                intake.take(self, signal, now_s)
        return self._told()

    def tick(self, now_s: float) -> list[Change]:
        """Let time pass: timers, quiet detectors, verified actions, what could not be written. Each few seconds."""
        self._pass(now_s)
        self._write_again()
        intake.take_held(self, now_s)
        for incident in list(self.book.incidents.values()):
            progress.look(self, incident, now_s)
        return self._told()

    def open(self) -> list[Incident]:
        """The incidents whose trouble is not known to be over, the worst first."""
        return self.book.active()

    def step(self, incident_id: str, action: str, now_s: float, **body: Any) -> Incident | None:
        """Make a step of the monitor's own: write it, fold it. The incident that it moved, None where it is refused."""
        told = {"action": action, "incident": incident_id, "by": MONITOR, **body}
        told |= {"ref": secrets.token_hex(8), "at": stamp(int(now_s * 1e6))}
        incident = self.book.take({"v": 1, "kind": KIND, **told})
        if incident is None:
            return None
        self._put_off(told)
        self._write_again()
        if action == "open":
            self.written[incident.id] = progress.Written.now(incident)
        self._tell(incident, told)
        return incident

    def say(self, kind: str, incident: Incident, now_s: float, words: str = "", signal: Signal | None = None) -> None:
        """Add to what the next take or tick tells."""
        self._news.append(Change(kind, incident, now_s, MONITOR, words, signal))

    def mutes(self, signal: Signal, now_s: float) -> Incident | str | None:
        """What keeps `signal` from being an incident of its own; see correlate."""
        just_over = [one for one in self.book.incidents.values() if not one.active and correlate.lingers(one)]
        return correlate.muted_by(signal, [*self.book.active(), *just_over], halted=self.book.halted(now_s))

    def neighbours(self, session: str) -> Collection[str]:
        """The sessions that touched the same files; none where nobody can say."""
        if self.alike is None or not session:
            return ()
        try:
            return self.alike(session)
        except LevaithanError as problem:  # a graph that is down keeps no incident from opening
            self.trouble = problem.message
            return ()

    def relate(self, incident_id: str, sessions: Collection[str], now_s: float) -> None:
        """Bring an incident that stands together with those of `sessions`, which touched the same files."""
        incident = self.book.incidents.get(incident_id)
        if incident is None or not incident.active:
            return
        for other in correlate.beside(incident, self.book.active(), sessions):
            for one, its in ((incident, other), (other, incident)):
                if its.id not in one.related and len(one.related) < intake.MOST_RELATED:
                    related = [its.id, *one.related]  # the record names the first of them
                    self.step(one.id, "signal", now_s, **{**intake.counters(one), "related": related[:32]})

    def dump(self) -> dict[str, Any]:
        """The whole state, JSON-able. Save it with the place in the journal up to which records were folded."""
        held = [one.as_dict() for one in self.held.values()]
        return {"format": _FORMAT, "book": self.book.dump(), "unwritten": self.unwritten, "held": held}

    def load(self, values: dict[str, Any]) -> bool:
        """Go on from what `dump` gave. False where that cannot be read: then the engine is empty, and the whole journal
        is to be folded."""
        try:
            if values["format"] != _FORMAT:
                return False
            book, unwritten = Book.load(values["book"], brief=True), kept.list_of(dict, values["unwritten"])
            held = kept.read(list[Signal], values.get("held", []))
        except kept.DAMAGED:
            return False
        self.book, self.unwritten = book, unwritten
        self.held = {one.fingerprint: one for one in held}
        return True

    def _pass(self, now_s: float) -> None:
        """Let timers count what has passed since the last look; at the first say what stands."""
        passed = self._clock.passed(now_s, self._mono())
        if passed:
            for incident in self.book.incidents.values():
                progress.count(incident, passed)
            self.storm.count(passed)
            for written in self.written.values():
                written.age_s += passed
        if not self._live:
            self._live = True
            self._news = [Change("standing", one, now_s) for one in self.book.active()]
            for incident in self.book.incidents.values():  # what passed before this monitor began, by the wall clock
                if incident.resolved_s is not None:
                    incident.settled_s = max(incident.settled_s, min(now_s - incident.resolved_s, timers.SETTLED_S))

    def _tell(self, incident: Incident, record: dict[str, Any]) -> None:
        kind = OF_ACTION.get(str(record.get("action")))
        if kind is None:
            return
        words = next((record[name] for name in ("note", "measure", "fix", "why", "of") if record.get(name)), "")
        by = str(record.get("by") or MONITOR)
        at_s = incident.timeline[-1]["at_s"] if incident.timeline else incident.detected_s
        self._news.append(Change(kind, incident, at_s, by, str(words)))

    def _told(self) -> list[Change]:
        news, self._news = self._news, []
        return news

    def _write_again(self) -> None:
        """Write what waits, in order; the first failure ends it until the next time."""
        while self.unwritten:
            try:
                self._write(KIND, dict(self.unwritten[0]))
            except Exception as problem:  # whatever keeps the journal from being written: the incident stands
                self.trouble = "; ".join(filter(None, (f"{type(problem).__name__}: {problem}", self._lost())))
                return
            self.trouble = self._lost()
            del self.unwritten[0]

    def _put_off(self, record: dict[str, Any]) -> None:
        """Have `record` written when its turn comes. Of too many the oldest counters go, which a later one says anew;
        then the oldest, counted."""
        self.unwritten = [*self.unwritten, record]
        if len(self.unwritten) <= MOST_UNWRITTEN:
            return
        spare = next((n for n, one in enumerate(self.unwritten[:-1]) if one.get("action") == "signal"), None)
        if spare is None:
            self.dropped += 1
        del self.unwritten[spare or 0]

    def _lost(self) -> str:
        return f"{self.dropped} steps were not recorded: too many waited for the journal" if self.dropped else ""
