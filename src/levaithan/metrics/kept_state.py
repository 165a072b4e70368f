"""The figures between two runs: `state/metrics.json`, replaced whole, with the journal's cursor that they belong to.

Figures and cursor are one file, so a record counts once whatever is killed. A file that is damaged is set aside, and
the figures are made anew from the journal.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson

from levaithan.hot.paths import ensure_private

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

FILE = "metrics.json"
VERSION = 1
LONGEST = 64 << 20


def path_of(home: Home) -> Path:
    """Where the state is."""
    return Path(home.state, FILE)


def read(home: Home) -> dict[str, Any] | None:
    """The state that was kept; None when there is none. Raises ValueError for one that is damaged, or too long."""
    try:
        with path_of(home).open("rb") as file:
            data = file.read(LONGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    if len(data) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST >> 20} MiB")
    told = orjson.loads(data)
    if not isinstance(told, dict) or told.get("version") != VERSION:
        raise ValueError("it is of another version, or no state at all")
    return told


def write(home: Home, state: dict[str, Any]) -> None:
    """Keep `state` in place of what was kept. Raises OSError; then the older one is still there, whole."""
    path = path_of(home)
    fresh = path.with_name(f".{FILE}.{os.getpid()}")
    data = orjson.dumps({"version": VERSION, **state})
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def own(home: Home) -> IO[bytes] | None:
    """The right to write the state, held until the file that comes back is closed; None while another process has it.

    Raises OSError.
    """
    ensure_private(home.run)
    file = Path(home.run, "metrics.lock").open("ab")  # noqa: SIM115 - it stays open
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def set_aside(home: Home) -> Path:
    """Keep a damaged state under another name. Raises OSError."""
    path = path_of(home)
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    return aside
