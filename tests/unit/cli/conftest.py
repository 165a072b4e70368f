"""Runs the command line as a person does: a process of its own, a home of its own, no settings from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


class Cli:
    """The command line on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("LEVAITHAN_", "CLAUDE_"))}
        self.env |= {"HOME": str(home / "user"), "COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}

    def __call__(self, *words: str, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
        env = self.env | more.pop("env", {})
        done = subprocess.run(
            [sys.executable, "-c", "from levaithan.cli.main import run; run()", "--home", str(self.home), *words],
            capture_output=True, text=True, timeout=60, env=env, check=False, **more,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def rows(self, *words: str, **more: Any) -> list[dict[str, Any]]:
        answer = json.loads(self(*words, "--json", **more).stdout)
        assert answer["ok"] is True and answer["schema_version"] == 1
        found: list[dict[str, Any]] = answer["rows"]
        return found


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    home = tmp_path / "home"
    (home / "context").mkdir(parents=True)
    (home / "user").mkdir()
    return Cli(home)
