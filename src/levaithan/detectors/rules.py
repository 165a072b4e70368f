"""The rules as data: rules.toml of this package, with what an operator tuned in context/alerts.toml of the home.

Tuning gone wrong never takes the rules away: an entry that is not good is told and passed over, and the rule stands as
it was delivered.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, reduce
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from levaithan.detectors import objectives, shapes
from levaithan.detectors.durations import seconds
from levaithan.detectors.expression import Always, Both, Node, Recorded, text, walk
from levaithan.detectors.objectives import ShapeError, Slo
from levaithan.detectors.signal import NO_SEVERITY, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

DETECTIONS = ("high_error_rate", "budget_exceeded", "resource_conflicts", "performance", "security", "meta")
RUNBOOKS = "docs/how-to/runbooks.md"
EVERYWHERE, PROMETHEUS, PROCESS = "everywhere", "prometheus", "process"
BURN_FLOOR, BURN_FLOOR_SAMPLES = 10, 8
_OWN_KEYS = {"alert", "detection", "severity", "for", "where", "summary", "fix", "any", "all", "on"}


@dataclass(frozen=True)
class Rule:
    """One alert. Times in seconds.

    expression: without the guard against records that come late; `guarded` is with it, for Prometheus.
    threshold: of its first condition, None where it has none. where: "prometheus" = this process has another way,
    "process" = a detector here, which no rule could be; looks: what it looks for, in words.
    tuned: what of it an operator changed. off: switched off by the operator. held: whether it goes on firing for a
    while after it no longer holds.
    """

    alert: str
    detection: str
    severity: str
    expression: Node
    summary: str
    fix: str
    shape: str
    for_s: float = 0.0
    threshold: float | None = None
    where: str = EVERYWHERE
    looks: str = ""
    tuned: tuple[str, ...] = ()
    off: bool = False
    held: bool = True

    @property
    def keep_s(self) -> float:
        """keep_firing_for: twice `for`, so that what flaps is one alert; 0 where it is not held."""
        return 2 * self.for_s if self.held else 0.0

    @property
    def window_s(self) -> float:
        """The longest window it looks back; 0 when it looks at now."""
        return shapes.window_of(self.expression)

    @property
    def guarded(self) -> Node:
        """The expression that Prometheus gets."""
        return shapes.guarded(self.expression)

    @property
    def runbook(self) -> str:
        """Where it says what to do."""
        return f"{RUNBOOKS}#{self.alert.lower()}"

    @property
    def guarded_text(self) -> str:
        """That, as text."""
        return text(self.guarded)

    def promql(self, *, guard: bool = True) -> str:
        """The expression as text; of a detector what it looks for."""
        return self.looks or text(self.guarded if guard else self.expression)


@dataclass(frozen=True)
class Rules:
    """All of them, in the file's order. detectors: those that are no rules, and have no expression. problems: what of
    the operator's tuning was not followed, in words."""

    rules: tuple[Rule, ...]
    slos: tuple[Slo, ...]
    detectors: tuple[Rule, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def active(self) -> tuple[Rule, ...]:
        """The rules that are not switched off."""
        return tuple(rule for rule in self.rules if not rule.off)

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """The recording rules that the active ones read, each once."""
        found = {
            node.name: node for rule in self.active for node in walk(rule.expression) if isinstance(node, Recorded)
        }
        return tuple(found[name] for name in sorted(found))

    def get(self, alert: str) -> Rule | None:
        """The rule or detector of that name."""
        return next((rule for rule in self.all if rule.alert == alert), None)

    @property
    def all(self) -> tuple[Rule, ...]:
        """Rules and detectors."""
        return self.rules + self.detectors


@cache
def delivered() -> dict[str, Any]:
    """rules.toml as it is in the package, parsed. Not to be changed."""
    return tomllib.loads(files("levaithan.detectors").joinpath("rules.toml").read_text(encoding="utf-8"))


def build(tables: Mapping[str, Any]) -> Rules:
    """The rules of parsed TOML. Raises ShapeError that names the rule."""
    slos = {one["name"]: _slo(one) for one in tables.get("slo", ())}
    rules = [_burn(slo, pair) for slo in slos.values() for pair in tables.get("burn", ())]
    rules += [rule(table, slos) for table in tables.get("rule", ())]
    detectors = tuple(detector(table) for table in tables.get("detector", ()))
    names = [one.alert for one in (*rules, *detectors)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ShapeError(f"two rules are called {', '.join(sorted(twice))}")
    return Rules(tuple(rules), tuple(slos.values()), detectors)


def rule(table: Mapping[str, Any], slos: Mapping[str, Slo]) -> Rule:
    """One [[rule]]. Raises ShapeError that names it."""
    name = str(table.get("alert", "?"))
    try:
        _named(table, "alert", "detection", "severity", "summary", "fix")
        conditions, node = _conditions(table, slos)
        return Rule(
            alert=name, detection=table["detection"], severity=table["severity"], expression=node,
            summary=table["summary"], fix=table["fix"], shape="+".join(one["shape"] for one in conditions),
            for_s=seconds(table.get("for", "0s")), threshold=conditions[0].get("threshold"),
            where=table.get("where", EVERYWHERE),
        )  # fmt: skip
    except ValueError as problem:
        raise ShapeError(f"rule {name}: {problem}") from None


def detector(table: Mapping[str, Any]) -> Rule:
    """One [[detector]]. Raises ShapeError that names it."""
    try:
        _named(table, "alert", "detection", "severity", "summary", "fix", "looks")
        return Rule(
            alert=table["alert"], detection=table["detection"], severity=table["severity"], expression=Always(),
            summary=table["summary"], fix=table["fix"], shape="detector", threshold=shapes.figure(table),
            where=PROCESS, looks=table["looks"],
        )  # fmt: skip
    except ShapeError as problem:
        raise ShapeError(f"detector {table.get('alert', '?')}: {problem}") from None


def _named(table: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        if not isinstance(table.get(key), str) or not table[key]:
            raise ShapeError(f"it needs {key}")
    if table["severity"] not in (*SEVERITIES, NO_SEVERITY) or table["detection"] not in DETECTIONS:
        raise ShapeError("severity is P0 to P3 (or none), detection one of " + ", ".join(DETECTIONS))


def _conditions(table: Mapping[str, Any], slos: Mapping[str, Slo]) -> tuple[list[Mapping[str, Any]], Node]:
    if "any" in table or "all" in table:
        joined = "or" if "any" in table else "and"
        conditions: list[Mapping[str, Any]] = list(table["any" if joined == "or" else "all"])
        on = tuple(table["on"]) if "on" in table else None
        nodes = [shapes.condition(one, slos) for one in conditions]
        return conditions, reduce(lambda left, right: Both(joined, left, right, on), nodes)
    one = {key: value for key, value in table.items() if key not in _OWN_KEYS}
    return [one], shapes.condition(one, slos)


def _slo(table: Mapping[str, Any]) -> Slo:
    return Slo(**{**table, "by": tuple(table.get("by", ()))})


def _burn(slo: Slo, pair: Mapping[str, Any]) -> Rule:
    long, short, factor = seconds(pair["long"]), seconds(pair["short"]), float(pair["factor"])
    floor = BURN_FLOOR_SAMPLES if slo.up else BURN_FLOOR
    speed = {"P1": "Fast", "P2": "", "P3": "Slow"}[pair["severity"]]
    pace = f"at {factor:g} times the pace of 30 days ({pair['long']} and {pair['short']})"
    return Rule(
        alert=slo.alert + speed, detection=slo.detection, severity=pair["severity"],
        expression=objectives.burn(slo, factor, long, short, floor),
        summary=f"{slo.summary} {pace}", fix=slo.fix,
        shape="burn", for_s=seconds(pair["for"]), threshold=round(factor * (1 - slo.target), 9),
        held=not slo.up,  # its windows hold it long enough, and only while what is up or down is there
    )  # fmt: skip


@cache
def default() -> Rules:
    """The rules as delivered."""
    return build(delivered())
