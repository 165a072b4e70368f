"""Doctor: each thing broken on purpose is found with its remedy, and mended where a machine can; the canary; proofs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from levaithan.errors import InstallError
from levaithan.hot import halts, paths, restraints
from levaithan.hot.event import CANARY
from levaithan.hot.journal import Journal
from levaithan.hot.paths import Home
from levaithan.install import (
    answers,
    canary,
    checks_home,
    checks_record,
    command,
    doctor,
    home_files,
    hooks,
    native,
    prove,
    real_client,
    registry,
    setup_plan,
    standin,
)
from levaithan.install.finding import Asked, Result
from levaithan.journal import seal
from levaithan.stores.sqlite_ledger import SqliteLedger


@pytest.fixture(scope="module")
def model_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A whole home, made once; tests work on copies."""
    made = paths.home_at(str(tmp_path_factory.mktemp("model") / "home"))
    for step in setup_plan.plan(made, setup_plan.Options()):
        if step.needed():
            step.apply()
    return made.root


@pytest.fixture
def whole(tmp_path: Path, model_home: str) -> Home:
    made = paths.home_at(str(tmp_path / "whole"))
    subprocess.run(["cp", "-Rp", model_home, made.root], check=True)
    home_files.make_conf(made)
    return made


@pytest.fixture
def set_up(whole: Home, project: Path) -> Home:
    hooks.install(whole, hooks.place_of(str(project)))
    return whole


GOOD_RULE = """
[[rule]]
id = "fs.test"
severity = "low"
effect = "deny"
does = ["move"]
reason = "moves"
instead = "copy it"
[rule.examples]
deny = ["mv a b"]
allow = ["cp a b"]
"""


def look(home: Home, *only: str, prove: bool = False) -> list[Result]:
    return doctor.run(Asked(home, prove=prove), only=only or None)


def worst(home: Home, check: str) -> Result:
    return min(look(home, check), key=lambda one: ("fail", "warn", "ok").index(one.status))


def test_a_sound_home_has_no_failures(set_up: Home) -> None:
    found = look(set_up)
    assert [one for one in found if one.status == "fail"] == []
    assert {one.id for one in found if one.status == "warn"} <= {"service", "monitor", "claude code"}
    assert all(one.remedy for one in found if one.status != "ok")
    assert {one.id for one in found} >= {"python", "client", "chain", "hooks", "canary", "ledger", "search"}
    json.dumps([one.as_row() for one in found])


def break_folders(home: Home) -> None:
    Path(home.run).chmod(0o755)


def break_folders_into_files(home: Home) -> None:
    for folder in (home.bin, home.state + "/sessions", home.context + "/policies"):
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).write_text("in the way")
    os.rename(home.keys, home.keys + "-away")
    Path(home.keys).symlink_to("nowhere")


def close_folders(home: Home) -> None:
    for folder in (home.hooks, home.journal, home.bin):
        Path(folder).chmod(0)


def link_run(home: Home) -> None:
    os.rename(home.run, home.run + "-elsewhere")
    Path(home.run).symlink_to(home.run + "-elsewhere")


def break_files(home: Home) -> None:
    Path(home.hooks, "policy_check.py").unlink()


def break_conf(home: Home) -> None:
    Path(home.hot_conf).write_text("wait_ms=nonsense\n")


def break_python(home: Home) -> None:
    text = Path(home.hot_conf).read_text().replace(command.real_python(), "/nonexistent/python3")
    Path(home.hot_conf).write_text(text)


def break_client(home: Home) -> None:
    Path(home.bin, native.NAME).write_text("#!/bin/sh\nexit 1\n")


def break_key(home: Home) -> None:
    Path(home.keys, "journal.pub").unlink()


def empty_public_key(home: Home) -> None:
    Path(home.keys, "journal.pub").write_text("")


def lose_the_key(home: Home) -> None:
    Path(home.keys, "journal.key").unlink()
    seal.ensure_key(home.keys + "/journal.key", home.keys + "/journal.pub")  # as the service does, when it signs


def open_the_key(home: Home) -> None:
    Path(home.keys, "journal.key").chmod(0o644)


def dead_link_for_a_key(home: Home) -> None:
    Path(home.keys, "journal.key").unlink()
    Path(home.keys, "journal.key").symlink_to("nowhere")


