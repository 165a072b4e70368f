"""`levaithan memory`: what was asked, what it came to and what people noted, found by meaning; and forgetting it.

What it prints is text that somebody wrote once; every row says so, for who reads it may be a model.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person, reading, table
from levaithan.cli.state import STATE
from levaithan.cli.times import iso, window
from levaithan.errors import LevaithanError, NotFound, StoreError, UsageProblem

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from levaithan.stores.roles import Memory, MemoryFilters, Remembered

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What is remembered.")

KINDS = ("prompt", "outcome", "incident", "note")
COLUMNS = ["score", "at", "kind", "session", "text"]
Project = Annotated[str | None, typer.Option("--project", help="The project's folder (default: any).", metavar="DIR")]
Session = Annotated[str | None, typer.Option("--session", help="Only this session.", metavar="ID")]


def opened() -> AbstractContextManager[Memory]:
    """The memory of the home, caught up."""
    return reading.opened("memory")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What it is about, in words.", metavar="TEXT")],
    *,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="Only prompt, outcome, incident or note.", metavar="KIND", autocompletion=lambda: [*KINDS]
        ),
    ] = None,
    project: Project = None,
    session: Session = None,
    since: options.Since = None,
    until: options.Until = None,
    k: Annotated[int, typer.Option("--k", help="At most so many.", min=1, max=1000)] = 10,
    words: Annotated[bool, typer.Option("--hybrid/--near", help="By meaning and words, or by meaning alone.")] = True,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What is closest to TEXT, the closest first; --hybrid (the default) also counts the words that are the same."""
    fmt = output.pick(format, json)
    if not text.strip():
        raise UsageProblem("An empty text finds nothing.", fix='say what it is about: `levaithan memory search "..."`')
    filters = _filters(kind, project, session, since, until)
    with opened() as memory:
        found = memory.hybrid(text, k, filters=filters) if words else memory.near(text, k, filters)
    output.emit([_row(one) for one in found], COLUMNS, fmt, nothing="nothing like it is remembered")


def _filters(
    kind: str | None, project: str | None, session: str | None, since: str | None, until: str | None
) -> MemoryFilters:
    from levaithan.stores.roles import MemoryFilters

    if kind is not None and kind not in KINDS:
        raise UsageProblem(f"--kind {kind!r} is none.", fix=f"choose one of: {', '.join(KINDS)}")
    within = window(since, until)
    if since or until:
        output.say(f"window: {within}")
    folder = os.path.realpath(project) if project else None
    return MemoryFilters(folder, session, kind, within.since_us, within.until_us)


@app.command()
def show(
    memory_id: Annotated[str, typer.Argument(help="The memory's id, as search prints it.", metavar="ID")],
    json: options.Json = False,
) -> None:
    """One memory with its whole stored text."""
    with opened() as memory:
        one = memory.get(memory_id)
    if one is None:
        raise NotFound(what="memory", name=memory_id, fix='`levaithan memory search "..." --json` prints the ids')
    row = _row(one)
    if json:
        output.out(output.envelope([row]))
    else:
        for line in table.facts([(name, value) for name, value in row.items() if name not in ("text", "score")]):
            output.out(line)
        output.out("")
        from levaithan.cli.text import clean

        output.out(clean(one.text, lines=True))
    output.flush()


@app.command()
def add(
    text: Annotated[str, typer.Argument(help="What to remember.", metavar="TEXT")],
    project: Annotated[
        str | None, typer.Option("--project", help="The project's folder that it is about.", metavar="DIR")
    ] = None,
    json: options.Json = False,
) -> None:
    """Remember a note; it is recorded in the journal, without secrets."""
    from levaithan.stores.memory_facts import LONGEST

    if not text.strip():
        raise UsageProblem("An empty note says nothing.", fix="give it a text")
    if len(text) > LONGEST:
        raise UsageProblem(f"A note has at most {LONGEST} characters, not {len(text)}.", fix="say it in fewer words")
    body = {"action": "add", "text": text.strip(), "project": os.path.realpath(project) if project else None}
    made = _record(body)
    try:
        with opened() as memory:
            one = memory.get(made)
    except StoreError as problem:  # it is recorded: who hears of a failure does it again, and has two
        one, later = None, f"once its store answers again ({problem.message})"
    else:
        later = "as soon as it has caught up with the journal"
    if one is None:
        output.say(f"recorded as {made}; the memory has it {later}")
        if json:
            output.out(output.envelope([{"id": made}]))
            output.flush()
        return
    output.emit([_row(one)], ["id", "at", "project", "text"], output.pick(None, json))


