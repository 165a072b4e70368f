"""The few things of PromQL that rules are made of, as a tree: written for Prometheus, computed by the evaluator.

A tree has two readers, so that the rule that Prometheus runs and the rule that runs in this process cannot differ.
`text` is the writer; `computing` is the other reader. Names and meaning are Prometheus'
(https://prometheus.io/docs/prometheus/latest/querying/). Imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan.detectors.durations import promql

if TYPE_CHECKING:
    from collections.abc import Callable

Matcher = tuple[str, str, str]  # label, one of = != =~ !~, value
ARITHMETIC = ("+", "-", "*", "/")
COMPARISONS = (">", "<", ">=", "<=", "==", "!=")
SETS = ("and", "or", "unless")
OVER_RANGES = (
    "rate", "increase", "deriv", "predict_linear", "avg_over_time", "max_over_time", "sum_over_time", "count_over_time",
)  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A scalar."""

    value: float


@dataclass(frozen=True)
class Now:
    """time(): the evaluation's own time in Unix seconds."""


@dataclass(frozen=True)
class Always:
    """vector(1)."""


@dataclass(frozen=True)
class Select:
    """An instant vector: the newest sample of each series, not older than five minutes."""

    name: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True)
class AllSeries:
    """Everything whose name begins so: to be counted, nothing else."""

    prefix: str


@dataclass(frozen=True)
class Over:
    """A function over a range: window and offset in seconds; `ahead` is predict_linear's second argument."""

    function: str
    of: Select
    window: float
    offset: float = 0.0
    ahead: float = 0.0


@dataclass(frozen=True)
class Gather:
    """sum, max, min or count, by labels."""

    function: str
    by: tuple[str, ...]
    of: Node


@dataclass(frozen=True)
class Quantile:
    """histogram_quantile of a vector with `le`."""

    q: float
    of: Node


@dataclass(frozen=True)
class AtLeast:
    """clamp_min."""

    of: Node
    least: float


@dataclass(frozen=True)
class Absent:
    """absent()."""

    of: Select


@dataclass(frozen=True)
class Both:
    """left operator right; vectors match one to one by all labels, or by those of `on`."""

    operator: str
    left: Node
    right: Node
    on: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Recorded:
    """What a recording rule keeps under a name of its own."""

    name: str
    of: Node


Node = Number | Now | Always | Select | AllSeries | Over | Gather | Quantile | AtLeast | Absent | Both | Recorded


def text(node: Node) -> str:
    """The PromQL of a tree. Operands that are operations stand in parentheses: nothing hangs on precedence."""
    return _WRITERS[type(node)](node)


def selector(of: Select | AllSeries) -> str:
    """name{label="value"}."""
    if isinstance(of, AllSeries):
        return f'{{__name__=~"{of.prefix}.+"}}'
    if not of.matchers:
        return of.name
    return of.name + "{" + ", ".join(f'{label}{how}"{value}"' for label, how, value in of.matchers) + "}"


def number(value: float) -> str:
    """As short as it can be read back."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def children(node: Node) -> tuple[Node, ...]:
    """What a node is made from."""
    match node:
        case Both(_, left, right, _):
            return left, right
        case Gather() | Quantile() | AtLeast() | Recorded() | Over() | Absent():
            return (node.of,)
        case _:
            return ()


def walk(node: Node) -> list[Node]:
    """The node and all below it."""
    return [node, *(deeper for child in children(node) for deeper in walk(child))]


def _operand(node: Node) -> str:
    return f"({text(node)})" if isinstance(node, Both) else text(node)


def _over(node: Over) -> str:
    offset = f" offset {promql(node.offset)}" if node.offset else ""
    ahead = f", {number(node.ahead)}" if node.function == "predict_linear" else ""
    return f"{node.function}({selector(node.of)}[{promql(node.window)}]{offset}{ahead})"


def _gather(node: Gather) -> str:
    inner = text(node.of)
    return f"{node.function} by ({', '.join(node.by)}) ({inner})" if node.by else f"{node.function}({inner})"


def _both(node: Both) -> str:
    matching = "" if node.on is None else f" on ({', '.join(node.on)})"
    return f"{_operand(node.left)} {node.operator}{matching} {_operand(node.right)}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    Number: lambda node: number(node.value),
    Now: lambda _node: "time()",
    Always: lambda _node: "vector(1)",
    Select: selector,
    AllSeries: selector,
    Over: _over,
    Gather: _gather,
    Quantile: lambda node: f"histogram_quantile({number(node.q)}, {text(node.of)})",
    AtLeast: lambda node: f"clamp_min({text(node.of)}, {number(node.least)})",
    Absent: lambda node: f"absent({selector(node.of)})",
    Recorded: lambda node: str(node.name),
    Both: _both,
}
