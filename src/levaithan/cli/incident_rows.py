"""An incident as people and programs see it: its row, its whole story, the timers that run, the one next command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.cli import incident_timers, table
from levaithan.cli.state import STATE
from levaithan.cli.text import clean
from levaithan.cli.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.incidents.incident import Incident

COLUMNS = ["id", "severity", "state", "title", "detected_at", "ack_left_s", "page_level", "signals", "commander"]
_TIMES = ("started", "detected", "acknowledged", "mitigated", "resolved", "reviewed", "closed")
_REVIEW_DAYS = 5
_DAY_S = 86_400


def row(one: Incident) -> dict[str, Any]:
    """One line of the list; times ISO 8601 UTC."""
    from levaithan.incidents import owed

    times = {f"{name}_at": _at(getattr(one, f"{name}_s")) for name in _TIMES}
    return {
        "id": one.id, "severity": one.severity, "state": one.state, "title": one.title, **times,
        "ack_left_s": ack_left(one), "page_level": one.page_level, "signals": one.signals,
        "firing": len(one.firing), "quiet": one.quiet, "commander": one.commander or None,
        "detection": one.detection or None, "alert": one.alert or None, "source": one.source,
        "project": one.project or None, "store": one.store or None, "parent": one.parent or None,
        "related": one.related, "duplicate_of": one.duplicate_of or None, "frozen": one.frozen,
        "owes": owed.reasons(one), "review_by": review_by(one), "next": following(one),
    }  # fmt: skip


def whole(one: Incident) -> dict[str, Any]:
    """All of it, for `show --json`."""
    story = [{**entry, "at": _at(entry["at_s"])} for entry in one.timeline]
    actions = [{"run": run, **entry, "at": _at(entry["at_s"])} for run, entry in one.actions.items()]
    return row(one) | {
        "text": one.text, "fingerprint": one.fingerprint, "labels": one.labels, "value": one.value,
        "threshold": one.threshold, "expression": one.expression or None, "window_s": one.window_s,
        "for_s": one.for_s, "command": one.command or None, "runbook": one.runbook or None,
        "session": one.session_id or None, "muted": one.muted, "measure": one.measure or None, "fix": one.fix or None,
        "regression": one.regression or None, "verification": one.verification or None,
        "why": one.why or None, "quiet_s": round(one.quiet_s, 1), "quiet_left_s": quiet_left(one),
        "waited_s": round(one.waited_s, 1),
        "reopenings": [_at(at_s) for at_s in one.reopenings], "actions": actions, "timeline": story,
        "postmortem": one.postmortem or None, "items": one.items, "drafts": one.drafts,
        "reviewer": one.reviewer or None,
    }  # fmt: skip


def ack_left(one: Incident) -> float | None:
    """Seconds until the next in line is told, as of now; None where nobody is waited for. Stands still while no monitor
    runs, which is what counts them."""
    from levaithan.incidents import timers

    if not one.needs_ack:
        return None
    waited_s, paged_s = incident_timers.now(STATE.home(), one)
    return round(timers.ack_left_s(one.severity, waited_s, paged_s), 1)


def quiet_left(one: Incident) -> float | None:
    """Seconds until its detector has been quiet for long enough, as far as the monitor has counted; None while it
    fires, and where it has been."""
    from levaithan.incidents import timers

    if not one.active or one.firing or one.quiet or not one.signals:
        return None
    needed_s = timers.quiet_needed_s(one.for_s, float(STATE.settings().incident_quiet_s))
    return round(max(0.0, needed_s - one.quiet_s), 1)


def review_by(one: Incident) -> str | None:
    """The moment by which an owed review is due: five working days after the resolution."""
    from levaithan.incidents import owed

    if one.state != "resolved" or one.resolved_s is None or not owed.reasons(one):
        return None
    at_s, left = one.resolved_s, _REVIEW_DAYS
    while left:
        at_s += _DAY_S
        left -= time.gmtime(at_s).tm_wday < 5
    return _at(at_s)


def following(one: Incident) -> str | None:
    """The one command that brings it on; None where nothing is left to do."""
    from levaithan.incidents import owed, steps

    own = f"levaithan incident {{}} {one.id}"
    if one.state in ("open", "reopened") or one.needs_ack:
        return own.format("ack")
    if one.state == "acknowledged":
        return own.format("mitigate") + ' --measure "..."'
    if one.state == "mitigated":
        return _resolve(one, own, quiet=steps.quiet(one))
    if one.state == "resolved" and owed.reasons(one):
        return _review(one, own)
    if one.state not in ("resolved", "reviewed"):
        return None
    return own.format("close") + "".join(f" --done {number}" for number in owed.items_left(one.items, time.time()))


def _review(one: Incident, own: str) -> str:
    if not one.postmortem:
        return own.format("draft") + f" -o {one.id}.md"
    return own.format("postmortem") + f" {one.id}.md" if one.postmortem.get("missing") else own.format("review")


def _resolve(one: Incident, own: str, *, quiet: bool) -> str:
    from levaithan.incidents import owed

    if not quiet:
        return own.format("show")
    case = " --regression REF" if owed.reasons(one) else ""
    return own.format("resolve") + f" --fix REF --check detector{case}"


def lines(one: Incident) -> Iterator[str]:
    """The whole story for a terminal."""
    told = whole(one)
    skipped = ("timeline", "actions", "items", "drafts", "postmortem", "next", "labels", "muted", "fingerprint")
    facts = [(name, value) for name, value in told.items() if name not in skipped and value not in (None, [], {}, "")]
    facts += [
        (name, ", ".join(f"{key}={value}" for key, value in told[name].items()))
        for name in ("labels", "muted")
        if told[name]
    ]
    yield from table.facts(facts)
    yield ""
    yield "timeline"
    for entry in told["timeline"]:
        yield f"  {entry['at']}  {clean(entry['action'])}  {clean(entry['by'])}  {clean(entry['words'])}".rstrip()
    if one.skipped:
        yield f"  ({one.skipped} more in between; `levaithan incident show {one.id} --json` has no more either)"
    if told["actions"]:
        yield ""
        yield "actions"
        yield from (f"  {a['at']}  {clean(a['name'])}  {clean(a['phase'])}  {clean(a['run'])}" for a in told["actions"])
    if told["items"]:
        yield ""
        yield "action items"
        yield from (_item(number, item) for number, item in enumerate(told["items"], 1))
    yield ""
    yield f"next: {told['next']}" if told["next"] else "nothing is left to do"


def _item(number: int, item: dict[str, Any]) -> str:
    until = f" until {clean(item['until'])}" if item.get("until") else ""
    whose = f"{clean(item['owner'])}, due {clean(item['due'])}"
    return f"  {number}. {clean(item['kind'])}: {clean(item['what'])} ({whose}): {item['status']}{until}"


def _at(at_s: float | None) -> str | None:
    return None if at_s is None else iso(int(at_s * 1e6))
