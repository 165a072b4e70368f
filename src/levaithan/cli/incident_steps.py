"""What a person's step of an incident takes: the incidents as the ledger has them, the same rules as the fold's, one
synced record in the journal. Nothing is changed but by that record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.cli import incident_rows, noted, output, person
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, UsageProblem

if TYPE_CHECKING:
    from levaithan.incidents.book import Book
    from levaithan.incidents.incident import Incident

KIND = "incident"
LONGEST = 4_000
_ASK_S = 3.0


def book() -> Book:
    """All incidents, up to the journal's end."""
    from levaithan.incidents import notes

    return notes.of_records(noted.records(*notes.KINDS))


def who() -> str:
    """The person at the terminal, as records name them."""
    from levaithan.incidents.incident import person_name

    return person_name(person.name())


def said(text: str, option: str) -> str:
    """A text of an option. Raises UsageProblem for an empty or an over-long one."""
    words = text.strip()
    if not words:
        raise UsageProblem(f"{option} says nothing.", fix="give it a text")
    if len(words) > LONGEST:
        raise UsageProblem(f"{option} has {len(words)} characters, at most {LONGEST} are kept.", fix="say it shorter")
    return words


def step(name: str, action: str, json: bool, **body: Any) -> None:
    """Make the step `action` on the incident that `name` means, and print how it stands then. Raises StepRefused, with
    the way out, for one that is not allowed."""
    from levaithan.incidents import notes, steps

    known = book()
    incident = notes.named(known, name)
    _items_known(incident, [*(body.get("done") or ()), *map(int, body.get("accepted") or ())])
    record = made(action, incident.id, **body)
    wrong = steps.refusal(incident, record, known.incidents, known.people)
    if wrong is not None:
        raise wrong.error()
    write(record)
    known.take({**record, "kind": KIND})
    tell(incident, json)


def _items_known(incident: Incident, numbers: list[int]) -> None:
    """Raises UsageProblem for an action item that the incident has not."""
    count = len(incident.items)
    for number in numbers:
        if not 0 < number <= count:
            has = f"they are numbered 1 to {count}" if count else "it has none: they come with its postmortem"
            raise UsageProblem(
                f"{incident.id} has no action item {number}; {has}.",
                fix=f"`levaithan incident show {incident.id}` lists them",
            )


def monitored() -> bool:
    """Whether a monitor of this home runs: what it sees counts then, not what somebody says."""
    from levaithan.cli import reading

    told = reading.ask_service(STATE.home(), "status", _ASK_S) or {}
    return bool((told.get("monitor") or {}).get("child"))


def must_be_quiet(incident: Incident, *, observed: bool) -> None:
    """Raises StepRefused where its detector fires, or was not quiet for long enough. observed: a person says that it is
    over, which counts where no monitor runs."""
    from levaithan.incidents import steps, timers
    from levaithan.incidents.incident import ACKNOWLEDGED, MITIGATED

    if incident.state not in (ACKNOWLEDGED, MITIGATED) or steps.quiet(incident):
        return
    runs = monitored()
    if observed and not runs:
        return
    needed_s = timers.quiet_needed_s(incident.for_s, float(STATE.settings().incident_quiet_s))
    fix = f"wait; `levaithan incident show {incident.id}` says how long is left"
    if incident.firing:
        fix = "wait until what it is about has ended; `levaithan alerts list --firing` shows what it sees now"
    if observed:
        fix = "a monitor runs, so what it sees counts and not --observed: " + fix
    elif not runs:
        fix = (
            "no monitor runs that could see it: `levaithan start`, or --observed TEXT says what you looked at yourself"
        )
    raise steps.StepRefused(steps.not_quiet(incident, needed_s), fix=fix)


def made(action: str, incident_id: str, **body: Any) -> dict[str, Any]:
    """The record of a step, as of now."""
    from levaithan.hot.gate import machine_id
    from levaithan.hot.halts import stamp

    told = {name: value for name, value in body.items() if value not in (None, "")}
    at = stamp(time.time_ns() // 1000)
    return {
        "action": action,
        "incident": incident_id,
        "by": who(),
        "at": at,
        "machine": machine_id(STATE.home()),
        **told,
    }


def write(record: dict[str, Any]) -> None:
    """Append it. Raises LevaithanError where the journal takes it not: then nothing has happened."""
    from levaithan.cli import recording

    problem = recording.note(STATE.home(), KIND, record)
    if problem:
        raise LevaithanError(
            f"It could not be recorded in the journal: {problem}. Nothing was done.", fix="run `levaithan doctor`"
        )


def tell(incident: Incident, json: bool) -> None:
    """Print its row and what comes next."""
    row = incident_rows.row(incident)
    output.emit([row], incident_rows.COLUMNS, output.pick(None, json))
    if row["next"] and not json:
        output.say(f"next: {row['next']}")


def check(incident: Incident, name: str) -> dict[str, str]:
    """The verification that `name` stands for: one of doctor's checks, or "detector": the incident's own is quiet.
    Raises UsageProblem for a check that nobody knows."""
    from levaithan.incidents import steps

    if name == "detector":
        words = f"quiet for {incident.quiet_s / 60:.0f} min" if incident.signals else "no detector ever saw it"
        return {"check": name, "result": "pass" if steps.quiet(incident) else "fail", "words": words}
    from levaithan.install import doctor
    from levaithan.install.finding import Asked

    if name not in doctor.checks():
        known = ", ".join(("detector", *doctor.checks()))
        raise UsageProblem(f"There is no check {name!r}.", fix=f"choose of: {known}")
    found = doctor.run(Asked(STATE.home(), None, prove=False), only=[name])
    bad = [one for one in found if one.status != "ok"]
    words = "; ".join(f"{one.status}: {one.message}" for one in (bad or found))[:900]
    return {"check": name, "result": "fail" if bad or not found else "pass", "words": words}
