"""Makes deploy/prometheus/tests/, a promtool unit test for every rule: `python -m tests.support.rule_tests`.

Each says: quiet while all is well; fires, with these labels and words, once it has been bad for long enough; quiet
again after it was well for long enough. Who changes the rules has a test without this project's code:
`promtool test rules deploy/prometheus/tests/*.yml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests.support import parity, plants, scenarios

from levaithan.detectors import prometheus_rules
from levaithan.detectors import rules as rules_of
from levaithan.detectors.evaluator import Evaluator, summary
from levaithan.detectors.extrapolation import V2

if TYPE_CHECKING:
    from levaithan.detectors.rules import Rule
    from levaithan.detectors.signal import Signal

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "tests"
STEPS_S = {"levaithan_test.yml": 60, "levaithan_long_test.yml": 300}
"""file -> seconds between two scrapes, and between two evaluations"""
_HEAD = """\
# Made by `python -m tests.support.rule_tests`; a test compares. A test for each rule: quiet, firing, quiet again.
# TooManySeries would need 5,001 of them here; tests/contract/test_promtool_parity.py has it with fewer.
# promtool test rules deploy/prometheus/tests/*.yml
"""


def text(name: str) -> str:
    """One of the files."""
    step = STEPS_S[name]
    rules = [one for one in rules_of.default().rules if one.alert not in scenarios.FEW_SERIES and step_of(one) == step]
    whole = {
        "rule_files": ["../rules/levaithan.yml"],
        "evaluation_interval": f"{step}s",
        "tests": [_test(rule, step) for rule in rules],
    }
    return _HEAD + yaml.safe_dump(whole, sort_keys=False, width=1_000_000)


def step_of(rule: Rule) -> int:
    """What looks back for long, or waits for long, is tried in larger steps."""
    long = rule.window_s > 3600 or rule.for_s >= 1800 or rule.alert in scenarios.LONG_S
    return 300 if long else 60


def _test(rule: Rule, step: int) -> dict[str, Any]:
    scrapes = _scrapes(rule, step)
    seen = _evaluated(rule, scrapes, step)
    firing = [at for at, signals in enumerate(seen) if signals]
    assert firing, rule.alert
    times = [(at, seen[at]) for at in sorted({0, firing[len(firing) // 2], len(seen) - 1})]
    if rule.shape != "always":
        assert not seen[0], rule.alert
        assert not seen[-1], rule.alert
    return {
        "name": rule.alert,
        "interval": f"{step}s",
        "input_series": parity.notation(scrapes),
        "alert_rule_test": [
            {
                "eval_time": f"{at * step}s", "alertname": rule.alert,
                "exp_alerts": [_alert(rule, one) for one in signals],
            }
            for at, signals in times
        ],
    }  # fmt: skip


def _scrapes(rule: Rule, step: int) -> list[plants.Scrape | None]:
    """Well for a while, badly until it fires, well until it has stopped."""
    extra = scenarios.LONG_S.get(rule.alert, 0)
    hold = min(rule.window_s, 3600) + 2 * rule.for_s + extra + 300
    quiet = min(rule.window_s, 3600) + 3 * rule.for_s + 300 + (21_600 if rule.window_s > 21_600 else 0)
    lasts = {"good": extra or 600, "bad": hold, "good again": quiet}
    states = ["zero"]
    for word, seconds in lasts.items():
        states += [word.partition(" ")[0]] * max(2, int(seconds / step))
    return list(plants.played(plants.PLANTS[rule.alert], states, step))


def _evaluated(rule: Rule, scrapes: list[plants.Scrape | None], step: int) -> list[list[Signal]]:
    only = rules_of.Rules((rule,), rules_of.default().slos)
    evaluator = Evaluator(only, everywhere=True, guard=True, dialect=V2)
    seen = []
    for at, scrape in enumerate(scrapes):
        if scrape is not None:
            evaluator.observe(at * step, scrape)
        seen.append([one for one in evaluator.evaluate(at * step) if one.firing])
    return seen


def _alert(rule: Rule, signal: Signal) -> dict[str, Any]:
    assert signal.value is not None
    told = prometheus_rules.told(rule) | {
        "summary": summary(rule.summary, signal.labels),
        "value": f"{signal.value:.4g}",
    }
    labels = {"severity": rule.severity, "detection": rule.detection, **signal.labels}
    return {"exp_labels": labels, "exp_annotations": told}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in STEPS_S:
        (FOLDER / file).write_text(text(file), encoding="utf-8")
