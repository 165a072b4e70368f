"""What one signal does: opens an incident, belongs to one, reopens one, is muted, or joins a storm."""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING, Any

from levaithan.detectors import signal as signal_of
from levaithan.incidents import correlate, fields, timers
from levaithan.incidents.effects import MOST_FIRING
from levaithan.incidents.incident import (
    FALSE_POSITIVE,
    LONGEST_TEXT,
    LONGEST_TITLE,
    MITIGATED,
    RESOLVED,
    Incident,
    rank,
)

if TYPE_CHECKING:
    from levaithan.detectors.signal import Signal
    from levaithan.incidents.engine import Engine

STORM_OPENS = 60
"""Incidents that may open within a minute; further fingerprints join one incident that is the storm."""
STORM_P0 = 20
"""P0 that may open in a storm on top: what stops everything must not be one of many."""
MOST_ACTIVE = 500
"""Incidents that may stand at once; with more, people read none of them."""
MOST_RELATED, MOST_MUTED, MOST_HELD = 100, 100, 500
STORM_S = 60.0
LATE_S = 900.0
"""So long after an address was left an alert may still begin that waited for figures of before."""
STORM = signal_of.fingerprint("alert storm", "AlertStorm")
_SAID = 100
"""Fingerprints of a storm's members that a record names; all are counted."""


class Storm:
    """How many incidents opened in the last minute, by the seconds that the monitor saw pass."""

    def __init__(self) -> None:
        self._ages: deque[float] = deque()
        self._now_s = 0.0

    def count(self, passed_s: float) -> None:
        """Let time pass."""
        self._now_s += passed_s
        while self._ages and self._now_s - self._ages[0] >= STORM_S:
            self._ages.popleft()

    def opened(self) -> None:
        """Count one that opened."""
        self._ages.append(self._now_s)

    def rages(self, severity: str, active: int) -> bool:
        """Whether no more of `severity` may open by themselves now, with `active` standing."""
        more = STORM_P0 if severity == "P0" else 0
        return len(self._ages) >= STORM_OPENS + more or active >= MOST_ACTIVE + more


def take(engine: Engine, signal: Signal, now_s: float) -> None:
    """Do with `signal` what it asks for."""
    incident = engine.book.current(signal.fingerprint)
    if not signal.firing or _of_left(engine, signal):  # Prometheus cannot know that nothing is there to be mended
        engine.held.pop(signal.fingerprint, None)
        if incident is not None:
            _resolved(incident, signal, now_s)
        return
    if incident is None or _over(incident):
        _begin(engine, signal, now_s)
        return
    key = key_of(incident, signal)
    if _mark(key, signal) in incident.ended:  # told again what was taken back since: (fingerprint, startsAt) is over
        return
    again = not incident.firing
    incident.unheard_s[key] = 0.0
    incident.signals += 1
    if incident.active or incident.state == FALSE_POSITIVE:
        _goes_on(engine, incident, signal, now_s, key=key, again=again)
    elif incident.state == RESOLVED:
        _reopen(engine, incident, signal, now_s, key)


def _of_left(engine: Engine, signal: Signal) -> bool:
    """Whether it is about an address that its store left. What Alertmanager says began since is of another home, which
    has a store there."""
    since_s = engine.left.get((signal.labels.get("store", ""), signal.labels.get("address", "")))
    return since_s is not None and (signal.source != "alertmanager" or signal.started_s < since_s + LATE_S)


def take_held(engine: Engine, now_s: float) -> None:
    """Take again what an incident muted that had just ended, and that has not ended itself since."""
    for signal in list(engine.held.values()):
        muter = engine.mutes(signal, now_s)
        if not (isinstance(muter, Incident) and correlate.lingers(muter)):
            del engine.held[signal.fingerprint]
            take(engine, signal, now_s)


def key_of(incident: Incident, signal: Signal) -> str:
    """By what a source's word is known: a storm's members by their fingerprints, else by who says it how severe."""
    if incident.fingerprint != signal.fingerprint:
        return signal.fingerprint[:16]
    return f"{signal.source}/{signal.severity}"


def _mark(key: str, signal: Signal) -> str:
    return f"{key}@{signal.started_s:.3f}"


def _over(incident: Incident) -> bool:
    """Whether a signal that fires now is a new trouble, not the one of `incident`."""
    if incident.active:
        return False
    if incident.state == FALSE_POSITIVE:  # as long as it has not stopped meanwhile it is the same false alarm
        return not incident.firing
    if incident.state == RESOLVED:
        return incident.settled_s > timers.REOPEN_S
    return True


def _goes_on(engine: Engine, incident: Incident, signal: Signal, now_s: float, *, key: str, again: bool) -> None:
    if again and incident.state == MITIGATED and incident.quiet_since_s is not None:
        _reopen(engine, incident, signal, now_s, key)
        return
    if len(incident.firing) < MOST_FIRING:
        incident.firing.setdefault(key, signal.started_s)
    incident.quiet_since_s, incident.quiet_s, incident.quiet = None, 0.0, False
    value = fields.maybe(signal.value)  # a quotient may be no number, and JSON has no word for that
    incident.value = incident.value if value is None else value
    if rank(signal.severity) < rank(incident.severity) and incident.active:
        before = incident.severity
        engine.step(incident.id, "signal", now_s, **counters(incident), severity=signal.severity)
        engine.say("raised", incident, now_s, f"from {before} to {incident.severity}", signal)


