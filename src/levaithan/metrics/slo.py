"""The five service level objectives over 30 days: what is left of each one's error budget.

Good and bad are counted by the hour, from what the tally's counters grew by. remaining = 1 - bad / (valid x (1 -
target)), as in Google's SRE workbook, chapter 5: 1 is all of it, 0 none, less than 0 overspent.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from levaithan.metrics import names
from levaithan.metrics.families import HOOK_S, PROJECTION_S

if TYPE_CHECKING:
    from levaithan.metrics.tally import Tally

TARGETS = {
    "gate": 0.999, "latency": 0.99, "freshness": 0.99, "tasks": 0.95,
    "store": 0.995,
}  # fmt: skip
HOURS = 30 * 24
_KEPT = 2 * HOURS
"""Hours that are kept: those of a clock that is set right again count again."""
_EDGE_S = 0.05
_FRESH_S = 10.0


class Objectives:
    """Valid and bad events of each objective by the hour."""

    def __init__(self) -> None:
        self._hours: dict[str, dict[int, list[float]]] = {slo: {} for slo in names.SLOS}
        self._before: dict[str, tuple[float, float]] = {}
        self._stores = (0.0, 0.0)

    def collect(self, tally: Tally, now_s: float) -> None:
        """Take up what was counted since the last time, under the hour of now_s, and say what is left."""
        hour = int(now_s // 3600)
        self._looked(tally)
        for slo, (valid, bad) in self._sums(tally).items():
            before = self._before.get(slo, (valid, bad))
            self._before[slo] = (valid, bad)
            more = (valid - before[0], bad - before[1])
            hours = self._hours[slo]
            if more[0] > 0 or more[1] > 0:
                one = hours.setdefault(hour, [0.0, 0.0])
                one[0] += max(more[0], 0.0)
                one[1] += max(more[1], 0.0)
            for old in sorted(hours)[:-_KEPT]:
                del hours[old]
            recent = [one for at, one in hours.items() if hour - HOURS < at <= hour]
            total = sum(one[0] for one in recent)
            if total:
                allowed = total * (1 - TARGETS[slo])
                left = 1 - sum(one[1] for one in recent) / allowed
                tally.set("levaithan_slo_error_budget_remaining_ratio", (slo,), left)

    def _looked(self, tally: Tally) -> None:
        """Each look at a store is one event of its availability."""
        up = tally.table("levaithan_store_up")
        self._stores = (self._stores[0] + len(up), self._stores[1] + sum(value == 0 for value in up.values()))

    def _sums(self, tally: Tally) -> dict[str, tuple[float, float]]:
        """(valid, bad) of each objective since the counters began."""
        hooks = tally.histograms("levaithan_hook_duration_seconds").values()
        projected = tally.histograms("levaithan_projection_latency_seconds").values()
        tasks = tally.table("levaithan_tasks_total").items()
        ended = sum(value for labels, value in tasks if labels[1] != "cancelled")
        done = sum(value for labels, value in tasks if labels[1] == "completed")
        events = sum(tally.table("levaithan_hook_events_total").values())
        return {
            "gate": (events, sum(tally.table("levaithan_hook_failures_total").values())),
            "latency": _beyond(hooks, bisect_right(HOOK_S, _EDGE_S)),
            "freshness": _beyond(projected, bisect_right(PROJECTION_S, _FRESH_S)),
            "tasks": (ended, ended - done),
            "store": self._stores,
        }

    def dump(self) -> dict[str, Any]:
        """As JSON takes it."""
        hours = {slo: [[hour, *one] for hour, one in hours.items()] for slo, hours in self._hours.items()}
        return {"hours": hours, "before": {slo: list(one) for slo, one in self._before.items()}}

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError and KeyError for what is none."""
        for slo in names.SLOS:
            rows = dumped["hours"].get(slo, ())
            self._hours[slo] = {int(hour): [float(valid), float(bad)] for hour, valid, bad in rows}
        self._before = {slo: (float(one[0]), float(one[1])) for slo, one in dumped["before"].items() if slo in TARGETS}
        self._stores = self._before.get("store", (0.0, 0.0))


def _beyond(histograms: Any, edge: int) -> tuple[float, float]:
    """(all, those above the edge) of histograms together."""
    valid, bad = 0.0, 0.0
    for bins in histograms:
        valid += sum(bins[:-1])
        bad += sum(bins[edge:-1])
    return valid, bad
