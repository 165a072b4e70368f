"""What people are told: what happened, how bad it is, what was done, what to do next, and the one command to run."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from levaithan.actions.plain_text import plain
from levaithan.actions.registry import ACTIONS
from levaithan.incidents import owed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.actions.action import Run
    from levaithan.actions.responses import Troubled

LONGEST = 3000
_NONE = "none"
"""How a figure names a place that it has not."""
_OPTIONS = ("session", "agent", "project", "store", "tool", "lease")
"""What of a target `levaithan action run` takes."""
_BAD = {
    "P0": "P0, critical: a person is needed now",
    "P1": "P1, serious: a person is needed within 15 minutes",
    "P2": "P2, limited: look at it within the hour",
    "P3": "P3, minor: look at it within the day",
}
_DID = {
    "intent": "begun", "done": "done, not verified yet", "verified": "done and verified", "failed": "failed",
    "undone": "undone", "expired": "over", "refused": "not done", "dry_run": "only recorded (dry run), not done",
}  # fmt: skip
_NEWS = {
    "reopened": "again: ", "raised": "worse: ", "escalated": "nobody has acknowledged: ", "flapping": "it flaps: ",
    "resolved": "resolved: ", "standing": "still: ",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """One message, JSON-able. news: what tells two messages of one fingerprint apart (it is paged once in 15 minutes
    for each of its news); level: the page level, who is told; every text but `command` is fit for a channel already."""

    id: str
    fingerprint: str
    incident: str
    severity: str
    level: int
    news: str
    happened: str
    bad: str
    done: list[str] = field(default_factory=list)
    further: str = ""
    command: str = ""

    @property
    def title(self) -> str:
        """One line."""
        return f"[{self.severity}] {self.happened}"

    @property
    def body(self) -> str:
        """The whole, in lines."""
        done = [f"Done: {words}" for words in self.done] or ["Done: nothing was done by itself"]
        lines = [f"What happened: {self.happened}", f"How bad: {self.bad}", *done, f"Next: {self.further}"]
        return "\n".join([*lines, f"Run: {self.command}"])[:LONGEST]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; `of` reads it again."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Message:
        """The message that `as_dict` gave. Raises TypeError for what it never gave."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def of_change(change: Any, done: Sequence[Run]) -> Message:
    """What is said of a change of an incident (levaithan.incidents.change.Change)."""
    incident: Troubled = change.incident
    resolved = change.kind == "resolved"
    happened = _NEWS.get(change.kind, "") + plain(incident.title or incident.alert, 200)
    where = ", ".join(plain(f"{name} {value}", 120) for name, value in _places(incident) if value not in ("", _NONE))
    show = f"levaithan incident show {shlex.quote(incident.id)}"
    further = (
        _owed(change.incident) if resolved else f"acknowledge it: levaithan incident ack {shlex.quote(incident.id)}"
    )
    command = show if resolved else incident.command or show
    return Message(
        id=f"{incident.id}:{change.kind}:{incident.page_level}:{int(change.at_s)}",
        fingerprint=incident.fingerprint or incident.id,
        incident=incident.id,
        severity=incident.severity,
        level=incident.page_level,
        news=_news(change.kind, incident.page_level),
        happened=f"{happened} ({where})" if where else happened,
        bad="over" if resolved else _BAD.get(incident.severity, incident.severity),
        done=[line(run) for run in list(done)[:8]],
        further=further,
        command=plain(command, 300) if command is incident.command else command,
    )


def _owed(incident: Any) -> str:
    """What is left to be done about one that is resolved."""
    why = owed.reasons(incident)
    if not why:
        return "nothing: it is over"
    one = shlex.quote(incident.id)
    if incident.postmortem and not incident.postmortem.get("missing"):
        return f"a review is owed ({', '.join(why)}): levaithan incident review {one}"
    return f"a postmortem and its review are owed ({', '.join(why)}): levaithan incident draft {one} -o {one}.md"


def _news(kind: str, level: int) -> str:
    """A trouble that stands at a monitor's start is no other news than that it opened: who was told of the one, by a
    monitor that ended before it could note the receipt, is not told of the other."""
    return f"{kind}:{level}" if kind == "escalated" else "opened" if kind == "standing" else kind


def of_run(run: Run, words: str) -> Message:
    """What is said of a run when no incident's step says it."""
    return Message(
        id=f"{run.id}:{run.phase}",
        fingerprint=run.fingerprint or run.id,
        incident=run.incident,
        severity="P2",
        level=0,
        news=f"run:{run.id}",
        happened=plain(run.label, 200),
        bad="an automatic action needs a person",
        done=[line(run)],
        further=plain(words, 300),
        command=f"levaithan action show {run.id}",
    )


def line(run: Run) -> str:
    """What came of a run, in one line."""
    why = f" ({run.why})" if run.why and run.phase not in ("verified", "done") else ""
    after = f"; undo: levaithan action undo {run.id}" if run.phase in ("done", "verified") and run.stays else ""
    if run.phase == "dry_run":
        why, after = f", it would {_about(run)}", f"; do it: {_command(run)}"
    return plain(f"{run.label}: {_DID.get(run.phase, run.phase)}{why}", 260) + after


def _about(run: Run) -> str:
    action = ACTIONS.get(run.action)
    return "be done" if action is None else action.about


def _command(run: Run) -> str:
    """The command that does what was only recorded. A target that cannot stand in a message as it is is looked up."""
    words = [f"levaithan action run {run.action}"]
    for name, value in sorted(run.target.items()):
        if name != "all" and (name not in _OPTIONS or plain(value) != value):
            return f"see levaithan action show {run.id}"
        words.append("--everything" if name == "all" else f"--{name} {shlex.quote(value)}")
    words += [f"--incident {shlex.quote(run.incident)}"] if run.incident and plain(run.incident) == run.incident else []
    return " ".join([*words, f"--reason 'as {run.id} proposed'"])


def _places(incident: Troubled) -> list[tuple[str, str]]:
    labels = incident.labels
    return [
        ("project", incident.project or labels.get("project", "")),
        ("store", incident.store or labels.get("store", "")),
        ("session", incident.session_id[:8]),
    ]


def test_message(by: str) -> Message:
    """What `levaithan action alert` sends."""
    return Message(
        id="test", fingerprint="test", incident="", severity="P3", level=0, news="test",
        happened=f"a test message, sent by {plain(by, 60)}", bad="nothing is wrong", done=[],
        further="nothing: you are told when something happens", command="levaithan status",
    )  # fmt: skip
