"""The Claude Code client of this machine: where it is, how old, and one headless run of it against the stand-in.

It is only ever run in a scratch HOME with an environment built from nothing: no account, no setting and no project of
the person's is touched, and it can reach loopback only by its settings. Imports nothing else of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_THAT_BLOCKS = (2, 1, 295)
"""The first client that honours "onFailure": "block"."""

_PLACES = (".claude/local/claude", ".local/bin/claude", "node_modules/.bin/claude")
_LIMIT_S = 60
_VERSION_S = 20
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Client:
    """path; version as a tuple, None when it does not say one."""

    path: str
    version: tuple[int, int, int] | None

    @property
    def blocks(self) -> bool:
        """Whether it honours onFailure."""
        return self.version is not None and self.version >= OLDEST_THAT_BLOCKS

    @property
    def shown(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version)) if self.version else "of unknown version"


def find(environ: Mapping[str, str] | None = None) -> Client | None:
    """The client: LEVAITHAN_CLAUDE, `claude` of the PATH, or its usual places. None when there is none."""
    env = os.environ if environ is None else environ
    home = env.get("HOME") or str(Path("~").expanduser())
    found = [env.get("LEVAITHAN_CLAUDE", ""), shutil.which("claude", path=env.get("PATH")) or ""]
    found += [f"{home}/{place}" for place in _PLACES]
    for path in found:
        if path and Path(path).is_file() and os.access(path, os.X_OK):
            return Client(os.path.realpath(path), version_of(path))
    return None


def version_of(path: str) -> tuple[int, int, int] | None:
    """What `claude --version` says."""
    try:
        done = subprocess.run(
            [path, "--version"], env=scratch_environment("/nonexistent"), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=_VERSION_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def scratch_environment(home: str, api: str = "http://127.0.0.1:9") -> dict[str, str]:
    """The whole environment of a run: nothing of the person's, no traffic but to `api`."""
    return {
        "PATH": os.pathsep.join(dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/bin"])),
        "HOME": home,
        "CLAUDE_CONFIG_DIR": home + "/.claude",
        "CLAUDE_CODE_TMPDIR": home,
        "ANTHROPIC_BASE_URL": api,
        "ANTHROPIC_API_KEY": "sk-ant-doctor-of-levaithan-no-key",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }


def run(client: Client, project: str, home: str, api: str, *options: str) -> str:
    """One headless run that is allowed to use Bash; "" when it came to its end, else why it did not."""
    command = [client.path, "-p", "go on", *options, "--output-format", "json", "--allowedTools", "Bash"]
    try:
        done = subprocess.run(
            command, cwd=project, env=scratch_environment(home, api), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it did not end within {_LIMIT_S} s"
    except OSError as error:
        return error.strerror or str(error)
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}"