def _resolved(incident: Incident, signal: Signal, now_s: float) -> None:
    """A source says that it is over. Only when all say so is the detector quiet."""
    key = key_of(incident, signal)
    begun = incident.firing.pop(key, None)
    incident.unheard_s.pop(key, None)
    if begun is None:
        return
    mark = f"{key}@{begun:.3f}"
    incident.ended = [*incident.ended, *dict.fromkeys((mark, _mark(key, signal)))][-8:]
    if not incident.firing:
        incident.quiet_since_s, incident.quiet_s = now_s, 0.0


def _reopen(engine: Engine, incident: Incident, signal: Signal, now_s: float, key: str) -> None:
    recent = [at_s for at_s in incident.reopenings if 0 <= now_s - at_s < timers.FLAPPING_S]
    frozen = not incident.frozen and len(recent) + 1 >= engine.limits.flapping
    body = {
        "firing": {key: signal.started_s},
        "frozen": incident.frozen or frozen,
        "why": f"{signal.alert} fires again",
    }
    if engine.step(incident.id, "reopen", now_s, **body) is None:
        return
    if frozen:
        words = f"reopened {len(recent) + 1} times within an hour: automatic actions for it are frozen until a person "
        engine.say("flapping", incident, now_s, words + "resolves it", signal)


def _begin(engine: Engine, signal: Signal, now_s: float) -> None:
    """A trouble that no incident has yet."""
    muter = engine.mutes(signal, now_s)
    if isinstance(muter, Incident) and correlate.lingers(muter):
        if len(engine.held) < MOST_HELD:
            engine.held[signal.fingerprint] = signal  # who said it may not say it again for hours
        else:
            muter = None
    if isinstance(muter, Incident):
        if signal.alert in muter.muted or len(muter.muted) < MOST_MUTED:
            muter.muted[signal.alert] = muter.muted.get(signal.alert, 0) + 1
        return
    if muter is not None:
        return
    if engine.storm.rages(signal.severity, len(engine.open())):
        _join(engine, signal, now_s)
        return
    alike = engine.neighbours(signal.session_id)
    parent = correlate.parent_of(signal, engine.book.active(), alike)
    body = opening(signal)
    if parent is not None:
        body["related"] = [parent.id]
        if rank(parent.severity) <= rank(signal.severity):
            body["parent"] = parent.id
    made = _open(engine, body, now_s)
    if made is not None and parent is not None and len(parent.related) < MOST_RELATED:
        parent.related.append(made.id)


def _open(engine: Engine, body: dict[str, Any], now_s: float) -> Incident | None:
    made = engine.step("inc-" + secrets.token_hex(5), "open", now_s, **body)
    engine.storm.opened()
    return made


def _join(engine: Engine, signal: Signal, now_s: float) -> None:
    """One incident for all that comes while the storm rages."""
    storm = engine.book.current(STORM)
    if storm is None or not storm.active:
        body = opening(signal) | {
            "fingerprint": STORM, "detection": "alert storm", "alert": "AlertStorm", "labels": {}, "project": "",
            "title": "More alerts at once than people can read", "store": "", "session_id": "",
            "text": f"More than {STORM_OPENS} incidents opened within a minute; every further alert is counted here "
            f"until it is over. The first was {signal.alert}.", "firing": {}, "fix": "levaithan incident list",
        }  # fmt: skip
        storm = _open(engine, body, now_s)
        if storm is None:
            return
    key = signal.fingerprint[:16]
    if len(storm.firing) < MOST_FIRING:
        engine.book.latest[signal.fingerprint] = storm.id
    storm.signals += 1
    _goes_on(engine, storm, signal, now_s, key=key, again=False)
    storm.unheard_s[key] = 0.0


def opening(signal: Signal) -> dict[str, Any]:
    """The fields of the record that opens an incident of `signal`."""
    place = {name: signal.labels.get(name, "") for name in ("project", "store", "machine")}
    body = {
        "title": (signal.summary or signal.alert)[:LONGEST_TITLE], "text": signal.summary[:LONGEST_TEXT],
        "fingerprint": signal.fingerprint, "alert": signal.alert, "detection": signal.detection,
        "severity": signal.severity, "started_s": signal.started_s, "source": signal.source, "labels": signal.labels,
        "value": fields.maybe(signal.value), "threshold": fields.maybe(signal.threshold),
        "expression": signal.expression,
        "window_s": signal.window_s, "for_s": signal.for_s, "fix": signal.fix, "runbook": signal.runbook,
        "session_id": signal.session_id, **place, "firing": {f"{signal.source}/{signal.severity}": signal.started_s},
    }  # fmt: skip
    return {name: value for name, value in body.items() if value not in ("", None)}


def counters(incident: Incident) -> dict[str, Any]:
    """The fields of a "signal" record: how the counters stand, absolute, bounded."""
    firing = dict(list(incident.firing.items())[:_SAID])
    body: dict[str, Any] = {
        "firing": firing, "firing_count": len(incident.firing), "ended": incident.ended, "signals": incident.signals,
        "muted": incident.muted, "quiet_since_s": incident.quiet_since_s, "quiet_s": round(incident.quiet_s, 3),
        "quiet": incident.quiet, "waited_s": round(incident.waited_s, 3), "value": incident.value,
        "related": incident.related[:32],
    }  # fmt: skip
    return {name: value for name, value in body.items() if value not in (None, {}, [])} | {"firing": firing}
