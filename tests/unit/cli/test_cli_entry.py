"""system-cli.sh: the operator's entry, from any folder, through any link, and before setup has run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ENTRY = Path(__file__).parents[3] / "system-cli.sh"
FAKE = """#!/bin/sh
printf '%s|' "$LEVAITHAN_HOME" "$@"
exit 5
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    top = tmp_path / "a clone"
    top.mkdir()
    shutil.copy(ENTRY, top)
    return top


def set_up(clone: Path) -> None:
    tool = clone / ".venv/bin/levaithan"
    tool.parent.mkdir(parents=True)
    tool.write_text(FAKE)
    tool.chmod(0o755)


def run(entry: str, *words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [entry, *words], cwd=cwd, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **env}, check=False
    )


def test_before_setup_it_says_what_to_do(clone: Path) -> None:
    done = run(str(clone / "system-cli.sh"), "status", cwd=clone)
    assert done.returncode == 4 and done.stdout == ""
    assert "is not set up yet" in done.stderr and f"next: run {clone}/setup.sh" in done.stderr


def test_it_runs_this_checkouts_tool_on_this_checkouts_home(clone: Path, tmp_path: Path) -> None:
    set_up(clone)
    (tmp_path / "one").symlink_to(clone / "system-cli.sh")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/two").symlink_to("../one")
    expected = f"{clone}/.claude|audit|show|a b|"
    for entry, cwd in (
        (str(clone / "system-cli.sh"), Path("/")),
        ("./system-cli.sh", clone),
        ("./one", tmp_path),
        ("./two", tmp_path / "bin"),
    ):
        done = run(entry, "audit", "show", "a b", cwd=cwd)
        assert (done.stdout, done.returncode) == (expected, 5), (entry, done.stderr)


def test_a_home_that_was_chosen_stays(clone: Path) -> None:
    set_up(clone)
    done = run(str(clone / "system-cli.sh"), "status", cwd=clone, LEVAITHAN_HOME="/elsewhere")
    assert done.stdout == "/elsewhere|status|"
