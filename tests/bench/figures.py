"""The figures of the last run of each part, kept as data: docs/reference/performance.json, of which the page is made.

Measuring all parts takes hours and wants a quiet machine, so a run may be of some parts. It replaces their rows alone,
and each row knows its run: the day, the machine, how much was measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "performance.json"
_VERSION = 1


@dataclass(frozen=True)
class Run:
    """day: ISO; machine: lines about it; sizes: how much was measured, in words."""

    day: str
    machine: tuple[str, ...]
    sizes: str


@dataclass(frozen=True)
class Figure:
    """A row, the part of the benchmark that gave it, and the run."""

    part: str
    run: Run
    row: Row


def read(file: Path = FILE) -> list[Figure]:
    """What was measured until now; nothing where there is no such file."""
    if not file.exists():
        return []
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    runs = [Run(one["day"], tuple(one["machine"]), one["sizes"]) for one in known["runs"]]
    return [Figure(one.pop("part"), runs[one.pop("run")], Row(**one)) for one in known["rows"]]


def merged(
    known: Sequence[Figure],
    measured: Mapping[str, Sequence[Row]],
    run: Run,
    order: Sequence[str],
    *,
    whole: bool = True,
) -> list[Figure]:
    """`known` with what was `measured` (part -> rows) in `run`, the parts in their `order`. A part that is measured
    loses its other rows, unless it was not the `whole` of it: then those of the same name alone are replaced."""
    fresh = [Figure(part, run, row) for part, rows in measured.items() for row in rows]
    names = {one.row.what for one in fresh}
    kept = [one for one in known if one.row.what not in names and not (whole and one.part in measured)]
    place = {part: number for number, part in enumerate(order)}
    return sorted([*kept, *fresh], key=lambda one: place.get(one.part, len(place)))


def write(figures: Sequence[Figure], file: Path = FILE) -> None:
    """Keep them; a run of which nothing is left is forgotten."""
    runs = list(dict.fromkeys(one.run for one in figures))
    rows = [{"part": one.part, "run": runs.index(one.run), **asdict(one.row)} for one in figures]
    made = {"schema_version": _VERSION, "runs": [asdict(one) for one in runs], "rows": rows}
    file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
