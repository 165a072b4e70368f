"""Computes the rules' expressions over the samples: the second reader of `expression`, with Prometheus' semantics.

Equal parts of different rules are computed once: the expressions become one list of steps, each of which reads the
results of earlier ones. A step that fails (two series where one may match) takes down the rules that read it, no other.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

from levaithan.detectors import extrapolation
from levaithan.detectors.expression import (
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
    Recorded,
    Select,
)
from levaithan.detectors.ranges import over
from levaithan.detectors.samples import LOOKBACK_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from levaithan.detectors.banks import Labels
    from levaithan.detectors.extrapolation import Dialect
    from levaithan.detectors.samples import Samples

    Step = tuple[Callable[..., "Value"], tuple[Node, ...]]

Vector = dict["Labels", float]
Value = Vector | float
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, ">": operator.gt, "<": operator.lt, ">=": operator.ge,
    "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class MatchError(Exception):
    """Several series on a side of an operator that have the same labels to match by."""


class Moment:
    """What the steps of one evaluation know: the time in the samples (ms), and the time as it was said (s)."""

    __slots__ = ("at_ms", "at_s", "dialect", "samples")

    def __init__(self, samples: Samples, dialect: Dialect, at_s: float, at_ms: int) -> None:
        self.samples = samples
        self.dialect = dialect
        self.at_s = at_s
        self.at_ms = at_ms

    @property
    def fresh(self) -> bool:
        """Whether the newest scrape is young enough to speak for now."""
        age = self.at_ms - self.samples.newest_ms
        return age < LOOKBACK_MS or (age == LOOKBACK_MS and not self.dialect.left_open)


class Program:
    """The steps for a set of expressions."""

    def __init__(self, nodes: Iterable[Node], samples: Samples, dialect: Dialect) -> None:
        self._samples = samples
        self._dialect = dialect
        self._index: dict[Node, int] = {}
        self._steps: list[tuple[Callable[..., Value], tuple[int, ...]]] = []
        self.roots = [self._add(node) for node in nodes]

    def run(self, at_s: float, at_ms: int) -> list[Value | MatchError]:
        """The value of each expression at a time, in the order given; a MatchError where it could not be computed."""
        moment = Moment(self._samples, self._dialect, at_s, at_ms)
        done: list[Value | MatchError] = []
        for step, needs in self._steps:
            given = [done[need] for need in needs]
            failed = next((one for one in given if isinstance(one, MatchError)), None)
            try:
                done.append(failed or step(moment, *given))
            except MatchError as problem:
                done.append(problem)
        return [done[root] for root in self.roots]

    def _add(self, node: Node) -> int:
        if node not in self._index:
            step, below = _STEPS[type(node)](node)
            needs = tuple(self._add(one) for one in below)
            self._steps.append((step, needs))
            self._index[node] = len(self._steps) - 1
        return self._index[node]


def _newest(moment: Moment, select: Select) -> Vector:
    if not moment.fresh:
        return {}
    newest = moment.samples.newest_ms
    return {track.labels: track.last for track in moment.samples.found[select] if track.last_ms == newest}


def _count_all(moment: Moment, prefix: str) -> Vector:
    count = moment.samples.prefixes[prefix] if moment.fresh else 0
    return {(): float(count)} if count else {}


def _absent(of: Select) -> Labels:
    return tuple(sorted((label, value) for label, how, value in of.matchers if how == "=" and value))


def _gather(function: str, by: tuple[str, ...]) -> Callable[..., Vector]:
    kept: dict[Labels, Labels] = {}
    wanted = set(by)

    def run(_moment: Moment, vector: Vector) -> Vector:
        groups: dict[Labels, Any] = {}
        for labels, value in vector.items():
            key = kept.get(labels)
            if key is None:
                if len(kept) > 4 * len(vector) + 64:  # series that ended
                    kept.clear()
                key = kept[labels] = tuple(pair for pair in labels if pair[0] in wanted)
            groups.setdefault(key, []).append(value)
        return {key: _FUNCTIONS[function](values) for key, values in groups.items()}

    return run


_FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "max": max, "min": min, "count": lambda values: float(len(values)),
}  # fmt: skip


def _quantile(q: float, vector: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in vector.items():
        bound = next((value for label, value in labels if label == "le"), None)
        if bound is not None:
            key = tuple(pair for pair in labels if pair[0] != "le")
            groups.setdefault(key, []).append((float(bound), count))
    return {key: extrapolation.quantile(q, buckets) for key, buckets in groups.items()}


def _both(how: str, on: tuple[str, ...] | None) -> Callable[..., Value]:
    wanted = None if on is None else set(on)

    def key(labels: Labels) -> Labels:
        return labels if wanted is None else tuple(pair for pair in labels if pair[0] in wanted)

    def run(_moment: Moment, left: Value, right: Value) -> Value:
        if how in ("and", "or", "unless"):
            assert isinstance(left, dict)  # noqa: S101 - the shapes join vectors only
            assert isinstance(right, dict)  # noqa: S101
            return _set(how, left, right, key)
        if isinstance(left, dict) and isinstance(right, dict):
            return _matched(how, left, right, key)
        return _with_scalar(how, left, right)

    return run


def _set(how: str, left: Vector, right: Vector, key: Callable[[Labels], Labels]) -> Vector:
    if how == "or":
        there = {key(labels) for labels in left}
        return {**left, **{labels: value for labels, value in right.items() if key(labels) not in there}}
    there = {key(labels) for labels in right}
    return {labels: value for labels, value in left.items() if (key(labels) in there) is (how == "and")}


def _matched(how: str, left: Vector, right: Vector, key: Callable[[Labels], Labels]) -> Vector:
    """One to one, by the key; several on a side that have a partner are an error, as in Prometheus."""
    partners: dict[Labels, float] = {}
    for labels, value in right.items():
        place = key(labels)
        if place in partners:
            raise MatchError(f"several series on the right of {how} have the labels {dict(place)}")
        partners[place] = value
    found: Vector = {}
    for labels, value in left.items():
        place = key(labels)
        if place not in partners:
            continue
        if place in found:
            raise MatchError(f"several series on the left of {how} have the labels {dict(place)}")
        result = _applied(how, value, partners[place])
        if result is not None:
            found[place] = result
    return found


def _with_scalar(how: str, left: Value, right: Value) -> Value:
    if isinstance(left, dict):
        assert isinstance(right, float)  # noqa: S101
        results = {labels: _applied(how, value, right) for labels, value in left.items()}
        return {labels: value for labels, value in results.items() if value is not None}
    if isinstance(right, dict):
        swapped = {labels: _applied(how, left, value) for labels, value in right.items()}
        if how in ("+", "-", "*", "/"):
            return {labels: value for labels, value in swapped.items() if value is not None}
        return {labels: right[labels] for labels, value in swapped.items() if value is not None}
    result = _applied(how, left, right)
    return math.nan if result is None else result


def _applied(how: str, left: float, right: float) -> float | None:
    """The result of an operator, the left side's value of a comparison that holds, None of one that does not."""
    if how == "/":
        if right == 0:
            return math.nan if left == 0 or left != left else math.copysign(math.inf, left)  # noqa: PLR0124
        return left / right
    result = _OPERATORS[how](left, right)
    return (left if result else None) if isinstance(result, bool) else result


