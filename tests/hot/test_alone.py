"""Each atomic hook alone: `python3 .claude/hooks/<name>.py < event.json`, from anywhere, with nothing installed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_process import PYTHON, ROOT, run, sound

from levaithan.hot import halts, paths

DATA = ROOT / "tests" / "data" / "payloads"
HOOKS = ("halt_check", "policy_check", "restraint_check", "session_register", "audit_record")
Payload = Callable[..., dict[str, Any]]


def _alone(home: Path, hook: str) -> list[str]:
    return [PYTHON, str(home / "hooks" / f"{hook}.py")]


@pytest.mark.parametrize("hook", HOOKS)
def test_it_answers_what_the_hook_thinks(home: Path, hook: str, tool_call: Payload) -> None:
    assert sound(run(_alone(home, hook), tool_call())) is None
    said = sound(run(_alone(home, hook), tool_call("rm -rf /")))
    assert (said is not None) == (hook == "policy_check")
    halts.set_halt(paths.home_at(str(home)), "all", "", "stop", "ann")
    said = sound(run(_alone(home, hook), tool_call()))
    assert (said is not None) == (hook == "halt_check")
    if said:
        assert said["continue"] is False


@pytest.mark.parametrize("hook", HOOKS)
def test_one_payload_of_each_event(home: Path, hook: str) -> None:
    for file in sorted(DATA.glob("*.json")):
        if "-" not in file.stem and file.stem[:3] in ("Pre", "Per", "Use", "Con", "Sto", "Ses"):
            done = run(_alone(home, hook), file.read_bytes())
            assert (done.returncode, done.stdout) == (0, b""), file.name


def test_audit_record_shows_the_record_on_stderr(home: Path, tool_call: Payload) -> None:
    secret = "ghp_" + "A1b2C3d4E5" * 4
    done = run(_alone(home, "audit_record"), tool_call(f"echo {secret}"))
    record = json.loads(done.stderr)
    assert (record["event"], record["tool_use_id"], record["decision"]) == ("PreToolUse", "toolu_1", "allow")
    assert secret.encode() not in done.stderr


def test_session_register_writes_the_session(home: Path) -> None:
    run(_alone(home, "session_register"), (DATA / "SessionStart.json").read_bytes())
    (file,) = (home / "state" / "sessions").iterdir()
    assert json.loads(file.read_bytes())["session_id"] == "472b73d9-9270-445f-8211-c85a3b84bbba"


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_bad_input_is_answered(home: Path, hook: str, raw: bytes) -> None:
    sound(run(_alone(home, hook), raw))
    cut = b'{"hook_event_name":"PreToolUse",' + raw
    assert "deny" in json.dumps(sound(run(_alone(home, hook), cut)))


def test_a_checkout_needs_no_settings_at_all(tmp_path: Path, tool_call: Payload) -> None:
    checkout = tmp_path / "clone"
    for part in (".claude/hooks", ".claude/context", "src/levaithan/hot"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "src" / "levaithan" / "__init__.py", checkout / "src" / "levaithan")
    system = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    done = run([system, str(checkout / ".claude" / "hooks" / "policy_check.py")], tool_call("rm -rf /"))
    assert "deny" in json.dumps(sound(done))


def test_without_its_sources_a_hook_refuses(tmp_path: Path, tool_call: Payload) -> None:
    shutil.copytree(ROOT / ".claude" / "hooks", tmp_path / "x" / "hooks")
    for hook in HOOKS:
        done = run(["/usr/bin/env", "-i", PYTHON, "-I", str(tmp_path / "x" / "hooks" / f"{hook}.py")], tool_call())
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"Next step" in done.stderr
        assert b"Traceback" not in done.stderr
