"""The command that a hook entry names, and the entries themselves: one for each event of the catalogue.

By absolute path of the native client, or of the real interpreter: a shim costs 77 ms an event, and a venv's link is
gone with the venv. Imports the hot path's own facts only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import InstallError
from levaithan.hot import paths
from levaithan.hot.catalogue import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.hot.paths import Home

OLDEST = (3, 11)
_TRY_S = 30
_SAY = "import sys; print(*sys.version_info[:2])"


def native_client(home: Home) -> str:
    """Where the home's native client is, or would be."""
    return home.bin + "/levaithan-hook"


def python_client() -> str:
    """The Python client of the source that runs now."""
    return paths.source_folder() + "/levaithan/hot/client.py"


def real_python(candidates: Iterable[str] | None = None) -> str:
    """The absolute path of the real interpreter, past shims and venv links, proven by running it.

    Raises InstallError when none of the candidates is a Python that can run the hooks.
    """
    base = str(getattr(sys, "_base_executable", "") or "")
    tried = {}
    for candidate in candidates if candidates is not None else (base, sys.executable):
        path = os.path.realpath(candidate) if candidate else ""
        if path and path not in tried:
            tried[path] = _why_not(path)
            if not tried[path]:
                return path
    said = "; ".join(f"{path}: {why}" for path, why in tried.items()) or "there is none"
    raise InstallError(
        f"No Python that can run the hooks was found ({said}).",
        fix="install Python 3.11 or later, then run ./setup.sh again",
    )


def _why_not(path: str) -> str:
    """ "" when `path` is an interpreter that runs by itself (no environment, no site), else why it is not."""
    with_head = Path(path)
    try:
        with with_head.open("rb") as file:
            if file.read(2) == b"#!":
                return "it is a script (a shim), not the interpreter"
        done = subprocess.run(
            [path, "-I", "-S", "-c", _SAY],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=_TRY_S,
            check=False,
        )
        version = tuple(int(word) for word in done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"it does not run ({error})"
    if done.returncode != 0 or len(version) != 2:
        return f"it does not run (exit code {done.returncode})"
    return "" if version >= OLDEST else f"it is Python {version[0]}.{version[1]}"


def client_words(home: Home) -> list[str]:
    """The command without the event: the native client where it was built, else the Python one."""
    native = native_client(home)
    if Path(native).is_file() and os.access(native, os.X_OK):
        return [native]
    return [real_python(), "-I", "-S", python_client()]


def entries(home: Home, *, timeout_s: float | None = None) -> dict[str, dict[str, object]]:
    """The hook group of each event that is registered, in the catalogue's order.

    No matcher is written: all is what we want, and FileChanged takes one as names of files to watch. `timeout_s`
    replaces the catalogue's, for a proof that would wait too long otherwise. Raises InstallError.
    """
    words = client_words(home)
    made: dict[str, dict[str, object]] = {}
    for spec in EVENTS.values():
        if not spec.registered:
            continue
        handler: dict[str, object] = {
            "type": "command",
            "command": words[0],
            "args": [*words[1:], spec.name, "--home", home.root],
            "timeout": timeout_s if timeout_s is not None else spec.timeout_s,
        }
        if spec.fail == "closed":
            handler["onFailure"] = "block"
        made[spec.name] = {"hooks": [handler]}
    return made