def _gathered(node: Gather) -> Step:
    if isinstance(node.of, AllSeries):
        prefix = node.of.prefix
        return lambda moment: _count_all(moment, prefix), ()
    return _gather(node.function, node.by), (node.of,)


def _not_alone(_node: AllSeries) -> Step:
    raise ValueError("all series can be counted, and nothing else")


def _clamped(node: AtLeast) -> Step:
    return lambda _moment, vector: {key: max(value, node.least) for key, value in vector.items()}, (node.of,)


_STEPS: dict[type, Callable[[Any], Step]] = {
    Number: lambda node: (lambda _moment: float(node.value), ()),
    Now: lambda _node: (lambda moment: moment.at_s, ()),
    Always: lambda _node: (lambda _moment: {(): 1.0}, ()),
    Select: lambda node: (lambda moment: _newest(moment, node), ()),
    AllSeries: _not_alone,
    Over: lambda node: (over(node), ()),
    Gather: _gathered,
    Quantile: lambda node: (lambda _moment, vector: _quantile(node.q, vector), (node.of,)),
    AtLeast: _clamped,
    Absent: lambda node: (lambda _moment, found: {} if found else {_absent(node.of): 1.0}, (node.of,)),
    Recorded: lambda node: (lambda _moment, value: value, (node.of,)),
    Both: lambda node: (_both(node.operator, node.on), (node.left, node.right)),
}
"""a kind of node -> what computes it, and the nodes whose values that is given"""
