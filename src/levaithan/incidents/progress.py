"""What time does to an incident: acknowledgements that lapse, detectors that stay quiet, actions that were verified,
counters that are written down. Called for each incident at each tick; everything here is safe to be called again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.incidents import correlate, intake, owed, steps, timers
from levaithan.incidents.incident import ACKNOWLEDGED, OPEN, REOPENED, RESOLVED, Incident

if TYPE_CHECKING:
    from levaithan.incidents.engine import Engine

UNHEARD_S = {"evaluator": 300.0, "detector": 300.0}
"""A source that says that something fires says so again: who has been silent for so long does not say it any more."""
LONGEST_UNHEARD_S = 93_600.0
"""Of Alertmanager, which may repeat a message twice a day only."""
LEFT = "that address is no longer used"
"""Why an incident about a store that is elsewhere now is resolved."""
WRITTEN_S = 60.0
COUNTED_S = 600.0
"""Counters are written when a minute has passed and something more than a number has changed, else every ten."""
AUTOMATIC = ("P2", "P3")
"""Severities that resolve by themselves when the detector is quiet, where no review is owed."""


@dataclass
class Limits:
    """quiet_s: least seconds that a detector must be quiet; flapping: reopenings an hour that freeze automation."""

    quiet_s: float = timers.QUIET_S
    flapping: int = 3

    @classmethod
    def of(cls, settings: Any) -> Limits:
        """As the settings have them (see config.incident_settings)."""
        made = cls()
        made.quiet_s = float(getattr(settings, "incident_quiet_s", made.quiet_s))
        made.flapping = int(getattr(settings, "incident_flap_reopenings", made.flapping))
        return made


@dataclass
class Written:
    """What was last written of an incident's counters, and how long ago by the seconds that were seen to pass."""

    age_s: float = 0.0
    edge: tuple[Any, ...] = ()
    counts: tuple[Any, ...] = ()

    @classmethod
    def now(cls, incident: Incident) -> Written:
        """All of it has just been written."""
        return cls(0.0, _edge(incident), _counts(incident))


def count(incident: Incident, passed_s: float) -> None:
    """Let `passed_s` seconds pass for it."""
    if incident.state == RESOLVED:
        incident.settled_s += passed_s
    if not incident.active:
        return
    if incident.needs_ack:
        incident.waited_s += passed_s
    if incident.signals and not incident.firing:
        incident.quiet_s += passed_s
    for key in incident.firing:
        incident.unheard_s[key] = incident.unheard_s.get(key, 0.0) + passed_s


def look(engine: Engine, incident: Incident, now_s: float) -> None:
    """Do what is due."""
    _left(engine, incident, now_s)
    if incident.active:
        _silent(incident, now_s)
        _of_actions(engine, incident, now_s)
        _unacknowledged(engine, incident, now_s)
        _quiet(engine, incident, now_s)
    if incident.state == RESOLVED and incident.settled_s >= timers.SETTLED_S and not owed.reasons(incident):
        engine.step(incident.id, "close", now_s, why="resolved for a day, nothing owed")
    _write_down(engine, incident, now_s)


def _left(engine: Engine, incident: Incident, now_s: float) -> None:
    """What is about an address that its store left is over, however bad it was."""
    address = incident.labels.get("address", "")
    since_s = engine.left.get((incident.store, address))
    if since_s is None or not steps.left(incident, address) or _begun_s(incident) >= since_s + intake.LATE_S:
        return
    incident.firing, incident.unheard_s = {}, {}  # nobody says that it ended; a false alarm would go on for ever
    if not incident.active:
        return
    incident.quiet = True
    engine.step(
        incident.id, "resolve", now_s, left=address, fix=LEFT,
        verification={"check": "address in use", "result": "pass", "words": f"{incident.store} left {address}"},
    )  # fmt: skip


def _begun_s(incident: Incident) -> float:
    """When it began, or what fires of it, whichever was later: one that another home has at that address goes on."""
    return max([incident.started_s, *incident.firing.values(), *incident.reopenings[-1:]])


