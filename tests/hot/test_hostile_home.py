"""A home in which pipes, devices and folders stand in the files' places: decided or refused, never waited for."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_process import oneshot, run, sound

from levaithan.hot import paths
from levaithan.hot.gate import machine_id
from levaithan.hot.paths import regular

Payload = Callable[..., dict[str, Any]]

HARMLESS = ("state/machine-id", "state/cache/workflows.json", "state/cache/policy.json", "state/installs.json")
"""Without them the gate decides as ever."""
NEEDED = (
    "state/halts.json", "state/restraints.json", "hooks/policy_check.py", "hooks/halt_check.py",
    "hooks/restraint_check.py",
)  # fmt: skip
"""Without them nothing guarded may pass."""


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _put(home: Path, name: str, what: Callable[[Path], None]) -> None:
    path = home / name
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    what(path)


def _verdict(home: Path, payload: dict[str, Any]) -> str:
    began = time.monotonic()
    done = run(oneshot(home, "PreToolUse"), payload)
    assert time.monotonic() - began < 5, "it waited, or read what has no end"
    said = sound(done)
    if said is None:
        return "deny" if done.returncode == 2 else "allow"
    return str(said.get("hookSpecificOutput", {}).get("permissionDecision", "allow"))


@pytest.mark.parametrize("what", [_pipe, _endless])
@pytest.mark.parametrize("name", [*HARMLESS, *NEEDED, "context/workflows.toml", "context/policies/base.toml"])
def test_nothing_is_waited_for(home: Path, tool_call: Payload, name: str, what: Callable[[Path], None]) -> None:
    shutil.rmtree(home / "state" / "cache")  # no last good rules stand in
    _put(home, name, what)
    assert _verdict(home, tool_call("rm -rf /")) == "deny"
    assert _verdict(home, tool_call("ls")) == ("allow" if name in HARMLESS else "deny")


@pytest.mark.parametrize("what", [_pipe, _endless])
@pytest.mark.parametrize("name", ["context/workflows.toml", "context/policies/base.toml"])
def test_the_last_good_rules_stay_in_force(
    home: Path, tool_call: Payload, name: str, what: Callable[[Path], None]
) -> None:
    assert _verdict(home, tool_call("ls")) == "allow"
    _put(home, name, what)
    assert _verdict(home, tool_call("ls")) == "allow"
    assert _verdict(home, tool_call("rm -rf /")) == "deny"


@pytest.mark.parametrize("what", [_pipe, _endless])
def test_settings_of_the_hot_path_have_defaults(home: Path, tool_call: Payload, what: Callable[[Path], None]) -> None:
    _put(home, "state/hot.conf", what)
    assert _verdict(home, tool_call("ls")) == "allow"
    assert _verdict(home, tool_call("rm -rf /")) == "deny"


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "file", opener=regular) as file:
        assert file.read() == "text"
    for name in ("pipe", "missing", "."):
        with pytest.raises(OSError):
            os.close(regular(str(tmp_path / name), os.O_RDONLY))
    (tmp_path / "state").mkdir()
    os.mkfifo(tmp_path / "state" / "machine-id")
    assert machine_id(paths.home_at(str(tmp_path))) == os.uname().nodename
