"""What belongs to the guard itself: its home, its source, the settings files that call it, and its process.

An agent that may edit these governs itself, so policy.py holds every write and deletion against this list, after `..`
and links (dangling ones too) are resolved. Standard library only, and lean.
"""

from __future__ import annotations

import os
import sys

from levaithan.hot.plain_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home

_OWN = ("context", "hooks", "state", "run", "keys", "bin", "logs")
_SETTINGS_NAMES = ("settings.json", "settings.local.json")
_SETTINGS = tuple("/.claude/" + name for name in _SETTINGS_NAMES)
_MANAGED = ("/etc/claude-code", "/Library/Application Support/ClaudeCode")
_GUARDS = ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange")
_FOLDS_CASE = sys.platform == "darwin"


class Protected:
    """Paths of one installation. folders: protected with all in them; files: alone; key: the signing key's folder."""

    __slots__ = ("files", "folders", "home", "installed", "key", "pid_file", "user_home")

    def __init__(self, home: Home, conf: HotConf, user_home: str) -> None:
        self.home = home.root
        self.user_home = user_home
        self.key = home.keys
        self.pid_file = home.run + "/service.json"
        folders = [f"{home.root}/{name}" for name in _OWN] + [home.run, *_MANAGED, *_source_folders(conf)]
        self.folders = tuple(dict.fromkeys(_fold(os.path.realpath(folder)) for folder in folders))
        self.installed = frozenset(os.path.realpath(path) for path in _installed(home.installs))
        files = [user_home + name for name in _SETTINGS]
        self.files = frozenset(_fold(os.path.realpath(path)) for path in (*files, *self.installed))

    def settings_of(self, *projects: str | None) -> frozenset[str]:
        """The protected files, with the settings of `projects`."""
        more = []
        for project in {one for one in projects if one}:
            folder = os.path.realpath(project + "/.claude")  # once for both: each of its parts is a system call
            for name in _SETTINGS_NAMES:
                path = f"{folder}/{name}"
                more.append(_fold(os.path.realpath(path) if os.path.islink(path) else path))
        return self.files.union(more)

    def hit(self, path: str, files: frozenset[str], *, removes: bool = False) -> str | None:
        """The protected path that a change of `path` (absolute, resolved) touches, or None.

        `removes`: `path` is deleted, moved or changed with everything in it, so a protected path below it counts too.
        """
        path = _fold(path)
        if path in files:
            return path
        below = path.rstrip("/") + "/"
        for folder in self.folders:
            if path == folder or path.startswith(folder + "/"):
                return folder
            if removes and folder.startswith(below):
                return folder
        if removes:
            for file in files:
                if file.startswith(below) and os.path.exists(file):
                    return file
        return None

    def hit_by_pattern(self, pattern: str, files: frozenset[str], *, removes: bool = False) -> str | None:
        """The same for a path with `*`, `?` or `[`: the protected path that the shell may make of it, or None."""
        from fnmatch import fnmatchcase

        wanted = _fold(pattern).split("/")
        for protected in (*self.folders, *files):
            real = protected.split("/")
            if len(wanted) > len(real) and protected in files:
                continue
            if len(wanted) < len(real) and not removes:
                continue
            if all(fnmatchcase(name, glob) for name, glob in zip(real, wanted, strict=False)):
                return (
                    protected
                    if protected not in files or os.path.exists(protected) or len(wanted) == len(real)
                    else None
                )
        return None

    def mentioned(self, text: str, files: frozenset[str], cwd: str | None) -> str | None:
        """The protected path that program text names (absolute, below the home folder, or from `cwd`), or None."""
        if ".claude" in text and "settings" in text and ".json" in text:
            return ".claude/settings.json"
        for path in (*self.folders, *files):
            for base in ("", self.user_home, cwd or ""):
                if base in ("", "/"):
                    short = path
                elif path.startswith(base + "/"):
                    short = path[len(base) + 1 :]
                else:
                    continue
                if "/" in short and short in text:
                    return path
        return None

    def service_pid(self) -> int | None:
        """The process id of the running service, when there is one."""
        try:
            with open(self.pid_file, "rb") as file:
                value = loads(file.read(1 << 16))
        except (OSError, ValueError, RecursionError):
            return None
        pid = value.get("pid") if isinstance(value, dict) else None
        return pid if isinstance(pid, int) else None

    def unregistered(self, path: str) -> str | None:
        """Why the settings file `path`, where our hooks are installed, no longer calls them; None when it does."""
        if os.path.realpath(path) not in self.installed:
            return None
        try:
            with open(path, "rb") as file:
                settings = loads(file.read(16 << 20))
        except FileNotFoundError:
            return "the file is gone"
        except (OSError, ValueError, RecursionError):
            settings = None
        if not isinstance(settings, dict):
            return "the file is no JSON object that can be read, which switches every hook in it off"
        if settings.get("disableAllHooks"):
            return "disableAllHooks is set"
        hooks = settings.get("hooks")
        for event in _GUARDS:
            entries = hooks.get(event) if isinstance(hooks, dict) else None
            if not any(_is_ours(text) for text in _strings(entries)):
                return f"the {event} hook of LevAIthan is missing"
        return None


def resolve(path: str, cwd: str | None, user_home: str) -> str | None:
    """`path` as the kernel would find it: absolute, `..` and links resolved, also of what does not exist yet.

    None when it cannot be told (relative to an unknown folder, or a NUL in it).
    """
    if "\x00" in path:
        return None
    if path == "~" or path.startswith("~/"):
        path = user_home + path[1:]
    if path.startswith("/proc/self/cwd"):
        path = (cwd or "") + path[14:]
    if not path.startswith("/"):
        if cwd is None:
            return None
        path = cwd + "/" + path
    return os.path.realpath(path)


def _source_folders(conf: HotConf) -> list[str]:
    """Where the code lives: src and .venv of a checkout; of a wheel only its own package, not all of site-packages."""
    if not conf.src:
        return []
    if os.path.basename(conf.src) != "src":
        return [conf.src + "/levaithan"]
    return [conf.src, os.path.dirname(conf.src) + "/.venv"]


def _installed(path: str) -> list[str]:
    """Every settings file named in installs.json; a file that cannot be read names none."""
    try:
        with open(path, "rb") as file:
            value = loads(file.read(4 << 20))
    except (OSError, ValueError, RecursionError):
        return []
    return [
        text for text in _strings(value) if text.startswith("/") and text.endswith(".json") and "/backups/" not in text
    ]


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys too."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            todo += item


def _is_ours(text: str) -> bool:
    return "levaithan-hook" in text or "levaithan/hot/client.py" in text


def _fold(path: str) -> str:
    return path.casefold() if _FOLDS_CASE else path