def break_halts(home: Home) -> None:
    Path(home.halts).write_text('{"version": 1, "halts": [{"scope": "galaxy"}]}')


def link_halts_to_itself(home: Home) -> None:
    Path(home.halts).symlink_to("halts.json")


def break_restraints(home: Home) -> None:
    Path(home.restraints).write_text('{"version": 1, "restraints": [{"kind": "hold"}]}')


def break_installs(home: Home) -> None:
    Path(home.installs).write_text('{"version": 7}')


def spoil_the_logs(home: Home) -> None:
    Path(home.logs, "service.log").mkdir()
    Path(home.logs, "hook-errors.log").symlink_to("/etc/hostname")


def link_a_segment(home: Home) -> None:
    journal = Journal(home.journal, segment_bytes=4096)
    for number in range(40):
        journal.append([(f"{number:032x}", b'{"v":1,"kind":"note","x":"%s"}' % (b"x" * 300))])
    journal.close()
    middle = sorted(Path(home.journal).glob("journal-*"))[1]
    middle.unlink()
    middle.symlink_to(middle.name)


def cut_a_hook(home: Home) -> None:
    path = Path(home.hooks, "halt_check.py")
    path.write_text(path.read_text()[:300])


def hang_a_hook(home: Home) -> None:
    Path(home.hooks, "policy_check.py").write_text("while True: pass\n")


def cut_workflows(home: Home) -> None:
    path = Path(home.context, "workflows.toml")
    path.write_text(path.read_text().partition("[workflow.PreToolUse]")[0])


def cut_rules(home: Home) -> None:
    path = Path(home.context, "policies", "base.toml")
    path.write_text(path.read_text().rpartition("[[rule]]")[0])


def hook_into_a_folder(home: Home) -> None:
    Path(home.hooks, "audit_record.py").unlink()
    Path(home.hooks, "audit_record.py").mkdir()


def break_env(home: Home) -> None:
    Path(home.root, ".env").chmod(0o644)


def break_hooks(home: Home) -> None:
    place = home.root.rpartition("/")[0] + "/project/.claude/settings.json"
    settings = json.loads(Path(place).read_text())
    del settings["hooks"]["PreToolUse"]
    Path(place).write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("check", "harm", "status"),
    [
        ("home", break_folders, "fail"),
        ("home", break_folders_into_files, "fail"),
        ("home", close_folders, "fail"),
        ("socket", break_folders, "fail"),
        ("socket", link_run, "fail"),
        ("files", break_files, "fail"),
        ("hot.conf", break_conf, "fail"),
        ("python", break_python, "fail"),
        ("client", break_client, "fail"),
        ("key", break_key, "fail"),
        ("key", empty_public_key, "fail"),
        ("key", lose_the_key, "fail"),
        ("key", open_the_key, "fail"),
        ("key", dead_link_for_a_key, "fail"),
        ("halts", break_halts, "fail"),
        ("halts", link_halts_to_itself, "fail"),
        ("restraints", break_restraints, "fail"),
        ("installs", break_installs, "fail"),
        ("files", hook_into_a_folder, "fail"),
        ("logs", spoil_the_logs, "warn"),
        ("journal", link_a_segment, "fail"),
        ("rules", cut_a_hook, "fail"),
        ("rules", hang_a_hook, "fail"),
        ("rules", cut_workflows, "fail"),
        ("rules", cut_rules, "fail"),
        ("settings", break_env, "warn"),
        ("hooks", break_hooks, "fail"),
    ],
)
def test_what_is_broken_is_found_and_mended(
    set_up: Home, check: str, harm: Callable[[Home], None], status: str
) -> None:
    if check == "client" and native._compiler(None) is None:
        pytest.fail("this machine has no C compiler")
    harm(set_up)
    found = worst(set_up, check)
    assert found.status == status
    assert found.remedy
    assert [(name, done) for name, done, _said in doctor.fix([found])] == [(check, True)]
    assert worst(set_up, check).status == "ok"


