"""Data on stdout, words on stderr: every command prints through here, so that all of them keep the same promises.

JSON is exact (and ASCII, so that no control character reaches a terminal), CSV cannot start a formula, tables are
cleaned. A reader that goes away ends the command quietly. Loads no rich and no driver.
"""

from __future__ import annotations

import csv
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

from levaithan.cli import table
from levaithan.cli.text import clean
from levaithan.errors import FAILED, OK, UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from levaithan.errors import LevaithanError

SCHEMA_VERSION = 1
FORMATS = ("table", "json", "jsonl", "csv")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def pick(fmt: str | None, json_flag: bool, allowed: Sequence[str] = FORMATS) -> str:
    """The format to print in: --json is --format json. Raises UsageProblem for one that is not offered."""
    if json_flag and fmt not in (None, "json"):
        raise UsageProblem(f"--json and --format {fmt} contradict each other.", fix="leave one of them out")
    chosen = "json" if json_flag else (fmt or allowed[0])
    if chosen not in allowed:
        raise UsageProblem(f"--format {chosen!r} is not offered here.", fix=f"choose one of: {', '.join(allowed)}")
    return chosen


def dumps(value: object) -> str:
    """`value` as JSON on one line, ASCII, exact."""
    import json

    return json.dumps(value, separators=(",", ":"), default=str)


def out(text: str) -> None:
    """One line of data."""
    write(text + "\n")


def write(text: str) -> None:
    """Data as it is; ends the command quietly when nobody reads any more."""
    try:
        sys.stdout.write(text)
    except OSError as problem:
        _refused(problem)


def flush() -> None:
    """Send what is buffered."""
    try:
        sys.stdout.flush()
    except OSError as problem:
        _refused(problem)


def _refused(problem: OSError) -> NoReturn:
    """Data could not be written: a reader that went away is no error, a full disk is one of wherever it was going.

    What is left in the buffer goes nowhere, or it would fail again at the exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(problem, BrokenPipeError):  # `| head` has seen enough: no message, exit 0
        raise typer.Exit(OK)
    say(f"error: The output cannot be written: {problem.strerror}.")
    say("  next: see where it goes (a full disk?), then run the command again")
    raise typer.Exit(FAILED)


def say(text: str) -> None:
    """A word to the person, on stderr; a closed stderr is no reason to fail."""
    try:
        print(clean(text, lines=True), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        return


def envelope(
    rows: Sequence[Mapping[str, object]],
    following: str | None = None,
    *,
    problem: LevaithanError | None = None,
    **more: object,
) -> str:
    """What --json prints: the rows, the cursor of the next page, and what is wrong when the exit code says so."""
    told: dict[str, object] = {"error": _told(problem)} if problem else {}
    return dumps(
        {"schema_version": SCHEMA_VERSION, "ok": problem is None, "rows": list(rows), "next": following, **more, **told}
    )


def emit(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    fmt: str,
    *,
    following: str | None = None,
    nothing: str = "nothing found",
    problem: LevaithanError | None = None,
) -> None:
    """Print `rows` in `fmt`. A table shows `columns`; the other formats have every field there is.

    With a `problem` the command ends with its exit code, after the rows.
    """
    if fmt == "json":
        out(envelope(rows, following, problem=problem))
    elif fmt == "jsonl":
        jsonl(rows)
    elif fmt == "csv":
        csv_rows(rows, every_field(rows, columns))
    elif rows:
        for line in table.render(rows, columns, table.terminal_width()):
            out(line)
    else:
        say(nothing)
    if following and fmt != "json":
        say(f"more: --cursor {following}")
    flush()
    if problem is not None:
        ended(problem, told=fmt == "json")


def ended(problem: LevaithanError, *, told: bool) -> None:
    """End the command for `problem`, which is said now unless it was `told` in the data."""
    if told:
        raise typer.Exit(problem.exit_code)
    raise problem


def every_field(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> list[str]:
    """The columns, then whatever else the rows hold."""
    names = dict.fromkeys(columns)
    for row in rows:
        names.update(dict.fromkeys(row))
    return list(names)


def jsonl(rows: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line."""
    for row in rows:
        out(dumps(row))


class _Stdout:
    """What csv writes to: stdout with the quiet end."""

    def write(self, text: str) -> None:
        write(text)


def csv_rows(rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, header: bool = True) -> None:
    """CSV as RFC 4180 has it but for \\n line ends; see `csv_cell`."""
    writer = csv.writer(_Stdout(), lineterminator="\n")
    if header:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(row.get(name)) for name in columns])


def csv_cell(value: object) -> object:
    """A value that a spreadsheet will not run: text that begins like a formula gets a ' in front."""
    if value is None or isinstance(value, (int, float)):
        return table.cell(value) if isinstance(value, bool) else value
    text = value if isinstance(value, str) else dumps(value)
    shown = clean(text, lines=True)
    return "'" + shown if text.lstrip(" \n").startswith(_FORMULA) else shown


def error(problem: LevaithanError, *, as_json: bool) -> None:
    """An error in the form that was asked for."""
    if as_json:
        out(dumps({"schema_version": SCHEMA_VERSION, "ok": False, "error": _told(problem)}))
        flush()
        return
    say(f"error: {problem.message}")
    if problem.fix:
        say(f"  next: {_told(problem)['fix']}")


def _told(problem: LevaithanError) -> dict[str, str]:
    """An error as a command tells it that ends with it: nobody but who gave the command gives it again."""
    told = problem.as_dict()
    if problem.passes:
        told["fix"] = "; then ".join(filter(None, (told["fix"], "run the command again")))
    return told
