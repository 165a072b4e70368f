"""Evaluates the rules in this process, as Prometheus would: so that a laptop without one has alerts, too.

Scrapes come in by event time (`observe`), and so do evaluations: what happened while nobody looked stands at its own
time and fakes no burst. Series that no rule reads are not kept. Nothing here reads a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.detectors import keeping
from levaithan.detectors.active import FIRING, PENDING, Active
from levaithan.detectors.computing import MatchError, Program
from levaithan.detectors.extrapolation import V3, Dialect
from levaithan.detectors.rules import EVERYWHERE, Rule, Rules
from levaithan.detectors.samples import LOOKBACK_MS, Samples
from levaithan.detectors.signal import Signal, fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from levaithan.detectors.banks import Labels
    from levaithan.detectors.computing import Value


class Evaluator:
    """rules: those to evaluate; everywhere: also those for which this process has a better way.

    guard: with the guard against records that come late, which Prometheus needs and event time does not.
    failed: alert -> why its expression could not be computed last time; its state then stays as it was.
    """

    def __init__(self, rules: Rules, *, everywhere: bool = False, guard: bool = False, dialect: Dialect = V3) -> None:
        self.rules = tuple(rule for rule in rules.active if everywhere or rule.where == EVERYWHERE)
        nodes = [rule.guarded if guard else rule.expression for rule in self.rules]
        self.samples = Samples(nodes)
        self.active: dict[str, dict[Labels, Active]] = {rule.alert: {} for rule in self.rules}
        self.failed: dict[str, str] = {}
        self._program = Program(nodes, self.samples, dialect)
        self._said = {rule.alert: rule.promql(guard=False) for rule in self.rules}
        self.evaluated_ms = -1

    def observe(self, at_s: float, series: Iterable[tuple[str, Labels, float]]) -> None:
        """Everything that is measured, as it is at `at_s` (Unix seconds). Series that are not in it have ended.

        One that is not later than the one before is left out, unless the clock was set back by more than five minutes:
        then time goes on in here from where it was.
        """
        self.samples.take(at_s, series)

    def evaluate(self, at_s: float) -> list[Signal]:
        """What fires now, and once more (firing=False) what has just stopped, at `at_s`, by the rules' order.

        After more than five minutes without an evaluation nothing is taken to have held meanwhile: what waits begins
        to wait anew. So neither a pause nor a clock that is set forward makes an alert by itself.
        """
        at_ms = max(self.samples.place(at_s), self.evaluated_ms)
        if self.evaluated_ms >= 0 and at_ms - self.evaluated_ms > LOOKBACK_MS:
            self._begin_anew(at_ms)
        self.evaluated_ms = at_ms
        found: list[Signal] = []
        for rule, result in zip(self.rules, self._program.run(at_s, at_ms), strict=True):
            if isinstance(result, MatchError):
                self.failed[rule.alert] = str(result)
                ended: list[tuple[Labels, Active]] = []
            else:
                self.failed.pop(rule.alert, None)
                ended = self._step(rule, result, at_ms)
            offset_s = at_s - at_ms / 1000
            firing = [(labels, one) for labels, one in self.active[rule.alert].items() if one.state == FIRING]
            found += [self._signal(rule, labels, one, at_s, offset_s, firing=True) for labels, one in firing]
            found += [self._signal(rule, labels, one, at_s, offset_s, firing=False) for labels, one in ended]
        return found

    def forget(self) -> None:
        """Drop all samples, for a journal that is read anew from its start: time begins again. What fires goes on until
        it no longer holds; what waits begins to wait anew."""
        self.samples.forget()
        self.evaluated_ms = -1
        for active in self.active.values():
            for labels in [key for key, one in active.items() if one.state == PENDING]:
                del active[labels]

    def drop(self, over: Callable[[dict[str, str]], bool], at_s: float) -> list[Signal]:
        """Forget what fires or waits, and all samples, of labels that are `over`: of what is there no more. What fired
        of it, as having stopped at `at_s`: nobody says so later."""
        self.samples.drop(over)
        gone = [
            (rule, labels, self.active[rule.alert].pop(labels))
            for rule in self.rules for labels in [key for key in self.active[rule.alert] if over(dict(key))]
        ]  # fmt: skip
        offset_s = at_s - self.evaluated_ms / 1000
        return [
            self._signal(rule, labels, one, at_s, offset_s, firing=False)
            for rule, labels, one in gone if one.state == FIRING
        ]  # fmt: skip

    def states(self) -> list[dict[str, Any]]:
        """Every alert that waits or fires now: alert, labels, state, since_s, value. For people."""
        return [
            {"alert": alert, "labels": dict(labels), "state": one.state, "since_s": one.since_ms / 1000,
             "value": one.value}
            for alert, active in self.active.items() for labels, one in active.items()
        ]  # fmt: skip

    def ended(self, alerts: Container[str], at_s: float) -> list[Signal]:
        """What fires of alerts that are not among `alerts`, as having stopped at `at_s`: for an evaluator that is left
        for one of other rules."""
        offset_s = at_s - self.evaluated_ms / 1000
        return [
            self._signal(rule, labels, one, at_s, offset_s, firing=False)
            for rule in self.rules if rule.alert not in alerts
            for labels, one in self.active[rule.alert].items() if one.state == FIRING
        ]  # fmt: skip

    def dump(self) -> dict[str, Any]:
        """All of it, JSON-able and small, for `load` after a restart."""
        return keeping.dump(self)

    def load(self, state: dict[str, Any]) -> bool:
        """Go on from a dump, also one that was made with other rules. False, and nothing taken, when it is damaged."""
        return keeping.load(self, state)

    def _step(self, rule: Rule, result: Value, at_ms: int) -> list[tuple[Labels, Active]]:
        """Prometheus' AlertingRule.Eval: those that ended now."""
        active = self.active[rule.alert]
        held: dict[Labels, float] = result if isinstance(result, dict) else {}
        for labels, value in held.items():
            one = active.get(labels)
            if one is None:
                active[labels] = Active(at_ms, value)
            else:
                one.value, one.keep_ms = value, -1
        ended = []
        for labels, one in list(active.items()):
            if labels not in held:
                if one.state == FIRING and one.keep_ms < 0:
                    one.keep_ms = at_ms
                if one.state == PENDING or at_ms - one.keep_ms >= rule.keep_s * 1000:
                    del active[labels]
                    ended += [(labels, one)] if one.state == FIRING else []
                    continue
            if one.state == PENDING and at_ms - one.since_ms >= rule.for_s * 1000:
                one.state = FIRING
        return ended

    def _begin_anew(self, at_ms: int) -> None:
        pause = at_ms - self.evaluated_ms
        for active in self.active.values():
            for one in active.values():
                if one.state == PENDING:
                    one.since_ms = at_ms
                if one.keep_ms >= 0:
                    one.keep_ms += pause

    def _signal(self, rule: Rule, labels: Labels, one: Active, at_s: float, offset_s: float, *, firing: bool) -> Signal:
        named = dict(labels)
        started_s = min(one.since_ms / 1000 + offset_s, at_s)
        return Signal(
            fingerprint=fingerprint_of(rule.detection, rule.alert, named), alert=rule.alert, detection=rule.detection,
            severity=rule.severity, firing=firing, started_s=started_s, at_s=at_s, labels=named, value=one.value,
            threshold=rule.threshold, expression=self._said[rule.alert], window_s=rule.window_s, for_s=rule.for_s,
            summary=summary(rule.summary, named), fix=rule.fix, runbook=rule.runbook, source="evaluator",
        )  # fmt: skip


def summary(words: str, labels: dict[str, str]) -> str:
    """A rule's summary with the labels in their places; one that is not there leaves nothing, as in Prometheus."""
    return words.format_map(_Labels(labels))


class _Labels(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
