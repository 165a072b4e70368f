"""The tutorial of a first event does what it says: its lines are run as they stand, in a scratch home."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.support import homes

PAGE = Path(__file__).resolve().parents[2] / "docs/tutorials/first-event.md"


def test_the_lines_of_the_tutorial_work_as_they_stand(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "levaithan-home", native=False)
    entry = tmp_path / "system-cli.sh"
    entry.write_text(f'#!/bin/sh\nexec {shlex.join([*homes.CLI, "--home", root])} "$@"\n', encoding="utf-8")
    entry.chmod(0o700)
    first, last = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    send, status = first.rsplit("\n./system-cli.sh status", 1)
    assert status == "\n", "status alone is left out: without the service, as here, it exits 3"
    user = tmp_path / "user"
    user.mkdir()
    env = homes.plain_environment(HOME=str(user), CLAUDE_CONFIG_DIR=str(user / ".claude"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", send + "\n" + last],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer, listed = done.stdout.split("\n", 1)
    assert '"permissionDecision":"deny"' in answer
    assert "fs.delete-root" in listed
    assert "it did not run" in listed
    assert os.listdir(user) == []
