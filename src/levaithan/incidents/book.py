"""The fold: incidents as the journal's records make them. One class for the monitor, which follows its journal, and for
the command line, which reads the records out of the ledger.

Any record in any order, once or twice: never an exception. What is no legal step is noted (`refused`) and passed over;
a step that comes before the incident it is about waits for it, for journals of several machines are read by their
clocks. Imports no store.
"""

from __future__ import annotations

from typing import Any

from levaithan.incidents import effects, fields, kept, steps
from levaithan.incidents.incident import (
    DUPLICATE,
    ENDED,
    MONITOR,
    MOST_SEEN,
    Incident,
    note_time,
)

KIND = "incident"
MOST_REFUSED = 100
MOST_WAITING = 200
MOST_ENDED = 5_000
MOST_ENDED_BRIEF = 300
MOST_PEOPLE = 1_000
MOST_RUNS = 1_000
_QUIET_ACTIONS = ("signal",)
"""Their records are counters: they make no line of the timeline."""


class Book:
    """incidents: by id. latest: fingerprint -> the incident that it last opened or joined. people: who ever acted.

    brief: as the monitor keeps it, which saves all of it each few seconds: fewer of those that are over, and no
    postmortem's text.
    """

    def __init__(self, *, brief: bool = False) -> None:
        self.brief = brief
        self.incidents: dict[str, Incident] = {}
        self.latest: dict[str, str] = {}
        self.people: dict[str, None] = {}
        self.halts: dict[str, str] = {}
        self.spend: dict[str, dict[str, Any]] = {}
        self.waiting: list[dict[str, Any]] = []
        self.refused: list[dict[str, str]] = []

    def take(self, record: Any) -> Incident | None:
        """Fold one record; the incident that it moved on, None where it moved none. Never raises for what it holds."""
        if type(record) is not dict:
            return None
        kind = record.get("kind")
        if kind == KIND:
            return self._incident(record)
        if kind == "action":
            return self._action(record)
        if kind == "halt":
            self._halt(record)
        return None

    def current(self, fingerprint: str) -> Incident | None:
        """The incident that a signal of `fingerprint` belongs to, past duplicates; None where there was none."""
        found = self.incidents.get(self.latest.get(fingerprint, ""))
        for _ in range(10):
            if found is None or found.state != DUPLICATE:
                break
            found = self.incidents.get(found.duplicate_of)
        return found

    def active(self) -> list[Incident]:
        """Those whose trouble is not known to be over, the worst first, then the oldest."""
        found = [one for one in self.incidents.values() if one.active]
        return sorted(found, key=lambda one: (one.severity, one.detected_s, one.id))

    def _incident(self, record: dict[str, Any]) -> Incident | None:
        action, one = fields.text(record.get("action")), fields.text(record.get("incident"))
        at_s = fields.moment(record.get("at"))
        if action == "open" or (not action and record.get("title")):
            return self._open(record, at_s)
        if at_s is None or not one:
            self._refuse(one, action, "it has no time or names no incident")
            return None
        incident = self.incidents.get(one)
        if incident is None:
            self.waiting = [*self.waiting, record][-MOST_WAITING:]
            return None
        if not _first(incident, record):
            return None
        wrong = steps.refusal(incident, record, self.incidents, self.people)
        if wrong is not None:
            self._refuse(one, action, wrong.reason)
            return None
        effects.act(incident, record, at_s)
        if self.brief:
            incident.postmortem.pop("text", None)
        self._note(incident, record, action, at_s)
        return incident

    def _open(self, record: dict[str, Any], at_s: float | None) -> Incident | None:
        one = fields.text(record.get("incident")) or fields.text(record.get("id"))
        known = self.incidents.get(one)
        if at_s is None or not one:
            self._refuse(one, "open", "it has no time or no id")
            return None
        if known is not None:
            if _first(known, record):
                self._refuse(one, "open", "it is open already")
            return None
        incident = effects.opened({**record, "incident": one}, at_s)
        _first(incident, record)
        self.incidents[one] = incident
        if incident.fingerprint:
            self.latest[incident.fingerprint] = one
        self._note(incident, record, "open", at_s)
        waiting, self.waiting = self.waiting, []
        for late in waiting:
            self.take(late)
        self._forget()
        return incident

    def _note(self, incident: Incident, record: dict[str, Any], action: str, at_s: float) -> None:
        by = fields.text(record.get("by"))
        if by and by != MONITOR and by not in self.people and len(self.people) < MOST_PEOPLE:
            self.people[by] = None
        if type(record.get("spend")) is dict:
            self._spent(incident.id, record["spend"], at_s)
        if action in ("open", "resolve") and fields.text(record.get("id")):
            incident.records = [*incident.records, fields.text(record["id"])][-20:]
        if action not in _QUIET_ACTIONS:
            entry: dict[str, Any] = {"at_s": at_s, "action": action, "by": by, "words": _words(record, action)}
            if type(record.get("seq")) is int:
                entry["seq"] = record["seq"]
            note_time(incident, entry)

    def _spent(self, one: str, spend: dict[str, Any], at_s: float) -> None:
        """What a draft cost, by its run: the estimate before it, replaced by what it came to."""
        run = fields.text(spend.get("run"))
        if run:
            usd = max(0.0, fields.number(spend.get("usd")))
            self.spend[run] = {"incident": one, "usd": usd, "at_s": at_s}
            while len(self.spend) > MOST_RUNS:
                del self.spend[next(iter(self.spend))]

    def _action(self, record: dict[str, Any]) -> Incident | None:
        """What an automatic action came to, beside the incident that it was for."""
        incident = self.incidents.get(fields.text(record.get("incident")))
        run, phase = fields.text(record.get("run")), fields.text(record.get("phase"))
        at_s = fields.moment(record.get("at"))
        if incident is None or not run or at_s is None or not _first(incident, record):
            return None
        known = incident.actions.pop(run, {})
        name = fields.text(record.get("action")) or known.get("name", "")
        incident.actions[run] = {"name": name, "phase": phase, "at_s": at_s, "by": fields.text(record.get("by"))}
        while len(incident.actions) > effects.MOST_RUNS:
            del incident.actions[next(iter(incident.actions))]
        words = f"{name}: {phase.replace('_', ' ')}"
        note_time(incident, {"at_s": at_s, "action": "action", "by": fields.text(record.get("by")), "words": words})
        return incident

    def _halt(self, record: dict[str, Any]) -> None:
        halt = record.get("halt")
        one = fields.text(halt.get("id")) if type(halt) is dict else ""
        if one and type(halt) is dict and record.get("action") == "set":
            self.halts[one] = fields.text(halt.get("expires_at"))
        elif one:
            self.halts.pop(one, None)

    def halted(self, at_s: float) -> bool:
        """Whether an emergency stop is in force."""
        ends = [fields.moment(until) for until in self.halts.values()]
        return any(end is None or end > at_s for end in ends)

    def _refuse(self, one: str, action: str, why: str) -> None:
        self.refused = [*self.refused, {"incident": one, "action": action, "why": why}][-MOST_REFUSED:]

    def _forget(self) -> None:
        """Keep the newest of those that are over: what is open is never forgotten."""
        over = [one for one in self.incidents.values() if one.state in ENDED]
        most = MOST_ENDED_BRIEF if self.brief else MOST_ENDED
        if len(over) <= most:
            return
        for one in sorted(over, key=lambda one: one.detected_s)[: len(over) - most * 3 // 4]:
            del self.incidents[one.id]
        self.latest = {name: one for name, one in self.latest.items() if one in self.incidents}

    def dump(self) -> dict[str, Any]:
        """JSON-able; `load` reads it again."""
        return {
            "incidents": [one.as_dict() for one in self.incidents.values()], "latest": self.latest,
            "people": list(self.people), "halts": self.halts, "spend": self.spend, "waiting": self.waiting,
            "refused": self.refused,
        }  # fmt: skip

    @classmethod
    def load(cls, values: dict[str, Any], *, brief: bool = False) -> Book:
        """The book that `dump` gave. Raises one of kept.DAMAGED for what it never gave."""
        made, texts = cls(brief=brief), dict[str, str]
        incidents: list[Incident] = kept.read(list[Incident], values["incidents"])
        if any(type(entry.get("at_s")) not in {int, float} for one in incidents for entry in one.timeline):
            raise ValueError("a line of a timeline without its time")
        made.incidents = {one.id: one for one in incidents}
        made.latest, made.halts = kept.read(texts, values["latest"]), kept.read(texts, values["halts"])
        made.people = dict.fromkeys(kept.list_of(str, values["people"]))
        made.spend = {
            str(run): {"incident": str(one["incident"]), "usd": float(one["usd"]), "at_s": float(one["at_s"])}
            for run, one in values["spend"].items()
        }
        made.waiting, made.refused = kept.list_of(dict, values["waiting"]), kept.list_of(dict, values["refused"])
        return made


def _first(incident: Incident, record: dict[str, Any]) -> bool:
    """Whether this record is met for the first time: by the engine's own `ref`, else by its id."""
    ref = fields.text(record.get("ref")) or fields.text(record.get("id"))
    if not ref:
        return True
    if ref in incident.seen:
        return False
    incident.seen.append(ref)
    if len(incident.seen) > MOST_SEEN:
        del incident.seen[0]
    return True


def _words(record: dict[str, Any], action: str) -> str:
    """What a line of the timeline says."""
    told = {
        "open": "title", "assign": "commander", "note": "note", "mitigate": "measure", "resolve": "fix", "page": "why",
        "duplicate": "of", "false_positive": "why", "draft": "what", "reopen": "why",
    }.get(action, "")  # fmt: skip
    words = fields.text(record.get(told), 500) if told else ""
    return f"level {int(fields.number(record.get('level')))}: {words}" if action == "page" else words
