"""The same series through the evaluator and through promtool: the times at which each alert fires must be the same.

The evaluator goes first; what it says is written as a promtool unit test, which promtool then confirms or not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml
from tests.support import promtool
from tests.support.plants import Labels

from levaithan.detectors.evaluator import Evaluator

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.plants import Scrape

    from levaithan.detectors.extrapolation import Dialect
    from levaithan.detectors.rules import Rules

Firing = dict[int, set[tuple[str, Labels]]]
"""seconds since the start -> (alert, labels) that fire then"""


def evaluated(
    rules: Rules, scrapes: list[Scrape | None], step_s: int, dialect: Dialect, *, guard: bool = True
) -> Firing:
    """When each alert fires, by the evaluator: scraped and evaluated at every step, the first one at time 0."""
    evaluator = Evaluator(rules, everywhere=True, guard=guard, dialect=dialect)
    firing: Firing = {}
    for number, scrape in enumerate(scrapes):
        at = number * step_s
        if scrape is not None:
            evaluator.observe(at, scrape)
        said = [one for one in evaluator.evaluate(at) if one.firing]
        assert evaluator.failed == {}
        firing[at] = {(one.alert, tuple(sorted(one.labels.items()))) for one in said}
    return firing


def confirm(
    folder: Path, rules: Rules, scrapes: list[Scrape | None], step_s: int, firing: Firing, only: str = ""
) -> None:
    """Let promtool run the series and compare (one alert, with `only`); fails with its words when it sees another."""
    from levaithan.detectors import prometheus_rules

    prometheus_rules.write(rules, folder)
    times = _telling(firing)
    named = f', alertname="{only}"' if only else ""
    test = {
        "rule_files": [prometheus_rules.NAME],
        "evaluation_interval": f"{step_s}s",
        "tests": [{
            "interval": f"{step_s}s",
            "input_series": notation(scrapes),
            "promql_expr_test": [
                {"expr": f'ALERTS{{alertstate="firing"{named}}}', "eval_time": f"{at}s",
                 "exp_samples": [_sample(rules, alert, labels) for alert, labels in sorted(firing[at])]}
                for at in times
            ],
        }],
    }  # fmt: skip
    path = folder / "parity.yml"
    path.write_text(yaml.safe_dump(test, sort_keys=False, width=1_000_000), encoding="utf-8")
    promtool.run("test", "rules", path.name, cwd=folder)


def notation(scrapes: Iterable[Scrape | None]) -> list[dict[str, str]]:
    """The series as promtool reads them: _ for no scrape or not yet, stale for a series that ended."""
    rows = list(scrapes)
    keys = dict.fromkeys((name, labels) for row in rows if row for name, labels, _ in row)
    values: dict[tuple[str, Labels], list[str]] = {key: [] for key in keys}
    there: set[tuple[str, Labels]] = set()
    for row in rows:
        given = {(name, labels): value for name, labels, value in row or ()}
        for key, words in values.items():
            if key in given:
                words.append(repr(float(given[key])))
                there.add(key)
            elif row is not None and key in there:
                words.append("stale")
                there.discard(key)
            else:
                words.append("_")
    return [{"series": written(name, labels), "values": _shortened(values[name, labels])} for name, labels in keys]


def written(name: str, labels: Labels) -> str:
    """name{label="value"}."""
    inside = ",".join(f"{label}={json.dumps(value)}" for label, value in labels)
    return f"{name}{{{inside}}}" if inside else name


def _shortened(words: list[str]) -> str:
    """Runs of the same value in one word."""
    short: list[str] = []
    at = 0
    while at < len(words):
        end = at
        while end < len(words) and words[end] == words[at]:
            end += 1
        run = end - at
        if run > 2 and words[at] == "_":
            short.append(f"_x{run}")
        elif run > 2 and words[at] != "stale":
            short.append(f"{words[at]}+0x{run - 1}")
        else:
            short += words[at:end]
        at = end
    return " ".join(short)


def _sample(rules: Rules, alert: str, labels: Labels) -> dict[str, object]:
    rule = rules.get(alert)
    assert rule is not None
    named = dict(labels) | {
        "alertname": alert,
        "alertstate": "firing",
        "severity": rule.severity,
        "detection": rule.detection,
    }
    return {"labels": written("ALERTS", tuple(sorted(named.items()))), "value": 1}


def _telling(firing: Firing) -> list[int]:
    """All times when they are few; of many every n-th one and both sides of every change."""
    times = sorted(firing)
    if len(times) <= 150:
        return times
    changes = {at for at in range(1, len(times)) if firing[times[at]] != firing[times[at - 1]]}
    kept = changes | {at - 1 for at in changes} | set(range(0, len(times), len(times) // 100))
    return [times[at] for at in sorted(kept)]
