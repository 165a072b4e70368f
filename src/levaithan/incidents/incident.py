"""One incident as it stands: data only, JSON-able. What moves it is in `steps`, what gathers it from records in `book`.

Times are Unix seconds. `waited_s` and `quiet_s` are no differences of clocks but seconds that the monitor has seen pass
(see timers): a clock that jumps and a laptop that slept add nothing to them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

OPEN, ACKNOWLEDGED, MITIGATED, RESOLVED, REVIEWED, CLOSED = (
    "open", "acknowledged", "mitigated", "resolved", "reviewed", "closed",
)  # fmt: skip
REOPENED, DUPLICATE, FALSE_POSITIVE = "reopened", "duplicate", "false_positive"
STATES = (OPEN, REOPENED, ACKNOWLEDGED, MITIGATED, RESOLVED, REVIEWED, CLOSED, DUPLICATE, FALSE_POSITIVE)
ACTIVE = (OPEN, REOPENED, ACKNOWLEDGED, MITIGATED)
"""The trouble is not known to be over."""
ENDED = (CLOSED, DUPLICATE, FALSE_POSITIVE)
MONITOR = "monitor"
"""Who writes what nobody did by hand. A person of that name is recorded as `person_name` says."""
SEVERITIES = ("P0", "P1", "P2", "P3")
LONGEST_TITLE = 200
LONGEST_TEXT = 4_000
MOST_TIMELINE = 200
MOST_SEEN = 512


@dataclass
class Incident:
    """id: as people type it. fingerprint: what signals of the same trouble share. page_level: who is told, raised by
    each lapse, never the severity. started_s: the first bad moment; detected_s: when it was opened.

    labels, value, threshold, expression, window_s, for_s: the evidence, as the signal had it. command: the one command
    that the rule names; firing: source -> since when it says that the trouble is there; ended: the last starts that a
    source took back; members: fingerprints that a storm swallowed are the keys of `firing`.
    """

    id: str
    fingerprint: str = ""
    title: str = ""
    text: str = ""
    severity: str = "P3"
    detection: str = ""
    alert: str = ""
    state: str = OPEN
    page_level: int = 0
    started_s: float = 0.0
    detected_s: float = 0.0
    opened_by: str = MONITOR
    source: str = "detector"
    machine: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    value: float | None = None
    threshold: float | None = None
    expression: str = ""
    window_s: float = 0.0
    for_s: float = 0.0
    command: str = ""
    runbook: str = ""
    project: str = ""
    store: str = ""
    session_id: str = ""
    firing: dict[str, float] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    unheard_s: dict[str, float] = field(default_factory=dict)
    signals: int = 0
    muted: dict[str, int] = field(default_factory=dict)
    quiet_since_s: float | None = None
    quiet_s: float = 0.0
    quiet: bool = False
    waited_s: float = 0.0
    paged_s: float = 0.0
    settled_s: float = 0.0
    commander: str = ""
    channel: str = ""
    acknowledged_s: float | None = None
    mitigated_s: float | None = None
    measure: str = ""
    resolved_s: float | None = None
    fix: str = ""
    regression: str = ""
    verification: dict[str, Any] = field(default_factory=dict)
    resolved_by: str = ""
    reviewed_s: float | None = None
    reviewer: str = ""
    closed_s: float | None = None
    duplicate_of: str = ""
    why: str = ""
    parent: str = ""
    related: list[str] = field(default_factory=list)
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    told_failed: list[str] = field(default_factory=list)
    reopenings: list[float] = field(default_factory=list)
    frozen: bool = False
    ack_missed: bool = False
    data_loss: bool = False
    postmortem: dict[str, Any] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    drafts: list[dict[str, Any]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    records: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether the trouble is not known to be over."""
        return self.state in ACTIVE

    @property
    def needs_ack(self) -> bool:
        """Whether the acknowledgement timer runs. A P0 that was mitigated by itself still needs a person: what stopped
        it may be standing still as well."""
        if self.acknowledged_s is not None:
            return False
        return self.state in (OPEN, REOPENED) or (self.state == MITIGATED and self.severity == "P0")

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; `of` reads it again."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Incident:
        """The incident that `as_dict` gave; fields of a newer version are passed over."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def person_name(name: str) -> str:
    """A person's name as records have it: never the monitor's own."""
    return f"{name} (person)" if name == MONITOR else name


def rank(severity: str) -> int:
    """0 for the worst; one that nobody knows is the least."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def note_time(incident: Incident, entry: dict[str, Any]) -> None:
    """Add to the timeline, which keeps its beginning and its end when there is too much in between."""
    incident.timeline.append(entry)
    if len(incident.timeline) > MOST_TIMELINE:
        del incident.timeline[MOST_TIMELINE // 4]
        incident.skipped += 1
