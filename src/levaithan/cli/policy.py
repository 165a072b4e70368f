"""`levaithan policy`: the rules in force, what they say of cases, and why."""

from __future__ import annotations

import json as json_of
import sys
from pathlib import Path  # Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, table, times
from levaithan.cli.state import STATE
from levaithan.errors import FindingsFound, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The rules.")


@app.command("list")
def list_(json: options.Json = False, format: options.Format = None) -> None:
    """Every rule in force: what it holds up, how, and how hard."""
    from levaithan.hot import policy

    fmt = output.pick(format, json)
    loaded = policy.load(STATE.home())
    for problem in loaded.problems:
        output.say(problem)
    names = ("id", "severity", "effect", "mode", "reason", "instead")
    rows = [{name: rule[name] for name in names} | {"does": ", ".join(rule["does"])} for rule in loaded.rules or ()]
    output.emit(rows, ["id", "severity", "effect", "mode", "does", "reason"], fmt, nothing="there are no rules")


@app.command()
def test(
    file: Annotated[str, typer.Argument(help="Events as JSON, one a line; - is standard input.", metavar="FILE")],
    score: Annotated[bool, typer.Option("--score", help="Compare with each line's `label`, block or allow.")] = False,
) -> None:
    """What the rules say of each event of a file, by the code that the hook runs. Nothing is run or recorded.

    A line has `id`, `tool_name`, `tool_input`, `cwd`, and `home` where `~` is not yours; the answers come in the order
    given, one JSON a line: id, decision, rule, reason. Exit 1 when a line cannot be read.
    """
    from levaithan.policy import trial

    asked, counted, unread, wrong = trial.Trial(STATE.home()), trial.Score(), 0, []
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        row = trial.answer(asked, line, number)
        print(json_of.dumps(row, ensure_ascii=False), flush=True)  # noqa: T201 - data for a pipe, a line at a time
        unread += "error" in row
        if score and "error" not in row and counted.add(case := json_of.loads(line), row["decision"]) is False:
            wrong.append({"id": row["id"], "label": case["label"], "decision": row["decision"]})
    if score:
        _told(counted.rows(), wrong)
    if unread:
        output.say(f"{unread} lines could not be read: see their `error`")
        raise typer.Exit(1)


def _lines(file: str) -> Iterator[str]:
    if file == "-":
        yield from sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8", errors="surrogateescape") as lines:
            yield from lines
    except OSError as problem:
        raise UsageProblem(f"{file} cannot be read: {problem.strerror}.", fix="name a file, or - for stdin") from None


def _told(rows: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> None:
    """The score, on stderr: stdout is the answers'."""
    for row in rows:
        block, allow = (f"{label} {row[label + '_right']}/{row[label]}" for label in ("block", "allow"))
        output.say(f"{row['category']:<20} {block}  {allow}")
    for one in wrong[:200]:
        output.say(f"  {one['id']}: {one['label']}, answered {one['decision']}")


@app.command()
def explain(
    command: Annotated[str, typer.Argument(help="A command line, as Bash would get it.", metavar="COMMAND")],
    cwd: Annotated[str | None, typer.Option("--cwd", help="The folder it would run in.", metavar="DIR")] = None,
    json: options.Json = False,
) -> None:
    """What a command line would really run, what that would do, and which rules it meets. Nothing is run."""
    import os

    from levaithan.policy import explaining

    found = explaining.of(STATE.home(), command, os.path.realpath(cwd or "."))
    if json:
        output.out(output.envelope([found]))
    else:
        for line in table.facts([(name, value) for name, value in found.items() if not isinstance(value, list)]):
            output.out(line)
        for name in ("commands", "deeds", "rules"):
            output.out(f"\n{name}")
            for one in found[name]:
                output.out("  " + table.cell(one))
    output.flush()


@app.command()
def packs(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Packs to look at instead of the home's.", metavar="[FILE]...")
    ] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The packs in force, or others that are to be: what is in each, and whether it is good. Exit 5 when one is not."""
    from levaithan.policy import packs as packs_of

    fmt = output.pick(format, json)
    rows = packs_of.looked_at(files or packs_of.files(STATE.home()))
    bad = [row for row in rows if row["problem"]]
    problem = FindingsFound(f"{len(bad)} of {len(rows)} packs would be refused.", fix="correct the line that it names")
    columns = ["name", "rules", "deny", "ask", "warn", "shadow", "sha256", *(["problem"] if bad else [])]
    output.emit(rows, columns, fmt, nothing="there are no packs", problem=problem if bad else None)


@app.command()
def backtest(
    *,
    since: options.Since = "7d",
    until: options.Until = None,
    also: Annotated[
        list[Path] | None,
        typer.Option("--with", help="A pack that is not in force yet; may be given again.", metavar="PACK"),
    ] = None,
    limit: options.Limit = 1000,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What the rules of today, or with another pack, would have said of what was recorded: only what would change."""
    from itertools import islice

    from levaithan.policy import backtest as backtesting

    fmt = output.pick(format, json)
    home, wanted, totals = STATE.home(), times.window(since, until), backtesting.Totals()
    rules = _compiled(also or [])
    rows = backtesting.changes(_recorded(home.journal, wanted), home, rules, totals)
    shown = list(islice(rows, limit))
    more = sum(1 for _ in rows)
    columns = ["at", "tool_name", "was", "was_rule", "now", "now_rule", "reason"]
    output.emit(shown, columns, fmt, nothing="nothing would change")
    output.say(
        f"{totals.events} events from {wanted}: {totals.stricter} would be held more strictly, {totals.looser} less, "
        f"{totals.another_rule} by another rule" + (f"; {more} more rows, see --limit" if more else "")
    )


def _compiled(also: list[Path]) -> list[dict[str, Any]]:
    from levaithan.hot.policy_pack import PackError
    from levaithan.policy import packs as packs_of

    try:
        return packs_of.compiled(STATE.home(), also)
    except PackError as problem:
        raise UsageProblem(f"A pack is refused. {problem}", fix="correct it; `levaithan policy packs FILE`") from None
    except OSError as problem:
        raise UsageProblem(f"{problem.filename} cannot be read: {problem.strerror}.", fix="name a pack file") from None


def _recorded(directory: str, wanted: times.Window) -> Iterator[dict[str, Any]]:
    """The event records of the window, oldest first; damaged lines are passed over, `journal verify` names them."""
    from levaithan.journal import read

    begin = times.iso(wanted.since_us) if wanted.since_us is not None else ""
    end = times.iso(wanted.until_us) if wanted.until_us is not None else "9"
    for found in read.read(directory):
        if isinstance(found, read.Record) and b'"kind":"event"' in found.body[:200]:
            record = json_of.loads(found.body)
            if begin <= str(record.get("at", "")) < end:
                yield record
