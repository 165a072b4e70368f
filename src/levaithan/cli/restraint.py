"""`levaithan restraint`: what is held short of a halt. Works with the service, the stores and the journal all down."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotFound, UsageProblem

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.hot.restraints import Restraint

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Hold agents, short of a halt."
)
KINDS = ("throttle", "read_only", "block_tool")
SCOPES = ("all", "project", "session", "agent")
COLUMNS = ["id", "kind", "scope", "target", "tool", "calls_per_minute", "reason", "by", "set_at", "expires_at"]


_UNCHECKED = (
    "warning: no workflow of this home has restraint_check, so nothing is held: run `levaithan doctor`, or add it to "
    "`checks` of [workflow.PreToolUse] in context/workflows.toml"
)
Kind = Annotated[
    str, typer.Argument(help="throttle, read_only or block_tool.", metavar="KIND", autocompletion=lambda: [*KINDS])
]
Scope = Annotated[
    str,
    typer.Option("--scope", help="all, project, session or agent.", metavar="SCOPE", autocompletion=lambda: [*SCOPES]),
]
Target = Annotated[
    str | None, typer.Option("--target", help="The project's folder, or the session's or agent's id.", metavar="X")
]
Tool = Annotated[
    str, typer.Option("--tool", help="Of block_tool: a name; `mcp__server__*` is a server's.", metavar="NAME")
]
Rate = Annotated[int, typer.Option("--per-minute", help="Of throttle: so many calls a minute pass.", metavar="N")]
Expires = Annotated[
    str | None, typer.Option("--expires", help="How long: 30m, 2h (default: until released).", metavar="TIME")
]


@app.command("set")
def set_(
    kind: Kind,
    *,
    scope: Scope,
    reason: Annotated[str, typer.Option("--reason", help="Why; the agent is told.", metavar="TEXT")],
    target: Target = None,
    tool: Tool = "",
    per_minute: Rate = 0,
    expires: Expires = None,
    json: options.Json = False,
) -> None:
    """Let only so many calls pass, or only what reads, or keep one tool from being used."""
    from levaithan.cli.times import span
    from levaithan.hot import restraints

    if kind == "throttle" and per_minute <= 0:
        raise UsageProblem("A throttle needs its rate.", fix="give --per-minute N: so many calls a minute pass")
    if scope == "project" and target is None:
        target = os.curdir
    lasts = span(expires, "--expires").total_seconds() if expires else None
    try:
        made = restraints.set_restraint(
            STATE.home(), kind, scope, target or "", reason=reason, by=person.name(), tool=tool,
            calls_per_minute=per_minute, lasts_s=lasts,
        )  # fmt: skip
    except ValueError as problem:
        raise UsageProblem(f"{problem}.", fix="see `levaithan restraint set --help`") from None
    except restraints.RestraintError as problem:
        raise _failed(problem) from None
    _record("set", made)
    output.emit([made.as_dict()], COLUMNS, output.pick(None, json))
    output.say(f"in force now; end it with `levaithan restraint release {made.id}`")
    if not checked(STATE.home()):
        output.say(_UNCHECKED)


@app.command("list")
def list_(json: options.Json = False, format: options.Format = None) -> None:
    """The restraints in force."""
    rows = [one.as_dict() for one in in_force()]
    output.emit(rows, COLUMNS, output.pick(format, json), nothing="no restraints in force")


@app.command()
def release(
    restraint_id: Annotated[str | None, typer.Argument(help="The restraint's id.", metavar="ID")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every restraint.")] = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Let agents go on as before; asks unless --yes."""
    from levaithan.hot import restraints

    if (restraint_id is None) != every:
        raise UsageProblem("Name one restraint, or --all.", fix="`levaithan restraint list` shows them")
    meant = [one for one in in_force() if every or one.id == restraint_id]
    if not meant and not every:
        raise NotFound(what="restraint", name=restraint_id, fix="`levaithan restraint list` shows those in force")
    if meant and not yes:
        _confirm(meant)
    try:
        released = restraints.release_restraint(STATE.home(), restraint_id or "all") if meant else []
    except restraints.RestraintError as problem:
        raise _failed(problem) from None
    for one in released:
        _record("release", one)
    rows = [one.as_dict() for one in released]
    output.emit(rows, COLUMNS, output.pick(None, json), nothing="no restraints in force")


def in_force() -> list[Restraint]:
    """The restraints of the home. Raises LevaithanError when they cannot be read."""
    from levaithan.hot import restraints

    try:
        return restraints.active(STATE.home())
    except restraints.RestraintError as problem:
        raise _failed(problem) from None


def checked(home: Home) -> bool:
    """Whether tool calls are held against restraints here: the workflows of an older home know no such check."""
    from levaithan.hot import flows

    found = flows.last_good(home) or flows.load(home)[0]
    flow = (found or {}).get("PreToolUse")
    return flow is not None and "restraint_check" in flow["checks"]


def _confirm(meant: list[Restraint]) -> None:
    for one in meant:
        output.say(f"{one.id}  {one.kind} {one.scope} {one.target}  by {one.by}: {one.reason}")
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody is there to confirm.", fix="look at the restraints above; then give --yes")
    if not typer.confirm("Release and let agents go on?", err=True):
        raise typer.Abort


def _failed(problem: Exception) -> LevaithanError:
    words, _, fix = str(problem).rpartition(": ")
    return LevaithanError(words or str(problem), fix=fix or "run `levaithan doctor --fix`")


def _record(action: str, one: Restraint) -> None:
    """Put it in the journal. A journal that cannot be written does not undo a restraint, but is said."""
    from levaithan.cli import recording

    body: dict[str, Any] = {"action": action, "by": person.name(), "restraint": one.as_dict()}
    problem = recording.note(STATE.home(), "restraint", body)
    if problem:
        output.say(f"note: it is done, but could not be recorded in the journal: {problem}")
