"""`levaithan incident`: what is wrong, who has it, and each step until it is closed."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from levaithan.cli import incident_draft, incident_rows, incident_steps, options, output
from levaithan.cli.state import STATE
from levaithan.errors import UsageProblem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What is wrong.")
_NOTHING = (
    "no incident is open: what a detector, Alertmanager or a person opens stands here until it is closed (--all: also "
    "then). To try one, in a scratch home: `levaithan --home DIR incident open --title test --severity P3`"
)
SEVERITIES = ("P0", "P1", "P2", "P3")
Id = Annotated[str, typer.Argument(help="The incident's id, or the beginning of it.", metavar="ID")]
State = Annotated[str | None, typer.Option("--state", help="Only those in this state.", metavar="STATE")]
Severity = Annotated[
    str | None,
    typer.Option("--severity", help="Only P0, P1, P2 or P3.", metavar="P", autocompletion=lambda: [*SEVERITIES]),
]
Done = Annotated[list[int] | None, typer.Option("--done", help="An action item that is done.", metavar="N")]
Accept = Annotated[
    list[str] | None, typer.Option("--accept", help="One that may stay so until a day.", metavar="N=DATE")
]


@app.command("list")
def list_(
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    state: State = None,
    severity: Severity = None,
    limit: options.Limit = 200,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The incidents that are not closed, the worst first."""
    from levaithan.incidents.incident import ENDED, STATES

    fmt = output.pick(format, json)
    if state is not None and state not in STATES:
        raise UsageProblem(f"--state {state!r} is none.", fix=f"choose one of: {', '.join(STATES)}")
    if severity is not None:
        severity = _severity(severity)
    found = [
        one for one in incident_steps.book().incidents.values()
        if (every or state is not None or one.state not in ENDED) and state in (None, one.state)
        and severity in (None, one.severity)
    ]  # fmt: skip
    found.sort(key=lambda one: (not one.active, one.severity, -one.detected_s, one.id))
    rows = [incident_rows.row(one) for one in found[:limit]]
    if len(found) > limit:
        output.say(f"{len(found) - limit} more: --limit {len(found)}")
    output.emit(rows, incident_rows.COLUMNS, fmt, nothing="no incident matches" if state or severity else _NOTHING)


@app.command()
def show(incident_id: Id, json: options.Json = False) -> None:
    """All of one: the evidence, the timeline, the timers, what was done, and the one next command."""
    from levaithan.incidents import notes

    one = notes.named(incident_steps.book(), incident_id)
    ready = f"{STATE.home().logs}/incidents/{one.id}.md"
    ready = ready if os.path.isfile(ready) else ""  # noqa: PTH113
    if json:
        output.out(output.envelope([incident_rows.whole(one) | {"draft_file": ready or None}]))
    else:
        for line in incident_rows.lines(one):
            output.out(line)
        if ready:
            output.say(f"a draft of its postmortem lies in {ready}")
    output.flush()


@app.command("open")
def open_(
    *,
    title: Annotated[str, typer.Option("--title", help="What is wrong, in one line.", metavar="TEXT")],
    severity: Annotated[
        str, typer.Option("--severity", help="P0, P1, P2 or P3.", metavar="P", autocompletion=lambda: [*SEVERITIES])
    ],
    text: Annotated[str | None, typer.Option("--text", help="More about it.", metavar="TEXT")] = None,
    project: options.OfProject = None,
    session: Annotated[str | None, typer.Option("--session", help="Of this session.", metavar="ID")] = None,
    data_loss: Annotated[bool, typer.Option("--data-loss", help="Data was lost.")] = False,
    json: options.Json = False,
) -> None:
    """Open an incident by hand: it goes the same way as those that a detector opens."""
    import secrets

    from levaithan.cli import reading
    from levaithan.incidents.book import Book

    reading.home()
    made = incident_steps.made(
        "open", "inc-" + secrets.token_hex(5), title=incident_steps.said(title, "--title")[:200],
        severity=_severity(severity), text=incident_steps.said(text, "--text") if text else None, source="person",
        project=os.path.realpath(project) if project else None, session_id=session, data_loss=data_loss or None,
        detection="found by a person",
    )  # fmt: skip
    incident_steps.write(made)
    opened = Book().take({**made, "kind": incident_steps.KIND})
    if opened is not None:
        incident_steps.tell(opened, json)


def _severity(text: str) -> str:
    if text.upper() not in SEVERITIES:
        raise UsageProblem(f"--severity {text!r} is none.", fix=f"choose one of: {', '.join(SEVERITIES)}")
    return text.upper()


@app.command()
def ack(
    incident_id: Id,
    channel: Annotated[str | None, typer.Option("--channel", help="How you heard of it.", metavar="TEXT")] = None,
    json: options.Json = False,
) -> None:
    """Say that you have it: the timer stops, and you are its commander unless it has one."""
    incident_steps.step(incident_id, "ack", json, channel=channel)


@app.command()
def assign(
    incident_id: Id,
    commander: Annotated[str, typer.Argument(help="Who has it from now on.", metavar="NAME")],
    json: options.Json = False,
) -> None:
    """Give it to somebody."""
    incident_steps.step(incident_id, "assign", json, commander=incident_steps.said(commander, "NAME")[:256])


