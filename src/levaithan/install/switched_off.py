"""Settings that switch every hook of ours off although it is registered as it should be: nothing else would tell.

Reads only. May not import `hooks` or `listing`, which ask it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.install import json_spans, places, settings_disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from levaithan.install.places import Place

_SWITCHES = (("disableAllHooks", places.SCOPES), ("allowManagedHooksOnly", ("managed",)))
"""The key, and the scopes whose settings it counts in."""


def by_settings(project: str | None, environ: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """A problem (as `as_problem`) a switch that is on in the settings in force in `project` (None: the user's).

    None for a project that is no more: Claude Code cannot be at work there.
    """
    found: list[dict[str, Any]] = []
    if project is not None and not Path(project).is_dir():
        return found
    for place in places.places_of(project, environ):
        try:
            root = json_spans.parse(settings_disk.bytes_at(place.path).decode("utf-8"))
        except (OSError, ValueError):
            continue
        for key, who in _SWITCHES:
            node = root.get(key) if root.kind == "object" else None
            if node is not None and node.value is True and place.scope in who:
                remedy = "ask your administrator" if place.scope == "managed" else f"take {key} out of that file"
                found.append(as_problem(place, "fail", f"{key} is set: no hook of ours runs", remedy))
    return found


def everywhere(
    project: str | None, known: Iterable[Place], environ: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The same for `project` and for the project of each `known` place; a file once."""
    projects = [project, *(place.project for place in known if place.project)]
    found = {(row["path"], row["problem"]): row for one in projects for row in by_settings(one, environ)}
    return list(found.values())


def as_problem(place: Place, status: str, problem: str, remedy: str) -> dict[str, Any]:
    """A row of `hooks validate`, without a line."""
    return {
        "path": place.path, "line": None, "column": None, "scope": place.scope, "status": status,
        "problem": problem, "remedy": remedy,
    }  # fmt: skip
