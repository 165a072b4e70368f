"""What is committed for Prometheus is what the rules make, and Prometheus' own tool is content with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.support import promtool, rule_tests

from levaithan.detectors import prometheus_rules
from levaithan.detectors import rules as rules_of

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


def test_the_committed_rules_are_those_of_the_table() -> None:
    committed = (DEPLOY / "rules" / prometheus_rules.NAME).read_text(encoding="utf-8")
    assert committed == prometheus_rules.compiled(rules_of.default()), "run: levaithan alerts compile"


def test_the_rules_are_yaml_that_says_what_the_table_says() -> None:
    """Written by hand, read by a library: no text breaks out of its place."""
    groups = yaml.safe_load(prometheus_rules.compiled(rules_of.default()))["groups"]
    alerts = {one["alert"]: one for group in groups for one in group["rules"] if "alert" in one}
    assert set(alerts) == {rule.alert for rule in rules_of.default().rules}
    for rule in rules_of.default().rules:
        made = alerts[rule.alert]
        assert " ".join(made["expr"].split()) == rule.guarded_text
        assert made["labels"] == {"severity": rule.severity, "detection": rule.detection}
        assert made["annotations"] == prometheus_rules.told(rule)
        assert ("for" in made) == bool(rule.for_s)
        assert ("keep_firing_for" in made) == bool(rule.for_s and rule.held)


def test_promtool_takes_the_rules_and_the_configuration() -> None:
    said = promtool.run("check", "rules", str(DEPLOY / "rules" / prometheus_rules.NAME))
    rules = rules_of.default()
    assert f"SUCCESS: {len(rules.rules) + len(rules.recorded)} rules found" in said
    promtool.run("check", "config", str(DEPLOY / "prometheus.yml"))


@pytest.mark.parametrize("name", rule_tests.STEPS_S)
def test_every_rule_s_own_test_passes_in_promtool(name: str) -> None:
    assert (rule_tests.FOLDER / name).read_text(encoding="utf-8") == rule_tests.text(name), (
        "run: python -m tests.support.rule_tests"
    )
    promtool.run("test", "rules", str(rule_tests.FOLDER / name))


def test_every_rule_has_a_test_of_its_own() -> None:
    tested = {
        one["name"]
        for name in rule_tests.STEPS_S
        for one in yaml.safe_load((rule_tests.FOLDER / name).read_text(encoding="utf-8"))["tests"]
    }
    assert {rule.alert for rule in rules_of.default().rules} - tested == {"TooManySeries"}


def test_a_rule_that_is_switched_off_is_in_no_file(tmp_path: Path) -> None:
    from levaithan.detectors import tuning

    rules = tuning.tuned({"alerts": {"HookErrors": {"off": True}, "StoreDown": {"for": "3m"}}})
    path = prometheus_rules.write(rules, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "alert: HookErrors" not in text
    assert "for: 3m\n        keep_firing_for: 6m" in text
    promtool.run("check", "rules", str(path))
