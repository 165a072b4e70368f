"""Which step is allowed when, by whom, with what in hand; and what it changes. The table of an incident's life.

A step that is not allowed is refused with the way out: the command line says it, the fold notes it and goes on.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from levaithan.errors import LevaithanError
from levaithan.incidents import fields, owed, timers
from levaithan.incidents.incident import (
    ACKNOWLEDGED,
    ACTIVE,
    CLOSED,
    DUPLICATE,
    FALSE_POSITIVE,
    MITIGATED,
    MONITOR,
    OPEN,
    REOPENED,
    RESOLVED,
    REVIEWED,
    STATES,
    Incident,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PERSON, MACHINE, ANYBODY = "person", "monitor", "anybody"
_KEPT = tuple(state for state in STATES if state not in (DUPLICATE, FALSE_POSITIVE))


class StepRefused(LevaithanError):  # noqa: N818 - named for people
    """{reason}"""

    code = "illegal_step"
    fix = "`levaithan incident show ID` says what comes next"


class Refusal(NamedTuple):
    """Why a step is not allowed, and the way out."""

    reason: str
    fix: str

    def error(self) -> StepRefused:
        """As the command line raises it."""
        return StepRefused(self.reason, fix=self.fix)


@dataclass(frozen=True)
class Step:
    """From which states a step may be made, by whom, to which state (None = it stays), with which fields."""

    states: tuple[str, ...]
    to: str | None
    who: str
    needs: tuple[str, ...] = ()


STEPS: dict[str, Step] = {
    "signal": Step(STATES, None, MACHINE),
    "ack": Step((OPEN, REOPENED, MITIGATED), ACKNOWLEDGED, PERSON),
    "assign": Step((*ACTIVE, RESOLVED, REVIEWED), None, PERSON, ("commander",)),
    "note": Step(STATES, None, ANYBODY),
    "mitigate": Step((OPEN, REOPENED, ACKNOWLEDGED), MITIGATED, ANYBODY, ("measure",)),
    "resolve": Step(ACTIVE, RESOLVED, ANYBODY, ("fix",)),
    "review": Step((RESOLVED,), REVIEWED, PERSON),
    "close": Step((RESOLVED, REVIEWED), CLOSED, ANYBODY),
    "reopen": Step((MITIGATED, RESOLVED), REOPENED, ANYBODY),
    "page": Step(ACTIVE, None, MACHINE),
    "duplicate": Step(ACTIVE, DUPLICATE, PERSON, ("of",)),
    "false_positive": Step(ACTIVE, FALSE_POSITIVE, PERSON, ("why",)),
    "draft": Step(_KEPT, None, ANYBODY),
}
"""An action of a record -> the step that it is. "open" is the first and has no state before it."""

_WAY_OUT = {
    OPEN: "`levaithan incident ack {id}` first",
    REOPENED: "`levaithan incident ack {id}` first",
    ACKNOWLEDGED: '`levaithan incident mitigate {id} --measure "..."`, or `incident resolve {id}` when it is fixed',
    MITIGATED: "`levaithan incident resolve {id} --fix REF --check NAME` when it is fixed",
    RESOLVED: "`levaithan incident review {id}`, or open another when the trouble is a new one",
    REVIEWED: "`levaithan incident close {id}` when each action item is done or accepted",
    CLOSED: "it is closed: open another with `levaithan incident open`",
    DUPLICATE: "go on with {of}, of which it is a duplicate",
    FALSE_POSITIVE: "it was none: open another with `levaithan incident open`",
}
_NEEDED = {
    "commander": "name who has it: `levaithan incident assign {id} NAME`",
    "measure": "say what was done: --measure TEXT",
    "fix": "name the commit, the setting or the rule that fixed it: --fix REF",
    "of": "name the incident that it is a duplicate of",
    "why": "say why it was no trouble: --why TEXT (rules are tuned by it)",
}


def refusal(
    incident: Incident, record: dict[str, Any], known: Collection[str], people: Collection[str]
) -> Refusal | None:
    """Why `record` may not move `incident` on; None when it may. known: ids of all incidents; people: who has ever
    acted on any, by whom it is judged whether a review can have a second pair of eyes."""
    action, by = fields.text(record.get("action")), fields.text(record.get("by"))
    step = STEPS.get(action)
    if step is None:
        return Refusal(f"There is no step {action!r} of an incident.", "`levaithan incident --help` lists them")
    wrong = _whose(step, action, by, incident)
    if wrong is not None:
        return wrong
    for name in step.needs:
        if not fields.text(record.get(name), 4000):
            return Refusal(f"{action} lacks {name}.", _NEEDED[name].format(id=incident.id))
    special = _SPECIAL.get(action)
    return special(incident, record, known, people) if special else None


def _whose(step: Step, action: str, by: str, incident: Incident) -> Refusal | None:
    """Why it is not this step's time, or not this one's step."""
    if not by:
        return Refusal(f"{action} says not who did it.", "make it with `levaithan incident`")
    if incident.state not in step.states:
        return Refusal(_words(action, incident), _out(incident))
    if step.who == PERSON and by == MONITOR:
        return Refusal(f"{action} is a person's step.", _out(incident))
    if step.who == MACHINE and by != MONITOR:
        return Refusal(f"{action} is the monitor's own step.", _out(incident))
    return None


def _words(action: str, incident: Incident) -> str:
    return f"{incident.id} is {incident.state.replace('_', ' ')}: {action.replace('_', ' ')} is not its next step."


def _out(incident: Incident) -> str:
    return _WAY_OUT[incident.state].format(id=incident.id, of=incident.duplicate_of)


def _mitigate(incident: Incident, record: dict[str, Any], _known: object, _people: object) -> Refusal | None:
    if record.get("by") != MONITOR:
        return None
    run = incident.actions.get(fields.text(record.get("run")), {})
    if run.get("phase") != "verified" or run.get("old"):
        return Refusal("No action's verification has passed.", f"look at `levaithan incident show {incident.id}`")
    return None


def _resolve(incident: Incident, record: dict[str, Any], _known: object, _people: object) -> Refusal | None:
    by_hand = record.get("by") != MONITOR
    wrong = None if not by_hand and left(incident, record.get("left")) else _standing(incident, record)
    if wrong is not None:
        return wrong
    checked = record.get("verification")
    if type(checked) is not dict or checked.get("result") != "pass" or not fields.text(checked.get("check")):
        return _not_passed(checked if type(checked) is dict else {})
    if by_hand and owed.reasons(incident) and not fields.text(record.get("regression"), 1000):
        return Refusal(
            f"{incident.id} owes a case that fails when it comes again.",
            "name the test or the rule's case that was added: --regression REF",
        )
    return None


def _standing(incident: Incident, record: dict[str, Any]) -> Refusal | None:
    """Why its trouble may not count as over yet."""
    by_hand = record.get("by") != MONITOR
    if by_hand and incident.state in (OPEN, REOPENED):
        return Refusal(f"Nobody has acknowledged {incident.id}.", _out(incident))
    if not by_hand and owed.reasons(incident):
        return Refusal(f"{incident.id} owes a review: a person resolves it.", _out(incident))
    observed = by_hand and bool(fields.text(record.get("observed"), 4000))
    if not quiet(incident) and not observed:
        return Refusal(
            not_quiet(incident, timers.quiet_needed_s(incident.for_s)),
            "wait until `levaithan incident show` says that it is quiet; where no monitor runs, --observed TEXT says "
            "what you looked at yourself",
        )
    return None


def _not_passed(checked: dict[str, Any]) -> Refusal:
    name, said = fields.text(checked.get("check")), fields.text(checked.get("words"), 1000)
    if not name or name == "detector":
        return Refusal(
            "The check that shows that it is fixed has not passed.",
            "name one that passes: --check NAME; `levaithan doctor` lists them",
        )
    return Refusal(
        f"The check {name!r}, which is to show that it is fixed, has not passed: {said or 'it says nothing'}",
        f"`levaithan doctor --only {shlex.quote(name)}` looks at it again; or name another that shows it: --check NAME",
    )


def left(incident: Incident, address: object) -> bool:
    """Whether it is about a store at this address (a label): once nothing uses it, there is nothing to wait for."""
    return bool(incident.store and address) and incident.labels.get("address") == address


def quiet(incident: Incident) -> bool:
    """Whether its detector has been quiet for long enough. One opened by hand that no detector ever saw is."""
    return incident.quiet or (incident.opened_by != MONITOR and not incident.firing and not incident.signals)


def _fires(incident: Incident) -> str:
    """What fires, with its figures, in words."""
    words = incident.alert or incident.detection or incident.title
    if type(incident.value) in (int, float):
        words += f" at {incident.value:.4g}"
        words += f", its threshold is {incident.threshold:.4g}" if type(incident.threshold) in (int, float) else ""
    return f"{words} (seen by {', '.join(sorted({source.partition('/')[0] for source in incident.firing}))})"


def not_quiet(incident: Incident, needed_s: float) -> str:
    """Why its detector does not count as quiet, in a sentence; needed_s: how long it must be."""
    if incident.firing:
        return f"The detector of {incident.id} still fires: {_fires(incident)}."
    left_s = max(1.0, needed_s - incident.quiet_s)
    left = f"{left_s / 60:.0f} min are" if left_s >= 90 else f"{left_s:.0f} s are"
    return f"The detector of {incident.id} has not been quiet for long enough: {left} left of {needed_s / 60:.0f} min."


def _review(incident: Incident, record: dict[str, Any], _known: object, people: Collection[str]) -> Refusal | None:
    if not owed.reasons(incident):
        return None
    written = incident.postmortem
    if not written:
        return Refusal(
            f"{incident.id} owes a postmortem ({', '.join(owed.reasons(incident))}) and has none.",
            f"`levaithan incident draft {incident.id} -o FILE`, fill in what is blank, then "
            f"`levaithan incident postmortem {incident.id} FILE`",
        )
    missing = written.get("missing") or []
    if missing:
        return Refusal(
            f"The postmortem of {incident.id} is not complete: {', '.join(missing)}.",
            f"fill it in and give it again: `levaithan incident postmortem {incident.id} FILE`",
        )
    by, author = fields.text(record.get("by")), written.get("author")
    if by == author and len(set(people) - {MONITOR, ""}) > 1:
        return Refusal(f"{by} wrote the postmortem of {incident.id}.", "let somebody else review it")
    return None


def _close(incident: Incident, record: dict[str, Any], _known: object, _people: object) -> Refusal | None:
    if incident.state == RESOLVED and owed.reasons(incident):
        return Refusal(f"{incident.id} owes a review before it is closed.", _out(incident))
    moved = owed.items_after(incident.items, record)
    left = owed.items_left(moved, fields.moment(record.get("at")) or 0.0)
    if left:
        return Refusal(
            f"Action items of {incident.id} are neither done nor accepted: {', '.join(map(str, left))}.",
            "give --done NUMBER, or --accept NUMBER=DATE (until when it may stay so)",
        )
    return None


def _duplicate(incident: Incident, record: dict[str, Any], known: Collection[str], _people: object) -> Refusal | None:
    other = fields.text(record.get("of"))
    if other == incident.id:
        return Refusal("An incident is no duplicate of itself.", "name the other one")
    if other not in known:
        return Refusal(f"There is no incident {other}.", "`levaithan incident list --all` shows them")
    return None


_SPECIAL: dict[str, Callable[[Incident, dict[str, Any], Collection[str], Collection[str]], Refusal | None]] = {
    "mitigate": _mitigate, "resolve": _resolve, "review": _review, "close": _close, "duplicate": _duplicate,
}  # fmt: skip