def test_what_a_person_made_good_is_not_replaced_by_a_machine(set_up: Home) -> None:
    flows, pack = Path(set_up.context, "workflows.toml"), Path(set_up.context, "policies", "base.toml")
    flows.write_text(flows.read_text() + '\n[workflow.Setup]\nchecks = ["halt_check"]\n')
    more = GOOD_RULE.replace("fs.test", "fs.mine")
    Path(set_up.context, "policies", "mine.toml").write_text(more)
    one_more = re.sub(r"(?m)^rules = (\d+)", lambda told: f"rules = {int(told[1]) + 1}", pack.read_text())
    pack.write_text(one_more + GOOD_RULE)
    assert worst(set_up, "gate").status == "ok"
    for path in (flows, pack):
        path.write_text(path.read_text() + "[[[")
    found = look(set_up, "rules")
    assert [(one.status, one.fix) for one in found] == [("fail", None)] * 2
    assert all("move" in one.remedy and "away" in one.remedy for one in found)
    assert {one.status for one in look(set_up, "gate")} == {"fail"}
    for path in (flows, pack):
        path.rename(str(path) + ".away")
    assert [done for _, done, _ in doctor.fix(look(set_up, "files"))] == [True]
    assert (worst(set_up, "rules").status, worst(set_up, "gate").status) == ("ok", "ok")


def test_a_gate_that_lets_anything_pass_is_found(set_up: Home) -> None:
    Path(set_up.hooks, "policy_check.py").write_text("def hook(event, context):\n    return None\n")
    (found,) = look(set_up, "gate")
    assert (found.status, found.fix) == ("fail", None)
    assert "lets `rm -rf /` pass" in found.message


def test_a_gate_that_lets_anything_pass_is_found_under_a_halt_too(set_up: Home) -> None:
    halts.set_halt(set_up, "all", "", "lunch", "me")
    Path(set_up.hooks, "policy_check.py").write_text("def hook(event, context):\n    return None\n")
    (found,) = look(set_up, "gate")
    assert found.status == "fail"
    assert "lets `rm -rf /` pass" in found.message
    assert len(halts.active(set_up)) == 1
    assert not list(Path(set_up.state).glob("*.of-the-gate-check"))


def test_a_gate_is_asked_past_restraints(set_up: Home) -> None:
    restraints.set_restraint(set_up, "block_tool", "all", "", tool="Bash", reason="r", by="b")
    assert [one.status for one in look(set_up, "gate")] == ["ok"]


def test_a_gate_that_refuses_everything_is_found_and_a_halt_is_none(set_up: Home) -> None:
    halts.set_halt(set_up, "all", "", "lunch", "me")
    assert worst(set_up, "gate").status == "ok"
    flows = Path(set_up.context, "workflows.toml")
    flows.write_text(flows.read_text().replace("policy_check", "policy_chock"))
    found = worst(set_up, "gate")
    assert found.status == "fail"
    assert "policy_chock" in " ".join(one.message for one in look(set_up, "gate"))


def test_halts_that_could_not_be_read_are_kept_and_the_journal_is_told(set_up: Home) -> None:
    break_halts(set_up)
    doctor.fix(look(set_up, "halts"))
    (aside,) = Path(set_up.state).glob("halts.json.aside-*")
    assert "galaxy" in aside.read_text()
    assert halts.active(set_up) == []
    notes = [line for path in Path(set_up.journal).glob("journal-*") for line in path.read_text().splitlines()]
    (said,) = [json.loads(line[65:]) for line in notes if '"kind":"note"' in line and aside.name in line]
    assert (said["machine"], said["by"]) == (os.uname().nodename, "doctor --fix")


def test_workflows_of_a_person_that_hold_no_restraints_are_said(set_up: Home) -> None:
    flows = Path(set_up.context, "workflows.toml")
    flows.write_text(flows.read_text().replace(', "restraint_check"', ""))
    found = worst(set_up, "restraints")
    assert found.status == "warn" and "restraint_check" in found.remedy
    restraints.set_restraint(set_up, "read_only", "all", "", reason="r", by="b")
    assert worst(set_up, "restraints").status == "fail"


