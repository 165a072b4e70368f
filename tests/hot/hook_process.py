"""Hook processes as Claude Code starts them: real interpreters, real pipes, a scratch home each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import compiled_rules

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"
ONESHOT = str(SOURCES / "levaithan" / "hot" / "oneshot.py")
CLIENT = str(SOURCES / "levaithan" / "hot" / "client.py")
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
"""The real interpreter, as a registration names it: with a venv's, `-I -S` would not be what is deployed."""


def make_home(root: Path, **conf: object) -> Path:
    """A home as setup makes it, with hot.conf, whose gate has the longest time there is: the machine may be busy."""
    shutil.copytree(ROOT / ".claude" / "context", root / "context")
    shutil.copytree(ROOT / ".claude" / "hooks", root / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("state", "logs", "run"):
        (root / folder).mkdir(mode=0o700)
    settings = {"python": PYTHON, "src": SOURCES, "deadline_ms": 4000, **conf}
    (root / "state" / "hot.conf").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    compiled_rules.put(root)
    return root


def run(command: list[str], data: bytes | dict[str, Any], **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Start a hook process with `data` on stdin and a bare environment."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    bare = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environ}
    return subprocess.run(command, input=raw, capture_output=True, env=bare, timeout=60, check=False)


def oneshot(home: Path, event: str, *more: str) -> list[str]:
    """The command of a one-shot."""
    return [PYTHON, "-I", "-S", ONESHOT, event, "--home", str(home), *more]


def journal(home: Path) -> list[dict[str, Any]]:
    """The event records in a home's journal, in order."""
    lines = [
        json.loads(line[65:])
        for path in sorted((home / "logs" / "journal").glob("journal-*.log"))
        for line in path.read_bytes().splitlines()
    ]
    return [line for line in lines if line["kind"] == "event"]


def sound(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any] | None:
    """Checks what holds for every hook process whatever it was given; the JSON it said, or None."""
    assert done.returncode in (0, 2), done
    assert b"Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode == 0 or (done.stdout == b"" and done.stderr), done
    return json.loads(done.stdout) if done.stdout else None
