"""Names from outside become labels of closed lists."""

from __future__ import annotations

import json
from pathlib import Path

from levaithan.hot.paths import Home
from levaithan.metrics import names
from levaithan.metrics.labels import MOST_PAIRS, MOST_PROJECTS, Labels


def test_projects_are_named_until_there_are_fifty() -> None:
    labels = Labels()
    found = {labels.project(f"/p{number}") for number in range(200)}
    assert len(found) == MOST_PROJECTS + 1
    assert labels.project("/p3") == "/p3"
    assert labels.project("/p99") == "other"
    assert labels.project(None) == labels.project("") == "none"
    again = Labels()
    again.load(json.loads(json.dumps(labels.dump())))
    assert again.project("/p3") == "/p3"
    assert again.project("/new") == "other"


def test_a_projects_name_cannot_be_used_to_write_on_a_dashboard() -> None:
    labels = Labels()
    for name in ("/p\n# HELP x", "/" + "x" * 300, "/p\x1b[31m", "other", "none"):
        assert labels.project(name) == "other"


def test_pairs_of_model_and_project_are_bounded() -> None:
    labels = Labels()
    models = ["claude-opus-5", "claude-sonnet-5", "claude-haiku-5-5", "claude-opus-4-1"]
    found = {labels.pair(model, f"/p{number}") for model in models for number in range(60)}
    assert len(found) <= MOST_PAIRS + len(models)
    assert labels.pair("claude-opus-5-20260101", "/p0")[0] == "claude-opus-5"
    assert labels.pair("gpt-9", "/p0")[0] == "other"


def test_tools_hooks_rules_and_actions_are_of_closed_lists(home: Home) -> None:
    Path(home.hooks, "size_check.py").write_text("hook = None\n")
    Path(home.hooks, "_hidden.py").write_text("")
    labels = Labels(home)
    assert [labels.tool(name) for name in ("Bash", "mcp__x__y", "mcpx", "Nonsense", None)] == [
        "Bash", "mcp", "other", "other", "other",
    ]  # fmt: skip
    assert [labels.hook(name) for name in ("policy_check", "size_check", "_hidden", "x", None)] == [
        "policy_check", "size_check", "other", "other", "other",
    ]  # fmt: skip
    assert labels.pack("fs.delete-root") == "base"
    assert labels.pack("secrets.in-prompt") == "secrets"
    assert labels.pack("budget.day") == "budget"
    assert labels.pack("invented.rule") == "other"
    assert labels.critical("fs.delete-root")
    assert not labels.critical("invented.rule")
    assert labels.action("release_stale_lease") == "release_stale_lease"
    assert labels.action("rm -rf /") == "other"


def test_every_shipped_pack_and_hook_has_its_name() -> None:
    home = Path(__file__).resolve().parents[3] / ".claude"
    assert {path.stem for path in (home / "context" / "policies").glob("*.toml")} <= set(names.PACKS)
    assert {path.stem for path in (home / "hooks").glob("[a-z]*.py")} <= set(names.GATE_PARTS)


def test_what_is_installed_later_is_taken_up(home: Home) -> None:
    labels = Labels(home)
    assert labels.hook("later_check") == "other"
    Path(home.hooks, "later_check.py").write_text("hook = None\n")
    labels.refresh()
    assert labels.hook("later_check") == "later_check"
