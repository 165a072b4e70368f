"""What is done by itself, and about what: three tables. People are told in any case (notify.py).

REMEDIES are for faults that are known (the alert names them): the remedy is known too, and its verification says
whether it was one. RESPONSES are for everything else, by detection and severity: P1 mitigates, P2 mitigates and
scales, P3 degrades. What is critical has a table of its own, CRITICAL: a stop holds until a person comes, so it is only
for what agents must not go on without; one bad sample, or a P0 that anybody may name, stops nobody. A step whose target
an incident does not name is left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from levaithan.actions import order_waiters, release_stale_lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.actions.action import Target, World


class Troubled(Protocol):
    """What is asked of an incident (levaithan.incidents.incident.Incident has it)."""

    id: str
    fingerprint: str
    title: str
    severity: str
    detection: str
    alert: str
    page_level: int
    labels: dict[str, str]
    project: str
    store: str
    session_id: str
    command: str
    frozen: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One action and how its target is found; None: this incident has no such target, and the step is left out."""

    action: str
    target: Callable[[World, Any], Target | None]


def _nothing(_world: World, _incident: Troubled) -> Target:
    return {}


def _store(_world: World, incident: Troubled) -> Target | None:
    store = incident.store or incident.labels.get("store", "")
    return {"store": store} if store else None


def _session(_world: World, incident: Troubled) -> Target | None:
    return {"session": incident.session_id} if incident.session_id else None


def _session_or_project(world: World, incident: Troubled) -> Target | None:
    return _session(world, incident) or _project(world, incident)


def _project(_world: World, incident: Troubled) -> Target | None:
    """The project, where it is named by its folder: a name alone could be any."""
    project = incident.project or incident.labels.get("project", "")
    return {"project": os.path.realpath(project)} if project.startswith("/") and len(project) > 1 else None


def _smallest(world: World, incident: Troubled) -> Target:
    """The smallest scope that holds the cause."""
    return _session(world, incident) or _project(world, incident) or {"all": ""}


def _stale_lease(world: World, _incident: Troubled) -> Target | None:
    path = release_stale_lease.stale(world)
    return {"lease": path} if path else None


def _circle(world: World, _incident: Troubled) -> Target | None:
    path = order_waiters.first(world)
    return {"lease": path} if path else None


STOP = Step("emergency_stop", _smallest)
CRITICAL: dict[str, tuple[Step, ...]] = {
    "ChainBroken": (STOP,),
    "GateFailing": (STOP,),
    "JournalUnwritable": (STOP,),
    "GuardMissing": (Step("emergency_stop", _project),),
    "DiskFull": (Step("degrade", _nothing),),
}
"""Alert of a P0 -> what is done; people only for any other (BudgetSpentAll: the gate holds budgets itself)."""
REMEDIES: dict[str, tuple[Step, ...]] = {
    "StoreDown": (Step("circuit_break_store", _store),),
    "StoreFarBehind": (Step("restart_projector", _nothing),),
    "StoreBehind": (Step("scale_projector", _nothing), Step("platform_hook", _nothing)),
    "DeadLetters": (Step("retry_dead_letters", _store),),
    "LeaseDeadlock": (Step("release_stale_lease", _stale_lease), Step("order_waiters", _circle)),
    "LeasesExpire": (Step("release_stale_lease", _stale_lease),),
    "CriticalDenialBurst": (Step("quarantine_session", _session),),
    "SelfProtectionHit": (Step("quarantine_session", _session),),
    "DenialBurst": (Step("throttle_session", _session),),
    "SecretInOutput": (Step("throttle_session", _session),),
    "BudgetFast": (Step("throttle_session", _session_or_project),),
    "DiskFilling": (Step("degrade", _nothing),),
    "DiskLow": (Step("degrade", _nothing),),
    "MemoryLow": (Step("degrade", _nothing),),
}
"""Alert -> its remedy, P1 to P3; each action's own check is the verification."""
RESPONSES: dict[tuple[str, str], tuple[Step, ...]] = {
    ("high_error_rate", "P1"): (Step("circuit_break_store", _store),),
    ("high_error_rate", "P2"): (Step("retry_dead_letters", _store),),
    ("budget_exceeded", "P1"): (Step("throttle_session", _session_or_project),),
    ("budget_exceeded", "P2"): (Step("throttle_session", _session_or_project),),
    ("resource_conflicts", "P1"): (Step("release_stale_lease", _stale_lease),),
    ("resource_conflicts", "P2"): (Step("release_stale_lease", _stale_lease),),
    ("performance", "P1"): (Step("degrade", _nothing),),
    ("performance", "P2"): (Step("degrade", _nothing),),
    ("performance", "P3"): (Step("degrade", _nothing),),
    ("security", "P1"): (Step("quarantine_session", _session),),
    ("security", "P2"): (Step("throttle_session", _session),),
}
DETECTIONS = ("high_error_rate", "budget_exceeded", "resource_conflicts", "performance", "security")


def steps(incident: Troubled) -> tuple[Step, ...]:
    """What is to be done about it, in order."""
    if incident.severity == "P0":
        return CRITICAL.get(incident.alert, ())
    return REMEDIES.get(incident.alert) or RESPONSES.get((incident.detection, incident.severity), ())