def test_mending_goes_on_where_the_first_look_could_not_see() -> None:
    state = {"folder": "closed", "file": "broken"}

    def put(what: str) -> str:
        state[what] = "good"
        return what

    def seen() -> list[Result]:
        found = [Result("folder", "ok" if state["folder"] == "good" else "fail", "", "x", lambda: put("folder"))]
        if state["folder"] == "good":
            found.append(Result("file", "ok" if state["file"] == "good" else "fail", "", "x", lambda: put("file")))
        return found

    results, done = doctor.mend(seen)
    assert [one.status for one in results] == ["ok", "ok"]
    assert done == [("folder", True, "folder"), ("file", True, "file")]


def test_a_folder_for_settings_is_said_and_left(set_up: Home) -> None:
    env = Path(set_up.root, ".env")
    env.unlink()
    env.mkdir(mode=0o755)
    found = worst(set_up, "settings")
    assert (found.status, found.fix) == ("fail", None)
    assert "cannot be read" in found.message


def test_a_last_segment_that_is_complete_is_no_failure(set_up: Home) -> None:
    journal = Journal(set_up.journal)
    journal.append([("", b'{"v":1,"kind":"note"}')])
    journal.close()
    (last,) = Path(set_up.journal).glob("journal-*")
    last.chmod(0o400)
    assert worst(set_up, "journal").status == "ok"


def test_a_ledger_of_a_newer_version_is_said(set_up: Home) -> None:
    ledger = SqliteLedger(set_up.state + "/ledger.sqlite3")
    ledger.migrate()
    ledger.close()
    with contextlib.closing(sqlite3.connect(set_up.state + "/ledger.sqlite3")) as link, link:
        link.execute("UPDATE schema_version SET version_num = '9999'")
    found = worst(set_up, "stores")
    assert (found.id, found.status) == ("ledger", "fail")
    assert "newer" in found.message
    assert "levaithan journal rebuild" in found.remedy


def test_a_hook_missing_in_a_checkout_is_brought_back_by_git(set_up: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout's home is where the shipped files are: `doctor --fix` has none to bring, so it must not be named."""
    gone = Path(set_up.hooks, "policy_check.py")
    gone.unlink()
    monkeypatch.setattr(home_files, "shipped", lambda: Path(set_up.root))
    found = worst(set_up, "gate")
    assert found.status == "fail"
    assert "doctor --fix" not in found.remedy
    assert f"git -C {Path(set_up.root).parent} checkout -- .claude/hooks" in found.remedy


def test_a_fix_that_fails_keeps_no_other() -> None:
    def broken() -> str:
        raise InstallError(path="x", reason="y")

    results = [Result("a", "fail", "", "", broken), Result("b", "warn", "", "", lambda: "done"), Result("c", "ok", "")]
    assert [(name, done) for name, done, _said in doctor.fix(results)] == [("a", False), ("b", True)]


def test_a_check_that_breaks_is_itself_a_finding(set_up: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_asked: Asked) -> list[Result]:
        raise ZeroDivisionError

    monkeypatch.setitem(checks_home.CHECKS, "disk", broken)
    (found,) = look(set_up, "disk")
    assert found.status == "fail"
    assert "ZeroDivisionError" in found.message


def test_a_missing_home_is_said(tmp_path: Path) -> None:
    (found,) = look(paths.home_at(str(tmp_path / "none")))
    assert (found.id, found.status) == ("home", "fail")


def test_a_fix_from_above_is_taken_where_this_room_has_none(set_up: Home) -> None:
    (found,) = doctor.run(Asked(set_up), only=["service"], fixes={"service": lambda: "started"})
    assert doctor.fix([found]) == [("service", True, "started")]


def test_the_quick_look_at_the_chain_finds_an_edit(set_up: Home, project: Path) -> None:
    canary.run(set_up)
    (segment,) = Path(set_up.journal).glob("*.log")
    assert worst(set_up, "chain").status == "ok"
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b"rm -rf /", b"rm -rf x", 1))
    found = worst(set_up, "chain")
    assert found.status == "fail"
    assert found.remedy == "levaithan journal verify"


def test_a_torn_tail_is_no_broken_chain(set_up: Home) -> None:
    canary.run(set_up)
    (segment,) = Path(set_up.journal).glob("*.log")
    with segment.open("ab") as file:
        file.write(b"half a li")
    assert worst(set_up, "chain").status == "ok"


