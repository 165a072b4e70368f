"""What an allowed step does to an incident: one small function an action. Pure; the same for the monitor that writes a
record, the monitor that reads it again after a restart, and the command line that reads it from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.incidents import fields, owed, timers
from levaithan.incidents.incident import (
    LONGEST_TEXT,
    LONGEST_TITLE,
    MITIGATED,
    MONITOR,
    SEVERITIES,
    Incident,
    rank,
)
from levaithan.incidents.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_FIRING = 10_000
MOST_RUNS = 50
MOST_DRAFTS = 5
LONGEST_POSTMORTEM = 64_000


def opened(record: dict[str, Any], at_s: float) -> Incident:
    """The incident that an "open" record begins. What it lacks is "" or its default: an older record had less. It
    begins no later than it was opened, though a source's clock may be ahead, or it was told while we looked."""
    text, number = fields.text, fields.number
    severity = text(record.get("severity"))
    made = Incident(
        id=text(record.get("incident")),
        fingerprint=text(record.get("fingerprint")),
        title=text(record.get("title"), LONGEST_TITLE),
        text=text(record.get("text"), LONGEST_TEXT),
        severity=severity if severity in SEVERITIES else "P3",
        detection=text(record.get("detection")),
        alert=text(record.get("alert")),
        started_s=min(fields.seconds(record.get("started_s"), at_s), at_s),
        detected_s=at_s,
        opened_by=text(record.get("by")) or MONITOR,
        source=text(record.get("source")) or "detector",
        machine=text(record.get("machine")),
        labels=fields.labels(record.get("labels")),
        value=fields.maybe(record.get("value")),
        threshold=fields.maybe(record.get("threshold")),
        expression=text(record.get("expression"), LONGEST_TEXT),
        window_s=number(record.get("window_s")),
        for_s=max(0.0, number(record.get("for_s"))),
        command=text(record.get("fix"), 1000),
        runbook=text(record.get("runbook"), 1000),
        project=text(record.get("project"), 4096),
        store=text(record.get("store")),
        session_id=text(record.get("session_id")),
        parent=text(record.get("parent")),
        related=fields.texts(record.get("related")),
        data_loss=record.get("data_loss") is True,
    )
    made.firing = fields.numbers(record.get("firing"), MOST_FIRING)
    made.unheard_s = dict.fromkeys(made.firing, 0.0)
    made.signals = len(made.firing)
    return made


