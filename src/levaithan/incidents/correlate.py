"""Which alerts speak of one trouble: what mutes what (as Alertmanager's inhibition does), and which incidents belong
together, by time and by place. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from levaithan.incidents.incident import RESOLVED, rank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from levaithan.detectors.signal import Signal
    from levaithan.incidents.incident import Incident

LINGERS_S = 30.0
"""Seconds of quiet in which an incident still mutes what is less bad of the same: the alerts of one trouble end in one
evaluation, but are told one by one, and Alertmanager may tell (each 5 s) between two of them."""
WINDOW_S = 600.0
"""Incidents that began within so many seconds of each other, at one place, are taken to belong together."""


class Mute(NamedTuple):
    """While an incident of the alert `source` stands, signals whose alert matches `target` open none, where the labels
    in `equal` are the same; `by`: only those that this source reports ("" = any). A P0 is muted by none of these."""

    source: str
    target: re.Pattern[str]
    equal: tuple[str, ...] = ()
    by: str = ""


_BEHIND = re.compile(r"(?i)lag|behind|freshness|projection")
_OF_STORE = re.compile(r"(?i)lag|behind|freshness|projection|latency|slow|dead.?letter|store(?!down)")
MUTES = (
    Mute("StoreDown", _OF_STORE, ("store",)),
    Mute("JournalUnwritable", _BEHIND),
    Mute("ScrapeDown", re.compile(r"^(?!ScrapeDown$)"), (), "alertmanager"),
)
TASKS = re.compile(r"(?i)task")
"""Alerts on tasks' success: where everything is halted, tasks do not succeed, and nobody needs to be told."""


def muted_by(signal: Signal, standing: Iterable[Incident], *, halted: bool) -> Incident | str | None:
    """The incident of `standing` that mutes `signal`, "halt" for an emergency stop, None where nothing does. Of those
    that are resolved only the ones that `lingers` holds for matter."""
    if halted and TASKS.search(signal.alert):
        return "halt"
    for incident in standing:
        if incident.fingerprint == signal.fingerprint:
            continue
        fires = incident.active and bool(incident.firing)
        if (fires or lingers(incident)) and _worse_of_same(signal, incident):
            return incident
        if fires and any(_mutes(one, signal, incident) for one in MUTES):
            return incident
    return None


def lingers(incident: Incident) -> bool:
    """Whether its detector has only just become quiet, resolved meanwhile or not."""
    if incident.firing or not incident.signals or not (incident.active or incident.state == RESOLVED):
        return False
    return incident.quiet_s + incident.settled_s < LINGERS_S


def _worse_of_same(signal: Signal, incident: Incident) -> bool:
    """A higher severity mutes a lower one of the same detection and project: of the same place, too, where both name
    one, for two stores that are ill are two troubles."""
    if incident.detection != signal.detection or rank(incident.severity) >= rank(signal.severity):
        return False
    store = signal.labels.get("store", "")
    return incident.project == signal.labels.get("project", "") and incident.store in ("", store)


def covered(incident: Incident, standing: Iterable[Incident]) -> bool:
    """Whether a worse incident of the same detection and project stands: people are told of that one."""
    return any(
        other.id != incident.id and other.firing and other.detection == incident.detection
        and other.project == incident.project and rank(other.severity) < rank(incident.severity)
        and other.store in ("", incident.store)
        for other in standing
    )  # fmt: skip


def _mutes(rule: Mute, signal: Signal, incident: Incident) -> bool:
    if signal.severity == "P0" or signal.alert == rule.source:
        return False
    if incident.alert != rule.source or (rule.by and signal.source != rule.by):
        return False
    if not rule.target.search(signal.alert):
        return False
    return all(signal.labels.get(name, "") == incident.labels.get(name, "") for name in rule.equal)


def parent_of(signal: Signal, standing: Iterable[Incident], alike: Collection[str] = ()) -> Incident | None:
    """The standing incident that `signal` belongs to: close in time, and of the same session, store or project, or of
    a session in `alike` (that touched the same files). The nearest in time; a child has no children of its own."""
    found = [one for one in standing if not one.parent and _near(signal, one) and _one_place(signal, one, alike)]
    return min(found, key=lambda one: (abs(one.started_s - signal.started_s), one.id), default=None)


def beside(incident: Incident, standing: Iterable[Incident], sessions: Collection[str]) -> list[Incident]:
    """The standing incidents of these sessions that began within the window of `incident`: for a graph whose answer
    comes when the incident is open already."""
    return [
        one for one in standing
        if one.id != incident.id and one.session_id and one.session_id in sessions
        and abs(one.started_s - incident.started_s) <= WINDOW_S
    ]  # fmt: skip


def _near(signal: Signal, incident: Incident) -> bool:
    begun = abs(incident.started_s - signal.started_s) <= WINDOW_S
    return begun or abs(incident.detected_s - signal.at_s) <= WINDOW_S


def _one_place(signal: Signal, incident: Incident, alike: Collection[str]) -> bool:
    sessions = {signal.session_id, *alike} - {""}
    if incident.session_id in sessions:
        return True
    places = (("store", incident.store), ("project", incident.project))
    return any(here and here == signal.labels.get(name) for name, here in places)
