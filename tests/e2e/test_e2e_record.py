"""What the real client fires is in the audit, in order, and whoever listened before still hears it."""

from __future__ import annotations

import json

import pytest
from tests.e2e import order
from tests.e2e.messages_api_imitation import MessagesApiImitation, bash, say, use
from tests.e2e.stage import Stage
from tests.support import homes

from levaithan.hot.catalogue import EVENTS

pytestmark = pytest.mark.e2e


def play_a_day(api: MessagesApiImitation, stage: Stage) -> None:
    """A session with a bit of everything: a shell call, one that fails, a file, a subagent with a call of its own."""
    (stage.project / "CLAUDE.md").write_text("Be brief.\n", encoding="utf-8")
    child = {"description": "helper", "prompt": "child [[child]]", "subagent_type": "general-purpose"}
    api.play(
        "day",
        [say("one"), bash("toolu_e2e_one", "echo one > one.txt")],
        [bash("toolu_e2e_fails", "exit 3")],
        [use("Write", "toolu_e2e_write", file_path=str(stage.project / "two.txt"), content="two\n")],
        [use("Agent", "toolu_e2e_agent", **child, run_in_background=False)],
        [say("that was all")],
    )
    api.play("child", [bash("toolu_e2e_child", "echo child > child.txt")], [say("done, says the child")])


def test_every_event_is_in_the_audit_in_order(stage: Stage, api: MessagesApiImitation) -> None:
    play_a_day(api, stage)
    with homes.serving(stage.root):
        ran = stage.run("day")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)
    heard = stage.heard_events()

    assert ran.code == 0, ran.stderr
    assert [(stage.project / name).exists() for name in ("one.txt", "two.txt", "child.txt")] == [True] * 3
    assert order.counted(audit) == order.counted(heard)
    assert order.sequence(audit) == order.sequence(heard)
    told = order.streamed(ran, hooks_an_event=2)
    assert sorted(told) == sorted(row["event"] for row in audit if row["event"] not in order.NEVER_STREAMED)
    names = {row["event"] for row in audit}
    assert names >= {
        "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch",
        "SubagentStart", "SubagentStop", "Stop", "InstructionsLoaded", "MessageDisplay",
    }  # fmt: skip


def test_the_audit_says_who_what_and_how_long(stage: Stage, api: MessagesApiImitation) -> None:
    play_a_day(api, stage)
    with homes.serving(stage.root):
        ran = stage.run("day")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)
        shown = json.loads(homes.cli(stage.root, "audit", "show", "toolu_e2e_child", "--json").stdout)

    assert {row["decision"] for row in audit} == {"allow"}
    assert {row["client_version"] for row in audit} == {"2.1.330"}
    assert {row["project"] for row in audit} == {str(stage.project)}
    assert all(0 < row["duration_ms"] < 10_000 for row in audit)
    client = homes.native_client(stage.root)
    assert {row["path"] for row in audit} == {"native" if client else "python"}
    child = next(row for row in audit if row["tool_use_id"] == "toolu_e2e_child")
    start = next(row for row in audit if row["event"] == "SubagentStart")
    assert child["agent_id"] == start["agent_id"] is not None
    fails = [row["event"] for row in audit if row["tool_use_id"] == "toolu_e2e_fails"]
    assert fails == ["PreToolUse", "PostToolUseFailure"]
    call = shown["rows"][0]
    assert [one["event"] for one in call["events"]] == ["PreToolUse", "PostToolUse"]
    assert homes.verify(stage.root).ok


def test_parallel_tools_are_each_decided_and_recorded(stage: Stage, api: MessagesApiImitation) -> None:
    calls = [f"toolu_e2e_par_{number}" for number in range(8)]
    api.play("par", [bash(call, f"echo {call} > {call}.txt") for call in calls], [say("all of them")])
    with homes.serving(stage.root):
        ran = stage.run("par")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)

    assert ran.code == 0, ran.stderr
    assert all((stage.project / f"{call}.txt").exists() for call in calls)
    for call in calls:
        assert [row["event"] for row in audit if row["tool_use_id"] == call] == ["PreToolUse", "PostToolUse"]
    assert order.counted(audit) == order.counted(stage.heard_events())


def test_without_a_service_nothing_is_lost(stage: Stage, api: MessagesApiImitation) -> None:
    play_a_day(api, stage)
    ran = stage.run("day")
    audit = stage.audit(ran.session)

    assert ran.code == 0, ran.stderr
    assert order.counted(audit) == order.counted(stage.heard_events())
    assert order.sequence(audit) == order.sequence(stage.heard_events())
    assert {row["path"] for row in audit} == {"oneshot"}


def test_the_installation_leaves_the_foreign_settings_alone(bare_stage: Stage) -> None:
    before = bare_stage.settings_file.read_bytes()
    was = json.loads(before)
    bare_stage.install()
    now = json.loads(bare_stage.settings_file.read_bytes())

    assert now["permissions"] == was["permissions"]
    for name in was["hooks"]:
        assert was["hooks"][name][0] in now["hooks"][name], name
    assert set(now["hooks"]) == {spec.name for spec in EVENTS.values() if spec.registered}
    homes.cli(bare_stage.root, "hooks", "uninstall", "--project", str(bare_stage.project), "--yes", check=False)
    assert bare_stage.settings_file.read_bytes() == before
