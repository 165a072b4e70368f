"""What happened to an incident: what notifications tell and actions answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levaithan.detectors.signal import Signal
    from levaithan.incidents.incident import Incident

KINDS = (
    "opened", "standing", "reopened", "raised", "escalated", "flapping", "acknowledged", "assigned", "noted",
    "mitigated", "quiet", "resolved", "reviewed", "closed", "duplicate", "false_positive", "drafted",
)  # fmt: skip
OF_ACTION = {
    "open": "opened", "ack": "acknowledged", "assign": "assigned", "note": "noted", "mitigate": "mitigated",
    "resolve": "resolved", "review": "reviewed", "close": "closed", "reopen": "reopened", "page": "escalated",
    "duplicate": "duplicate", "false_positive": "false_positive", "draft": "drafted",
}  # fmt: skip
"""A record's action -> the kind of change that it is. "signal" is none: counters."""


@dataclass(frozen=True)
class Change:
    """kind: one of KINDS; incident: as it stands now (the engine's own: read it, do not keep or change it).

    standing: said once after a start of each incident that is still active, so that whoever notifies or acts can see
    to what was not done before the monitor ended; whoever did it already does nothing. signal: what opened, reopened or
    raised it. words: of whoever made the step.
    """

    kind: str
    incident: Incident
    at_s: float
    by: str = "monitor"
    words: str = ""
    signal: Signal | None = None
