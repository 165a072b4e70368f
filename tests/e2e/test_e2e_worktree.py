"""Worktrees are still made with our hooks in place: a WorktreeCreate hook that only watched would have broken them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.e2e.messages_api_imitation import MessagesApiImitation, bash, say, use
from tests.e2e.stage import Stage
from tests.support import homes

pytestmark = pytest.mark.e2e


def commit_everything(project: Path) -> None:
    """Make `project` a repository whose one commit holds its settings, as a team's repository does."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *who, *words], cwd=project, check=True, env=homes.plain_environment(), timeout=60)


def test_a_subagent_in_a_worktree_works_and_is_recorded(stage: Stage, api: MessagesApiImitation) -> None:
    (stage.project / "README").write_text("a project\n", encoding="utf-8")
    commit_everything(stage.project)
    child = {"description": "helper", "prompt": "child [[apart]]", "subagent_type": "general-purpose"}
    api.play(
        "tree",
        [use("Agent", "toolu_e2e_tree", **child, isolation="worktree", run_in_background=False)],
        [say("it worked apart")],
    )
    api.play("apart", [bash("toolu_e2e_apart", "pwd > where.txt; cat where.txt")], [say("done apart")])
    with homes.serving(stage.root):
        ran = stage.run("tree")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)

    assert ran.code == 0, ran.stderr
    where = (api.told("toolu_e2e_apart") or "").strip()
    assert where.startswith(str(stage.project / ".claude" / "worktrees")), where
    row = next(row for row in audit if row["tool_use_id"] == "toolu_e2e_apart" and row["event"] == "PreToolUse")
    assert row["cwd"] == where
    assert row["agent_id"]
    assert "WorktreeCreate" not in json.loads(stage.settings_file.read_text(encoding="utf-8"))["hooks"]


def test_a_run_in_a_worktree_of_its_own_is_recorded(stage: Stage, api: MessagesApiImitation) -> None:
    commit_everything(stage.project)
    api.play("own", [bash("toolu_e2e_own", "pwd")], [say("done")])
    with homes.serving(stage.root):
        ran = stage.run("own", "--worktree", "side")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)

    assert ran.code == 0, ran.stderr
    where = (api.told("toolu_e2e_own") or "").strip()
    assert where == str(stage.project / ".claude" / "worktrees" / "side")
    assert [row["event"] for row in audit if row["tool_use_id"] == "toolu_e2e_own"] == ["PreToolUse", "PostToolUse"]
