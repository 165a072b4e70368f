"""The one-shot path: an event in, its decision out, its record in the journal, with no service anywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hook_process import ONESHOT, PYTHON, ROOT, SOURCES, journal, make_home, oneshot, run, sound

from levaithan.hot import halts, paths
from levaithan.hot.catalogue import EVENTS, GUARDS

DATA = ROOT / "tests" / "data"
Payload = Callable[..., dict[str, Any]]


def _denied(said: dict[str, Any] | None) -> str:
    assert said is not None
    special = said["hookSpecificOutput"]
    assert (special["hookEventName"], special["permissionDecision"]) == ("PreToolUse", "deny")
    return str(special["permissionDecisionReason"])


def test_every_recorded_payload_is_answered_and_recorded(home: Path) -> None:
    files = sorted((DATA / "payloads").glob("*.json"))
    (home / "context" / "charter.toml").write_text("[leases]\nenabled = false\n")  # sessions of many days, all at once
    asked = {"PreToolUse-5": "fs.read-outside"}  # that one reads a file beside its project

    def one(file: Path) -> None:
        done = run(oneshot(home, file.stem.split("-")[0]), file.read_bytes())
        assert (done.returncode, done.stderr) == (0, b""), (file.name, done)
        assert bool(done.stdout) == (file.stem in asked), (file.name, done)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, files))
    kept = journal(home)
    wanted = sorted(json.dumps(json.loads(file.read_bytes())) for file in files)
    assert sorted(json.dumps(record["payload"]) for record in kept) == wanted
    assert len({record["id"] for record in kept}) == len(files) == 70
    assert all(record["path"] == "oneshot" for record in kept)
    assert [record["rule"] for record in kept if record["decision"] != "allow"] == list(asked.values())


@pytest.mark.parametrize("name", [path.stem for path in sorted((DATA / "sessions").glob("*.jsonl"))])
def test_a_recorded_session_is_in_the_journal_in_order(home: Path, name: str) -> None:
    payloads = [json.loads(line)["payload"] for line in (DATA / "sessions" / f"{name}.jsonl").read_text().splitlines()]
    for payload in payloads:
        sound(run(oneshot(home, payload["hook_event_name"]), payload))
    assert [record["payload"] for record in journal(home)] == payloads


def test_a_dangerous_command_is_denied_with_a_reason_and_recorded(home: Path, tool_call: Payload) -> None:
    reason = _denied(sound(run(oneshot(home, "PreToolUse"), tool_call("rm -rf /"), AI_AGENT="claude-code_2-1-330_x")))
    (record,) = journal(home)
    assert (record["decision"], record["hook"], record["reason"]) == ("deny", "policy_check", reason)
    assert record["client_version"] == "2.1.330"
    assert record["rule"]


def test_a_halt_denies_and_stops_the_loop(home: Path, tool_call: Payload) -> None:
    halts.set_halt(paths.home_at(str(home)), "session", "s-1", "look at this first", "ann")
    said = sound(run(oneshot(home, "PreToolUse"), tool_call()))
    assert "look at this first" in _denied(said)
    assert said is not None
    assert said["continue"] is False
    assert sound(run(oneshot(home, "PreToolUse"), tool_call(session_id="s-2"))) is None


BAD = {
    "empty": b"",
    "half": b'{"hook_event_name":"PreToolUse","tool_name":"Ba',
    "list": b"[]",
    "deep": b"[" * 100_000,
    "no utf-8": b"\xff\xfe\x00",
    "number for a name": b'{"hook_event_name":"PreToolUse","tool_name":5,"tool_input":{}}',
    "number for a command": b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":5}}',
    "number for a session": b'{"hook_event_name":"PreToolUse","tool_name":"X","tool_input":{},"session_id":5,"cwd":[]}',
    "lone surrogate": b'{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"\\ud800 x"}}',
}


@pytest.mark.parametrize("event", ["PreToolUse", "PermissionRequest", "PostToolUse", "Unheard", ""])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_has_a_defined_answer_and_a_record(home: Path, case: str, event: str) -> None:
    done = run(oneshot(home, event) if event else [PYTHON, "-I", "-S", ONESHOT, "--home", str(home)], BAD[case])
    said = sound(done)
    (record,) = journal(home)
    if event in GUARDS and case not in ("number for a command", "number for a session", "lone surrogate"):
        assert said is not None
        assert "deny" in json.dumps(said)
        assert (record["decision"], record["rule"]) == ("deny", "bad-input")
        assert record["problem"]


def test_fifty_mebibytes_are_decided_in_time_and_cut_in_the_record(home: Path) -> None:
    raw = b'{"hook_event_name":"PreToolUse","tool_name":"Write","tool_input":{"file_path":"/tmp/x","content":"'
    raw += b"x" * (50 << 20) + b'"}}'
    began = time.monotonic()
    assert sound(run(oneshot(home, "PreToolUse"), raw)) is None
    assert time.monotonic() - began < 8
    (record,) = journal(home)
    assert record["payload"]["tool_input"]["content"]["_cut"] == 50 << 20


def test_more_than_max_stdin_is_denied_and_recorded(tmp_path: Path, tool_call: Payload) -> None:
    home = make_home(tmp_path / "home", max_stdin_bytes=1 << 20)
    raw = json.dumps(tool_call("echo " + "x" * (3 << 20))).encode()
    assert str(len(raw)) in _denied(sound(run(oneshot(home, "PreToolUse"), raw)))
    assert sound(run(oneshot(home, "PostToolUse"), raw)) is None
    assert [record["problem"].split(" bytes")[0] for record in journal(home)] == [f"the input has {len(raw)}"] * 2


def test_a_repeated_event_is_answered_as_it_was_recorded(home: Path, tool_call: Payload) -> None:
    command = oneshot(home, "PreToolUse", "--id", "0" * 31 + "7", "--sent", "--path", "native")
    first = run(command, tool_call("rm -rf /"))
    again = run(command, tool_call("echo something else"))
    assert first.stdout == again.stdout
    assert "deny" in json.dumps(sound(again))
    assert [(record["id"], record["path"]) for record in journal(home)] == [("0" * 31 + "7", "oneshot")]


def test_sixteen_at_once_are_all_recorded(home: Path, tool_call: Payload) -> None:
    with ThreadPoolExecutor(16) as pool:
        calls = [tool_call(f"echo {n}", tool_use_id=f"t{n}") for n in range(32)]
        done = list(pool.map(lambda call: run(oneshot(home, "PreToolUse"), call), calls))
    assert all(sound(one) is None for one in done)
    assert {record["tool_use_id"] for record in journal(home)} == {f"t{n}" for n in range(32)}


@pytest.mark.parametrize("event", ["PreToolUse", "UserPromptSubmit", "PostToolUse", "SessionStart", "Unheard"])
@pytest.mark.parametrize("failure", ["decide", "deny"])
def test_a_journal_that_cannot_be_written_is_said(tmp_path: Path, failure: str, event: str, tool_call: Payload) -> None:
    home = make_home(tmp_path / "home", journal_failure=failure)
    (home / "logs" / "journal").write_text("a file where the folder belongs")
    done = run(oneshot(home, event), tool_call(hook_event_name=event, prompt="x"))
    said = sound(done)
    if failure == "deny" and event in GUARDS:
        assert said is not None
        assert "could not record" in json.dumps(said)
        assert "deny" in json.dumps(said) or said["decision"] == "block"
    elif event in EVENTS:
        assert said is not None
        assert set(said) == {"systemMessage"}
        assert "could not record" in said["systemMessage"]
        assert "Next step" in said["systemMessage"]
    assert b"could not record" in done.stderr
    assert "was not recorded" in (home / "logs" / "hook-errors.log").read_text()


def test_a_deny_stays_a_deny_when_the_journal_fails(home: Path, tool_call: Payload) -> None:
    (home / "logs" / "journal").write_text("a file where the folder belongs")
    assert "rm -rf /" in _denied(sound(run(oneshot(home, "PreToolUse"), tool_call("rm -rf /"))))


BREAK = {
    "no hooks": lambda home: [path.unlink() for path in (home / "hooks").glob("policy_check.py")],
    "a hook of rubbish": lambda home: (home / "hooks" / "policy_check.py").write_text("def hook(:"),
    "a hook that hangs": lambda home: (home / "hooks" / "policy_check.py").write_text("while True: pass\n"),
    "a hook that exits": lambda home: (home / "hooks" / "policy_check.py").write_text(
        "import os\nraise SystemExit(0)\n"
    ),
    "no workflows": lambda home: (home / "context" / "workflows.toml").unlink(),
    "workflows of rubbish": lambda home: (home / "context" / "workflows.toml").write_text("[[["),
    "halts of rubbish": lambda home: (home / "state" / "halts.json").write_text("{"),
    "no policies": lambda home: [path.unlink() for path in (home / "context" / "policies").glob("*.toml")],
    "policies of rubbish": lambda home: (home / "context" / "policies" / "base.toml").write_text("[[["),
}


@pytest.mark.parametrize("case", BREAK)
def test_a_broken_installation_refuses_guards_and_lets_the_rest_pass(home: Path, case: str, tool_call: Payload) -> None:
    shutil.rmtree(home / "state" / "cache")  # no last good rules stand in
    BREAK[case](home)
    said = sound(run(oneshot(home, "PreToolUse"), tool_call()))
    assert any(word in _denied(said) for word in ("Next step", "levaithan doctor"))
    assert sound(run(oneshot(home, "PostToolUse"), tool_call(hook_event_name="PostToolUse"))) is None
    refused = "halt" if case == "halts of rubbish" else "deny"
    assert [record["decision"] for record in journal(home)] == [refused, "allow"]


def test_a_home_that_is_not_there_refuses_guards(tmp_path: Path, tool_call: Payload) -> None:
    done = run(oneshot(tmp_path / "nowhere", "PreToolUse"), tool_call())
    assert done.returncode == 2 or "deny" in json.dumps(sound(done))
    sound(done)


def test_a_hook_that_prints_does_not_garble_the_answer(home: Path, tool_call: Payload) -> None:
    noisy = "import os, sys\ndef hook(event, context):\n    print('noise', flush=True)\n    os.write(1, b'more')\n"
    (home / "hooks" / "session_register.py").write_text(noisy)
    done = run(oneshot(home, "PreToolUse"), tool_call("rm -rf /"))
    _denied(sound(done))


def test_the_environment_cannot_point_the_gate_elsewhere(home: Path, tmp_path: Path, tool_call: Payload) -> None:
    empty = tmp_path / "empty"
    done = run(oneshot(home, "PreToolUse"), tool_call("rm -rf /"), LEVAITHAN_HOME=str(empty), PYTHONPATH=str(empty),
               LEVAITHAN_DEADLINE_MS="1", PYTHONSTARTUP="/x", XDG_STATE_HOME=str(empty))  # fmt: skip
    _denied(sound(done))
    assert not empty.exists()


def test_secrets_of_the_environment_and_the_input_reach_no_file(home: Path, tool_call: Payload) -> None:
    secret = "sk-ant-api03-" + "Q7x" * 20
    run(oneshot(home, "PreToolUse"), tool_call(f"curl -H 'x-api-key: {secret}'"), ANTHROPIC_API_KEY=secret)
    run(oneshot(home, "PreToolUse"), b'{"x":"' + secret.encode())
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(journal(home)) == 2
    assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_a_closed_stdin_or_stdout_is_no_allow(home: Path, tool_call: Payload) -> None:
    command = " ".join(oneshot(home, "PreToolUse"))
    raw = json.dumps(tool_call("rm -rf /")).encode()
    for closed in ("0<&-", "1>&-", "0<&- 1>&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], input=raw, capture_output=True, timeout=30, check=False
        )
        assert b"deny" in done.stdout or done.returncode == 2, (closed, done)
    full = subprocess.run(
        ["sh", "-c", f"{command} > /dev/full"], input=raw, capture_output=True, timeout=30, check=False
    )
    assert full.returncode == 2 or sys.platform != "linux"


def test_a_stdin_that_never_ends_is_refused_in_time(home: Path) -> None:
    started = str(time.time_ns() - 6_500_000_000)  # a client that has waited already
    process = subprocess.Popen(
        oneshot(home, "PreToolUse", "--started", started),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    began = time.monotonic()
    assert process.wait(timeout=10) == 2
    assert time.monotonic() - began < 4
    assert process.stderr is not None
    assert b"too long" in process.stderr.read()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


def test_a_broken_source_tree_refuses_guards(tmp_path: Path, home: Path, tool_call: Payload) -> None:
    broken = tmp_path / "levaithan" / "hot"
    broken.mkdir(parents=True)
    for name in ("oneshot.py", "client.py"):
        (broken / name).write_bytes((SOURCES / "levaithan" / "hot" / name).read_bytes())
        for event in ("PreToolUse", "PermissionRequest", "PostToolUse"):
            done = run([PYTHON, "-I", "-S", str(broken / name), event, "--home", str(home)], tool_call())
            said = sound(done)
            if event == "PreToolUse":
                assert done.returncode == 2
                assert b"Next step" in done.stderr
            elif event == "PermissionRequest":
                assert said is not None
                assert said["hookSpecificOutput"]["decision"]["behavior"] == "deny"
            else:
                assert (done.returncode, done.stdout) == (0, b"")


def test_the_error_log_is_bounded(home: Path) -> None:
    log = home / "logs" / "hook-errors.log"
    log.write_bytes(b"x" * (1 << 20))
    (home / "logs" / "journal").write_text("a file where the folder belongs")
    run(oneshot(home, "Stop"), b'{"stop_hook_active":false}')
    assert not log.exists()
    assert (home / "logs" / "hook-errors.log.1").stat().st_mode & 0o777 in (0o600, 0o644)
    run(oneshot(home, "Stop"), b'{"stop_hook_active":false}')
    assert log.stat().st_size < 5000


def test_two_homes_do_not_mix(tmp_path: Path, tool_call: Payload) -> None:
    first, second = make_home(tmp_path / "one"), make_home(tmp_path / "two")
    halts.set_halt(paths.home_at(str(first)), "all", "", "stop", "ann")
    _denied(sound(run(oneshot(first, "PreToolUse"), tool_call())))
    assert sound(run(oneshot(second, "PreToolUse"), tool_call())) is None
    assert [len(journal(home)) for home in (first, second)] == [1, 1]


def test_it_loads_only_what_it_needs(home: Path, tool_call: Payload) -> None:
    """What else may be imported is what Python itself starts with; each of these costs milliseconds."""
    for event in ("PostToolUse", "PreToolUse"):
        command = [PYTHON, "-I", "-S", "-X", "importtime", ONESHOT, event, "--home", str(home)]
        run(command, tool_call(hook_event_name=event))  # the first time compiles and fills the caches
        done = run(command, tool_call(hook_event_name=event))
        loaded = {line.rsplit(b"|", 1)[1].strip().decode() for line in done.stderr.splitlines() if b"|" in line}
        slow = {"typing", "dataclasses", "pathlib", "json", "tomllib", "hashlib", "socket", "subprocess", "tempfile",
                "logging", "datetime", "inspect", "signal", "threading", "asyncio", "importlib"}  # fmt: skip
        assert not loaded & slow
        assert "levaithan.hot.gate" in loaded
        ours = {name for name in loaded if name.startswith("levaithan")}
        foreign = {name.split(".")[0] for name in loaded - ours} - set(sys.stdlib_module_names) - {"imported package"}
        assert not foreign, "the hot path loads the standard library and itself"


def test_it_is_interrupted_by_nothing_that_it_started(home: Path, tool_call: Payload) -> None:
    """No alarm of ours outlives the answer: an exit by signal would be an allow."""
    slow = "import time\ndef hook(event, context):\n    time.sleep(5)\n"
    (home / "hooks" / "session_register.py").write_text(slow)
    done = run(oneshot(home, "PreToolUse"), tool_call())
    assert sound(done) is None
    assert done.returncode != -signal.SIGALRM
    assert "too long" in journal(home)[0]["hooks"][-1]["error"]


def test_python_is_the_real_one() -> None:
    assert os.path.isfile(PYTHON)
    assert "shims" not in PYTHON
