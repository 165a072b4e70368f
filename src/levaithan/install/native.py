"""Puts the native hook client into a home: built here where a compiler is, copied from a platform wheel otherwise.

Without either the Python client does the same work, some milliseconds slower. Imports the standard library only: the
wheel's build hook loads this file by its path, before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "levaithan-hook"
SOURCE = Path(__file__).resolve().parents[1] / "hot" / "client.c"
BARE_SOURCE = SOURCE.with_name("client_bare.c")
SHIPPED = Path(__file__).resolve().parents[1] / "bin" / NAME
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra")
BARE_FLAGS = (
    "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-tree-loop-distribute-patterns",
    "-fno-pie", "-no-pie", "-fno-asynchronous-unwind-tables", "-U_FORTIFY_SOURCE", "-Wl,-z,noexecstack",
)  # fmt: skip
WAYS = ("bare", "static", "dynamic") if sys.platform == "linux" else ("dynamic",)
"""How the client is linked, the fastest to start first: without a libc (see client_bare.c), or with one."""
_LIMIT_S = 120


@dataclass(frozen=True)
class Built:
    """What was done: `how` is one of WAYS, shipped, unchanged or none; `path` is None when there is no client."""

    path: Path | None
    how: str
    message: str


def install_native(
    home_root: str, *, compiler: str | None = None, source: Path = SOURCE, shipped: Path = SHIPPED
) -> Built:
    """Make `<home_root>/bin/levaithan-hook` up to date. Never raises: what could not be done is in the message.

    `compiler`: use this one; by default $CC, then cc, gcc, clang of the PATH.
    """
    target = Path(home_root) / "bin" / NAME
    digest = _digest(source, shipped)
    if _is_current(target, digest):
        return Built(target, "unchanged", f"{target} is up to date")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as work:
            made = Path(work) / NAME
            how, said = _make(made, compiler, source, shipped)
            if how == "none":
                return Built(None, how, said)
            made.chmod(0o755)
            made.replace(target)
        _note(target).write_text(json.dumps({"digest": digest, "how": how}) + "\n", encoding="utf-8")
    except OSError as error:
        return Built(None, "none", f"{target} cannot be written ({error.strerror}); {_INSTEAD}")
    return Built(target, how, f"{target}: {said}")


def build(
    into: Path, *, compiler: str | None = None, source: Path = SOURCE, ways: Sequence[str] = WAYS
) -> tuple[str, str]:
    """Compile the client to `into`, in the first of `ways` that gives one that runs. Gives (how, what was done or why
    not)."""
    found = _compiler(compiler)
    if found is None:
        return "none", f"no C compiler (looked for $CC, {', '.join(COMPILERS)}); {_INSTEAD}"
    said = ""
    for how in ways:
        said = _compile(command(found, how, into, source))
        if not said:
            said = _try_out(into)
        if not said:
            return how, f"built by {found} ({how})"
    return "none", f"{found} could not build the client ({said}); {_INSTEAD}"


def command(compiler: str, how: str, into: Path, source: Path = SOURCE) -> list[str]:
    """The compiler's command for one of WAYS."""
    if how == "bare":
        return [compiler, *FLAGS, *BARE_FLAGS, "-o", str(into), str(source), str(BARE_SOURCE)]
    return [compiler, *FLAGS, *(["-static"] if how == "static" else []), "-o", str(into), str(source)]


_INSTEAD = (
    "the Python client is used, which is slower by some milliseconds an event. "
    "To change that, install a C compiler (Debian: apt install gcc libc6-dev; macOS: xcode-select --install) "
    "and run setup again"
)


def _make(into: Path, compiler: str | None, source: Path, shipped: Path) -> tuple[str, str]:
    if shipped.is_file():
        shutil.copyfile(shipped, into)
        into.chmod(0o755)
        wrong = _try_out(into)
        if not wrong:
            return "shipped", "taken from the installed wheel"
    return build(into, compiler=compiler, source=source)


def _compiler(wanted: str | None) -> str | None:
    candidates = (wanted,) if wanted else (os.environ.get("CC", "").split(" ")[0], *COMPILERS)
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def _compile(words: list[str]) -> str:
    """ "" when it worked, else the first line of what the compiler said."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
    return lines[0][:200] if lines else f"exit code {done.returncode}"


def _try_out(client: Path) -> str:
    """ "" when the client runs and knows its fail direction (no home: a guard is refused, the rest passes)."""
    long = b'{"tool_input":"' + b"x" * 300_000 + b'","hook_event_name":"PreToolUse"}'
    for event, given, wanted in (("PreToolUse", b"", 2), ("Stop", b"", 0), ("", long, 2)):
        words = [str(client), *([event] if event else []), "--home", "/nonexistent/levaithan"]
        try:
            done = subprocess.run(words, input=given, capture_output=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"the built client does not run: {error}"
        if done.returncode != wanted:
            return f"the built client exits with {done.returncode} instead of {wanted} on {event or 'a long event'}"
    return ""


def _digest(source: Path, shipped: Path) -> str:
    seen = hashlib.sha256()
    for path in (source, BARE_SOURCE, shipped):
        if path.is_file():
            seen.update(path.read_bytes())
    return seen.hexdigest()


def _note(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _is_current(target: Path, digest: str) -> bool:
    try:
        known = json.loads(_note(target).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(known, dict) and known.get("digest") == digest and target.is_file() and not _try_out(target)
