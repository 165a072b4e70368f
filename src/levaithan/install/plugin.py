"""The Claude Code plugin beside the settings: both at once would handle every event twice, so both look for the other.

A plugin brings no entry of a settings file: it is found by the client's own lists. Reads only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.install import places

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "levaithan"


def active(project: str | None = None, environ: Mapping[str, str] | None = None) -> list[str]:
    """Where the LevAIthan plugin is switched on: its name and the settings file that enables it."""
    enabled = []
    disabled = set()
    for place in places.places_of(project, environ):
        listed = _read(place.path).get("enabledPlugins")
        for name, on in listed.items() if isinstance(listed, dict) else ():
            if name.partition("@")[0] != NAME or name in disabled:
                continue
            disabled.add(name)  # the strongest file that names it decides
            if on:
                enabled.append(f"{name} in {place.path}")
    return enabled


def _read(path: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