@app.command()
def forget(
    session: Annotated[str, typer.Option("--session", help="The session's id.", metavar="ID")],
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Take all of a session out of the memory, for good; asks twice unless --yes. Journal and ledger keep it.

    The wish is recorded at once; a memory that is down or behind carries it out when it is back.
    """
    there, unknown = _held(session)
    if not there and not unknown:
        raise NotFound(what="memory of session", name=session, fix="`levaithan session list` shows the sessions")
    if not yes:
        _confirm(session, there, unknown)
    made = _record({"action": "forget", "session_id": session})
    rest, why = (there, unknown) if there is None else _held(session)
    if rest or why:
        output.say(f"recorded as {made}; the memory lets go of it {why or 'once it has caught up with the journal'}")
    counts: dict[str, int | None] = {"forgotten": None, "left": None}
    if there is not None and not unknown:  # else more came in meanwhile than was seen
        left = sum((there if rest is None else rest).values())
        counts = {"forgotten": sum(there.values()) - left, "left": left}
    row = {"id": made, "session": session, **counts, **(there or {})}
    output.emit([row], ["session", "forgotten", "left"], output.pick(None, json))


def _held(session: str) -> tuple[dict[str, int] | None, str]:
    """(what the memory has of a session, a number a kind; None where it cannot be asked: the wish waits for it then;
    when it will know all that the journal says now, "" where it does)."""
    from levaithan.projector import feed

    head = feed.last_seq(STATE.home().journal)
    try:
        with opened() as memory:
            there, cursor = memory.kinds(_filters(None, None, session, None, None)), memory.cursor()
    except StoreError as problem:
        return None, f"once its store answers again ({problem.message})"
    return there, "" if (cursor.seq if cursor else 0) >= head else "once it has caught up with the journal"


def _confirm(session: str, there: dict[str, int] | None, unknown: str) -> None:
    told = ", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in (there or {}).items())
    output.say(f"session {session}: {told or 'the memory tells what it has ' + unknown}")
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody is there to confirm.", fix="look at what would be forgotten; then give --yes")
    if not typer.confirm("Forget all of it? A rebuild does not bring it back", err=True):
        raise typer.Abort
    if typer.prompt("Type the session's id to forget it", err=True).strip() != session:
        output.say("nothing was forgotten")
        raise typer.Abort


def _record(body: dict[str, Any]) -> str:
    """Put a person's wish into the journal, which is what the memory is made of; its id. Raises LevaithanError."""
    from levaithan.cli import recording
    from levaithan.hot import wire
    from levaithan.hot.gate import machine_id
    from levaithan.stores.memory_facts import RECORD

    home, made = STATE.home(), wire.new_event_id()
    known = {name: value for name, value in body.items() if value is not None}
    told = {**known, "by": person.name(), "machine": machine_id(home)}
    problem = recording.note(home, RECORD, told, record_id=made)
    if problem:
        raise LevaithanError(
            f"It could not be recorded in the journal: {problem}. Nothing was done.", fix="run `levaithan doctor`"
        )
    return made


def _row(one: Remembered) -> dict[str, Any]:
    from levaithan.stores.roles.memory import MARK

    return {
        "id": one.id, "kind": one.kind, "at": iso(one.at_us), "score": one.score, "session": one.session or None,
        "agent": one.agent or None, "project": one.project or None, "machine": one.machine or None, "is": MARK,
        "length": one.length, "cut": one.cut, "text": one.text,
    }  # fmt: skip