def test_a_clock_that_was_set_back_is_said(set_up: Home) -> None:
    canary.run(set_up)
    (segment,) = Path(set_up.journal).glob("*.log")
    os.utime(segment, (time.time() + 5000, time.time() + 5000))
    assert "set back" in worst(set_up, "clock").message


def test_a_full_disk_is_said(set_up: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_home, "LITTLE_DISK", 1 << 60)
    assert worst(set_up, "disk").status == "warn"
    monkeypatch.setattr(checks_home, "NO_DISK", 1 << 60)
    assert worst(set_up, "disk").status == "fail"


def test_lost_events_and_a_service_that_does_not_answer_are_said(set_up: Home) -> None:
    from levaithan.hot import gap

    gap.add(gap.files(set_up.journal), gap.Count(3, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "full"))
    assert "3 events" in worst(set_up, "lost").message
    assert checks_record.ping(set_up) is None


def test_a_copied_home_that_the_service_has_seen_is_said(set_up: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = {"message": "this home is in use twice", "fix": "on the copy: levaithan stop"}
    told = {"ping": {"pid": 7}, "status": {"sharing": {"answering": True, "copy": copy}}}
    monkeypatch.setattr(checks_record, "_asked", lambda _home, operation: told[operation])
    found = worst(set_up, "service")
    assert (found.status, found.message, found.remedy) == ("warn", copy["message"], copy["fix"])
    told["status"] = {"sharing": None}
    assert worst(set_up, "service").status == "ok"


def test_foreign_settings_trouble_is_a_finding(set_up: Home, person: Path) -> None:
    (person / ".claude").mkdir()
    (person / ".claude" / "settings.json").write_text('{\n"hooks": {"PreToolUse": [{}]}}')
    found = worst(set_up, "settings files")
    assert found.status == "fail"
    assert "settings.json:2" in found.message


def test_hooks_that_are_switched_off_are_a_failure_that_no_machine_mends(set_up: Home, project: Path) -> None:
    file = project / ".claude" / "settings.json"
    file.write_text(file.read_text().replace("{", '{"disableAllHooks": true,', 1))
    found = worst(set_up, "hooks")
    assert found.status == "fail"
    assert found.fix is None
    assert "disableAllHooks" in found.message
    assert str(file) in found.remedy
    assert worst(set_up, "settings files").status == "fail"


def test_the_plugin_beside_the_settings_is_said(set_up: Home, person: Path) -> None:
    (person / ".claude").mkdir()
    (person / ".claude" / "settings.json").write_text('{"enabledPlugins": {"levaithan@here": true}}')
    assert "handled twice" in worst(set_up, "plugin").message
    (person / ".claude" / "settings.json").write_text('{"enabledPlugins": {"levaithan@here": false}}')
    assert worst(set_up, "plugin").status == "ok"


# --- the canary ----------------------------------------------------------------------------------------------------


def test_the_canary_goes_through_the_registered_command_and_is_marked(set_up: Home, project: Path) -> None:
    rows = canary.run(set_up)
    assert [(row["probe"], row["status"], row["verdict"]) for row in rows] == [
        ("deny", "ok", "deny"),
        ("pass", "ok", "allow"),
    ]
    assert {row["place"] for row in rows} == {str(project)}
    (segment,) = Path(set_up.journal).glob("*.log")
    records = [json.loads(line[65:]) for line in segment.read_bytes().splitlines()]
    events = [one for one in records if one["kind"] == "event"]
    assert [(one["decision"], one["canary"]) for one in events] == [("deny", True), ("allow", True)]
    assert all(one["session_id"].startswith(CANARY) for one in events)


def test_a_guard_that_lets_everything_pass_kills_the_canary(set_up: Home) -> None:
    Path(set_up.bin, native.NAME).write_text("#!/bin/sh\nexit 0\n")
    deny, let = canary.run(set_up)
    assert (deny["status"], let["status"]) == ("fail", "ok")
    assert deny["remedy"]


def test_a_guard_that_denies_everything_or_breaks_kills_it_too(set_up: Home) -> None:
    client = Path(set_up.bin, native.NAME)
    client.write_text("#!/bin/sh\nexit 2\n")
    assert [row["status"] for row in canary.run(set_up)] == ["ok", "fail"]
    client.write_text("#!/bin/sh\nexit 1\n")
    assert [row["verdict"] for row in canary.run(set_up)] == ["broken", "broken"]
    client.unlink()
    assert [row["status"] for row in canary.run(set_up)] == ["fail", "fail"]


def test_hooks_that_are_gone_and_a_halt(set_up: Home, project: Path) -> None:
    from levaithan.hot import halts

    halts.set_halt(set_up, "all", "", "a test", "tester")
    deny, let = canary.run(set_up)
    assert (deny["status"], let["status"]) == ("ok", "warn")
    (project / ".claude" / "settings.json").write_text("{}")
    (row,) = canary.run(set_up)
    assert row["status"] == "fail"
    assert "registered" in row["problem"]


def test_a_project_that_is_gone_is_forgotten(set_up: Home, project: Path) -> None:
    shutil.rmtree(project)
    assert canary.run(set_up) == []
    found = worst(set_up, "hooks")
    assert (found.status, "gone" in found.message) == ("warn", True)
    assert doctor.fix([found])[0][1]
    assert registry.load(set_up) == {}


# --- the fail direction --------------------------------------------------------------------------------------------


def test_our_half_denies_whatever_is_broken(whole: Home) -> None:
    found = prove.ours(whole)
    assert len(found) >= 6
    assert [one for one in found if one.status != "ok"] == []


def test_our_half_without_a_native_client(whole: Home) -> None:
    Path(whole.bin, native.NAME).unlink()
    assert [one for one in prove.ours(whole) if one.status != "ok"] == []


def test_our_half_would_see_a_gate_that_fails_open(whole: Home) -> None:
    client = Path(whole.bin, native.NAME)
    client.write_text("#!/bin/sh\nexit 0\n")
    assert {one.status for one in prove.ours(whole)} == {"fail"}


def test_without_a_client_the_other_half_is_said_to_be_unproven(whole: Home) -> None:
    found = prove.theirs(whole, None)
    assert [one.case for one in found] == ["a crash (exit 1)", "a hang", "bad JSON", "a missing file"]
    assert {one.status for one in found} == {"warn"}
    assert all("Not proven" in one.message and "'block'" in one.message for one in found)
    assert "exit code 1" in found[0].message


_CLIENT = """#!{python}
# A client as Claude Code would be, reduced to what the proof looks at: it asks the API, runs the hook, runs the call.
import json, os, subprocess, sys, urllib.request
if "--version" in sys.argv:
    print("{version} (Claude Code)")
    sys.exit(0)
def ask(messages):
    body = json.dumps({{"messages": messages, "tools": [{{}}]}}).encode()
    with urllib.request.urlopen(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages?beta=true", body) as answer:
        return json.loads(answer.read())["content"]
messages = [{{"role": "user", "content": "go on"}}]
call = ask(messages)[0]
with open(".claude/settings.json") as file:
    hook = json.load(file)["hooks"]["PreToolUse"][0]["hooks"][0]
payload = json.dumps({{"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": call["input"],
                      "session_id": "s", "cwd": os.getcwd(), "tool_use_id": call["id"]}}).encode()
try:
    done = subprocess.run([hook["command"], *hook["args"]], input=payload, capture_output=True, timeout=hook["timeout"])
    broken = done.returncode not in (0, 2) or done.stdout[:1] == b"{{" and b"nonsense" in done.stdout
    denied = done.returncode == 2
except (OSError, subprocess.TimeoutExpired):
    broken, denied = True, False
stopped = denied or broken and {obeys} and hook.get("onFailure") == "block"
if not stopped:
    subprocess.run(call["input"]["command"], shell=True, check=False)
said = "stopped" if stopped else "ran"
result = {{"type": "tool_result", "tool_use_id": call["id"], "content": said}}
ask([*messages, {{"role": "assistant", "content": [call]}}, {{"role": "user", "content": [result]}}])
"""


def imitated(tmp_path: Path, *, obeys: bool, version: str) -> real_client.Client:
    """A client program of our own: it proves what the proof sees, not what Claude Code does."""
    program = tmp_path / "claude"
    program.write_text(_CLIENT.format(python=command.real_python(), version=version, obeys=obeys))
    program.chmod(0o755)
    found = real_client.find({"LEVAITHAN_CLAUDE": str(program), "PATH": "", "HOME": str(tmp_path)})
    assert found is not None
    return found


def test_the_proof_sees_an_imitated_client_that_obeys(whole: Home, tmp_path: Path) -> None:
    client = imitated(tmp_path, obeys=True, version="2.1.330")
    found = prove.theirs(whole, client)
    assert [(one.case, one.status) for one in found] == [
        ("nothing broken", "ok"),
        ("a crash (exit 1)", "ok"),
        ("a hang", "ok"),
        ("bad JSON", "ok"),
        ("a missing file", "ok"),
    ]


def test_the_proof_sees_an_imitated_client_that_fails_open(whole: Home, tmp_path: Path) -> None:
    client = imitated(tmp_path, obeys=False, version="2.1.197")
    assert not client.blocks
    found = prove.theirs(whole, client)
    assert [one.status for one in found] == ["ok", "fail", "fail", "fail", "fail"]
    assert {one.remedy for one in found[1:]} == {"update Claude Code"}


def test_a_client_that_does_not_work_proves_nothing(whole: Home) -> None:
    found = prove.theirs(whole, real_client.Client("/bin/false", None))
    assert [one.status for one in found] == ["warn"]
    assert "not proven" in found[0].message


@pytest.mark.parametrize(
    ("version", "status"), [("2.1.294", "fail"), ("2.1.295", "ok"), ("2.1.330", "ok"), ("3.0.0", "ok")]
)
def test_a_client_too_old_for_on_failure_is_said(
    whole: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, status: str
) -> None:
    monkeypatch.setenv("LEVAITHAN_CLAUDE", imitated(tmp_path, obeys=True, version=version).path)
    found = worst(whole, "claude code")
    assert found.status == status
    assert version in found.message


def test_nothing_of_the_person_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "secret")
    made = real_client.scratch_environment("/scratch", "http://127.0.0.1:1")
    assert "secret" not in json.dumps(made)
    assert made["HOME"] == "/scratch"
    assert made["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")


