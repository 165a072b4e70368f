"""`levaithan hooks`: registered where, rightly or not; put in, taken out, and run as Claude Code runs them."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound

if TYPE_CHECKING:
    from levaithan.install.settings_file import Change

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The hooks of a project.")

Local = Annotated[bool, typer.Option("--local", help="settings.local.json, which is not committed.")]
KILLED = 137


def _events() -> list[str]:
    from levaithan.hot.catalogue import EVENTS

    return [spec.name for spec in EVENTS.values() if spec.registered]


@app.command()
def install(
    *,
    project: options.Project = None,
    user: options.User = False,
    local: Local = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Register the hooks in a project's settings (default: this folder's), or in the user's; foreign hooks stay."""
    from levaithan.install import hooks

    place = hooks.place_of(project, user=user, local=local)
    change, said = hooks.install(STATE.home(), place, dry_run=dry_run)
    tell([change], dry_run=dry_run, json=json, said=said)


@app.command()
def uninstall(
    *,
    project: options.Project = None,
    user: options.User = False,
    local: Local = False,
    every: Annotated[bool, typer.Option("--all", help="Everywhere they were installed.")] = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Take the hooks out again: the file is as it was before, to the byte, when nobody else changed it since."""
    from levaithan.errors import InstallError
    from levaithan.install import hooks

    home = STATE.home()
    if every and not yes and not dry_run and sys.stdin.isatty():
        typer.confirm("Take the hooks out everywhere they were installed?", err=True, abort=True)
    if every:
        done = hooks.uninstall_all(home, dry_run=dry_run)
    else:
        done = [hooks.uninstall(home, hooks.place_of(project, user=user, local=local), dry_run=dry_run)]
    failed = [one for one in done if isinstance(one, InstallError)]
    tell([one for one in done if not isinstance(one, InstallError)], dry_run=dry_run, json=json and not failed)
    for problem in failed[1:]:
        output.say(f"error: {problem.message}\n  next: {problem.fix}")
    if failed:
        raise failed[0]


@app.command("list")
def list_(
    project: options.Project = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Every handler of LevAIthan in the settings in force here, and wherever else it was installed."""
    from levaithan.install import listing

    fmt = output.pick(format, json)
    rows = listing.rows(STATE.home(), os.path.realpath(project or "."))
    if fmt == "table":
        rows = [one | {"command": shlex.join(one["command"])} for one in rows]
    columns = ["event", "scope", "project", "status", "timeout", "on_failure", "problem", "command"]
    output.emit(rows, columns, fmt, nothing="installed nowhere; next: `levaithan hooks install --project DIR`")


@app.command()
def validate(
    project: options.Project = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What in the settings in force would switch hooks off or let calls past; exit 5 when something does."""
    from levaithan.install import listing

    fmt = output.pick(format, json)
    rows = listing.validate(STATE.home(), os.path.realpath(project or "."))
    failed = [row for row in rows if row["status"] == "fail"]
    problem = (
        FindingsFound(f"{failed[0]['path']}: {failed[0]['problem']}.", fix=failed[0]["remedy"]) if failed else None
    )
    columns = ["status", "path", "line", "problem", "remedy"]
    output.emit(rows, columns, fmt, nothing="every settings file in force is sound", problem=problem)


@app.command()
def run(
    event: Annotated[str, typer.Argument(help="The event, such as PreToolUse.", autocompletion=_events)],
    project: options.Project = None,
) -> None:
    """Run the very command that is registered for EVENT, with the payload from stdin: same output, same exit code."""
    from levaithan.install import hooks

    what = hooks.registered(STATE.home(), event, project)
    done = hooks.run(what, sys.stdin.buffer.read())
    sys.stdout.flush()
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.flush()
    sys.stderr.buffer.write(done.stderr)
    sys.stderr.buffer.flush()
    if done.returncode < 0:
        output.say(f"note: it was killed, as Claude Code does after {what.timeout_s:g} s (see logs/hook-errors.log)")
        raise typer.Exit(KILLED)
    raise typer.Exit(done.returncode)


def tell(changes: list[Change], *, dry_run: bool, json: bool, said: list[str] | None = None) -> None:
    """What became of the settings files: rows for a program; for a person a sentence each, and a dry run's diff."""
    rows: list[dict[str, Any]] = [
        {
            "path": one.place.path, "scope": one.place.scope, "project": one.place.project, "what": one.what,
            "changed": one.changed, "dry_run": dry_run, "diff": one.diff(), "notes": said or [],
        }
        for one in changes
    ]  # fmt: skip
    if json:
        output.out(output.envelope(rows))
        output.flush()
        return
    for row in rows:
        if dry_run:
            output.write(row["diff"])
        would = "would be " if dry_run and row["changed"] else ""
        output.say(f"{row['path']}: {would}{row['what']}")
    output.flush()
    for words in said or []:
        output.say(f"note: {words}")
    if not rows:
        output.say("the hooks are installed nowhere")
