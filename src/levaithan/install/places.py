"""Where Claude Code looks for settings: managed, a project's two files, the user's; and its precedence among them.

Paths only: nothing is read or written here. Imports the standard library and the errors.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

SCOPES = ("managed", "local", "project", "user")
"""From the strongest to the weakest (`--settings` of one call stands between the first two). Hooks of all merge."""

PROJECT_FILE = "settings.json"
LOCAL_FILE = "settings.local.json"


@dataclass(frozen=True, slots=True)
class Place:
    """A settings file: its scope, its path as Claude Code opens it, the project it belongs to ("" for the user's)."""

    scope: str
    path: str
    project: str = ""


def config_folder(environ: Mapping[str, str] | None = None) -> str:
    """The user's configuration folder of Claude Code: CLAUDE_CONFIG_DIR, else ~/.claude."""
    env = os.environ if environ is None else environ
    chosen = env.get("CLAUDE_CONFIG_DIR")
    base = Path(chosen) if chosen else Path(env.get("HOME") or Path("~").expanduser(), ".claude")
    return str(base.absolute())


def user_place(environ: Mapping[str, str] | None = None) -> Place:
    """The user's own settings: they govern every project."""
    return Place("user", config_folder(environ) + "/" + PROJECT_FILE)


def project_place(project: str, *, local: bool = False) -> Place:
    """A project's settings.json, or settings.local.json when `local`. Raises UsageProblem without the folder."""
    folder = Path(project).expanduser()
    if not folder.is_dir():
        raise UsageProblem(f"There is no folder {project}.", fix="give --project the folder that Claude Code works in")
    name = LOCAL_FILE if local else PROJECT_FILE
    root = os.path.realpath(folder)
    return Place("local" if local else "project", f"{root}/.claude/{name}", root)


def managed_places() -> list[Place]:
    """The settings that an administrator sets; the folder's drop-ins too."""
    base = "/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code"
    drop_ins = sorted(Path(base, "managed-settings.d").glob("*.json")) if Path(base).is_dir() else []
    return [Place("managed", f"{base}/managed-settings.json"), *(Place("managed", str(path)) for path in drop_ins)]


def places_of(project: str | None, environ: Mapping[str, str] | None = None) -> list[Place]:
    """Every settings file in force in `project` (None: only the user's and the managed), the strongest first."""
    found = managed_places()
    if project is not None:
        found += [project_place(project, local=True), project_place(project)]
    return [*found, user_place(environ)]
