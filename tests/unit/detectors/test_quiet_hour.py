"""No alarm in a quiet hour: what the real client sent in recorded sessions, 100 times over, raises none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.detectors.conftest import T0, denied, record

from levaithan.detectors import rules as rules_of
from levaithan.detectors import watch
from levaithan.detectors.evaluator import Evaluator
from levaithan.hot.paths import home_at
from levaithan.metrics.labels import Labels
from levaithan.metrics.records import Fold
from levaithan.metrics.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.detectors.signal import Signal

STEP_S = 15.0
TIMES = 100
HOUR_S = 3600.0
SCRAPED = ("up", (("job", "levaithan"),), 1.0)
"""What Prometheus adds: its rules are all evaluated here, also those for which the monitor has a detector."""


class Hour:
    """Folds records at their times, and evaluates every 15 seconds of them: the monitor in small."""

    def __init__(self, home: str) -> None:
        self.fold = Fold(Tally(), Labels(home_at(home)))
        self.fold.labels.project("/p")
        self.evaluator = Evaluator(rules_of.default(), everywhere=True)
        self.watch = watch.Watch(watch.standing(rules_of.default(), self.fold.labels.critical))
        self.said: list[Signal] = []
        self._next_s = T0

    def until(self, at_s: float) -> None:
        """Look around up to a time."""
        while self._next_s <= at_s:
            self.fold.settle(self._next_s)
            self.evaluator.observe(self._next_s, [*self.fold.tally.series(), SCRAPED])
            self.said += self.evaluator.evaluate(self._next_s) + self.watch.signals(self._next_s)
            self._next_s += STEP_S

    def take(self, one: dict[str, Any], at_s: float) -> None:
        """One record, at a time of ours."""
        self.until(at_s)
        moment = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        told = one | {"at": moment}
        self.fold.take(told)
        self.watch.take(told, at_s)

    def alerts(self) -> set[str]:
        """What fired, but for the Watchdog."""
        return {one.alert for one in self.said} - {"Watchdog"}


def replayed(
    recorded: list[list[dict[str, Any]]], times: int, seconds: float
) -> Iterator[tuple[dict[str, Any], float]]:
    """All sessions `times` over, side by side, each time as sessions and calls of their own, spread over a time. They
    were recorded without our rules: a call that these refuse did run then, and would not have now."""
    refused = {one["tool_use_id"] for session in recorded for one in session if one["decision"] == "deny"}
    flat = [
        (number, one) for number, session in enumerate(recorded) for one in session
        if not (one["event"].startswith("PostToolUse") and one.get("tool_use_id") in refused)
    ]  # fmt: skip
    gap = seconds / (times * len(flat))
    at_s = T0 + 60.0
    for turn in range(times):
        for number, one in flat:
            at_s += gap
            more = {"session_id": f"{one.get('session_id')}-{turn}-{number}"}
            if "tool_use_id" in one:
                more["tool_use_id"] = f"{one['tool_use_id']}-{turn}"
            yield one | more, at_s


def test_the_recorded_sessions_a_hundred_times_over_raise_no_alarm(
    made_home: str, recorded: list[list[dict[str, Any]]]
) -> None:
    hour, replay = Hour(made_home), list(replayed(recorded, TIMES, HOUR_S))
    for one, at_s in replay:
        hour.take(one, at_s)
    hour.until(T0 + HOUR_S + 1800)
    assert hour.alerts() == set()
    assert hour.fold.tally.value("levaithan_journal_records_total") == len(replay) > 15_000
    assert hour.evaluator.failed == {}


@pytest.mark.parametrize(
    ("fault", "alert", "severity"),
    [
        ("hooks", "GateFailing", "P0"),
        ("denials", "CriticalDenialBurst", "P1"),
        ("guard", "SelfProtectionHit", "P1"),
        ("tools", "ToolFailures", "P2"),
        ("leases", "LeaseStorm", "P2"),
    ],
)
def test_the_same_hour_with_a_fault_in_it_raises_that_alarm(
    made_home: str, recorded: list[list[dict[str, Any]]], fault: str, alert: str, severity: str
) -> None:
    """So that the silence above means something."""
    hour = Hour(made_home)
    for number, (one, at_s) in enumerate(replayed(recorded, 20, HOUR_S / 3)):
        hour.take(one, at_s)
        if at_s > T0 + 300:
            hour.take(_fault(fault, number), at_s)
    hour.until(T0 + HOUR_S / 3 + 120)
    found = {one.severity for one in hour.said if one.alert == alert and one.firing}
    assert found == {severity}


def _fault(fault: str, number: int) -> dict[str, Any]:
    ids = {"session_id": "bad", "tool_use_id": f"bad-{number}", "path": "native", "duration_ms": 1.0}
    if fault == "hooks":
        return record(
            hooks=[{"hook": "policy_check", "error": "ValueError"}], decision="deny", rule="hook-failed", **ids
        )
    if fault == "denials":
        return denied("fs.delete-root", **ids)
    if fault == "guard":
        return denied("guard.bypass", **ids)
    if fault == "tools":
        return record("PostToolUseFailure" if number % 5 else "PostToolUse", **{**ids, "tool_name": "WebFetch"})
    entry = {"hook": "lease_reserve", "decision": "deny", "rule": "lease.held", "ms": 0.1}
    return denied("lease.held", hooks=[entry], **ids)
