"""What a detector says: an alert that fires, or that has just stopped firing. The one thing incidents are made from.

Whoever sees trouble (the evaluator, Alertmanager's webhook, a detector that reads records or log lines, a person) says
it in this form; `fingerprint` tells whether two signals speak of the same trouble. Imports nothing of ours.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields
from typing import Any

SEVERITIES = ("P0", "P1", "P2", "P3")
SOURCES = ("evaluator", "alertmanager", "detector", "person")
WATCHDOG = "Watchdog"  # fires always, so that its silence shows a broken path; of no severity, and never an incident
NO_SEVERITY = "none"
# The labels that say where the trouble is, in the order in which the fingerprint takes them: two series of one alert
# that differ in one of these are two incidents.
PLACES = (
    "tool", "event", "hook", "machine", "model", "slo", "kind", "reason", "component", "level", "period", "agent_type",
    "address",
)  # fmt: skip


@dataclass(frozen=True)
class Signal:
    """One alert at one place, at one time.

    fingerprint: see below; the same for every signal of the same trouble.
    alert, detection: the rule's name, and which of the detections it belongs to ("security violations").
    severity: P0 to P3, or "none" for the Watchdog, which opens nothing.
    firing: False once, when it has just resolved.
    started_s: when the condition first held (Unix seconds, event time), before any waiting (`for_s`).
    at_s: when this was said. labels: of the series, few. value, threshold: None where there is no one number.
    expression: the PromQL, or in words what a detector that is no rule looks for. window_s, for_s: seconds, 0 = none.
    session_id: only of detectors that read records: a label must never hold it.
    """

    fingerprint: str
    alert: str
    detection: str
    severity: str
    firing: bool
    started_s: float
    at_s: float
    labels: dict[str, str] = field(default_factory=dict)
    value: float | None = None
    threshold: float | None = None
    expression: str = ""
    window_s: float = 0.0
    for_s: float = 0.0
    summary: str = ""
    fix: str = ""
    runbook: str = ""
    source: str = "detector"
    session_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, for the journal's record and for `--json`."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Signal:
        """The signal that `as_dict` gave; other fields are passed over. Raises TypeError when some lack."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def fingerprint(  # noqa: PLR0917 - the places that make it, in their order
    detection: str, alert: str, scope: str = "", project: str = "", store: str = "", more: str = ""
) -> str:
    """The trouble's name: SHA-256, in hex, of what it is and where; `more` tells apart what the four places do not.

    Each part is preceded by its length, so that no two lists of parts give the same bytes.
    """
    parts = (detection, alert, scope, project, store, more)
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "replace")).hexdigest()


def fingerprint_of(detection: str, alert: str, labels: dict[str, str]) -> str:
    """The same from an alert's labels, for the evaluator and for Alertmanager's webhook: both must say the same."""
    more = ",".join(f"{name}={labels[name]}" for name in PLACES if labels.get(name))
    return fingerprint(
        detection, alert, labels.get("scope", ""), labels.get("project", ""), labels.get("store", ""), more
    )
