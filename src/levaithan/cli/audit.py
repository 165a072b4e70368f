"""`levaithan audit`: what happened and what was decided: lists, one call explained, a live tail, full text, export."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import audit_counts, filters, options, output, reading, table
from levaithan.cli.state import STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.queries.asking import Filters

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="What was decided.")
for _name, _command in audit_counts.COMMANDS.items():
    app.command(_name)(_command)

COLUMNS = (
    "at", "event", "tool_name", "decision", "rule", "reason", "duration_ms", "tool_use_id", "session_id", "agent_id",
)  # fmt: skip
FIELDS = ("at", "event", "session_id", "agent_id", "tool_name", "tool_use_id", "decision", "rule", "reason")
LOOK_S = 0.3
_ROOM = {"agent": 150, "session": 130, "rule": 90}
"""Columns a terminal must have for these to be shown: `call` leads to all the rest, and must stay whole."""
_TABLE = {
    "at": "utc",
    "tool_name": "tool",
    "duration_ms": "ms",
    "tool_use_id": "call",
    "session_id": "session",
    "agent_id": "agent",
}


def narrowed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as the table shows them: shorter names and times; a column that is empty in all of them is left out."""
    shown = []
    for row in rows:
        short = {_TABLE.get(name, name): row.get(name) for name in COLUMNS}
        short["utc"] = str(row["at"])[:19].replace("T", " ")
        shown.append(short)
    return shown


def emit(rows: list[dict[str, Any]], fmt: str, following: str | None, *, snippet: bool = False) -> None:
    """Events in the format asked for."""
    if fmt != "table":
        output.emit(rows, [*FIELDS, "duration_ms"], fmt, following=following)
        return
    short = narrowed(rows)
    columns = [_TABLE.get(name, name) for name in COLUMNS]
    if snippet:
        columns = ["utc", "event", "tool", "decision", "snippet", "call", "session"]
        short = [{**one, "snippet": row.get("snippet")} for one, row in zip(short, rows, strict=True)]
    room = table.terminal_width() or 1000
    columns = [name for name in columns if room >= _ROOM.get(name, 0)]
    kept = [name for name in columns if any(one.get(name) not in (None, "") for one in short)]
    output.emit(short, kept or columns, fmt, following=following, nothing="no events in this window")


@app.command("list")
@filters.asking()
def list_(
    asked: Filters,
    *,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Events and their decisions, newest first."""
    from levaithan.queries import audit

    fmt = output.pick(format, json)
    with reading.ledger() as ledger:
        page = audit.list_events(ledger, asked, limit=limit, cursor=cursor)
    emit(page.rows, fmt, page.next)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="A tool_use_id (toolu_...) or an event's id.", metavar="ID")],
    json: options.Json = False,
) -> None:
    """Explain one call: its events, who thought what of it, the decision, the outcome, the durations."""
    from levaithan.cli import explain
    from levaithan.queries import audit

    with reading.ledger() as ledger:
        call = audit.show(ledger, key)
    if json:
        output.out(output.envelope([call]))
    else:
        for line in explain.lines(call):
            output.out(line)
    output.flush()


@app.command()
@filters.asking("until")
def tail(
    asked: Filters,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events come; Ctrl-C ends.")] = False,
    limit: options.Limit = 20,
    json: options.Json = False,
    format: Annotated[str | None, typer.Option("--format", help="table (default), jsonl or csv.")] = None,
) -> None:
    """The last events, oldest first; with --follow also those that come. --json prints one object a line."""
    from levaithan.queries import audit

    fmt = (
        "jsonl" if json and format in (None, "json", "jsonl") else output.pick(format, json, ("table", "jsonl", "csv"))
    )
    printer = _Lines(fmt)
    with reading.ledger() as ledger:
        seen = audit.last_seq(ledger)
        printer.rows(audit.latest(ledger, asked, limit=limit))
        while follow:
            time.sleep(LOOK_S)
            reading.catch_up(STATE.home(), ledger, quiet=True)
            while (page := audit.after(ledger, asked, seen)).rows:
                printer.rows(page.rows)
                seen = int(page.next or seen)


class _Lines:
    """Prints events as they come, in columns of fixed width (nobody knows yet how wide the next one is)."""

    WIDTHS = (("utc", 19), ("event", 18), ("tool", 12), ("decision", 8), ("rule", 24), ("ms", 7), ("call", 30))

    def __init__(self, fmt: str) -> None:
        self.fmt = fmt
        self.header = True

    def rows(self, rows: list[dict[str, Any]]) -> None:
        """Print and flush."""
        if self.fmt == "jsonl":
            output.jsonl(rows)
        elif self.fmt == "csv":
            output.csv_rows(rows, [*FIELDS, "duration_ms"], header=self.header)
        else:
            for row in rows:
                output.out(self.line(row))
        self.header = False
        output.flush()

    def line(self, row: dict[str, Any]) -> str:
        """One event on one line; the reason takes what room is left."""
        short = narrowed([row])[0]
        used = sum(columns for _name, columns in self.WIDTHS) + len(table.GAP) * (len(self.WIDTHS) - 1)
        return table.fixed_end(
            table.fixed(short, self.WIDTHS), table.cell(short["reason"]), used, table.terminal_width()
        )


@app.command()
@filters.asking()
def search(
    asked: Filters,
    *,
    words: Annotated[list[str], typer.Argument(help="Words; word* is a prefix, '\"a b\"' a phrase.", metavar="WORDS")],
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Full text over everything that was recorded: commands, paths, outputs, prompts, reasons."""
    from levaithan.queries import audit

    fmt = output.pick(format, json)
    with reading.search() as index, reading.ledger() as ledger:
        page = audit.search(ledger, index, " ".join(words), asked, limit=limit, cursor=cursor)
    emit(page.rows, fmt, page.next, snippet=True)


@app.command()
@filters.asking()
def export(
    asked: Filters,
    *,
    output_file: Annotated[
        str | None, typer.Option("--output", "-o", help="Write to this file (default: stdout).", metavar="FILE")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="jsonl (with the whole record) or csv.")] = "jsonl",
) -> None:
    """Every event of the window, newest first, however many: a page at a time, so memory stays flat."""
    from levaithan.cli import exporting

    fmt = output.pick(format, False, ("jsonl", "csv"))
    with reading.ledger() as ledger:
        count = exporting.export(ledger, asked, fmt, output_file)
    output.say(f"exported {count} events" + (f" to {output_file}" if output_file else ""))
