"""`levaithan halt`: the emergency stop. Works with the service, the stores and the journal all down."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotFound, UsageProblem

if TYPE_CHECKING:
    from levaithan.hot.halts import Halt

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Stop agents at once.")
SCOPES = ("all", "project", "session", "agent", "task")
COLUMNS = ["id", "scope", "target", "reason", "by", "set_at", "expires_at"]


@app.command("set")
def set_(
    scope: Annotated[
        str,
        typer.Option(
            "--scope", help="all, project, session, agent or task.", metavar="SCOPE", autocompletion=lambda: [*SCOPES]
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; the stopped agent is told.", metavar="TEXT")],
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="The project's folder, or the session's, agent's or task's id (a task also as SESSION/TASK).",
            metavar="X",
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="How long: 30m, 2h (default: until released).", metavar="TIME")
    ] = None,
    json: options.Json = False,
) -> None:
    """Stop agents: every tool call and prompt in the scope is refused from now on."""
    from levaithan.cli.times import span
    from levaithan.hot import halts

    if scope == "project" and target is None:
        target = os.curdir
    lasts = span(expires, "--expires").total_seconds() if expires else None
    try:
        made = halts.set_halt(STATE.home(), scope, target or "", reason, person.name(), lasts_s=lasts)
    except ValueError as problem:
        raise UsageProblem(f"{problem}.", fix="see `levaithan halt set --help`") from None
    except halts.HaltError as problem:
        raise _failed(problem) from None
    _record("set", made)
    output.emit([made.as_dict()], COLUMNS, output.pick(None, json))
    output.say(f"in force now; end it with `levaithan halt release {made.id}`")


@app.command("list")
def list_(json: options.Json = False, format: options.Format = None) -> None:
    """The halts in force."""
    fmt = output.pick(format, json)
    output.emit([halt.as_dict() for halt in in_force()], COLUMNS, fmt, nothing="no halts in force")


@app.command()
def release(
    halt_id: Annotated[str | None, typer.Argument(help="The halt's id.", metavar="ID")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every halt.")] = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Let agents go on; asks twice unless --yes."""
    from levaithan.hot import halt_merge, halts

    if (halt_id is None) != every:
        raise UsageProblem("Name one halt, or --all.", fix="`levaithan halt list` shows them")
    meant = [halt for halt in in_force() if every or halt.id == halt_id]
    if not meant and not every:
        raise NotFound(what="halt", name=halt_id, fix="`levaithan halt list` shows those in force")
    if meant and not yes:
        _confirm(meant)
    try:
        released = halts.release_halt(STATE.home(), halt_id or "all") if meant else []
    except halts.HaltError as problem:
        raise _failed(problem) from None
    try:
        halt_merge.note_released(STATE.home(), [halt.id for halt in released])
    except OSError as problem:
        output.say(f"note: other machines could not be told ({problem}): release it there as well")
    for halt in released:
        _record("release", halt)
    output.emit([halt.as_dict() for halt in released], COLUMNS, output.pick(None, json), nothing="no halts in force")


def in_force() -> list[Halt]:
    """The halts of the home. Raises LevaithanError when they cannot be read."""
    from levaithan.hot import halts

    try:
        return halts.active(STATE.home())
    except halts.HaltError as problem:
        raise _failed(problem) from None


def _confirm(meant: list[Halt]) -> None:
    for halt in meant:
        output.say(f"{halt.id}  {halt.scope} {halt.target}  by {halt.by}: {halt.reason}")
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody is there to confirm.", fix="look at the halts above; then give --yes")
    if not typer.confirm("Release and let agents go on?", err=True):
        raise typer.Abort
    word = meant[0].id if len(meant) == 1 else "all"
    if typer.prompt(f"Type {word} to release", err=True).strip() != word:
        output.say("nothing was released")
        raise typer.Abort


def _failed(problem: Exception) -> LevaithanError:
    words, _, fix = str(problem).rpartition(": ")
    return LevaithanError(words or str(problem), fix=fix or "run `levaithan doctor --fix`")


def _record(action: str, halt: Halt) -> None:
    """Put it in the journal. A journal that cannot be written does not undo a halt, but is said."""
    from levaithan.cli import recording

    body: dict[str, Any] = {"action": action, "by": person.name(), "halt": halt.as_dict()}
    problem = recording.note(STATE.home(), "halt", body)
    if problem:
        output.say(f"note: it is in force, but could not be recorded in the journal: {problem}")
