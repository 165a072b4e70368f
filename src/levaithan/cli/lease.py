"""`levaithan lease`: which session holds which file, and an end to it."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, person
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotFound, UsageProblem

if TYPE_CHECKING:
    from levaithan.hot.leases import Lease

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Who holds which file.")
COLUMNS = ["path", "session", "agent", "since", "until", "fence", "waiting", "longest_wait_s"]


@app.command("list")
def list_(json: options.Json = False, format: options.Format = None) -> None:
    """The leases in force, by path: who holds a file since when and until when, and who waits for it."""
    rows = [_row(lease) for lease in _in_force()]
    output.emit(rows, COLUMNS, output.pick(format, json), nothing="no leases in force")


@app.command()
def release(
    path: Annotated[str | None, typer.Argument(help="The file whose lease is to end.", metavar="[PATH]")] = None,
    session: Annotated[str | None, typer.Option("--session", help="All that this session holds.", metavar="ID")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every lease.")] = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """End leases, so that other sessions may change the files; asks first unless --yes."""
    from levaithan.cli import recording
    from levaithan.hot import leases

    if [path is not None, session is not None, every].count(True) != 1:
        raise UsageProblem("Name one file, or --session, or --all.", fix="`levaithan lease list` shows what is held")
    real = os.path.realpath(path) if path else None
    meant = [one for one in _in_force() if every or real == one["path"] or session == one["session"]]
    if not meant and not every:
        raise NotFound(what="lease", name=path or session or "", fix="`levaithan lease list` shows those in force")
    if meant and not yes:
        _confirm(meant)
    try:
        leases.release(STATE.home(), [lease["path"] for lease in meant])
    except (OSError, sqlite3.Error) as problem:
        raise _unusable(problem) from None
    rows = [_row(lease) for lease in meant]
    if rows:
        wrong = recording.note(STATE.home(), "lease", {"action": "release", "by": person.name(), "leases": rows})
        if wrong:
            output.say(f"note: they are ended, but that could not be recorded in the journal: {wrong}")
    output.emit(rows, COLUMNS, output.pick(None, json), nothing="no leases in force")


def _in_force() -> list[Lease]:
    from levaithan.hot import leases

    try:
        return leases.every(STATE.home())
    except (OSError, sqlite3.Error) as problem:
        raise _unusable(problem) from None


def _unusable(problem: Exception) -> LevaithanError:
    return LevaithanError(f"The leases cannot be used: {problem}.", fix="free its disk, or run `levaithan doctor`")


def _confirm(meant: list[Lease]) -> None:
    for lease in meant:
        output.say(f"{lease['path']}  held by session {lease['session']}")
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody is there to confirm.", fix="look at the leases above; then give --yes")
    if not typer.confirm("End them, whatever their sessions are doing?", err=True):
        raise typer.Abort


def _row(lease: Lease) -> dict[str, Any]:
    """The lease as people see it: times as text, waiting as a number and the longest wait in seconds."""
    from levaithan.hot.halts import stamp

    waits = lease.get("waiting", {}).values()
    now = time.time_ns() // 1000
    row = {name: lease.get(name) for name in ("path", "session", "agent", "project", "fence")}
    row |= {"since": stamp(lease["since_us"]), "until": stamp(lease["until_us"]), "waiting": len(waits)}
    return row | {"longest_wait_s": round((now - min(waits)) / 1e6, 1) if waits else None}
