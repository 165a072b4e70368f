"""The plugin: its manifest is made from the catalogue, its hook makes a home and guards without anything installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from levaithan.hot.catalogue import EVENTS, GUARDS
from levaithan.install import answers, canary, plugin_files, settings_rules

ROOT = Path(__file__).resolve().parents[3]
HOOK = ROOT / ".claude-plugin" / "hook"


def test_the_manifest_is_the_one_that_the_code_makes() -> None:
    assert (ROOT / ".claude-plugin" / "plugin.json").read_text() == plugin_files.text()


def test_the_manifest_keeps_the_rules_and_names_only_what_is_there() -> None:
    made = plugin_files.manifest()
    assert settings_rules.problems(json.dumps({"hooks": made["hooks"]})) == []
    assert set(made["hooks"]) == {spec.name for spec in EVENTS.values() if spec.registered}
    for event, ((handler,),) in (
        (name, [group["hooks"] for group in groups]) for name, groups in made["hooks"].items()
    ):
        assert handler["command"].replace("${CLAUDE_PLUGIN_ROOT}", str(ROOT)) == str(HOOK)
        assert handler.get("onFailure") == ("block" if event in GUARDS else None)
    assert os.access(HOOK, os.X_OK)
    assert not (ROOT / "hooks").exists()


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The plugin as Claude Code copies it: nothing but files."""
    copy = tmp_path / "cache" / "levaithan" / "0.1.0"
    for part in (".claude-plugin", "src/levaithan/hot", "src/levaithan/install", ".claude/context", ".claude/hooks"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "src/levaithan/__init__.py", copy / "src/levaithan/__init__.py")
    return copy


def call(
    plugin: Path, person: Path, event: str, probe: str = "pass", **more: str
) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], "HOME": str(person), "CLAUDE_PLUGIN_ROOT": str(plugin)} | more
    payload = json.dumps(canary.payload(probe, str(person)) | {"hook_event_name": event}).encode()
    command = [str(plugin / ".claude-plugin" / "hook"), event]
    return subprocess.run(command, input=payload, env=env, capture_output=True, timeout=60, check=False)


def test_the_first_hook_makes_the_home_and_the_guard_guards(plugin: Path, person: Path) -> None:
    assert answers.read("PreToolUse", call(plugin, person, "PreToolUse", "deny")).verdict == "deny"
    assert call(plugin, person, "PreToolUse").returncode == 0
    home = person / ".local" / "state" / "levaithan"
    records = [json.loads(line[65:]) for line in next((home / "logs/journal").glob("*.log")).read_bytes().splitlines()]
    assert [one["decision"] for one in records if one["kind"] == "event"] == ["deny", "allow"]
    assert f"src={plugin}/src" in (home / "state" / "hot.conf").read_text()


def test_many_first_hooks_at_once_make_one_home(plugin: Path, person: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(person), "CLAUDE_PLUGIN_ROOT": str(plugin)}
    command = [str(plugin / ".claude-plugin" / "hook"), "Stop"]
    running = [subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL) for _ in range(6)]
    assert [one.wait(60) for one in running] == [0] * 6
    assert answers.read("PreToolUse", call(plugin, person, "PreToolUse", "deny")).verdict == "deny"


def test_an_updated_plugin_takes_the_home_over_and_keeps_the_rules(plugin: Path, person: Path) -> None:
    call(plugin, person, "Stop")
    home = person / ".local" / "state" / "levaithan"
    (home / "context" / "policies" / "base.toml").write_text("# mine\n")
    newer = plugin.with_name("0.2.0")
    plugin.rename(newer)
    assert call(newer, person, "Stop").returncode == 0
    assert f"src={newer}/src" in (home / "state" / "hot.conf").read_text()
    assert (home / "context" / "policies" / "base.toml").read_text() == "# mine\n"


def test_a_home_of_a_setup_is_used_as_it_is(plugin: Path, person: Path) -> None:
    state = person / ".local" / "state" / "levaithan" / "state"
    state.mkdir(parents=True)
    (state / "hot.conf").write_text("python=/nonexistent/python3\n")
    done = call(plugin, person, "PreToolUse")
    assert done.returncode == 2
    assert (state / "hot.conf").read_text() == "python=/nonexistent/python3\n"


@pytest.mark.parametrize(
    "event", ["PreToolUse", "UserPromptSubmit", "ConfigChange", "PermissionRequest", "Stop", "Odd"]
)
def test_a_home_that_cannot_be_made_refuses_guards_and_lets_the_rest_pass(
    plugin: Path, person: Path, event: str
) -> None:
    blocked = person / "file"
    blocked.write_text("")
    done = call(plugin, person, event, XDG_STATE_HOME=str(blocked))
    read = answers.read(event, done)
    assert done.returncode in (0, 2)
    assert (read.verdict == "deny") is (event in GUARDS)
    assert b"Traceback" not in done.stdout + done.stderr