@app.command()
def note(
    incident_id: Id,
    text: Annotated[str, typer.Argument(help="What is to be remembered of it.", metavar="TEXT")],
    *,
    done: Done = None,
    accept: Accept = None,
    data_loss: Annotated[bool, typer.Option("--data-loss", help="Data was lost.")] = False,
    unfreeze: Annotated[bool, typer.Option("--unfreeze", help="Let automatic actions be taken again.")] = False,
    json: options.Json = False,
) -> None:
    """Add a line to its timeline; also what became of its action items."""
    incident_steps.step(
        incident_id, "note", json, note=incident_steps.said(text, "TEXT"), done=done or None,
        accepted=_accepted(accept), data_loss=data_loss or None, unfreeze=unfreeze or None,
    )  # fmt: skip


@app.command()
def mitigate(
    incident_id: Id,
    measure: Annotated[str, typer.Option("--measure", help="What was done.", metavar="TEXT")],
    json: options.Json = False,
) -> None:
    """Say that it does no harm any more, and by what."""
    incident_steps.step(incident_id, "mitigate", json, measure=incident_steps.said(measure, "--measure"))


@app.command()
def resolve(
    incident_id: Id,
    *,
    fix: Annotated[str, typer.Option("--fix", help="The commit, setting or rule that fixed it.", metavar="REF")],
    check: Annotated[
        str, typer.Option("--check", help='A check of doctor that passes, or "detector".', metavar="NAME")
    ] = "detector",
    regression: Annotated[
        str | None, typer.Option("--regression", help="The test or case that fails when it comes again.", metavar="REF")
    ] = None,
    observed: Annotated[
        str | None,
        typer.Option("--observed", help="What you looked at, where no monitor could see it quiet.", metavar="TEXT"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Say that it is fixed: refused unless its detector is quiet and the named check passes."""
    from levaithan.incidents import notes

    one = notes.named(incident_steps.book(), incident_id)
    incident_steps.must_be_quiet(one, observed=bool(observed))
    verified = incident_steps.check(one, check)
    if check == "detector" and observed:
        verified = {"check": check, "result": "pass", "words": "observed by a person"}
    words = incident_steps.said(fix, "--fix")
    incident_steps.step(
        one.id, "resolve", json, fix=words, verification=verified, regression=regression, observed=observed,
        title=one.title, text=f"What ended it: {words}", project=one.project,
    )  # fmt: skip


@app.command()
def review(incident_id: Id, json: options.Json = False) -> None:
    """Say that the review is done: where one is owed, refused without a complete postmortem by somebody else."""
    incident_steps.step(incident_id, "review", json)


@app.command()
def close(
    incident_id: Id,
    done: Done = None,
    accept: Accept = None,
    json: options.Json = False,
) -> None:
    """Close it: refused while an action item is neither done nor accepted."""
    incident_steps.step(incident_id, "close", json, done=done or None, accepted=_accepted(accept))


def _accepted(given: list[str] | None) -> dict[str, str] | None:
    """`N=DATE` as a record has it; a date without a zone is the day's end in UTC. Raises UsageProblem."""
    from datetime import UTC, datetime, time

    found = {}
    for one in given or ():
        number, _, day = one.partition("=")
        try:
            until = datetime.combine(datetime.fromisoformat(day).date(), time(23, 59, 59), UTC)
            found[str(int(number))] = until.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        except ValueError:
            raise UsageProblem(f"--accept {one!r} is not N=DATE.", fix="write it as --accept 2=2027-01-31") from None
        if until <= datetime.now(UTC):
            raise UsageProblem(f"--accept {one}: that day is over.", fix="give the day until which it may stay so")
    return found or None


@app.command()
def reopen(
    incident_id: Id,
    why: Annotated[str, typer.Option("--why", help="What shows that it is not over.", metavar="TEXT")],
    json: options.Json = False,
) -> None:
    """Say that a mitigated or resolved one is not over: its timer runs again."""
    incident_steps.step(incident_id, "reopen", json, why=incident_steps.said(why, "--why"))


@app.command()
def duplicate(
    incident_id: Id,
    of: Annotated[str, typer.Option("--of", help="The incident that it is one of.", metavar="ID")],
    json: options.Json = False,
) -> None:
    """Say that it is the same trouble as another one: its signals go there."""
    from levaithan.incidents import notes

    known = incident_steps.book()
    incident_steps.step(notes.named(known, incident_id).id, "duplicate", json, of=notes.named(known, of).id)


@app.command("false-positive")
def false_positive(
    incident_id: Id,
    why: Annotated[str, typer.Option("--why", help="Why it was no trouble: rules are tuned by it.", metavar="TEXT")],
    json: options.Json = False,
) -> None:
    """Say that there was no trouble."""
    incident_steps.step(incident_id, "false_positive", json, why=incident_steps.said(why, "--why"))


app.command("draft")(incident_draft.draft)
app.command("postmortem")(incident_draft.postmortem)
