"""The closed set of shapes that a rule can have: each makes an expression from a rule's own words.

A shape is a function from a table of rules.toml to an expression, and the keys that it takes; nothing else can be
written in a rule. Floors keep a ratio of few calls quiet: one failure in a hundred calls an hour is no trouble.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.detectors.durations import seconds
from levaithan.detectors.expression import (
    COMPARISONS,
    Absent,
    AllSeries,
    Always,
    AtLeast,
    Both,
    Gather,
    Node,
    Now,
    Number,
    Over,
    Quantile,
    Select,
    walk,
)
from levaithan.detectors.objectives import ShapeError, Slo, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CATCHING_UP = "levaithan_metrics_catching_up"
_MONTH_HOURS = 720.0


@dataclass(frozen=True)
class Shape:
    """build: makes the expression; required and optional: the keys it takes beside `shape`."""

    build: Callable[[Mapping[str, Any], Mapping[str, Slo]], Node]
    required: frozenset[str]
    optional: frozenset[str]


def condition(table: Mapping[str, Any], slos: Mapping[str, Slo]) -> Node:
    """The expression of one table with a `shape`. Raises ShapeError, which names the key."""
    shape = SHAPES.get(table.get("shape", ""))
    if shape is None:
        raise ShapeError(f"shape must be one of {', '.join(SHAPES)}, not {table.get('shape')!r}")
    given = set(table) - {"shape"}
    if lacking := shape.required - given:
        raise ShapeError(f"a {table['shape']} needs {', '.join(sorted(lacking))}")
    if unknown := given - shape.required - shape.optional:
        raise ShapeError(f"a {table['shape']} has no {', '.join(sorted(unknown))}")
    if table.get("is", ">") not in COMPARISONS:
        raise ShapeError(f"is must be one of {' '.join(COMPARISONS)}, not {table['is']!r}")
    return shape.build(table, slos)


def guarded(node: Node) -> Node:
    """The same, but never while records of an outage may stand in its shortest window as if they were of now."""
    windows = [one.window for one in walk(node) if isinstance(one, Over) and one.function in ("rate", "increase")]
    if not windows:
        return node
    behind = Both(">", Over("max_over_time", Select(CATCHING_UP), min(windows)), Number(0))
    return Both("unless", node, behind, on=())


def window_of(node: Node) -> float:
    """The longest window of an expression in seconds, those of the time before left out; 0 without one."""
    return max((one.window for one in walk(node) if isinstance(one, Over) and not one.offset), default=0.0)


def figure(table: Mapping[str, Any], key: str = "threshold") -> float:
    """A finite number. Raises ShapeError."""
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ShapeError(f"{key} must be a number, not {value!r}")
    return float(value)


def _span(table: Mapping[str, Any], key: str = "window") -> float:
    try:
        found = seconds(table[key])
    except ValueError as problem:
        raise ShapeError(f"{key}: {problem}") from None
    if found <= 0:
        raise ShapeError(f"{key} must be longer than nothing")
    return found


def _labels(table: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(table.get("by", ()))


def _value(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    """A gauge (plus another), perhaps as a share of a third, against a threshold."""
    node: Node = select(table["metric"])
    if "plus" in table:
        node = Both("+", node, select(table["plus"]))
    if "over" in table:
        node = Both("/", node, _positive(table["over"]))
    return Both(table["is"], node, Number(figure(table)))


def _ratio(table: Mapping[str, Any], slos: Mapping[str, Slo]) -> Node:
    """Bad in valid over a window, and a floor: so many bad ones, or so many in all."""
    window, by = _span(table), _labels(table)
    if "slo" in table:
        slo = slos.get(table["slo"])
        if slo is None or "floor" not in table:
            raise ShapeError(f"a ratio of an SLO names one of {', '.join(slos)}, and a floor")
        share: Node = slo.bad_share(window)
        floor = slo.floor(window, figure(table, "floor"))
    else:
        if not {"bad", "total", "floor_total"} <= set(table):
            raise ShapeError("a ratio needs an slo, or bad, total and floor_total")
        bad, total = (select(table[key]) for key in ("bad", "total"))
        share = Both("/", Gather("sum", by, Over("rate", bad, window)), Gather("sum", by, Over("rate", total, window)))
        counted = Gather("sum", by, Over("increase", total, window))
        floor = Both(">=", counted, Number(figure(table, "floor_total")))
    return Both("and", Both(table["is"], share, Number(figure(table))), floor)


def _increase(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    counted = Gather("sum", _labels(table), Over("increase", select(table["metric"]), _span(table)))
    return Both(table["is"], counted, Number(figure(table)))


def _age(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    """Seconds since a time that a gauge names; 0 there means never, which is no age."""
    return Both(">", Both("-", Now(), _positive(table["metric"])), Number(figure(table)))


def _predict(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    ahead = Over("predict_linear", select(table["metric"]), _span(table), ahead=_span(table, "ahead"))
    return Both(table["is"], ahead, Number(figure(table)))


def _forecast(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    """What will be spent at the period's end at the pace of the window, as a share of the limit."""
    spent = select(table["metric"])
    pace = AtLeast(Over("deriv", spent, _span(table)), 0)
    coming = Both("+", Both("+", spent, select(table["plus"])), Both("*", pace, select(table["remaining"])))
    return Both(table["is"], Both("/", coming, _positive(table["over"])), Number(figure(table)))


