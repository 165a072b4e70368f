"""`levaithan cost`: what sessions cost, by the client's transcripts, and how far that agrees with its own sums."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import filters, options, output, reading, table
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, LevaithanError, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from levaithan.cost.calls import Calls
    from levaithan.hot.prices import Prices
    from levaithan.queries.asking import Filters

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What sessions cost.")
BY = ("day", "agent", "model", "project", "session")
TOKENS = ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h"]
_LABEL = 18
"""Characters of a name under its bar: the last ones, which tell folders and versions apart."""
_MONEY = ("usd", "client_usd", "drift_usd", "spent_usd", "forecast_usd", "low_usd", "high_usd")


@app.command()
@filters.asking("event", "tool", "decision", "rule", "canary")
def report(
    asked: Filters,
    *,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="day, agent, model, project or session.", metavar="WHAT", autocompletion=lambda: [*BY]
        ),
    ] = "day",
    plot: Annotated[
        bool | None, typer.Option("--plot/--no-plot", help="Bars, too (on a terminal: when by day).")
    ] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What was spent, in USD and tokens; days are local. What has no known price is in rows of its own, without USD."""
    from levaithan.cost import crosscheck
    from levaithan.cost import report as reporting

    fmt = output.pick(format, json)
    if by not in BY:
        raise UsageProblem(f"--by {by!r} is none.", fix=f"choose one of: {', '.join(BY)}")
    if plot and fmt != "table":
        raise UsageProblem(f"--plot and --format {fmt} contradict each other.", fix="leave one of them out")
    with _calls() as (calls, prices):
        found = list(
            calls.all(asked.since_us, asked.until_us, session=asked.session, agent=asked.agent, project=asked.project)
        )
        sessions = {known.call.session_id for known in found}
        rows = reporting.report(found, prices, by)
        drift = crosscheck.drift_rows(crosscheck.check(calls, prices, sessions))
        skipped = calls.skipped()
    _summed(rows, prices, skipped)
    first = list(reporting.FIELDS[by])
    mixed = any(row["kind"] != "usage" for row in (*rows, *drift))
    extra = (["kind"] if mixed else []) + (["model"] if by != "model" and any("model" in row for row in rows) else [])
    _emit([*rows, *drift], [*first, *extra, "calls", *TOKENS, "usd"], fmt, nothing="no usage in this window")
    if plot or (plot is None and by == "day" and fmt == "table" and sys.stdout.isatty()):
        _plot(rows, first[0])


def _summed(rows: list[dict[str, Any]], prices: Prices, skipped: int) -> None:
    """The total on stderr, and what is not in it."""
    from levaithan.cost.report import UNKNOWN, usd

    total = usd(sum(row["nano_usd"] for row in rows if row["kind"] == "usage"))
    unknown = sorted({row["model"] for row in rows if row["kind"] == UNKNOWN})
    output.say(f"total: {total:.4f} USD by {prices.version}")
    if unknown:
        output.say(f"not in it, for want of a price: {', '.join(unknown)}; add them to context/prices.toml")
    if skipped:
        output.say(f"{skipped} lines of transcripts could not be understood")


def _plot(rows: list[dict[str, Any]], name: str) -> None:
    from datetime import date, timedelta

    from levaithan.cost.plot import bars

    values = {str(row[name])[-_LABEL:]: row["usd"] for row in rows if row["usd"] is not None}
    if name == "day" and values:
        days = sorted(date.fromisoformat(day) for day in values if day[:1].isdigit())
        every = (days[0] + timedelta(days=at) for at in range((days[-1] - days[0]).days + 1)) if days else ()
        values = {day.isoformat(): values.get(day.isoformat(), 0.0) for day in every}
    if values:
        output.out(bars(values, f"USD by {name}", table.terminal_width() or 100, color=table.use_color()))
        output.flush()


