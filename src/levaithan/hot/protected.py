"""What belongs to the guard itself: its home, its source, the settings files that call it, and its process.

An agent that may edit these governs itself, so policy.py holds every write and deletion against this list, after `..`
and links (dangling ones too) are resolved. Standard library only, and lean.
"""

from __future__ import annotations

import os
import sys

from levaithan.hot.paths import fnv1a64, regular
from levaithan.hot.plain_json import loads
from levaithan.hot.realpath import exists, real, real_in, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home
    from levaithan.hot.realpath import Seen

_OWN = ("context", "hooks", "state", "run", "keys", "bin", "logs")
_SETTINGS_NAMES = ("settings.json", "settings.local.json", "levaithan.toml")
_SETTINGS = tuple("/.claude/" + name for name in _SETTINGS_NAMES)
_MANAGED = ("/etc/claude-code", "/Library/Application Support/ClaudeCode")
_OUR_NAMES = ["levaithan serve", "levaithan.service", "levaithan.projector", "levaithan.monitor", "levaithan-hook"]
_PROCESSES = ("service", "projector", "monitor")
_MOST_PROCESSES = 16
_REMOVES = ("rename", "replace(", "rmtree", "rm_rf", "move", "rmSync", "remove", "unlink", "delete")
_GUARDS = ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange")
_FOLDS_CASE = sys.platform == "darwin"


