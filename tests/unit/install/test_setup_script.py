"""setup.sh without a network: an interpreter of our own that only writes down what it was asked for.

The whole of it, with the real pip, runs in the clean clone of the README's test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_PYTHON = """#!/bin/sh
echo "python $*" >>"$LOG"
case "$1 $2" in
    "- "*) [ -z "$GONE" ] ;;
    "-m venv") mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip")
        [ -z "$PIP_FAILS" ] || { echo "no network" >&2; exit 1; }
        printf '#!/bin/sh\\necho "levaithan $*" >>"$LOG"\\n' >"${0%/*}/levaithan" && chmod +x "${0%/*}/levaithan" ;;
esac
"""


class Clone:
    """A clone with a fake interpreter; `run` gives the finished process, `log` what was called."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "a clone"
        self.top.mkdir()
        for name in ("setup.sh", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.top / name)
        self.python = folder / "python3"
        self.python.write_text(_PYTHON)
        self.python.chmod(0o755)
        self.log = folder / "log"

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "PYTHON": str(self.python), "LOG": str(self.log)} | more

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        return subprocess.run(
            [str(self.top / "setup.sh"), *words],
            env=self.environment(**more), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    def called(self, who: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(who)]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_it_installs_once_and_hands_the_options_on(clone: Clone) -> None:
    done = clone.run("--project", "a folder", "--user", "--no-start")
    assert done.returncode == 0, done.stderr
    assert clone.called("levaithan") == ["levaithan setup --yes --project a folder --user --no-service"]
    assert len(clone.called("python -m pip")) == 1
    done = clone.run("--yes")
    assert done.returncode == 0
    assert clone.called("python -m") == []
    assert clone.called("levaithan") == ["levaithan setup --yes"]
    clone.run("--project")
    assert clone.called("levaithan")[0].endswith("--project"), "an option without its value must not take one of ours"


def test_a_driver_that_was_taken_out_by_hand_is_installed_again(clone: Clone, tmp_path: Path) -> None:
    clone.run()
    clone.run(GONE="yes")
    assert len(clone.called("python -m pip")) == 1
    asking = (clone.top / "setup.sh").read_text().partition("<<'END'\nimport re")[2].partition("\nEND\n")[0]
    told = tmp_path / "site" / "levaithan-1.dist-info" / "METADATA"
    told.parent.mkdir(parents=True)
    told.write_text("Metadata-Version: 2.1\nName: levaithan\nRequires-Dist: no_such-one>=1; extra == 'redis'\n")
    (tmp_path / "site" / "levaithan.py").touch()
    codes = [
        subprocess.run(
            [sys.executable, "-c", f"import re{asking}", extras],
            env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, check=False,
        ).returncode
        for extras in ("", "postgres", "postgres,redis")
    ]  # fmt: skip
    assert codes == [0, 0, 1]


def test_other_dependencies_mean_installing_again(clone: Clone) -> None:
    clone.run()
    with (clone.top / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    clone.run()
    assert len(clone.called("python -m pip")) == 1


def test_an_install_that_failed_is_tried_again(clone: Clone) -> None:
    done = clone.run(PIP_FAILS="yes")
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "next: " in done.stderr
    assert clone.called("levaithan") == []
    assert clone.run().returncode == 0
    assert clone.called("levaithan") == ["levaithan setup --yes"]
    assert not (clone.top / ".claude/state/setup.lock").exists()


def test_a_python_that_does_not_fit_is_said_with_the_next_step(clone: Clone) -> None:
    done = clone.run(PYTHON="/nonexistent/python3")
    assert done.returncode == 1
    assert "error: PYTHON=/nonexistent/python3" in done.stderr
    assert "next: " in done.stderr
    assert not (clone.top / ".venv").exists()


def test_without_any_python_it_says_how_to_get_one(clone: Clone, tmp_path: Path) -> None:
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("bash", "uname", "dirname", "cat", "mkdir", "rm", "cksum", "sleep", "cut"):
        (old / name).symlink_to(shutil.which(name) or "/nonexistent")
    script = (clone.top / "setup.sh").read_text().replace("'' /usr/local/bin/ /opt/homebrew/bin/ /usr/bin/", "''")
    (clone.top / "setup.sh").write_text(script)
    done = subprocess.run(
        [str(old / "bash"), str(clone.top / "setup.sh")],
        env={"PATH": str(old)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no Python 3.11 or later" in done.stderr
    assert "apt install python3" in done.stderr


def test_a_lock_whose_owner_is_gone_is_taken_over_and_a_live_one_waited_for(clone: Clone) -> None:
    lock = clone.top / ".claude/state/setup.lock"
    lock.mkdir(parents=True)
    (lock / "pid").write_text("999999999\n")
    assert clone.run().returncode == 0
    shutil.rmtree(clone.top / ".venv")
    lock.mkdir()
    (lock / "pid").write_text(f"{os.getpid()}\n")
    waiting = subprocess.Popen(
        [str(clone.top / "setup.sh")], env=clone.environment(), stderr=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(2)
    shutil.rmtree(lock)
    assert waiting.wait(30) == 0
    assert waiting.stderr is not None
    assert "waiting for another setup" in waiting.stderr.read()


def test_a_lock_that_never_got_an_owner_is_taken_over(clone: Clone) -> None:
    (clone.top / ".claude/state/setup.lock").mkdir(parents=True)
    assert clone.run().returncode == 0
    assert clone.called("levaithan") == ["levaithan setup --yes"]


def test_help_does_nothing(clone: Clone) -> None:
    done = clone.run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./setup.sh")
    assert clone.called("") == []
    assert not (clone.top / ".venv").exists()
