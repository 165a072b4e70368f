"""The figures around an incident's start, as the monitor kept them minute by minute: before it, at it, after it.

What went otherwise comes first. A figure that says nothing new is left out. Imports no store.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.metrics.vitals import Row

BEFORE_S, AFTER_S = 1800.0, 900.0
AT_S = 90.0
"""Of a start that lies between two minutes the nearer one is taken, within so many seconds."""
SHOWN = 24
_LEAST_CHANGE = 0.2


def around(rows: Sequence[Row], start_s: float) -> list[dict[str, Any]]:
    """Of each figure that changed around start_s (seconds since 1970): name; before, the median of the half hour
    before; at, its value at the start; least and most of the quarter of an hour after; the greatest change first."""
    before = [figures for at_s, figures in rows if start_s - BEFORE_S <= at_s < start_s]
    after = [figures for at_s, figures in rows if start_s <= at_s <= start_s + AFTER_S]
    near = min(rows, key=lambda row: abs(row[0] - start_s), default=None)
    at = near[1] if near is not None and abs(near[0] - start_s) <= AT_S else {}
    found = []
    for name in dict.fromkeys(name for figures in (*before, *after) for name in figures):
        usual = [figures[name] for figures in before if name in figures]
        then = [figures[name] for figures in after if name in figures] or ([at[name]] if name in at else [])
        row: dict[str, Any] = {"name": name}
        if usual:
            row["before"] = round(median(usual), 6)
        if name in at:
            row["at"] = at[name]
        if then:
            row |= {"least_after": min(then), "most_after": max(then)}
        change = _change(row)
        if change >= _LEAST_CHANGE:
            found.append((change, row))
    return [row for _, row in sorted(found, key=lambda one: (-one[0], one[1]["name"]))[:SHOWN]]


def _change(row: dict[str, Any]) -> float:
    """How far it went from what was usual, as a share of that: 1 = to nothing, or to twice as much."""
    if "most_after" not in row:
        return 0.0
    base = row.get("before", 0.0)
    far = max(abs(row["most_after"] - base), abs(row["least_after"] - base))
    return far / abs(base) if base else math.inf if far else 0.0
