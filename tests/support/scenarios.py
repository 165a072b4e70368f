"""How things go, for each rule: well, badly for long enough, well again, to and fro, with gaps and new counters."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from tests.support import plants

from levaithan.detectors import rules as rules_of
from levaithan.detectors import tuning
from levaithan.detectors.expression import AllSeries, Select, walk

if TYPE_CHECKING:
    from tests.support.plants import Scrape

    from levaithan.detectors.rules import Rule, Rules

LONG_S = {"VerifyStale": 100_000, "HooksSlowerThanBefore": 30_000}
FEW_SERIES = {"TooManySeries": {"threshold": 3}}


def step_of(rule: Rule) -> int:
    """Seconds between two scrapes: as few steps as the rule's windows allow."""
    longest = max(rule.window_s, 4 * rule.for_s, LONG_S.get(rule.alert, 0), 1)
    return 300 if longest > 21_600 else 60 if longest > 3600 else 15


def rules_for(rule: Rule) -> Rules:
    """The rules that read what this one reads (all that need no test of their own run beside it)."""
    every = tuned(rule.alert)
    mine = names(rule)
    kept = tuple(one for one in every.rules if one.alert == rule.alert or (mine & names(one) and not _counts(one)))
    return replace(every, rules=kept)


@cache
def tuned(alert: str) -> Rules:
    """The rules, with the threshold of one of them brought down to what a test can have."""
    return tuning.tuned({"alerts": {alert: FEW_SERIES[alert]}}) if alert in FEW_SERIES else rules_of.default()


def names(rule: Rule) -> set[str]:
    """The series that a rule reads."""
    return {node.name for node in walk(rule.expression) if isinstance(node, Select)}


def states(rule: Rule) -> list[str]:
    """good, bad, good, four times to and fro around `for`, a gap, and a counter that begins anew while all is bad."""
    step = step_of(rule)

    def steps(seconds: float) -> int:
        return max(1, int(seconds / step))

    window, waits = min(rule.window_s, 14_400), rule.for_s
    hold = steps(window * 1.1 + 2 * waits + 120 + LONG_S.get(rule.alert, 0))
    quiet = steps(window * 1.1 + 3 * waits + 300)
    flap = steps(max(waits * 0.6, 60))
    calm = steps(600 + (LONG_S.get(rule.alert, 0) if rule.shape == "quantile_rise" else 0))
    found = ["zero", *["good"] * calm, *["bad"] * hold, *["good"] * quiet]
    found += (["bad"] * flap + ["good"] * flap) * 4
    found += [
        *["good"] * steps(300),
        *["gap"] * steps(120),
        *["bad"] * (hold // 2),
        "bad reset",
        *["bad"] * (hold // 2),
    ]
    return [*found, *["gap"] * steps(420), *["good"] * steps(300)]


def scrapes(rule: Rule, wanted: list[str] | None = None) -> list[Scrape | None]:
    """What is scraped in these states, else in `states`."""
    played = list(plants.played(plants.PLANTS[rule.alert], wanted or states(rule), step_of(rule)))
    if rule.alert in FEW_SERIES:
        extra = [("levaithan_store_up", (("store", name),), 1.0) for name in ("graph", "memory", "search")]
        told = wanted or states(rule)
        return [row + extra if row and word.startswith("bad") else row for row, word in zip(played, told, strict=True)]
    return played


def _counts(rule: Rule) -> bool:
    return any(isinstance(node, AllSeries) for node in walk(rule.expression))
