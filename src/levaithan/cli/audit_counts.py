"""`levaithan audit histogram | top | patterns`: how many events, when, of what, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from levaithan.cli import filters, options, output, reading, table, times
from levaithan.stores.roles.search import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.queries.asking import Filters

_WIDEST_BAR = 60
_NARROWEST_BAR = 10
Words = Annotated[
    list[str] | None,
    typer.Argument(help="Only events with these words; word* is a prefix, '\"a b\"' a phrase.", metavar="[WORDS]..."),
]


@filters.asking()
def histogram(
    asked: Filters,
    *,
    words: Words = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", help="How long each is: 30s, 5m, 1h, 1d (default: by the window).", metavar="SPAN"),
    ] = None,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """Events over time: how many in each interval."""
    from levaithan.queries import counts

    fmt = output.pick(format, json)
    step = int(times.span(interval, "--interval").total_seconds()) if interval else None
    with reading.search() as index:
        rows = counts.histogram(index, " ".join(words or ()), asked, step)
    if fmt == "table":
        rows = [{"utc": row["start"][:19].replace("T", " "), **row} for row in _with_bars(rows, 30)]
    output.emit(rows, ["utc", "count", "bar"] if fmt == "table" else ["start", "end", "count"], fmt,
                nothing="no events in this window")  # fmt: skip


@filters.asking()
def top(
    asked: Filters,
    *,
    field: Annotated[
        str, typer.Argument(help=f"What to count by: {', '.join(FIELDS)}.", autocompletion=lambda: [*FIELDS])
    ],
    words: Words = None,
    limit: options.Limit = 20,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """The most frequent values of a field, and how many events each has."""
    from levaithan.queries import counts

    fmt = output.pick(format, json)
    with reading.search() as index:
        rows = counts.top(index, field, " ".join(words or ()), asked, limit)
    if fmt == "table":
        rows = _with_bars(rows, 50)
    output.emit(rows, ["value", "count", *(["bar"] if fmt == "table" else [])], fmt, nothing="no events in this window")


@filters.asking()
def patterns(
    asked: Filters,
    *,
    words: Words = None,
    limit: options.Limit = 20,
    json: options.Json = False,
    format: options.Format = None,
) -> None:
    """What the events say, alike ones as one: numbers, paths and names that differ are <number>, <path>, <*>."""
    from levaithan.queries import counts

    fmt = output.pick(format, json)
    with reading.search() as index:
        rows = counts.patterns(index, " ".join(words or ()), asked, limit)
    output.emit(rows, ["count", "pattern", "example"], fmt, nothing="no events in this window")


def _with_bars(rows: list[dict[str, Any]], beside: int) -> list[dict[str, Any]]:
    """The rows with a bar each, as long as its count; `beside` columns are left for the rest."""
    room = min(_WIDEST_BAR, max(_NARROWEST_BAR, (table.terminal_width() or 80) - beside))
    most = max((row["count"] for row in rows), default=0) or 1
    return [{**row, "bar": "█" * max(round(row["count"] * room / most), row["count"] > 0)} for row in rows]


COMMANDS: dict[str, Callable[..., None]] = {"histogram": histogram, "top": top, "patterns": patterns}
"""Names and commands, for the group's Typer (cli.audit)."""
