"""Tables for people: they fit the terminal, turn into blocks where it is too narrow, and stay whole when piped.

What is to be done next is never cut: where it does not fit, it has lines of its own below its row.

Own code instead of rich: importing rich.table takes as long as the whole of Typer.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from levaithan.cli.text import clean, cut, pad, width, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GAP = "  "
LEAST = 6
PIPED_CELL = 120
"""Columns that a column is filled up to when nobody's terminal limits it; a longer cell is whole, and sticks out."""
NEXT = "remedy"
"""The column that is never cut: half a command is none."""

SOFT = (
    ("session", "agent", "project", "model"),
    ("reason", "rule", "snippet", "message", "said", "remedy", "target", "value"),
)
"""Columns that give way first where room is short, in this order: a cut time or decision would say something else."""

_COLORS = {"deny": "31", "halt": "1;31", "ask": "33", "allow": "32", "fail": "31", "warn": "33", "ok": "32"}


def cell(value: object) -> str:
    """One value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(str(name))}={cell(of_it)}" for name, of_it in value.items())
    return clean(str(value))


def use_color() -> bool:
    """Colours only on a terminal, and not with NO_COLOR or TERM=dumb."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width() -> int | None:
    """Columns there are, None when the output is piped and COLUMNS does not say."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return None


def render(rows: Sequence[Mapping[str, object]], columns: Sequence[str], room: int | None) -> Iterator[str]:
    """The lines of a table of `columns`, at most `room` columns wide but for what is to be done next (None = any: then
    nothing is cut). In a table of findings, which has NEXT, nothing is cut in any room."""
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    numbers = [all(isinstance(row.get(name), (int, float, type(None))) for row in rows) for name in columns]
    wanted = _wanted(cells, columns)
    widths = _fitted(wanted, columns, room)
    if widths is None:
        yield from _blocks(cells, columns, room or 80)
        return
    below = [""] * len(cells)
    findings = NEXT in columns
    if findings and len(columns) > 1 and sum(widths) < sum(wanted) and room is not None:
        at = columns.index(NEXT)
        below = [line.pop(at) for line in cells]
        columns, numbers = [name for name in columns if name != NEXT], numbers[:at] + numbers[at + 1 :]
        widths = _fitted(_wanted(cells, columns), columns, room) or widths
    color = use_color()
    yield _line([name.upper() for name in columns], widths, numbers, color=False)
    for line, then in zip(cells, below, strict=True):
        for part in _wrapped(line, widths) if findings and room is not None else [line]:
            yield _line(part, widths, numbers, color=color, whole=room is None)
        if then:
            yield f"  next: {then}"


def _wanted(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> list[int]:
    """The columns that each column would take for all of its cells to be whole."""
    return [max([width(name), *(width(line[at]) for line in cells)]) for at, name in enumerate(columns)]


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    """The lines that `cells` take, none wider than its column."""
    for parts in zip_longest(*(wrap(text, size) for text, size in zip(cells, widths, strict=True)), fillvalue=""):
        yield list(parts)


def _line(
    cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool], *, color: bool, whole: bool = False
) -> str:
    parts = []
    for text, columns, right in zip(cells, widths, numbers, strict=True):
        shown = pad(text if whole else cut(text, columns), columns, right=right)
        parts.append(f"\x1b[{_COLORS[text]}m{shown}\x1b[0m" if color and text in _COLORS else shown)
    return GAP.join(parts).rstrip()


def _fitted(wanted: list[int], columns: Sequence[str], room: int | None) -> list[int] | None:
    """A width a column: long texts give way first, then the widest. None when even the least does not fit."""
    if room is None:
        return [min(size, PIPED_CELL) for size in wanted]
    widths = list(wanted)
    floor = [min(size, max(LEAST, width(name))) for size, name in zip(wanted, columns, strict=True)]
    spare = sum(widths) + len(GAP) * (len(widths) - 1) - room
    if sum(floor) > sum(widths) - spare:
        return None
    for names in (*SOFT, columns):
        giving = [name in names for name in columns]
        while spare > 0:
            at = max(range(len(widths)), key=lambda index: (widths[index] - floor[index]) * giving[index])
            if widths[at] == floor[at] or not giving[at]:
                break
            widths[at] -= 1
            spare -= 1
    return widths


def _blocks(cells: Sequence[Sequence[str]], columns: Sequence[str], room: int) -> Iterator[str]:
    """One block of `name: value` lines a row, for a terminal too narrow for a table."""
    left = max((width(name) for name in columns), default=0)
    for number, line in enumerate(cells):
        if number:
            yield ""
        for name, text in zip(columns, line, strict=True):
            if text and name == NEXT:
                yield f"{pad(name, left)}  {text}"
            elif text:
                size = max(LEAST, room - left - 2)
                first, *more = wrap(text, size) if NEXT in columns else [cut(text, size)]
                yield f"{pad(name, left)}  {first}"
                yield from (f"{' ' * left}  {part}" for part in more)


def facts(pairs: Sequence[tuple[str, object]], indent: str = "") -> Iterator[str]:
    """Aligned `name  value` lines; a value of several lines is indented under its name. None is left out."""
    shown = [(clean(name), value) for name, value in pairs if value is not None]  # a tool's name may be the name
    left = max((width(name) for name, _ in shown), default=0)
    for name, value in shown:
        text = clean(value, lines=True) if isinstance(value, str) else cell(value)
        first, *rest = text.split("\n")
        yield f"{indent}{pad(name, left)}  {first}".rstrip()
        yield from (f"{indent}{' ' * left}  {line}" for line in rest)


def fixed(row: Mapping[str, object], widths: Sequence[tuple[str, int]]) -> str:
    """One line of columns of fixed width, for rows that come one by one. What is longer is whole when it is piped."""
    parts = []
    color, whole = use_color(), terminal_width() is None
    for name, columns in widths:
        text = cell(row.get(name))
        shown = pad(text if whole else cut(text, columns), columns, right=isinstance(row.get(name), (int, float)))
        parts.append(f"\x1b[{_COLORS[text]}m{shown}\x1b[0m" if color and text in _COLORS else shown)
    return GAP.join(parts)


def fixed_end(line: str, text: str, used: int, room: int | None) -> str:
    """`line` (of `used` columns) with `text` at its end, in what is left of `room` (None = whole)."""
    if room is None:
        return (line + GAP + text).rstrip()
    left = max(0, room - used - len(GAP))
    return (line + GAP + cut(text, left)).rstrip() if left > LEAST else line.rstrip()
