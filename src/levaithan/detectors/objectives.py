"""Service level objectives as data, and the expressions of their burning: a bad share against the target.

A burn pair (Google's SRE workbook, "Alerting on SLOs", multiwindow and multi-burn-rate) says that the error budget of
30 days is being spent `factor` times too fast over a long window, and still is over a short one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from levaithan.detectors.durations import promql
from levaithan.detectors.expression import Both, Gather, Node, Number, Over, Recorded, Select

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?", re.ASCII)
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"\\]*)"\s*(?:,|$)', re.ASCII)

MEASURED_S = 300.0
"""A series without a sample for so long is measured no more; a monitor that starts again is quicker."""


class ShapeError(ValueError):
    """What is wrong with a rule, in words."""


def select(words: str) -> Select:
    """name{label="value", ...} as a selector. Raises ShapeError."""
    found = _SELECTOR.fullmatch(words)
    if found is None:
        raise ShapeError(f'{words!r} is no selector such as name{{label="value"}}')
    inside, matchers, at = found[2] or "", [], 0
    while at < len(inside):
        one = _MATCHER.match(inside, at)
        if one is None:
            raise ShapeError(f"{words!r}: cannot read {inside[at:]!r}")
        matchers.append((one[1], one[2], one[3]))
        at = one.end()
    return Select(found[1], tuple(matchers))


@dataclass(frozen=True)
class Slo:
    """A service level objective over 30 days: share of the good in the valid, and what its burning is called.

    bad, good, up: one of them; `total` beside the first two. up: a gauge that is 1 while it is well.
    """

    name: str
    title: str
    target: float
    detection: str
    alert: str
    summary: str
    fix: str
    total: str = ""
    bad: str = ""
    good: str = ""
    up: str = ""
    by: tuple[str, ...] = ()

    def bad_share(self, window: float) -> Recorded:
        """The bad in the valid, 0 to 1, over a window in seconds."""
        if self.up:
            share: Node = Both("-", Number(1), Over("avg_over_time", select(self.up), window))
        elif self.good:
            share = Both("-", Number(1), Both("/", self._sum("rate", self.good, window), self._valid(window)))
        else:
            share = Both("/", self._sum("rate", self.bad, window), self._valid(window))
        return Recorded(f"levaithan:{self.name}_bad:ratio_rate{promql(window)}", share)

    def floor(self, window: float, least: float) -> Node:
        """At least so many bad ones in the window; of `up`, so many samples of a series that is measured still: what is
        no longer there has nothing to be mended, however long a window looks back at it."""
        if self.up:
            counted, well = (Over(f"{how}_over_time", select(self.up), window) for how in ("count", "sum"))
            measured = Over("count_over_time", select(self.up), MEASURED_S)
            return Both("and", Both(">=", Both("-", counted, well), Number(least)), measured)
        if self.good:
            bad: Node = Both("-", self._sum("increase", self.total, window), self._sum("increase", self.good, window))
        else:
            bad = self._sum("increase", self.bad, window)
        return Both(">=", bad, Number(least))

    def _valid(self, window: float) -> Node:
        return self._sum("rate", self.total, window)

    def _sum(self, function: str, of: str, window: float) -> Node:
        return Gather("sum", self.by, Over(function, select(of), window))


def burn(slo: Slo, factor: float, long: float, short: float, floor: float) -> Node:
    """Over both windows the bad share is over factor x (1 - target). Raises ShapeError when it could never be."""
    most = round(factor * (1 - slo.target), 9)
    if most >= 1:
        raise ShapeError(f"{factor:g} times the error budget of {slo.title} is {most:.0%}: that can never burn")
    over_long, over_short = (Both(">", slo.bad_share(window), Number(most)) for window in (long, short))
    return Both("and", Both("and", over_long, over_short), slo.floor(long, floor))
