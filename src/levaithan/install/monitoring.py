"""Whether the home is watched now: what its monitor tells of itself in run/monitor.json, and whether that one lives.

For whoever has no service to ask. Imports nothing of the monitor, which stands above this room.
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home

LATE_S = 60.0
"""A monitor that has written nothing for so long, and for two of its looks, does not watch."""

BEGINS_S = 60.0
"""The service starts its monitor after itself; so long may that take until it is missed."""


def path_of(home: Home) -> Path:
    """Where the monitor's status is."""
    return Path(home.run, "monitor.json")


def read(home: Home) -> dict[str, Any] | None:
    """The last status written; None when there is none or it cannot be read."""
    try:
        told = json.loads(path_of(home).read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def age_s(told: Mapping[str, Any]) -> float | None:
    """How long ago the monitor wrote what it told, in seconds; None when that cannot be read from it."""
    try:
        return time.time() - datetime.fromisoformat(str(told["updated"])).timestamp()
    except (KeyError, ValueError):
        return None


def late(told: Mapping[str, Any]) -> bool:
    """Whether what the monitor told is too old to be how things stand now."""
    age, every = age_s(told), told.get("every_s")
    return age is None or age > max(LATE_S, 2 * every if isinstance(every, (int, float)) else 0)


def runs(told: Mapping[str, Any]) -> bool:
    """Whether the monitor that told this still runs."""
    pid = told.get("pid")
    if told.get("doing") == "stopped" or type(pid) is not int or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
