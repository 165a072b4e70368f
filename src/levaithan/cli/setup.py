"""`levaithan setup` and `levaithan uninstall`: a plan, shown, then applied; a second time there is nothing to do."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import audit, options, output, reading, service
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.errors import InstallError, LevaithanError, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.paths import Home
    from levaithan.install.demo import Demo
    from levaithan.install.setup_plan import Step

COLUMNS = ["step", "state", "what"]
_PATIENCE_S = 20.0


def setup(
    *,
    project: Annotated[
        list[str] | None, typer.Option("--project", help="Also register the hooks in this project.", metavar="DIR")
    ] = None,
    user: Annotated[bool, typer.Option("--user", help="Also register them for every project of yours.")] = False,
    local: Annotated[bool, typer.Option("--local", help="In settings.local.json of the projects.")] = False,
    no_service: Annotated[bool, typer.Option("--no-service", help="Do not start the service.")] = False,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Do not show the main job in a scratch project.")] = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Set this home up and run the main job once in a demo project; hooks go nowhere else unasked."""
    from levaithan.install import setup_plan

    home = STATE.home()
    asked = setup_plan.Options(tuple(project or ()), user=user, local=local, demo=not no_demo)
    steps = _ordered(setup_plan.plan(home, asked), home, with_service=not no_service, with_demo=not no_demo)
    needed = [step for step in steps if step.needed()]
    rows: list[dict[str, Any]] = [{"step": one.id, "state": "planned", "what": one.describe} for one in needed]
    if needed and not json:
        output.say("The plan:" if not dry_run else "What would be done:")
        for row in rows:
            output.say(f"  - {row['what']}")
    if needed and not dry_run:
        _agreed(yes)
        rows = _apply(needed, asked.warnings, quiet=json)
    if json:
        output.out(output.envelope(rows, warnings=asked.warnings))
        output.flush()
    else:
        _note(asked.warnings)
    if not needed:
        output.say("there is nothing to do: this home is set up")
    elif not dry_run:
        output.say(f"next: {_next(home, registered=bool(asked.projects or asked.user))}")


def _note(warnings: Sequence[str]) -> None:
    for words in warnings:
        output.say(f"note: {words}")


def _next(home: Home, *, registered: bool) -> str:
    """What to do after a setup; in a checkout, whose `levaithan` is in no PATH, also what it is called there."""
    from levaithan.install import home_files

    words = "`levaithan hooks install --project DIR` in a project of yours; `levaithan status` any time"
    if registered:
        words = (
            "start Claude Code there; `levaithan audit tail --follow` shows what it does, `levaithan doctor` proves all"
        )
    entry = Path(home.root).parent / "system-cli.sh"
    here = home_files.is_shipped_home(home) and entry.is_file()
    return f"{words} (`levaithan` is {entry} here)" if here else words


def _ordered(steps: list[Step], home: Home, *, with_service: bool, with_demo: bool) -> list[Step]:
    """The home, then the service, then the hooks, then the demonstration."""
    from levaithan.install import setup_plan

    before = [step for step in steps if step.id != "hooks"]
    roles = next(step for step in steps if step.id == setup_plan.ROLES)
    hooks = [step for step in steps if step.id == "hooks"]
    start = setup_plan.Step(
        "service",
        "start the service, with the settings of now",
        lambda: not service.up_to_date() or roles.needed(),
        service.bring_up,
    )
    demo = setup_plan.demo_step(home, lambda: _demo(home))
    return [*before, *([start] if with_service else []), *hooks, *([demo] if with_demo else [])]