class Protected:
    """Paths of one installation. folders: protected with all in them; files: alone; key: the signing key's folder;
    own: the home and the folders; above: every folder that one of these lies in."""

    __slots__ = (
        "_inside",
        "above",
        "files",
        "folders",
        "home",
        "installed",
        "key",
        "own",
        "python",
        "run",
        "user_home",
    )

    def __init__(self, home: Home, conf: HotConf, user_home: str) -> None:
        self.home = home.root
        self.user_home = user_home
        self.key = home.keys
        self.python = conf.python
        self.run = home.run
        folders = [f"{home.root}/{name}" for name in _OWN] + [home.run, *_MANAGED, *_source_folders(conf)]
        self.folders = tuple(dict.fromkeys(_fold(os.path.realpath(folder)) for folder in folders))
        self._inside = tuple(folder + "/" for folder in self.folders)
        self.own = (home.root, *self.folders)
        self.above = frozenset(own[:at] for own in self.own for at, char in enumerate(own) if char == "/")
        self.installed = frozenset(os.path.realpath(path) for path in _installed(home.installs))
        files = [user_home + name for name in _SETTINGS] + _own_files(home.root, conf.src, user_home)
        self.files = frozenset(_fold(os.path.realpath(path)) for path in (*files, *self.installed))

    def settings_of(self, *projects: str | None, seen: Seen) -> frozenset[str]:
        """The protected files, with the settings of `projects`. `seen`: see realpath.py."""
        more = []
        for project in {one for one in projects if one}:
            folder = real(project + "/.claude", seen)
            more += [_fold(real_in(folder, name, seen)) for name in _SETTINGS_NAMES]
        return self.files.union(more)

    def hit(self, path: str, files: frozenset[str], *, removes: bool = False, seen: Seen | None = None) -> str | None:
        """The protected path that a change of `path` (absolute, resolved) touches, or None.

        `removes`: `path` is deleted, moved or changed with everything in it, so a protected path below it counts too.
        `seen`: see realpath.py.
        """
        path = _fold(path)
        if path in files:
            return path
        below = path.rstrip("/") + "/"
        if not removes and not below.startswith(self._inside):
            return None
        for folder in self.folders:
            if path == folder or path.startswith(folder + "/"):
                return folder
            if removes and folder.startswith(below):
                return folder
        if removes:
            for file in files:
                if file.startswith(below) and (below.endswith("/.claude/") or exists(file, seen)):
                    return file
        return None

    def hit_by_pattern(self, pattern: str, files: frozenset[str], *, removes: bool = False) -> str | None:
        """The same for a path with `*`, `?` or `[`: the protected path that the shell may make of it, or None."""
        wanted = _fold(pattern).split("/")
        first = next((at for at, part in enumerate(wanted) if is_glob(part)), len(wanted))
        lead = "/".join(wanted[:first]) + "/"
        leads_in = lead.startswith(self._inside) or lead[:-1] in self.above
        for protected in (*self.folders, *files) if leads_in else files:
            if not protected.startswith(lead[:-1]) and not lead.startswith(protected):
                continue
            if not (protected + "/").startswith(lead) and not lead.startswith(protected + "/"):
                continue  # one of the parts before the first pattern is another
            from fnmatch import fnmatchcase

            real = protected.split("/")
            if len(wanted) > len(real) and protected in files:
                continue
            if len(wanted) < len(real) and not removes:
                continue
            if all(fnmatchcase(name, glob) for name, glob in zip(real[first:], wanted[first:], strict=False)):
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
        for path in (self.home, *self.folders, *files):
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

    def named_in_code(self, text: str, files: frozenset[str], cwd: str | None) -> str | None:
        """The protected path that a string in program text leads to, from `cwd`; see `mentioned` too."""
        found = self.mentioned(text, files, cwd)
        if found:
            return found
        from levaithan.hot.shell_code import literals

        removes = any(mark in text for mark in _REMOVES)
        for literal in literals(text)[:200]:
            path = resolve(literal, cwd, self.user_home) if len(literal) > 1 else None
            if path is None:
                continue
            above = (
                removes and literal.startswith("/") and not (self.user_home + "/").startswith(path.rstrip("/") + "/")
            )
            found = self.hit(path, files, removes=above)
            if found:
                return found
        return None

    def key_by_pattern(self, pattern: str, cwd: str | None) -> str | None:
        """The keys' folder, when `pattern` may stand for a secret in it."""
        from fnmatch import fnmatchcase

        whole = pattern if pattern.startswith("/") or cwd is None else f"{cwd}/{pattern}"
        secrets = (self.key + "/journal.key", self.key + "/alertmanager.token")
        return self.key if any(fnmatchcase(one, whole) for one in secrets) else None

    def key_at(self, path: str) -> str | None:
        """`path` (absolute, resolved), when it is the signing key, a token, or their folder."""
        inside = path.startswith(self.key + "/") and path.endswith((".key", ".token"))
        return path if inside or path == self.key else None

    def process_names(self, *, full: bool) -> list[str]:
        """What the service is called: whole command lines, or names of programs. Others' Python is only spared while
        no service runs."""
        if full:
            python = self.python or "python3"
            parts = ("service", "projector", "monitor")
            run = [f"{python} -P -m levaithan.{part} --home {self.home}" for part in parts]
            return [*run, "levaithan serve", f"{self.home}/bin/levaithan-hook"] if self.service_pid() else _OUR_NAMES
        python = os.path.basename(self.python)
        return ["levaithan", "python", "python3", python] if self.service_pid() else ["levaithan"]

    def service_pid(self) -> int | None:
        """The process id of the running service, when there is one."""
        return _pid_in(self.run + "/service.json")

    def pids(self) -> set[int]:
        """The process ids of the service, the projector (of each of its processes) and the monitor, as they told last.
        Reads the run folder: for when a process is to be ended."""
        try:
            names = os.listdir(self.run)
        except OSError:
            return set()
        told = [name for name in names if name.endswith(".json") and name.startswith(_PROCESSES)]
        return {pid for name in told[:_MOST_PROCESSES] if (pid := _pid_in(f"{self.run}/{name}")) is not None}

    def unregistered(self, path: str) -> str | None:
        """Why the settings file `path`, where our hooks are installed, no longer calls them; None when it does."""
        if os.path.realpath(path) not in self.installed:
            return None
        try:
            with open(path, "rb", opener=regular) as file:
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


def tells_pids(text: str) -> bool:
    """Whether `text` names us, or a file in which one of our processes tells its id."""
    return "levaithan" in text or any(part + ".json" in text for part in _PROCESSES) or "projector-" in text


def _pid_in(path: str) -> int | None:
    """What the file at `path` has as `pid`."""
    try:
        with open(path, "rb", opener=regular) as file:
            value = loads(file.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return None
    pid = value.get("pid") if isinstance(value, dict) else None
    return pid if isinstance(pid, int) else None


def is_glob(text: str) -> bool:
    """Whether a shell may make another path of `text`."""
    return "*" in text or "?" in text or "[" in text


def _own_files(root: str, source: str, user_home: str) -> list[str]:
    """Single files of ours outside its folders: settings, and what starts the service at login (service/units.py)."""
    name = f"levaithan-{fnv1a64(os.fsencode(root))[:8]}"
    return [
        f"{root}/.env",
        f"{os.path.dirname(source)}/.env",
        f"{user_home}/.config/systemd/user/{name}.service",
        f"{user_home}/Library/LaunchAgents/dev.levaithan.{name}.plist",
    ]


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
        with open(path, "rb", opener=regular) as file:
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
