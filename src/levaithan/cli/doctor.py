"""`levaithan doctor`: looks at everything, proves the fail direction, names each remedy; --fix does it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.errors import Unhealthy, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.install.finding import Result

COLUMNS = ["status", "check", "message", "remedy"]


def doctor(
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what a machine can mend, then look again.")] = False,
    project: options.Project = None,
    no_proof: Annotated[
        bool, typer.Option("--no-proof", help="Leave out what takes seconds: broken hooks in scratch folders.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this check (may be given again).", metavar="CHECK")
    ] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Prove that the hooks guard and record; exit 3 when something does not."""
    from levaithan.install import doctor as looking
    from levaithan.install.finding import Asked

    fmt = output.pick(format, json)
    unknown = sorted(set(only or ()) - set(looking.checks()))
    if unknown:
        raise UsageProblem(f"There is no check {unknown[0]}.", fix=f"choose of: {', '.join(looking.checks())}")
    asked = Asked(STATE.home(), os.path.realpath(project) if project else None, prove=not no_proof)
    if not fix:
        _tell(_look(asked, only), fmt)
        return
    results, mended = looking.mend(lambda: _look(asked, only))
    for name, done, words in mended:
        output.say(f"{'fixed' if done else 'NOT fixed'} {name}: {words}")
    if not mended:
        output.say("there is nothing that a machine can mend")
    _tell(results, fmt)


def _look(asked: Any, only: list[str] | None) -> list[Result]:
    from levaithan.install import doctor as looking
    from levaithan.stores import edge

    with Progress("looking", "checks") as bar, edge.once():
        return looking.run(
            asked, only=only, fixes=_fixes_from_above(), progress=lambda done, total, _name: bar(done, total)
        )


def _fixes_from_above() -> dict[str, Callable[[], str]]:
    """What the checks' own room may not do: it lies below the service."""
    from levaithan.cli.service import answer_now

    return {"service": answer_now}


def _tell(results: list[Result], fmt: str) -> None:
    rows = [one.as_row() for one in results]
    failed = [one for one in results if one.status == "fail"]
    problem = None
    if failed:
        words = ", ".join(dict.fromkeys(one.id for one in failed))
        mendable = any(one.fix for one in failed)
        problem = Unhealthy(
            f"{'1 finding needs' if len(failed) == 1 else f'{len(failed)} findings need'} something done: {words}.",
            fix="`levaithan doctor --fix` mends what a machine can" if mendable else failed[0].remedy,
        )
    output.emit(rows, COLUMNS, fmt, problem=problem)
