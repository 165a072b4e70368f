"""Two installations in one project, as the real client runs their hooks: each hears all of it, and each can refuse."""

from __future__ import annotations

import json

import pytest
from tests.e2e import order
from tests.e2e.messages_api_imitation import MessagesApiImitation, Turn, bash, say
from tests.e2e.stage import Stage
from tests.support import homes

pytestmark = pytest.mark.e2e


def test_two_installations_each_record_all_and_each_can_refuse(stage: Stage, api: MessagesApiImitation) -> None:
    second = homes.make_home(stage.user.parent / "home2")
    install = ("hooks", "install", "--project", str(stage.project))
    homes.cli(second, *install, env=stage.environment())

    def halt() -> None:
        homes.cli(
            second, "halt", "set", "--scope", "project", "--target", str(stage.project), "--reason", "only I say so"
        )

    api.play(
        "two",
        [bash("toolu_e2e_both", "echo both > both.txt")],
        Turn([bash("toolu_e2e_one_refuses", "echo never > never.txt")], before=halt),
        [say("done")],
    )
    with homes.serving(stage.root), homes.serving(second):
        ran = stage.run("two")
        homes.sync(stage.root)
        homes.sync(second)
        first_audit = stage.audit(ran.session)
        found = homes.rows(second, "audit", "list", "--session", ran.session, "--limit", "1000")
        second_audit = sorted(found, key=lambda row: row["seq"])
    heard = stage.heard_events()

    assert ran.code == 0, ran.stderr
    assert (stage.project / "both.txt").exists()
    assert not (stage.project / "never.txt").exists(), "what one of them refuses does not happen"
    for audit in (first_audit, second_audit):
        assert order.counted(audit) == order.counted(heard)
        assert order.sequence(audit) == order.sequence(heard)
    order.streamed(ran, hooks_an_event=3)
    refused = [
        next(row for row in audit if row["tool_use_id"] == "toolu_e2e_one_refuses")
        for audit in (first_audit, second_audit)
    ]
    assert [row["decision"] for row in refused] == ["allow", "halt"]
    assert "only I say so" in refused[1]["reason"]
    foreign = json.dumps(stage.recorder_hook()["args"])
    homes.cli(stage.root, "hooks", "uninstall", "--project", str(stage.project), env=stage.environment())
    left = json.loads(stage.settings_file.read_text())["hooks"]["PreToolUse"]
    assert [json.dumps(one["hooks"][0]["args"]) == foreign for one in left] == [True, False]
    assert left[1]["hooks"][0]["args"][-1] == second
