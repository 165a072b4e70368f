"""What is refused does not happen, and the model is told why: rules, halts, a broken or dead guard."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.e2e.messages_api_imitation import MessagesApiImitation, Turn, bash, say
from tests.e2e.stage import Stage
from tests.support import homes

pytestmark = pytest.mark.e2e


def test_a_denied_call_does_not_run_and_the_model_is_told_why(stage: Stage, api: MessagesApiImitation) -> None:
    """The command that is refused would do no harm: it writes a settings file in the scratch project."""
    local = stage.project / ".claude" / "settings.local.json"
    api.play(
        "deny",
        [bash("toolu_e2e_denied", "echo '{}' > .claude/settings.local.json")],
        [bash("toolu_e2e_after", "echo fine > fine.txt")],
        [say("I was refused once")],
    )
    with homes.serving(stage.root):
        ran = stage.run("deny")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)

    assert ran.code == 0, ran.stderr
    assert not local.exists()
    assert (stage.project / "fine.txt").exists()
    row = next(row for row in audit if row["tool_use_id"] == "toolu_e2e_denied")
    assert (row["event"], row["decision"], row["rule"]) == ("PreToolUse", "deny", "self.edit")
    told = api.told("toolu_e2e_denied")
    assert told is not None and row["reason"] in told
    assert "toolu_e2e_denied" in [one["tool_use_id"] for one in stage.heard_events() if "tool_use_id" in one]
    assert {row["event"] for row in audit if row["tool_use_id"] == "toolu_e2e_denied"} == {"PreToolUse"}


def test_a_deny_holds_when_permissions_are_skipped(stage: Stage, api: MessagesApiImitation) -> None:
    api.play("skip", [bash("toolu_e2e_skip", "echo '{}' > .claude/settings.local.json")], [say("refused")])
    with homes.serving(stage.root):
        ran = stage.run("skip", "--permission-mode", "bypassPermissions", environ={"IS_SANDBOX": "1"})

    assert ran.code == 0, ran.stderr
    assert not (stage.project / ".claude" / "settings.local.json").exists()
    assert "[rule self.edit]" in (api.told("toolu_e2e_skip") or "")


def test_a_halt_stops_the_next_tool(stage: Stage, api: MessagesApiImitation) -> None:
    reason = "the budget is spent"

    def halt() -> None:
        homes.cli(stage.root, "halt", "set", "--scope", "project", "--target", str(stage.project), "--reason", reason)

    api.play(
        "halt",
        [bash("toolu_e2e_before", "echo before > before.txt")],
        Turn([bash("toolu_e2e_halted", "echo halted > halted.txt")], before=halt),
        [bash("toolu_e2e_later", "echo later > later.txt")],
        [say("stopped")],
    )
    with homes.serving(stage.root):
        ran = stage.run("halt")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)

    assert (stage.project / "before.txt").exists()
    assert not (stage.project / "halted.txt").exists()
    assert not (stage.project / "later.txt").exists()
    row = next(row for row in audit if row["tool_use_id"] == "toolu_e2e_halted")
    assert row["decision"] == "halt"
    assert reason in row["reason"]
    released = homes.cli(stage.root, "halt", "release", "--all", "--yes")
    assert reason in released.stdout
    api.play("again", [bash("toolu_e2e_again", "echo again > again.txt")], [say("on we go")])
    assert stage.run("again").code == 0
    assert (stage.project / "again.txt").exists()


def test_a_killed_service_is_stood_in_for_and_comes_back(stage: Stage, api: MessagesApiImitation) -> None:
    services: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        os.kill(services[-1].pid, signal.SIGKILL)
        services[-1].wait()

    api.play(
        "kill",
        [bash("toolu_e2e_up", "echo up > up.txt")],
        Turn([bash("toolu_e2e_down", "echo down > down.txt")], before=kill),
        Turn([bash("toolu_e2e_refused", "echo '{}' > .claude/settings.local.json")]),
        Turn(
            [bash("toolu_e2e_back", "echo back > back.txt")],
            before=lambda: services.append(homes.start_service(stage.root)),
        ),
        [say("still here")],
    )
    services.append(homes.start_service(stage.root))
    try:
        ran = stage.run("kill")
        homes.sync(stage.root)
        audit = stage.audit(ran.session)
    finally:
        homes.stop_service(services[-1])

    assert ran.code == 0, ran.stderr
    assert len(services) == 2
    assert [(stage.project / f"{name}.txt").exists() for name in ("up", "down", "back")] == [True] * 3
    assert not (stage.project / ".claude" / "settings.local.json").exists()
    path_of = {row["tool_use_id"]: row["path"] for row in audit if row["event"] == "PreToolUse"}
    usual = "native" if homes.native_client(stage.root) else "python"
    assert path_of == {
        "toolu_e2e_up": usual,
        "toolu_e2e_down": "oneshot",
        "toolu_e2e_refused": "oneshot",
        "toolu_e2e_back": usual,
    }
    assert len(audit) == len(stage.heard_events())
    assert homes.verify(stage.root).ok


def test_a_missing_client_blocks(stage: Stage, api: MessagesApiImitation) -> None:
    """The registered command is gone: Claude Code by itself would let the tool run; `onFailure` keeps it shut."""
    client = Path(homes.client_command(stage.root, "PreToolUse")[0])
    if not homes.native_client(stage.root):
        pytest.fail("this machine built no native client: install a C compiler (the test takes that file away)")
    api.play(
        "gone",
        [bash("toolu_e2e_there", "echo there > there.txt")],
        Turn(
            [bash("toolu_e2e_gone", "echo gone > gone.txt")], before=lambda: client.rename(client.with_suffix(".off"))
        ),
        [say("blocked")],
    )
    stage.run("gone")

    assert "onFailure" in (api.told("toolu_e2e_gone") or "")
    assert (stage.project / "there.txt").exists()
    assert not (stage.project / "gone.txt").exists()
    assert "toolu_e2e_gone" in [one["tool_use_id"] for one in stage.heard_events() if "tool_use_id" in one]


def test_without_python_the_native_client_refuses(stage: Stage, api: MessagesApiImitation) -> None:
    """No service and no interpreter for the one-shot: a guarded call is refused with what to do next."""
    conf = Path(stage.root) / "state" / "hot.conf"
    lines = conf.read_text(encoding="utf-8").splitlines()

    def break_python() -> None:
        broken = ["python=/nonexistent/python3" if line.startswith("python=") else line for line in lines]
        conf.write_text("\n".join(broken) + "\n", encoding="utf-8")

    if not homes.native_client(stage.root):
        pytest.fail("this machine built no native client: install a C compiler")
    api.play("nopython", Turn([bash("toolu_e2e_nopy", "echo ran > ran.txt")], before=break_python), [say("refused")])
    stage.run("nopython")

    assert not (stage.project / "ran.txt").exists()
    assert "LevAIthan" in (api.told("toolu_e2e_nopy") or "")
