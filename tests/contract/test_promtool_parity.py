"""The rules run by Prometheus and the rules run by the evaluator fire in the same minutes.

Every rule is led through good and bad times, to and fro, over a gap and a counter that began anew; then come series
that hypothesis makes up. Where a window is longer than an hour the evaluator keeps fewer samples than Prometheus; what
that costs is held to one step of its bank here, and is nothing where scrapes are as far apart as the bank's samples.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import parity, plants, promtool, scenarios

from levaithan.detectors import rules as rules_of

if TYPE_CHECKING:
    from pathlib import Path

    from levaithan.detectors.rules import Rule

RULES = rules_of.default().rules
_STATES = ["good", "bad", "gap", "bad reset", "good reset", "zero"]
_ONLY_SOMETIMES = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fired(firing: parity.Firing, alert: str) -> list[bool]:
    return [any(name == alert for name, _ in firing[at]) for at in sorted(firing)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.alert)
def test_a_rule_fires_in_the_same_minutes_in_prometheus(tmp_path: Path, rule: Rule) -> None:
    step, rules, scrapes = scenarios.step_of(rule), scenarios.rules_for(rule), scenarios.scrapes(rule)
    firing = parity.evaluated(rules, scrapes, step, promtool.dialect())
    said = fired(firing, rule.alert)
    assert any(said)
    if rule.shape != "always":
        assert not said[0]
        changes = sum(1 for before, after in pairwise(said) if before != after)
        assert changes >= 2, "it fired and recovered"
    if rule.shape == "quantile_rise":  # its bank is coarser than these scrapes; see the last test
        firing = certain(firing, rule.alert, 1800)
    parity.confirm(tmp_path, rules, scrapes, step, firing)


@pytest.mark.parametrize("alert", ["HookErrors", "ToolFailures", "SelfProtectionHit", "HooksVerySlow", "BudgetFast"])
def test_a_counter_that_is_born_at_one_is_not_seen_to_rise(tmp_path: Path, alert: str) -> None:
    """Which is why known label sets are made at 0: the same in both, and so are the minutes of what comes after."""
    rule = rules_of.default().get(alert)
    assert rule is not None
    born = ["bad", *["good"] * 40, *["bad"] * 60, *["good"] * 100]
    scrapes = scenarios.scrapes(rule, born)
    rules = scenarios.rules_for(rule)
    firing = parity.evaluated(rules, scrapes, 15, promtool.dialect())
    assert not any(fired(firing, alert)[:40])
    parity.confirm(tmp_path, rules, scrapes, 15, firing)


@pytest.mark.parametrize("alert", ["StoreDown", "HookErrors", "LeaseStorm", "MemoryLow"])
def test_a_series_that_ends_is_gone_at_once(tmp_path: Path, alert: str) -> None:
    rule = rules_of.default().get(alert)
    assert rule is not None
    plant = plants.PLANTS[alert]
    scrapes = scenarios.scrapes(rule, ["zero", *["good"] * 20, *["bad"] * 90, *["good"] * 30])
    ended = plant[0].name, plant[0].pairs
    for row in scrapes[80:120]:
        assert row is not None
        row[:] = [one for one in row if one[:2] != ended] + [("levaithan_build_info", (("version", "1"),), 1.0)]
    firing = parity.evaluated(rules := scenarios.rules_for(rule), scrapes, 15, promtool.dialect())
    parity.confirm(tmp_path, rules, scrapes, 15, firing)


def test_a_store_at_another_address_burns_nothing_of_the_one_before_it(tmp_path: Path) -> None:
    """A ratio looks back for hours: what it sees there is over with the address, within five minutes, in both."""
    rule = rules_of.default().get(alert := "StoreBurn")
    assert rule is not None
    step = scenarios.step_of(rule)
    before = (("address", "redis-18ee2925"), ("store", "counters"))
    after = (("address", "embedded"), ("store", "counters"))
    downs, ups = int(2400 / step), int(3600 / step)
    scrapes: list[plants.Scrape | None] = [[("levaithan_store_up", before, 0.0)]] * downs
    scrapes += [[("levaithan_store_up", after, 1.0)]] * ups
    firing = parity.evaluated(rules := scenarios.rules_for(rule), scrapes, step, promtool.dialect())
    burning = {at: {labels for name, labels in found if name == alert} for at, found in firing.items()}
    assert burning[(downs - 1) * step] == {before}
    assert not any(burning[at] for at in burning if at >= downs * step + 300)
    parity.confirm(tmp_path, rules, scrapes, step, firing)


def test_records_of_an_outage_that_come_late_fire_nothing_in_prometheus(tmp_path: Path) -> None:
    """A burst of what happened hours ago, while the gauge says so: the guard holds it off, in both."""
    rule = rules_of.default().get("GateFailing")
    assert rule is not None
    scrapes = scenarios.scrapes(rule, ["zero", *["good"] * 40, *["bad"] * 12, *["good"] * 60])
    for number, row in enumerate(scrapes):
        assert row is not None
        row.append(("levaithan_metrics_catching_up", (), 1.0 if 40 <= number < 54 else 0.0))
    rules = scenarios.rules_for(rule)
    firing = parity.evaluated(rules, scrapes, 15, promtool.dialect())
    assert not any(fired(firing, "GateFailing"))
    assert any(fired(parity.evaluated(rules, scrapes, 15, promtool.dialect(), guard=False), "GateFailing"))
    parity.confirm(tmp_path, rules, scrapes, 15, firing)


@pytest.mark.parametrize(
    "alert", ["HookErrors", "StoreBurnFast", "ToolFailures", "HooksVerySlow", "LeaseStorm", "BudgetFast"]
)
@_ONLY_SOMETIMES
@given(data=st.data())
def test_series_made_up_by_hypothesis_fire_in_the_same_minutes(
    tmp_path_factory: pytest.TempPathFactory, alert: str, data: st.DataObject
) -> None:
    rule = rules_of.default().get(alert)
    assert rule is not None
    runs = data.draw(st.lists(st.tuples(st.sampled_from(_STATES), st.integers(1, 40)), min_size=3, max_size=12))
    states = ["zero", *(word for word, count in runs for word in [word] * (1 if "reset" in word else count))]
    scrapes = scenarios.scrapes(rule, states)
    rules = scenarios.rules_for(rule)
    firing = parity.evaluated(rules, scrapes, 15, promtool.dialect())
    parity.confirm(tmp_path_factory.mktemp("parity"), rules, scrapes, 15, firing)


@pytest.mark.parametrize(
    ("alert", "step", "bank"), [("GateBurn", 15, 60), ("StoreBurn", 15, 60), ("TaskBurnSlow", 60, 300)]
)
def test_a_long_window_begins_and_ends_within_a_step_of_its_bank(
    tmp_path: Path, alert: str, step: int, bank: int
) -> None:
    """Scraped more often than the bank keeps: the tolerance that detectors/banks.py states."""
    rule = rules_of.default().get(alert)
    assert rule is not None
    hold = int((rule.for_s + 2400) / step)
    states = ["zero", *["good"] * 40, *["bad"] * hold, *["good"] * (hold + int(2 * rule.for_s / step) + 400)]
    scrapes = list(plants.played(plants.PLANTS[alert], states, step))
    rules = scenarios.rules_for(rule)
    exact = parity.evaluated(rules, scrapes, step, promtool.dialect())
    sure = certain(exact, alert, bank)
    few = {at: only(alert, sure[at]) for number, at in enumerate(sorted(sure)) if number % 20 == 0}
    assert any(few.values())
    assert not all(few.values())
    parity.confirm(tmp_path, rules, scrapes, step, few, only=alert)


def certain(firing: parity.Firing, alert: str, tolerance_s: int) -> parity.Firing:
    """The times that are farther than this from any at which the alert begins or ends."""
    times = sorted(firing)
    said = fired(firing, alert)
    edges = [at for at, before, after in zip(times[1:], said, said[1:], strict=False) if before != after]
    assert edges
    return {at: firing[at] for at in times if all(abs(at - edge) > tolerance_s for edge in edges)}


def only(alert: str, here: set[tuple[str, plants.Labels]]) -> set[tuple[str, plants.Labels]]:
    return {one for one in here if one[0] == alert}
