"""`levaithan action`: what was done automatically and by people, and its undoing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import action_now, known_session, noted, options, output, person
from levaithan.cli.state import STATE
from levaithan.errors import FAILED, LevaithanError, NotConfigured, NotFound, UsageProblem

if TYPE_CHECKING:
    from levaithan.actions.action import Run
    from levaithan.actions.runner import Runner
    from levaithan.actions.runs import Runs

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What was done, and undoing it."
)
COLUMNS = ["run", "action", "target", "phase", "by", "incident", "at", "expires_at", "why"]
KNOWN = ["action", "about", "needs", "stops_work", "bound", "verify", "lasts_s"]
_UNDO_S = 5.0
_NOTHING = (
    "nothing is under way or in effect: what the monitor or a person does against a trouble stands here until it is "
    "over, with --all also then. Safe to try: "
    "`levaithan action run emergency_stop --everything --reason test --dry-run`"
)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    known: Annotated[bool, typer.Option("--known", help="The actions that there are.")] = False,
    limit: options.Limit = 100,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The runs under way or in effect, newest last; --known: what can be run."""
    fmt = output.pick(format, json)
    if known:
        output.emit(_known(), KNOWN, fmt)
        return
    from levaithan.actions.runs import in_effect

    home, runs = STATE.home(), _runs()
    now = [run for run in runs.open() if in_effect(run)]
    over = action_now.over(home, STATE.settings(), now)
    found = list(runs.by_id.values()) if every else [run for run in now if run.id not in over]
    output.emit([row(run) for run in found[-limit:]], COLUMNS, fmt, nothing=_NOTHING)
    for line in action_now.notes(home, now, over):
        output.say(line)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")],
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """One run: what was planned, found, verified, and how it is undone."""
    run = _runs().by_id.get(run_id)
    if run is None:
        raise NotFound(what="run", name=run_id, fix="`levaithan action list --all` shows the runs")
    told = {**row(run), "reason": run.reason, "undo": run.undo, "facts": run.facts, "fingerprint": run.fingerprint}
    rows = [told] if json or format not in (None, "table") else [{"field": k, "value": v} for k, v in told.items()]
    output.emit(rows, ["field", "value"], output.pick(format, json))


