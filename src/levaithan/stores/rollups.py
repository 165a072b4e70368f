"""Hourly sums of the events, for dashboards: SQL that SQLite and Postgres have in common. Standard library only.

A row is an hour, journal, project, tool, event, decision and model ("" where there is none, so that it can be a key);
canaries are not counted. Durations come as count, sum, greatest and a histogram whose bounds grow by four: a quantile
read from it (`quantile`) is right within a factor of two. `hook` is what deciding took, `tool` what the tool took.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR_US = 3_600_000_000
BOUNDS_US = tuple(64 * 4**power for power in range(12))
"""Upper bounds of the histogram's cells but the last: 64 microseconds to 4.5 minutes."""
LONGEST_US = 1_000_000_000_000
"""What a duration counts at most: eleven days. A forged one would overflow the sum."""
NEAR = 100
"""The middle of the times of the events among so many records at its beginning is when a journal begins to know all:
one alone may be of a clock that was wrong. Before it only a ledger may know of events that were pruned."""
NAMES = ("journal", "project", "tool_name", "event", "decision", "model")
_KEYS = ("hour_us", *NAMES)
KINDS = ("hook", "tool")


def _measures(kind: str) -> tuple[str, ...]:
    cells = (f"{kind}_h{cell:02d}" for cell in range(len(BOUNDS_US) + 1))
    return (f"{kind}_count", f"{kind}_us", f"{kind}_max_us", *cells)


MEASURES = ("events", "denials", "calls", *_measures("hook"), *_measures("tool"))


def count_sql(source: str, condition: str, dialect: str) -> str:
    """Add the rows of `source` (columns as in events) that meet `condition` (on `e`) to the rollups.

    sessions and tool_calls must have them already: the model and the tool's duration are there.
    """
    greatest = "max" if dialect == "sqlite" else "greatest"
    chosen = [
        f"e.at_us - e.at_us % {HOUR_US}", "e.journal", "coalesce(e.project, '')", "coalesce(e.tool_name, '')",
        "e.event", "coalesce(e.decision, '')", "coalesce(s.model, '')", "count(*)",
        "count(*) FILTER (WHERE e.decision IN ('deny', 'halt'))", "count(*) FILTER (WHERE e.event = 'PreToolUse')",
        *_sums("e.duration_us"), *_sums("t.duration_us"),
    ]  # fmt: skip
    changes = [
        f"{name} = {greatest}(rollups.{name}, excluded.{name})"
        if name.endswith("_max_us")
        else f"{name} = rollups.{name} + excluded.{name}"
        for name in MEASURES
    ]
    return (
        f"INSERT INTO rollups ({', '.join((*_KEYS, *MEASURES))}) SELECT {', '.join(chosen)} FROM {source} e "  # noqa: S608 - own words
        "LEFT JOIN sessions s ON s.session_id = e.session_id "
        "LEFT JOIN tool_calls t ON t.tool_use_id = e.tool_use_id AND t.end_event = e.id "
        f"WHERE e.canary = 0 AND {condition} GROUP BY {', '.join(str(place + 1) for place in range(len(_KEYS)))} "
        f"ON CONFLICT ({', '.join(_KEYS)}) DO UPDATE SET {', '.join(changes)}"
    )


def _sums(duration: str) -> list[str]:
    bounded = f"CASE WHEN {duration} > {LONGEST_US} THEN {LONGEST_US} ELSE {duration} END"
    low: tuple[int | None, ...] = (None, *BOUNDS_US)
    high: tuple[int | None, ...] = (*BOUNDS_US, None)
    cells = [
        " AND ".join(
            part
            for part in (
                f"{duration} >= {one}" if one is not None else "",
                f"{duration} < {other}" if other is not None else "",
            )
            if part
        )
        for one, other in zip(low, high, strict=True)
    ]
    return [
        f"count({duration})", f"coalesce(sum({bounded}), 0)", f"coalesce(max({bounded}), 0)",
        *(f"count(*) FILTER (WHERE {cell})" for cell in cells),
    ]  # fmt: skip


def quantile(cells: Sequence[int], share: float) -> float | None:
    """The duration in microseconds below which `share` (0 to 1) of a histogram's durations are, None of an empty one:
    the geometric middle of the cell that it falls into. In the first and the last cell, the bound."""
    total, seen = sum(cells), 0
    if not total:
        return None
    for cell, held in enumerate(cells):
        seen += held
        if seen >= share * total and held:
            if cell == 0:
                return float(BOUNDS_US[0])
            if cell == len(BOUNDS_US):
                return float(BOUNDS_US[-1])
            return math.sqrt(BOUNDS_US[cell - 1] * BOUNDS_US[cell])
    return float(BOUNDS_US[-1])
