"""The gate beyond rules, with the real client: a ticket for what nobody can answer, a budget that ends a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.messages_api_imitation import MessagesApiImitation, Turn, bash, say, use
from tests.e2e.stage import Ran, Stage
from tests.support import homes

pytestmark = pytest.mark.e2e

OWN_RULE = """
[[rule]]
id = "own.publish"
severity = "medium"
effect = "ask"
runs = ["touch published.txt"]
reason = "would publish"
instead = "ask the user"
[rule.examples]
deny = ["touch published.txt"]
allow = ["touch other.txt"]
"""
PUBLISH = "touch published.txt && echo once >> times.txt"


def test_an_ask_becomes_a_ticket_and_passes_once_after_approval(stage: Stage, api: MessagesApiImitation) -> None:
    (stage.project / ".claude" / "levaithan.toml").write_text(OWN_RULE, encoding="utf-8")
    api.play("ask", [bash("toolu_e2e_asked", PUBLISH)], [say("it waits")])
    api.play("go", [bash("toolu_e2e_granted", PUBLISH)], [bash("toolu_e2e_twice", PUBLISH)], [say("done")])
    times = stage.project / "times.txt"
    with homes.serving(stage.root):
        assert stage.run("ask", tools="Write").code == 0
        assert not times.exists()
        (ticket,) = homes.rows(stage.root, "approval", "list")
        told = api.told("toolu_e2e_asked") or ""
        assert f"levaithan approval approve {ticket['id']}" in told and "[rule own.publish]" in told
        homes.cli(stage.root, "approval", "approve", ticket["id"], "--yes")
        ran = stage.run("go", tools="Write")  # Bash is not allowed by options: the approval is
        homes.sync(stage.root)
        audit = {row["tool_use_id"]: row for row in stage.audit(ran.session) if row["event"] == "PreToolUse"}

    assert times.read_text() == "once\n"
    assert (audit["toolu_e2e_granted"]["decision"], audit["toolu_e2e_granted"]["rule"]) == ("allow", "approval.granted")
    assert (audit["toolu_e2e_twice"]["decision"], audit["toolu_e2e_twice"]["rule"]) == ("deny", "own.publish")
    assert {row["status"] for row in homes.rows(stage.root, "approval", "list", "--all")} == {"used", "waiting"}


def test_a_budget_ends_a_session(stage: Stage, api: MessagesApiImitation) -> None:
    charter = Path(stage.root, "context", "charter.toml")
    charter.write_text('[[budgets.limit]]\nscope = "session"\nusd = 1.0\nwarn = 0.2\nhalt = 3.0\n', encoding="utf-8")
    half = 25_000  # 0.50 USD of claude-opus-5-5
    api.play(
        "spend",
        Turn([bash("toolu_e2e_cheap", "echo a > a.txt")], output_tokens=half // 2),
        Turn([bash("toolu_e2e_warned", "echo w > w.txt")], output_tokens=half // 2),
        Turn([bash("toolu_e2e_used_up", "echo b > b.txt")], output_tokens=2 * half),
        Turn([bash("toolu_e2e_refused", "echo c > c.txt")], output_tokens=4 * half),
        Turn([bash("toolu_e2e_never", "echo d > d.txt")], output_tokens=half),
        [say("more")],
    )
    with homes.serving(stage.root):
        ran = stage.run("spend", "--model", "claude-opus-5-5")
        homes.sync(stage.root)
        audit = {row["tool_use_id"]: row for row in stage.audit(ran.session) if row["event"] == "PreToolUse"}
        homes.cli(stage.root, "budget", "show")

    assert [(stage.project / f"{name}.txt").exists() for name in "awbcd"] == [True, True, False, False, False]
    assert "$1.50 spent" in audit["toolu_e2e_used_up"]["reason"]
    said = [(audit[one]["decision"], audit[one]["rule"]) for one in ("toolu_e2e_used_up", "toolu_e2e_refused")]
    assert said == [("deny", "budget.session"), ("halt", "budget.session")]
    assert "toolu_e2e_never" not in audit, "a halt ends the loop"
    assert any("budget is nearly used up" in asked.texts() for asked in api.of("spend")), "the model was warned"


def test_an_agent_that_does_not_listen_to_its_budget_is_ended(stage: Stage, api: MessagesApiImitation) -> None:
    """With the shares as they are: what is refused goes back to the model, and each time that is one more call."""
    Path(stage.root, "context", "charter.toml").write_text('[[budgets.limit]]\nscope = "session"\nusd = 1.0\n')
    api.play(
        "deaf",
        Turn([bash("toolu_e2e_first", "echo a > a.txt")], output_tokens=20_000),
        Turn([bash("toolu_e2e_second", "echo b > b.txt")], output_tokens=20_000),
        Turn([bash("toolu_e2e_over", "echo c > c.txt")], output_tokens=25_000),
        *[[bash(f"toolu_e2e_on{number}", "echo d > d.txt")] for number in range(5)],
        [say("never")],
    )
    with homes.serving(stage.root):
        ran = stage.run("deaf", "--model", "claude-opus-5-5")
        homes.sync(stage.root)
        audit = [row for row in stage.audit(ran.session) if row["event"] == "PreToolUse"]

    decisions = [row["decision"] for row in audit]
    late = decisions[3:4] == ["deny"]  # on a busy machine the client may write down a call later than the hook waits
    assert decisions == ["allow", "allow", "deny", *(["deny"] if late else []), "halt"]
    assert "as was said before" in audit[-1]["reason"]
    assert not any((stage.project / f"{name}.txt").exists() for name in "cd")


def test_an_agent_that_edits_its_settings_or_its_charter_is_refused(stage: Stage, api: MessagesApiImitation) -> None:
    charter = Path(stage.root, "context", "charter.toml")
    before = {path: path.read_bytes() for path in (charter, stage.settings_file)}
    api.play(
        "settings",
        [use("Write", "toolu_e2e_write", file_path=str(stage.settings_file), content="{}")],
        [bash("toolu_e2e_sed", f"sed -i s/enforce/shadow/ {charter}")],
        [use("Write", "toolu_e2e_own", file_path=str(stage.project / ".claude" / "levaithan.toml"), content="")],
        [bash("toolu_e2e_approve", f"levaithan --home {stage.root} approval approve ap-00000000 --yes")],
        [say("I give up")],
    )
    with homes.serving(stage.root):
        ran = stage.run("settings")
        homes.sync(stage.root)
        audit = {row["tool_use_id"]: row for row in stage.audit(ran.session) if row["event"] == "PreToolUse"}

    assert {path: path.read_bytes() for path in before} == before
    assert [row["decision"] for row in audit.values()] == ["deny"] * 4
    assert {row["rule"].partition(".")[0] for row in audit.values()} == {"self"}


def test_two_clients_at_once_do_not_change_the_same_file(stage: Stage, api: MessagesApiImitation) -> None:
    """The second client runs while the first, which has changed the file, waits for the model."""
    shared = stage.project / "shared.txt"
    ran: list[Ran] = []
    api.play(
        "second",
        [use("Write", "toolu_e2e_second", file_path=str(shared), content="second\n")],
        [bash("toolu_e2e_second_shell", "echo second >> shared.txt")],
        [say("it is taken")],
    )
    api.play(
        "first",
        [use("Write", "toolu_e2e_first", file_path=str(shared), content="first\n")],
        Turn([say("done")], before=lambda: ran.append(stage.run("second"))),
    )
    api.play("third", [bash("toolu_e2e_third", "echo third >> shared.txt")], [say("done")])
    with homes.serving(stage.root):
        first = stage.run("first")
        assert shared.read_text() == "first\n"
        third = stage.run("third")
        homes.sync(stage.root)
        audit = {row["tool_use_id"]: row for one in (first, ran[0], third) for row in stage.audit(one.session)
                 if row["event"] == "PreToolUse"}  # fmt: skip

    assert shared.read_text() == "first\nthird\n", "the turn is over, and so is its lease"
    for one in ("toolu_e2e_second", "toolu_e2e_second_shell"):
        assert (audit[one]["decision"], audit[one]["rule"]) == ("deny", "lease.held")
        told = api.told(one) or ""
        assert f"is held by session {first.session[:8]}" in told and "levaithan lease release" in told
    assert audit["toolu_e2e_third"]["decision"] == "allow"