def _silent(incident: Incident, now_s: float) -> None:
    for key in [key for key, age_s in incident.unheard_s.items() if age_s >= _longest(key)]:
        incident.firing.pop(key, None)
        del incident.unheard_s[key]
        if not incident.firing:
            incident.quiet_since_s, incident.quiet_s = now_s, 0.0


def _longest(key: str) -> float:
    return UNHEARD_S.get(key.partition("/")[0], LONGEST_UNHEARD_S)


def _of_actions(engine: Engine, incident: Incident, now_s: float) -> None:
    """An action whose check passed has mitigated; one that failed is for more people to know."""
    for run, one in list(incident.actions.items()):
        if one.get("phase") == "verified" and not one.get("old") and incident.state in (OPEN, REOPENED, ACKNOWLEDGED):
            measure = f"{one.get('name')}: its verification passed (run {run})"
            engine.step(incident.id, "mitigate", now_s, run=run, measure=measure)
        elif one.get("phase") == "failed" and run not in incident.told_failed:
            why = f"the action {one.get('name')} failed"
            engine.step(incident.id, "page", now_s, level=incident.page_level + 1, why=why, run=run)


def _unacknowledged(engine: Engine, incident: Incident, now_s: float) -> None:
    if not incident.needs_ack or incident.page_level >= timers.MOST_LEVELS:
        return
    if not timers.lapsed(incident.severity, incident.waited_s, incident.paged_s) or _covered(engine, incident):
        return
    level, waited_s = incident.page_level + 1, round(incident.waited_s, 3)
    engine.step(incident.id, "page", now_s, level=level, why="unacknowledged", waited_s=waited_s)


def _covered(engine: Engine, incident: Incident) -> bool:
    """Whether somebody is told of it by another incident: the one that it belongs to, or one that mutes it."""
    parent = engine.book.incidents.get(incident.parent)
    if parent is not None and parent.active and parent.severity <= incident.severity:
        return True
    return correlate.covered(incident, engine.book.active())


def _quiet(engine: Engine, incident: Incident, now_s: float) -> None:
    if incident.firing or not incident.signals:
        return
    needed_s = timers.quiet_needed_s(incident.for_s, engine.limits.quiet_s)
    if not incident.quiet and incident.quiet_s >= needed_s:
        incident.quiet = True
        engine.step(incident.id, "signal", now_s, **intake.counters(incident))
        engine.say("quiet", incident, now_s, f"its detector has been quiet for {needed_s / 60:.0f} min")
    if incident.quiet and incident.severity in AUTOMATIC and not owed.reasons(incident):
        how = incident.measure or "it went away by itself"
        words = f"quiet for {incident.quiet_s / 60:.0f} min: {incident.expression}"[:1000]
        engine.step(
            incident.id, "resolve", now_s, fix=how, title=incident.title, text=f"What ended it: {how}",
            project=incident.project, verification={"check": "detector quiet", "result": "pass", "words": words},
        )  # fmt: skip


def _write_down(engine: Engine, incident: Incident, now_s: float) -> None:
    """Write the counters when they are due: bounded, however often a signal comes."""
    if not incident.active:
        engine.written.pop(incident.id, None)
        return
    edge, counts = _edge(incident), _counts(incident)
    last = engine.written.get(incident.id)
    if last is None:  # of a monitor before this one: what has been waited since is not lost if this one ends soon, too
        last = engine.written[incident.id] = Written(WRITTEN_S, edge, counts)
    due = last.age_s >= WRITTEN_S and (edge != last.edge or (incident.needs_ack and counts != last.counts))
    if due or (last.age_s >= COUNTED_S and counts != last.counts):
        last.age_s, last.edge, last.counts = 0.0, edge, counts
        engine.step(incident.id, "signal", now_s, **intake.counters(incident))


def _edge(incident: Incident) -> tuple[Any, ...]:
    """What is told within a minute when it changes."""
    return (tuple(sorted(incident.firing)[:100]), incident.quiet_since_s is None, len(incident.muted))


def _counts(incident: Incident) -> tuple[Any, ...]:
    """What may wait, unless somebody is waited for."""
    return (incident.signals, sum(incident.muted.values()), incident.needs_ack and incident.waited_s)