@app.command()
def forecast(
    *,
    period: Annotated[
        str, typer.Option("--period", help="day, week or month (default), of the local calendar.", metavar="WHAT")
    ] = "month",
    project: Annotated[str | None, typer.Option("--project", help="Only this project's folder.", metavar="DIR")] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What the period will have cost at its end: a row a method, the better one last, with its range."""
    from datetime import datetime

    from levaithan.cost import forecast as forecasting
    from levaithan.cost import report as reporting
    from levaithan.hot.prices import USD

    fmt = output.pick(format, json)
    if period not in forecasting.PERIODS:
        raise UsageProblem(f"--period {period!r} is none.", fix=f"choose one of: {', '.join(forecasting.PERIODS)}")
    with _calls() as (calls, prices):
        days = reporting.by_day(calls.all(project=os.path.realpath(project) if project else None), prices)
    now = datetime.now().astimezone().replace(tzinfo=None)
    first, end = forecasting.bounds(period, now.date())
    rows = []
    for one in forecasting.forecast(_dates(days), now, period):
        money = {"spent": one.spent, "forecast": one.forecast, "low": one.low, "high": one.high}
        usd = {f"{name}_usd": None if nano is None else nano / USD for name, nano in money.items()}
        rows.append({"period": period, "from": first.isoformat(), "to": end.isoformat(), **usd, "method": one.method})
    columns = ["from", "to", "spent_usd", "forecast_usd", "low_usd", "high_usd", "method"]
    _emit(rows, columns, fmt)
    output.say(f"low and high hold eight of ten draws; {len(days)} days with usage, by {prices.version}")


def _dates(days: dict[str, int]) -> dict[date, int]:
    from datetime import date

    return {date.fromisoformat(day): cost for day, cost in days.items()}


@app.command()
def check(
    *,
    session: Annotated[str | None, typer.Option("--session", help="Only this session.", metavar="ID")] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Compare with the client's own sums. Exit 5 when one is off by more than 5 %, or a model has no known price."""
    from levaithan.cost import crosscheck

    fmt = output.pick(format, json)
    with _calls() as (calls, prices):
        rows = crosscheck.check(calls, prices, None if session is None else {session})
    far = crosscheck.too_far(rows)
    ours, theirs = crosscheck.total(rows)
    columns = ["session", "model", "status", "usd", "client_usd", "drift_usd", "drift_percent"]
    said = f"ours {ours:.4f} USD, the client's {theirs:.4f} USD in {len({row['session'] for row in rows})} sessions"
    problem = FindingsFound(
        f"{len(far)} of {len(rows)} sums are off by more than 5 % or have no known price; {said}.",
        fix="`levaithan cost prices` shows the table; own prices go into context/prices.toml",
    )
    _emit(rows, columns, fmt, nothing="the client wrote no sum of its own yet", problem=problem if far else None)
    output.say(f"{said}, by {prices.version}")


@app.command()
def prices(
    update: Annotated[bool, typer.Option("--update", help="Make the table anew, and fail when it cannot be.")] = False,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The prices in force, in USD a million tokens (web_search: USD each), and where they are from."""
    from levaithan.cost import table as prices_table

    fmt = output.pick(format, json)
    home = STATE.home()
    made = _updated() if update else _prices()
    rows = prices_table.listed(home, made)
    columns = ["model", "mode", "from", "above", *TOKENS, "web_search", "origin"]
    shown = [name for name in columns if any(row[name] is not None for row in rows)]
    for row in rows:
        row["version"] = made.version
        if fmt == "table":
            row |= {name: f"{row[name]:.6f}".rstrip("0").rstrip(".") for name in shown if type(row[name]) is float}
    output.emit(rows, shown, fmt)
    output.say(f"in force: {made.version}")


def _updated() -> Prices:
    """The table made anew; when it became another, the journal says who did it: budgets are held by it."""
    from levaithan.cli import person, recording
    from levaithan.cost import table as prices_table
    from levaithan.hot.prices import Prices

    home = STATE.home()
    before = Prices.load(home).version
    made = prices_table.update(home)
    if made.version != before:
        body = {"action": "update", "by": person.name(), "prices": {"before": before, "version": made.version}}
        problem = recording.note(home, "prices", body)
        if problem:
            output.say(f"note: the table is in force, but could not be recorded in the journal: {problem}")
    return made


def _prices() -> Prices:
    """The table in force; a file of own prices that cannot be used is said."""
    from levaithan.cost import table as prices_table

    made, problem = prices_table.in_force(STATE.home())
    if problem is not None:
        output.say(f"note: {problem.message}; in force: {made.version}\n  next: {problem.fix}")
    return made


@contextmanager
def _calls() -> Iterator[tuple[Calls, Prices]]:
    """The record of calls, with what is new in the transcripts, and the prices in force."""
    from levaithan.cli.progress import Progress
    from levaithan.cost import calls as calls_of
    from levaithan.cost import scan
    from levaithan.install.places import config_folder

    sources = scan.Sources()
    try:
        with reading.ledger() as ledger:
            scan.of_ledger(ledger, sources)
    except LevaithanError as problem:
        if problem.code == "not_configured":
            raise
        output.say(f"note: without what the ledger knows: {problem.message}")
    scan.of_folder(config_folder() + "/projects", sources)
    with calls_of.opened(STATE.home()) as calls:
        if calls.found:
            output.say(f"note: {calls.found}")
        with Progress("reading transcripts", "sessions") as bar:
            scan.scan(calls, sources, bar)
        yield calls, _prices()


def _emit(
    rows: list[dict[str, Any]],
    columns: list[str],
    fmt: str,
    *,
    nothing: str = "nothing found",
    problem: LevaithanError | None = None,
) -> None:
    """Print rows; in a table USD have four decimals, in a column."""
    shown = rows if fmt != "table" else [dict(row) for row in rows]
    if fmt == "table":
        for name, form in (*((name, "{:.4f}") for name in _MONEY), ("drift_percent", "{:.1f} %")):
            texts = [form.format(row[name]) if row.get(name) is not None else "" for row in rows]
            wide = max([*map(len, texts), len(name)], default=0)
            for row, text in zip(shown, texts, strict=True):
                if name in row:
                    row[name] = text.rjust(wide)
    output.emit(shown, columns, fmt, nothing=nothing, problem=problem)
