"""Costs as bars in the terminal. Imports plotext only when something is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BARS = 60
ROWS = 15


def bars(values: Mapping[str, float], title: str, columns: int, *, color: bool) -> str:
    """`values` (USD) by name as upright bars, the last MOST_BARS of them, `columns` wide; plain text unless `color`."""
    import plotext  # type: ignore[import-untyped]  # noqa: PLC0415 - only when something is drawn

    shown = list(values.items())[-MOST_BARS:]
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(max(columns, 40), ROWS)
    plotext.bar([name for name, _ in shown], [value for _, value in shown], width=0.6)
    plotext.title(title)
    drawn = str(plotext.build())
    return (drawn if color else str(plotext.uncolorize(drawn))).rstrip("\n")