def _quantile_of(metric: str, q: float, by: tuple[str, ...], window: float, offset: float = 0.0) -> Node:
    buckets = Over("rate", select(metric + "_bucket"), window, offset)
    return Quantile(q, Gather("sum", (*by, "le"), buckets))


def _calls(metric: str, by: tuple[str, ...], window: float, least: float, offset: float = 0.0) -> Node:
    return Both(">=", Gather("sum", by, Over("increase", select(metric + "_count"), window, offset)), Number(least))


def _quantile(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    """A quantile of a histogram over a window, where there were enough calls to speak of one."""
    metric, by, window = table["metric"], _labels(table), _span(table)
    high = Both(table["is"], _quantile_of(metric, figure(table, "q"), by, window), Number(figure(table)))
    return Both("and", high, _calls(metric, by, window, figure(table, "floor")))


def _quantile_rise(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    """A quantile so many times what it was, over a least value, with enough calls now and ten times as many then."""
    metric, by, q, window = table["metric"], _labels(table), figure(table, "q"), _span(table)
    before, offset, floor = _span(table, "before"), _span(table, "offset"), figure(table, "floor")
    now, then = _quantile_of(metric, q, by, window), _quantile_of(metric, q, by, before, offset)
    risen = Both(">", now, Both("*", Number(figure(table)), then))
    high = Both("and", risen, Both(">", now, Number(figure(table, "least"))))
    enough = Both("and", _calls(metric, by, window, floor), _calls(metric, by, before, 10 * floor, offset))
    return Both("and", high, enough)


def _pace(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    """What a project spends in a window, against so many times its share of a month's limit."""
    window = _span(table)
    spent = Gather("sum", ("project",), Over("increase", select(table["metric"]), window))
    share = figure(table) * window / 3600 / _MONTH_HOURS
    return Both(">", spent, Both("*", _positive(table["limit"]), Number(round(share, 12))), on=("project",))


def _fewer(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    return Both("<", select(table["metric"]), select(table["than"]))


def _absent(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    return Absent(select(table["metric"]))


def _many_series(table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    return Both(">", Gather("count", (), AllSeries(table["prefix"])), Number(figure(table)))


def _always(_table: Mapping[str, Any], _slos: Mapping[str, Slo]) -> Node:
    return Always()


def _positive(words: str) -> Node:
    return Both(">", select(words), Number(0))


def _shape(build: Callable[[Mapping[str, Any], Mapping[str, Slo]], Node], required: str, optional: str = "") -> Shape:
    return Shape(build, frozenset(required.split()), frozenset(optional.split()))


SHAPES: dict[str, Shape] = {
    "value": _shape(_value, "metric is threshold", "plus over"),
    "ratio": _shape(_ratio, "window is threshold", "slo bad total by floor floor_total"),
    "increase": _shape(_increase, "metric window is threshold", "by"),
    "age": _shape(_age, "metric threshold"),
    "predict": _shape(_predict, "metric window ahead is threshold"),
    "forecast": _shape(_forecast, "metric plus remaining over window is threshold"),
    "quantile": _shape(_quantile, "metric q window is threshold floor", "by"),
    "quantile_rise": _shape(_quantile_rise, "metric q window before offset threshold floor least", "by"),
    "pace": _shape(_pace, "metric limit window threshold"),
    "fewer": _shape(_fewer, "metric than"),
    "absent": _shape(_absent, "metric"),
    "many_series": _shape(_many_series, "prefix threshold"),
    "always": _shape(_always, ""),
}
"""shape -> how it is built; burn pairs are made from [[slo]] and [[burn]]"""
