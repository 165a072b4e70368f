"""`levaithan policy`: the rules in force, what they say of cases, and why."""

from __future__ import annotations

import json as json_of
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import options, output, table
from levaithan.cli.state import STATE
from levaithan.errors import UsageProblem

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
        with open(file, encoding="utf-8", errors="surrogateescape") as lines:
            yield from lines
    except OSError as problem:
        raise UsageProblem(f"{file} cannot be read: {problem.strerror}.", fix="name a file, or - for stdin") from None


def _told(rows: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> None:
    """The score, on stderr: stdout is the answers'."""
    for row in rows:
        output.say(
            f"{row['category']:<20} block {row['block_right']}/{row['block']}  allow {row['allow_right']}/{row['allow']}"
        )
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