def act(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    """Do to `incident` what the allowed step `record` says."""
    action = fields.text(record.get("action"))
    _EFFECTS[action](incident, record, at_s)
    to = STEPS[action].to
    if to is not None and not (action == "ack" and incident.state == MITIGATED):
        incident.state = to


def _signal(incident: Incident, record: dict[str, Any], _at_s: float) -> None:
    """Counters as they stood: absolute values, so that a record that is read again changes nothing."""
    if "firing" in record:
        told = fields.numbers(record["firing"], MOST_FIRING)
        more = fields.number(record.get("firing_count")) > len(told)  # a storm has more members than a record names
        incident.firing = {**incident.firing, **told} if more else told
        incident.unheard_s = {name: incident.unheard_s.get(name, 0.0) for name in incident.firing}
    incident.ended = fields.texts(record.get("ended"), 8) or incident.ended
    incident.signals = max(incident.signals, int(fields.number(record.get("signals"))))
    for name, count in fields.counts(record.get("muted")).items():
        incident.muted[name] = max(incident.muted.get(name, 0), count)
    incident.quiet_since_s = fields.maybe(record.get("quiet_since_s"))
    incident.quiet_s = max(0.0, fields.number(record.get("quiet_s")))
    incident.quiet = record.get("quiet") is True
    incident.waited_s = max(incident.waited_s, fields.number(record.get("waited_s")))
    value, severity = fields.maybe(record.get("value")), fields.text(record.get("severity"))
    incident.value = incident.value if value is None else value
    if severity in SEVERITIES and rank(severity) < rank(incident.severity):
        incident.severity = severity
    for one in fields.texts(record.get("related")):
        if one not in incident.related and one != incident.id:
            incident.related.append(one)


def _ack(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    incident.acknowledged_s = at_s
    incident.commander = incident.commander or fields.text(record.get("by"))
    incident.channel = fields.text(record.get("channel")) or "command line"


def _assign(incident: Incident, record: dict[str, Any], _at_s: float) -> None:
    incident.commander = fields.text(record.get("commander"))


def _note(incident: Incident, record: dict[str, Any], _at_s: float) -> None:
    incident.items = owed.items_after(incident.items, record)
    incident.data_loss = incident.data_loss or record.get("data_loss") is True
    if record.get("unfreeze") is True and record.get("by") != MONITOR:
        incident.frozen = False
        incident.reopenings = []


def _mitigate(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    incident.mitigated_s = at_s
    if record.get("by") != MONITOR and incident.acknowledged_s is None:  # whoever does something about it has it
        _ack(incident, record, at_s)
    incident.measure = fields.text(record.get("measure"), LONGEST_TEXT)


def _resolve(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    checked = record["verification"]
    incident.resolved_s = at_s
    incident.settled_s = 0.0
    incident.resolved_by = fields.text(record.get("by"))
    incident.fix = fields.text(record.get("fix"), LONGEST_TEXT)
    incident.regression = fields.text(record.get("regression"), 1000)
    incident.verification = {name: fields.text(checked.get(name), 1000) for name in ("check", "result", "words")}
    observed = fields.text(record.get("observed"), LONGEST_TEXT)
    if observed:
        incident.verification["observed"] = observed
    if incident.resolved_by != MONITOR:
        incident.frozen = False


def _review(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    incident.reviewed_s = at_s
    incident.reviewer = fields.text(record.get("by"))


def _close(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    incident.items = owed.items_after(incident.items, record)
    incident.closed_s = at_s
    incident.frozen = False


def _reopen(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    if "firing" in record:
        incident.firing = fields.numbers(record["firing"], MOST_FIRING)
        incident.unheard_s = dict.fromkeys(incident.firing, 0.0)
    incident.reopenings = [*incident.reopenings, at_s][-20:]
    incident.frozen = incident.frozen or record.get("frozen") is True
    incident.acknowledged_s = incident.mitigated_s = incident.resolved_s = None
    incident.waited_s = incident.paged_s = incident.quiet_s = 0.0
    incident.quiet_since_s, incident.quiet = None, False
    incident.fix, incident.verification = "", {}
    for run in incident.actions.values():
        run["old"] = True  # what it verified did not last


def _page(incident: Incident, record: dict[str, Any], _at_s: float) -> None:
    level = int(fields.number(record.get("level")))
    incident.page_level = max(incident.page_level, min(level, timers.MOST_LEVELS))
    if record.get("why") == "unacknowledged":
        incident.ack_missed = True
        incident.waited_s = max(incident.waited_s, fields.number(record.get("waited_s")))
        incident.paged_s = max(incident.paged_s, fields.number(record.get("waited_s")))
    run = fields.text(record.get("run"))
    if run and run not in incident.told_failed:
        incident.told_failed = [*incident.told_failed, run][-MOST_RUNS:]


def _duplicate(incident: Incident, record: dict[str, Any], _at_s: float) -> None:
    incident.duplicate_of = fields.text(record.get("of"))


def _false_positive(incident: Incident, record: dict[str, Any], _at_s: float) -> None:
    incident.why = fields.text(record.get("why"), LONGEST_TEXT)


def _draft(incident: Incident, record: dict[str, Any], at_s: float) -> None:
    """A draft of a machine is only noted; what a person hands in is the postmortem."""
    by = fields.text(record.get("by"))
    sha = fields.text(record.get("sha256"))
    if record.get("what") != "postmortem" or by == MONITOR:
        entry = {"at_s": at_s, "by": by, "origin": fields.text(record.get("origin")) or "template", "sha256": sha}
        incident.drafts = [*incident.drafts, entry][-MOST_DRAFTS:]
        return
    incident.postmortem = {
        "author": by, "at_s": at_s, "sha256": sha, "missing": fields.texts(record.get("missing")),
        "text": fields.text(record.get("postmortem"), LONGEST_POSTMORTEM),
    }  # fmt: skip
    incident.items = owed.read_items(record.get("items"))


_EFFECTS: dict[str, Callable[[Incident, dict[str, Any], float], None]] = {
    "signal": _signal, "ack": _ack, "assign": _assign, "note": _note, "mitigate": _mitigate, "resolve": _resolve,
    "review": _review, "close": _close, "reopen": _reopen, "page": _page, "duplicate": _duplicate,
    "false_positive": _false_positive, "draft": _draft,
}  # fmt: skip

assert _EFFECTS.keys() == STEPS.keys()  # noqa: S101 - a step without an effect is a mistake of this file