def _agreed(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody is there to agree to the plan.", fix="look at it above; then give --yes")
    typer.confirm("Do it?", default=True, err=True, abort=True)


def _apply(steps: list[Step], warnings: Sequence[str], *, quiet: bool) -> list[dict[str, Any]]:
    """Do the steps in order; the first that fails ends it, what was done stays (running it again goes on there). What
    the steps before it warned of is said then, for it may be why."""
    rows = []
    for step in steps:
        try:
            said = step.apply()
        except LevaithanError:
            _note(warnings)
            raise
        except OSError as problem:
            _note(warnings)
            raise InstallError(path=str(problem.filename or step.describe), reason=str(problem.strerror)) from None
        rows.append({"step": step.id, "state": "done", "what": said})
        if not quiet:
            output.say(f"done: {said}")
    return rows


def _demo(home: Home) -> str:
    """The main job once; its audit is data, so it goes to stdout (not with --json, where the rows are the steps). One
    that could not be shown, for the ledger's server does not answer, is left to the next setup."""
    from levaithan.install import demo
    from levaithan.queries import audit as questions
    from levaithan.queries.asking import Filters
    from levaithan.stores import edge
    from levaithan.stores.roles import StoreDownError

    try:
        with edge.once(), reading.ledger(fresh=False) as ledger:
            ledger.current()
    except StoreDownError:
        return "the main job in a scratch project: not yet, no server answers for the ledger; the next setup shows it"
    reading.ask_service(home, "sync", reading.SYNC_S)  # a service that is still making its stores answers slowly
    with Progress("running the main job", "events") as bar:
        done = demo.run(home, bar)
    _wait_for(home, done)
    with reading.ledger() as ledger:
        page = questions.list_events(ledger, Filters(session=done.session), limit=100)
    if not STATE.as_json:
        for command in done.commands:
            output.say(f"  $ {command}")
        output.say(f"  $ levaithan audit list --session {done.session}")
        audit.emit([row | {"session_id": None} for row in page.rows[::-1]], "table", None)
    return f"{done.sent} events of a recorded session were decided and recorded, {len(done.denied)} denied"


def _wait_for(home: Home, done: Demo) -> None:
    """Wait until the ledger has the session, as long as a service delivers it: one that has just begun may be slow, and
    a first look that shows nothing would say that nothing was recorded. Others that are down are not waited for."""
    from levaithan.queries import audit as questions
    from levaithan.queries.asking import Filters

    until = time.monotonic() + _PATIENCE_S
    with reading.ledger(fresh=False) as ledger:
        while len(questions.list_events(ledger, Filters(session=done.session), limit=done.sent).rows) < done.sent:
            told = reading.ask_service(home, "sync", reading.SYNC_S)
            if told is None or told["ok"] or time.monotonic() > until:
                return


def uninstall(
    *,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Take every hook out again and stop the service; the record and the settings of the home stay."""
    from levaithan.cli import hooks as hooks_of
    from levaithan.install import hooks

    home = STATE.home()
    if not yes and not dry_run:
        if not sys.stdin.isatty():
            raise UsageProblem("Nobody is there to agree.", fix="see `uninstall --dry-run`; then give --yes")
        typer.confirm("Take the hooks out everywhere and stop the service?", err=True, abort=True)
    done = hooks.uninstall_all(home, dry_run=dry_run)
    failed: list[LevaithanError] = [one for one in done if isinstance(one, InstallError)]
    if not dry_run:
        failed += _stopped()
    changes = [one for one in done if not isinstance(one, InstallError)]
    hooks_of.tell(changes, dry_run=dry_run, json=json and not failed)
    if failed:
        for problem in failed[1:]:
            output.say(f"error: {problem.message}\n  next: {problem.fix}")
        raise failed[0]
    output.say(f"the record stays in {home.root}: to be rid of it, delete logs, state, keys, bin and run there by hand")


def _stopped() -> list[LevaithanError]:
    """Stop the service and take its unit out; what cannot be done is given back, so that the rest still is."""
    failed: list[LevaithanError] = []
    deeds: list[Callable[[], str]] = [service.remove_unit, service.stop_now]
    for deed in deeds:
        try:
            words = deed()
        except LevaithanError as problem:
            failed.append(problem)
        else:
            if words:
                output.say(words)
    return failed