def test_the_stand_in_streams_and_listens() -> None:
    with standin.StandIn([("Bash", {"command": "true"})]) as api:

        def ask(body: object, stream: bool) -> bytes:
            data = json.dumps({"messages": body, "tools": [1], "stream": stream}).encode()
            with urllib.request.urlopen(api.url + "/v1/messages", data, timeout=10) as answer:
                return bytes(answer.read())

        first = ask([{"role": "user", "content": "x"}], stream=True)
        assert first.startswith(b"event: message_start\n")
        assert b'"partial_json": "{\\"command\\": \\"true\\"}"' in first
        result = {"type": "tool_result", "tool_use_id": "toolu_standin_0", "content": "told"}
        turns = [{"role": "assistant", "content": []}, {"role": "user", "content": [result]}]
        assert json.loads(ask(turns, stream=False))["stop_reason"] == "end_turn"
        assert api.told == {0: "told"}
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(api.url, timeout=5)


@pytest.mark.parametrize(
    ("event", "code", "stdout", "verdict"),
    [
        ("PreToolUse", 0, "", "allow"),
        ("PreToolUse", 0, "plain words", "allow"),
        ("PreToolUse", 2, "", "deny"),
        ("PreToolUse", 1, "", "broken"),
        ("PreToolUse", -9, "", "broken"),
        ("PreToolUse", 0, "{half", "broken"),
        ("PreToolUse", 0, '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny"}}', "deny"),
        ("PreToolUse", 0, '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"ask"}}', "ask"),
        ("PreToolUse", 0, '{"hookSpecificOutput":{"permissionDecision":"deny"}}', "allow"),
        ("PreToolUse", 0, '{"continue":false,"stopReason":"x"}', "halt"),
        ("UserPromptSubmit", 0, '{"decision":"block","reason":"x"}', "deny"),
        (
            "PermissionRequest",
            0,
            '{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny"}}}',
            "deny",
        ),
    ],
)
def test_an_answer_is_read_as_claude_code_reads_it(event: str, code: int, stdout: str, verdict: str) -> None:
    done = subprocess.CompletedProcess(["x"], code, stdout.encode(), b"")
    assert answers.read(event, done).verdict == verdict
