"""What the monitor knows, kept in `state/monitor.json` so that the next one goes on: one file, replaced whole.

The place in the journal and what came of it are in the same file: either both are there or neither. A file that does
not fit (another version, another journal, damaged) is set aside, and all is made again from the journal.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

VERSION = 1
_MOST_BYTES = 256 << 20


def path_of(home: Home) -> Path:
    """The file."""
    return Path(home.state, "monitor.json")


def read(home: Home) -> dict[str, Any]:
    """What was kept last; {} when there is nothing of this version. Never raises."""
    path = path_of(home)
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        told = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and told.get("version") == VERSION else {}


def write(home: Home, parts: dict[str, Any]) -> None:
    """Keep `parts`. Raises OSError; what was kept before is then still there."""
    path = path_of(home)
    fresh = path.with_name(f".monitor.json.{os.getpid()}")
    told = orjson.dumps({"version": VERSION, "at": time.time(), **parts}, option=orjson.OPT_NON_STR_KEYS)
    try:
        fresh.write_bytes(told)
        fresh.chmod(0o600)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def set_aside(home: Home) -> str:
    """Move a file that does not fit out of the way; the name it has now, "" when there was none."""
    path = path_of(home)
    aside = path.with_name(f"monitor.json.aside-{time.time_ns()}")
    try:
        path.rename(aside)
    except OSError:
        return ""
    for older in sorted(path.parent.glob("monitor.json.aside-*"))[:-3]:
        with contextlib.suppress(OSError):
            older.unlink()
    return aside.name
