"""Every alert has words, a command that exists and a runbook; every metric of a rule is emitted; pages are current."""

from __future__ import annotations

import re
import shlex
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest

from levaithan.cli.commands import COMMANDS
from levaithan.cli.main import load
from levaithan.detectors import reference, tuning
from levaithan.detectors import rules as rules_of
from levaithan.detectors.expression import Select, walk
from levaithan.metrics.families import BY_NAME

ROOT = Path(__file__).resolve().parents[3]
RULES = rules_of.default()
RUNBOOKS = (ROOT / "docs" / "how-to" / "runbooks.md").read_text(encoding="utf-8")
_NOT_OURS = {"up"}


def parsed(words: list[str]) -> None:
    """Parse a command line of ours without running it. Raises what the parser raises."""
    assert words[0] == "levaithan"
    assert words[1] in COMMANDS
    command: Any = load(words[1])
    rest = words[2:]
    while rest and getattr(command, "commands", None):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context("levaithan", list(rest))


@pytest.mark.parametrize("rule", RULES.all, ids=lambda rule: rule.alert)
def test_an_alert_says_what_it_is_and_gives_one_command_that_exists(rule: rules_of.Rule) -> None:
    assert len(rule.summary) < 160
    assert rule.summary[0].isupper()
    parsed(shlex.split(rule.fix))


@pytest.mark.parametrize("rule", RULES.all, ids=lambda rule: rule.alert)
def test_an_alert_has_a_runbook_that_says_all_four_things(rule: rules_of.Rule) -> None:
    page, _, anchor = rule.runbook.partition("#")
    assert (ROOT / page).exists()
    found = re.search(rf'(?:<a id="{anchor}"></a>|^### {rule.alert}$)', RUNBOOKS, re.MULTILINE)
    assert found, anchor
    section = re.split(r"^##", RUNBOOKS[found.start() :].partition("\n- ")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for part in ("**Meaning**", "**Look**", "**Do**", "**Undo**"):
        assert section.count(part) == 1, (rule.alert, part)


def test_commands_of_the_runbooks_exist() -> None:
    named = set(re.findall(r"`levaithan ([a-z-]+)(?: ([a-z-]+))?", RUNBOOKS))
    assert len(named) > 20
    for first, second in named:
        below = getattr(load(first), "commands", None)
        assert below is None or second in below, (first, second)


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.alert)
def test_every_metric_of_a_rule_is_emitted_with_its_labels_and_values(rule: rules_of.Rule) -> None:
    for node in walk(rule.guarded):
        if not isinstance(node, Select) or node.name in _NOT_OURS:
            continue
        family = BY_NAME.get(node.name) or BY_NAME[re.sub(r"_(bucket|count|sum)$", "", node.name)]
        for label, how, value in node.matchers:
            if label == "le":
                assert float(value) in family.buckets
                assert value == repr(float(value)), "as it stands in the exposition"
                continue
            assert label in family.labels
            place = family.labels.index(label)
            if family.known and how == "=":
                assert value in {one[place] for one in family.known}


def test_the_page_is_made_from_the_rules() -> None:
    page = (ROOT / "docs" / "reference" / "alerts.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "run: python -m levaithan.detectors.reference > docs/reference/alerts.md"


def test_the_examples_of_tuning_are_followed() -> None:
    page = reference.markdown().partition("```toml\n")[2].partition("```")[0]
    words = tuning.__doc__ or ""
    spoken = textwrap.dedent("\n".join(line for line in words.splitlines() if line.startswith("    ")))
    for example in (page, spoken):
        wishes = tomllib.loads(example)
        assert {"HookErrors", "LeaseStorm", "LeaseConflicts"} <= wishes["alerts"].keys()
        done = tuning.tuned(wishes)
        assert done.problems == ()
        lease, errors = done.get("LeaseStorm"), done.get("HookErrors")
        assert lease is not None and lease.window_s == 900
        assert errors is not None and (errors.threshold, errors.for_s) == (0.10, 600)


def test_the_alert_that_always_fires_cannot_be_switched_off() -> None:
    done = tuning.tuned({"alerts": {"Watchdog": {"off": True}}})
    assert "[alerts.Watchdog] is not followed: it fires always" in done.problems[0]
    found = done.get("Watchdog")
    assert found is not None and not found.off
