"""Makes docs/reference/alerts.md from the rules: `python -m levaithan.detectors.reference`; a test compares."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from levaithan.detectors import rules as rules_of
from levaithan.detectors.durations import promql
from levaithan.detectors.rules import PROCESS, PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.detectors.rules import Rule, Rules

_HEAD = """\
# Alerts

Made from `src/levaithan/detectors/rules.toml` by `python -m levaithan.detectors.reference`; a test compares.

One table of rules is run in two places: by Prometheus, as `deploy/prometheus/rules/levaithan.yml`
(`levaithan alerts compile --to DIR`), and by the monitor of the service, so that a machine without Prometheus has
alerts, too. Both fire in the same minutes (a test gives both the same series). `levaithan alerts list` shows how each
stands; the [runbooks](../how-to/runbooks.md) say what to do.

- **Severity**: P0 now, P1 within 15 minutes, P2 within an hour, P3 within a day.
- **for**: how long it must hold. What fires goes on for twice that after it no longer holds (`keep_firing_for`), so
  that what flaps is one alert. `StoreBurn*` do not: their windows hold them.
- **address**: alerts about a store are about one address (the label `address`). At another one, or with its URL taken
  out of the settings, the store begins anew: what burned ends within five minutes, and the monitor ends all of it when
  it starts with the new settings, and resolves the incidents. Prometheus cannot know why a series ended: it holds
  `StoreDown`, `DeadLetters`, `StoreBehind` and `StoreFarBehind` for as long as ever, and nothing opens by that.
- **Floors**: a share of few calls is no trouble, so rules over shares want a number of calls or of bad ones, too.
- **Where**: `both`; `Prometheus` where the monitor has a detector of the same name that also knows the session, or
  where only Prometheus can see it; `monitor` where no metric tells it.
- After the service was away, records come late. The monitor judges them by their own time. Prometheus cannot, so
  rules over counters hold still there while `levaithan_metrics_catching_up` is 1 in their shortest window.
- The monitor keeps every sample of ten minutes, one in 15 s of an hour, one a minute of six hours, one in five minutes
  of three days, one in half an hour of a week: what looks back for long may begin and end there by one such step
  earlier or later.
- When nothing was evaluated for five minutes (the machine slept, the clock was set forward), what waits begins to wait
  anew. A clock that is set back does not stop the evaluation.

## Tuning

`context/alerts.toml` of the home, which the monitor takes up within seconds of a change:

```toml
[alerts.HookErrors]
threshold = 0.10   # of its first condition
for = "10m"        # at most a day
floor = 20         # where it has one

[alerts.LeaseStorm]
window = "15m"     # where it counts within one of its own

[alerts.LeaseConflicts]
off = true

[slo.latency]
target = 0.98
```

Metrics, windows, severities and shapes are not tuned. `levaithan alerts check` tells what is not good (exit 5): that
rule then stands as delivered. Prometheus gets the same by `levaithan alerts compile --to DIR`.
"""
_TITLES = {
    "high_error_rate": "High error rate", "budget_exceeded": "Budget exceeded",
    "resource_conflicts": "Resource conflicts", "performance": "Performance", "security": "Security",
    "meta": "The watch itself",
}  # fmt: skip
_WHERE = {PROMETHEUS: "Prometheus", PROCESS: "monitor"}


def markdown(rules: Rules | None = None) -> str:
    """The whole page."""
    rules = rules or rules_of.default()
    return _HEAD + "".join(_objectives(rules)) + "".join(_detections(rules))


def _objectives(rules: Rules) -> Iterator[str]:
    yield "\n## Service level objectives\n\nOver 30 days. `[slo.NAME]` in alerts.toml sets a target.\n\n"
    yield "| name | objective | target | alerts |\n|---|---|---|---|\n"
    for slo in rules.slos:
        named = ", ".join(f"`{slo.alert}{speed}`" for speed in ("Fast", "", "Slow"))
        yield f"| `{slo.name}` | {slo.title} | {slo.target * 100:g}% | {named} |\n"
    yield "\nA burn pair fires when the error budget is spent so many times too fast over both of its windows.\n\n"
    yield "| factor | windows | for | severity |\n|---|---|---|---|\n"
    for pair in rules_of.delivered()["burn"]:
        windows = f"{pair['long']} and {pair['short']}"
        yield f"| {pair['factor']:g} | {windows} | {pair['for']} | {pair['severity']} |\n"


def _detections(rules: Rules) -> Iterator[str]:
    for detection, title in _TITLES.items():
        yield f"\n## {title}\n\n| alert | severity | for | where | meaning | first command |\n"
        yield "|---|---|---|---|---|---|\n"
        mine = [rule for rule in rules.all if rule.detection == detection]
        for rule in mine:
            yield _row(rule)
        yield "\n"
        for rule in mine:
            yield f"- `{rule.alert}`: {_said(rule)}\n"


def _row(rule: Rule) -> str:
    link = f"[{rule.alert}](../how-to/runbooks.md#{rule.alert.lower()})"
    waits = promql(rule.for_s) if rule.for_s else "-"
    where = _WHERE.get(rule.where, "both")
    meaning = rule.summary.replace("{", "<").replace("}", ">").replace("<", "*").replace(">", "*")
    return f"| {link} | {rule.severity} | {waits} | {where} | {meaning} | `{rule.fix}` |\n"


def _said(rule: Rule) -> str:
    return f"{rule.looks}, over {rule.threshold:g}" if rule.looks else f"`{rule.promql(guard=False)}`"


if __name__ == "__main__":
    sys.stdout.write(markdown())