@app.command("run")
def run_(
    name: Annotated[str, typer.Argument(help="The action (`action list --known`).", metavar="ACTION")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.", metavar="TEXT")],
    session: Annotated[str | None, typer.Option("--session", help="The session's id.", metavar="ID")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="The agent's id or type.", metavar="ID")] = None,
    project: options.OfProject = None,
    every: Annotated[bool, typer.Option("--everything", help="All sessions of the home.")] = False,
    store: Annotated[str | None, typer.Option("--store", help="The store.", metavar="NAME")] = None,
    tool: Annotated[str | None, typer.Option("--tool", help="The tool.", metavar="NAME")] = None,
    lease: Annotated[str | None, typer.Option("--lease", help="The file that is leased.", metavar="FILE")] = None,
    incident: Annotated[str, typer.Option("--incident", help="The incident that it is for.", metavar="ID")] = "",
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for its verification.", min=0, max=600)] = 5.0,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Run an action now; exit 1 when it was refused or failed."""
    import os

    given = {
        "session": session, "agent": agent, "project": project and os.path.realpath(project), "store": store,
        "tool": tool, "lease": lease and os.path.realpath(lease),
    }  # fmt: skip
    target = {name: value for name, value in given.items() if value} | ({"all": ""} if every else {})
    known_session.must_be(name, session)
    runner = _runner()
    run = runner.run(name, target, by=person.name(), reason=reason, incident=incident, dry_run=dry_run)
    run = _verified(runner, run, wait)
    known_session.note_of_stop(name, session)
    output.emit([row(run)], COLUMNS, output.pick(None, json), problem=_problem(run))
    if note := run.facts.get("note"):
        output.say(f"note: {note}")
    if run.phase in ("done", "verified") and run.stays:
        output.say(f"undo it with `levaithan action undo {run.id}`")


@app.command()
def undo(
    run_id: Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.", metavar="TEXT")] = "a person undid it",
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Undo a run. A stop asks twice, and asks a person at a terminal, unless --yes."""
    from levaithan.actions.registry import ACTIONS

    runner = _runner()
    run = runner.runs.by_id.get(run_id)
    if run is None:
        raise NotFound(what="run", name=run_id, fix="`levaithan action list --all` shows the runs")
    if dry_run:
        output.say(f"would undo {run.label} ({run.phase}, by {run.by})")
        return
    action = ACTIONS.get(run.action)
    if not yes and action is not None and action.stops_work:
        _confirm(run, twice=action.person_undoes)
    output.emit([row(runner.undo(run_id, person.name(), reason))], COLUMNS, output.pick(None, json))


@app.command()
def alert(
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> None:
    """Send a test message through every channel of the settings; exit 1 when one takes it not, 4 when none is set."""
    from levaithan.actions import channels
    from levaithan.actions.message import test_message
    from levaithan.actions.notify import Notifier

    notifier = Notifier(STATE.home(), STATE.settings(), lambda _kind, _body: None)
    urls = notifier.urls(2)
    if not urls:
        raise NotConfigured("Nobody is told: no URL is set.", fix=_SET_URLS)
    rows: list[dict[str, Any]] = []
    for url in urls:
        why = "" if dry_run else channels.send(url, test_message(person.name()))
        state = "not sent (dry run)" if dry_run else "failed" if why else "taken"
        rows.append({"channel": channels.name_of(url), "status": state, "why": why})
    failed = [one["channel"] for one in rows if one["why"]]
    problem = (
        LevaithanError(f"Not taken by: {', '.join(failed)}.", fix="see that URL in the settings") if failed else None
    )
    output.emit(rows, ["channel", "status", "why"], output.pick(None, json), problem=problem)


_SET_URLS = (
    "put apprise URLs into a file that only you can read, set LEVAITHAN_NOTIFY_URLS_FILE to its path in .env, "
    "then `levaithan restart` (docs/how-to/actions.md)"
)


@app.command()
def seen(json: options.Json = False) -> None:
    """The messages that no channel has taken, which are then set aside as seen."""
    from levaithan.actions import fallback

    found = fallback.last(STATE.home())
    rows = [{name: one.get(name) for name in ("at", "severity", "happened", "further", "command")} for one in found]
    output.emit(rows, ["at", "severity", "happened", "command"], output.pick(None, json), nothing="none")
    fallback.clear(STATE.home())


def row(run: Run) -> dict[str, Any]:
    """A run as people see it."""
    from levaithan.actions.action import words
    from levaithan.hot.halts import stamp

    expires = None if run.expires_s is None else stamp(int(run.expires_s * 1_000_000))
    return {
        "run": run.id, "action": run.action, "target": words(run.target), "phase": run.phase, "by": run.by,
        "incident": run.incident, "at": stamp(int(run.at_s * 1_000_000)), "expires_at": expires, "why": run.why,
    }  # fmt: skip


def _known() -> list[dict[str, Any]]:
    from levaithan.actions.registry import ACTIONS, HUMAN_ALERT

    told: list[dict[str, Any]] = [
        {
            "action": one.name, "about": one.about, "needs": ", ".join(one.needs), "stops_work": one.stops_work,
            "bound": one.bound, "verify": one.verifies, "lasts_s": one.lasts_s,
        }
        for one in ACTIONS.values()
    ]  # fmt: skip
    alert = {
        "action": HUMAN_ALERT, "about": "tell people, by every incident (a test: `levaithan action alert`)",
        "needs": "", "stops_work": False, "bound": "one page a trouble in 15 minutes",
        "verify": "a receipt within LEVAITHAN_NOTIFY_RECEIPT_S, else the next channel, else a file", "lasts_s": None,
    }  # fmt: skip
    return [*told, alert]


def _runs() -> Runs:
    """The runs, up to the journal's end."""
    from levaithan.actions.runs import Runs

    runs = Runs()
    for record in noted.records("action"):
        runs.fold(record)
    return runs


def _runner() -> Runner:
    from levaithan.actions.runner import Runner
    from levaithan.cli import recording

    home = STATE.home()

    def write(kind: str, body: dict[str, Any]) -> None:
        problem = recording.note(home, kind, body)
        if problem:
            raise OSError(problem)

    runner = Runner(home, STATE.settings(), write)
    runner.runs = _runs()
    return runner


def _verified(runner: Runner, run: Run, wait_s: float) -> Run:
    """Wait for the verification; the monitor goes on with what does not come in time."""
    import time

    until = time.monotonic() + wait_s
    while (run.phase == "done" and time.monotonic() < until) or (
        runner.following.owed() and time.monotonic() < until + _UNDO_S
    ):
        time.sleep(0.1)
        runner.tick(time.time())
        run = runner.runs.by_id.get(run.id, run)
    return run


def _problem(run: Run) -> LevaithanError | None:
    if run.phase == "refused":
        fix = run.fix or "`levaithan action list --known` shows what each takes"
        return LevaithanError(f"{run.label}: refused: {run.why}", fix=fix)
    if run.phase in ("failed", "undone"):
        return LevaithanError(f"{run.label}: {run.phase}: {run.why}", fix=f"`levaithan action show {run.id}`")
    return None


def _confirm(run: Run, *, twice: bool) -> None:
    output.say(f"{run.id}  {run.label}  by {run.by}: {run.reason}")
    if not sys.stdin.isatty():
        raise UsageProblem("Nobody is there to confirm.", fix="look at the run above; then give --yes")
    if not typer.confirm("Undo it and let agents go on?", err=True):
        raise typer.Abort
    if twice and typer.prompt(f"Type {run.id} to undo", err=True).strip() != run.id:
        output.say("nothing was undone")
        raise typer.Exit(FAILED)
