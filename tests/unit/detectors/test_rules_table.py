"""The table of rules: objectives that can burn, floors, waiting times; what may be tuned, what is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from levaithan.detectors import durations, objectives, shapes, tuning
from levaithan.detectors import rules as rules_of
from levaithan.detectors.expression import Over, walk
from levaithan.detectors.objectives import ShapeError
from levaithan.metrics.slo import TARGETS

RULES = rules_of.default()


def test_every_burn_pair_can_be_reached_by_every_objective() -> None:
    """A 90% objective could never burn 14.4 times too fast: that would be 144% of the calls."""
    for slo in RULES.slos:
        for pair in rules_of.delivered()["burn"]:
            assert pair["factor"] * (1 - slo.target) < 1, (slo.name, pair)
    assert len([rule for rule in RULES.rules if rule.shape == "burn"]) == 3 * len(RULES.slos) == 15


def test_the_report_and_the_alerts_have_the_same_targets() -> None:
    for slo in RULES.slos:
        reported = [target for name, target in TARGETS.items() if name == slo.name or name.startswith(slo.name)]
        assert reported, slo.name
        assert set(reported) == {slo.target}


def test_an_objective_that_could_never_burn_is_refused() -> None:
    rules = tuning.tuned({"slo": {"tasks": {"target": 0.90}}})
    assert rules.problems == (
        "alerts.toml: [slo.tasks] is not followed: 14.4 times the error budget of task success is 144%: that can never "
        "burn",
    )
    assert rules.slos == RULES.slos


def test_every_share_has_a_floor() -> None:
    for rule in RULES.rules:
        if rule.shape in ("ratio", "burn", "quantile", "quantile_rise"):
            assert ">= " in rule.promql(), rule.alert


def test_what_looks_back_at_counters_is_guarded_against_records_that_come_late() -> None:
    for rule in RULES.rules:
        counts = any(isinstance(node, Over) and node.function in ("rate", "increase") for node in walk(rule.expression))
        assert (shapes.CATCHING_UP in rule.guarded_text) == counts, rule.alert
        assert shapes.CATCHING_UP not in rule.promql(guard=False)


def test_what_waits_goes_on_for_twice_as_long() -> None:
    """But for the burning of a store, which its windows hold: Prometheus could not end it with the store."""
    assert all(rule.keep_s == 2 * rule.for_s for rule in RULES.rules if rule.held)
    loose = [rule for rule in RULES.rules if not rule.held]
    assert [rule.alert for rule in loose] == ["StoreBurnFast", "StoreBurn", "StoreBurnSlow"]
    assert all(rule.for_s and not rule.keep_s for rule in loose)


def test_the_catalogue_s_alerts_are_all_there() -> None:
    severities = {rule.alert: rule.severity for rule in RULES.all}
    assert {name for name, severity in severities.items() if severity == "P0"} == {
        "JournalUnwritable", "GateFailing", "BudgetSpentAll", "DiskFull", "ChainBroken", "GuardMissing",
    }  # fmt: skip
    assert severities["Watchdog"] == "none"
    assert {rule.detection for rule in RULES.all} == set(rules_of.DETECTIONS)


def tune(**wishes: Any) -> rules_of.Rules:
    return tuning.tuned({"alerts": wishes})


def test_an_operator_tunes_thresholds_times_and_floors() -> None:
    rules = tune(
        HookErrors={"threshold": 0.10, "for": "10m", "floor": 20}, DiskFull={"threshold": 1e9},
        CriticalDenialBurst={"threshold": 4}, LogBurst={"threshold": 7}, LeaseStorm={"off": True},
    )  # fmt: skip
    assert rules.problems == ()
    errors, full = rules.get("HookErrors"), rules.get("DiskFull")
    assert errors is not None
    assert full is not None
    assert "> 0.1) and" in errors.promql()
    assert ">= 20" in errors.promql()
    assert (errors.for_s, errors.keep_s, errors.threshold) == (600, 1200, 0.10)
    assert errors.tuned == ("floor", "for", "threshold")
    assert "< 1000000000" in full.promql()
    assert [rule.threshold for rule in (rules.get("CriticalDenialBurst"), rules.get("LogBurst")) if rule] == [4, 7]
    assert "LeaseStorm" not in {rule.alert for rule in rules.active}
    assert rules.get("GateFailing") == RULES.get("GateFailing")


def test_a_target_is_tuned_for_all_three_pairs() -> None:
    rules = tuning.tuned({"slo": {"latency": {"target": 0.98}}})
    assert [rule.threshold for rule in rules.rules if rule.alert.startswith("LatencyBurn")] == [0.288, 0.12, 0.02]
    assert all(rule.tuned == ("target",) for rule in rules.rules if rule.alert.startswith("LatencyBurn"))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"NoSuch": {"off": True}}, "there is no such alert"),
        ({"HookErrors": {"metric": "x"}}, "there is no metric to set"),
        ({"HookErrors": {"severity": "P3"}}, "there is no severity to set"),
        ({"HookErrors": {"threshold": "high"}}, "must be a number"),
        ({"HookErrors": {"threshold": True}}, "must be a number"),
        ({"HookErrors": {"threshold": float("nan")}}, "must be a number"),
        ({"HookErrors": {"threshold": 2}}, "a share between 0 and 1"),
        ({"StoreBehind": {"threshold": -1}}, "no negative number"),
        ({"HookErrors": {"for": "soon"}}, "no duration"),
        ({"HookErrors": {"for": "2d"}}, "longer than a day"),
        ({"StoreBehind": {"floor": 3}}, "it has no floor"),
        ({"StoreBehind": {"window": "1m"}}, "no window of its own"),
        ({"HookErrors": {"window": "1m"}}, "no window of its own"),
        ({"LeaseStorm": {"window": "9s"}}, "from 10 seconds"),
        ({"LeaseStorm": {"window": "2d"}}, "to a day"),
        ({"GuardMissing": {"threshold": 3}}, "it has no threshold"),
        ({"GateBurn": {"threshold": 3}}, "can only be switched off"),
        ({"HookErrors": {"off": "yes"}}, "true or false"),
        ({"HookErrors": {}}, "it says nothing"),
        ({"HookErrors": 5}, "must be a table"),
        ({"LogBurst": {"for": "5m"}}, "does not wait"),
    ],
)
def test_what_is_not_good_is_told_and_the_rule_stands(wish: dict[str, Any], said: str) -> None:
    rules = tuning.tuned({"alerts": wish | {"StoreDown": {"for": "3m"}}})
    assert len(rules.problems) == 1
    assert said in rules.problems[0]
    name = next(iter(wish))
    assert rules.get(name) == RULES.get(name)
    down = rules.get("StoreDown")
    assert down is not None
    assert down.for_s == 180, "the others are followed"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[alerts.HookErrors\n", "is not followed"),
        (b"\xff\xfe", "is not followed"),
        (b"#" * 300_000, "longer than"),
        (b"rules = 1\n", "there is no [rules]"),
        (b"alerts = 1\n", "must be a table of tables"),
        (b"", ""),
    ],
)
def test_a_file_that_is_not_good_takes_no_rule_away(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "alerts.toml").write_bytes(data)
    rules = tuning.load(str(tmp_path))
    assert rules.rules == RULES.rules
    assert said in " ".join(rules.problems)
    assert bool(rules.problems) == bool(said)


def test_without_a_file_the_rules_are_those_delivered(tmp_path: Path) -> None:
    assert tuning.load(str(tmp_path)) is RULES
    (tmp_path / "alerts.toml").mkdir()
    assert tuning.load(str(tmp_path)).problems


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"shape": "anything"}, "shape must be one of"),
        ({"shape": "value", "metric": "x"}, "needs is, threshold"),
        ({"shape": "value", "metric": "x", "is": ">", "threshold": 1, "expr": "1"}, "has no expr"),
        ({"shape": "value", "metric": "x", "is": "=>", "threshold": 1}, "is must be one of"),
        ({"shape": "value", "metric": "x{", "is": ">", "threshold": 1}, "no selector"),
        ({"shape": "value", "metric": 'x{a="b" or 1}', "is": ">", "threshold": 1}, "cannot read"),
        ({"shape": "increase", "metric": "x", "window": "0s", "is": ">", "threshold": 1}, "longer than nothing"),
        ({"shape": "increase", "metric": "x", "window": "5 m", "is": ">", "threshold": 1}, "no duration"),
        ({"shape": "ratio", "slo": "none", "window": "5m", "is": ">", "threshold": 1, "floor": 1}, "names one of"),
        ({"shape": "ratio", "bad": "x", "window": "5m", "is": ">", "threshold": 1}, "bad, total and floor_total"),
    ],
)
def test_a_shape_takes_its_own_words_only(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ShapeError) as raised:
        shapes.condition(table, {})
    assert said in str(raised.value)


def test_selectors_and_durations_are_read_as_prometheus_writes_them() -> None:
    assert objectives.select('a_b{c="d", e!~"f|g"}').matchers == (("c", "=", "d"), ("e", "!~", "f|g"))
    assert [durations.seconds(words) for words in ("90s", "1h30m", "3d", "0s", "2w")] == [
        90,
        5400,
        259_200,
        0,
        1_209_600,
    ]
    assert [durations.promql(value) for value in (90, 5400, 259_200, 0, 300)] == ["90s", "90m", "3d", "0s", "5m"]
    for words in ("", "5", "m", "-5m", "5m5h", None, 5):
        with pytest.raises(ValueError, match="no duration"):
            durations.seconds(words)
