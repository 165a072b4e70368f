"""Holds a tool call against the rules: what it would do (deeds.py), to which place (protected.py), under which rule.

Rules are data (`context/policies/*.toml`, compiled by policy_pack.py and cached), so this file knows kinds of deeds and
kinds of places but forbids nothing by itself. Standard library only; the command parser and the compiler are imported
when they are needed: the one-shot path runs this while Claude Code waits.
"""

from __future__ import annotations

import os

from levaithan.hot import hotconf
from levaithan.hot.bounded import head
from levaithan.hot.deed import Deed
from levaithan.hot.event import Opinion
from levaithan.hot.places import is_place, without_glob
from levaithan.hot.protected import Protected, real, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home

Rule = dict[str, "Any"]

PLACES = ("root", "home", "system", "device", "protected", "key", "service", "any")
_VERDICTS = {"deny": "deny", "ask": "ask", "warn": "allow"}
_STRENGTH = {"allow": 0, "ask": 1, "deny": 2}
_SHELL_TOOLS = ("Bash", "Monitor")
_WRITE_TOOLS = {"Write": "file_path", "Edit": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}
_READ_TOOLS = {"Read": "file_path", "Grep": "path"}
_SEEN = 120
_loaded: dict[str, tuple[list[object], Policy]] = {}


class Policy:
    """The rules in force; `rules` None: there never were good ones. problems: what is wrong with them, in words."""

    __slots__ = ("_by_deed", "conf", "home", "problems", "protected", "rules", "user_home")

    def __init__(
        self, home: Home, conf: HotConf, rules: list[Rule] | None, problems: list[str], user_home: str | None = None
    ) -> None:
        self.home = home
        self.conf = conf
        self.rules = rules
        self.problems = problems
        self.user_home = user_home or os.path.expanduser("~")
        self.protected = Protected(home, conf, self.user_home)
        self._by_deed: dict[str, list[Rule]] = {}
        for rule in rules or ():
            for kind in rule["does"]:
                self._by_deed.setdefault(kind, []).append(rule)

    def judge(self, event: Event) -> Opinion | None:
        """What the strictest rule that fits says; None when none does.

        A shadow rule or a warning gives verdict "allow" with the reason, which is recorded and holds nothing up.
        """
        found = self.opinions(event)
        return max(found, key=lambda opinion: _STRENGTH[opinion.verdict]) if found else None

    def opinions(self, event: Event) -> list[Opinion]:
        """What every rule that fits says, each rule once."""
        if self.rules is None:
            return [self._unloadable()] if event.guard else []
        if event.name not in ("PreToolUse", "PermissionRequest", "ConfigChange"):
            return []
        scene = _Scene(self, event)
        seen: dict[str, Opinion] = {}
        for deed in scene.deeds():
            for rule in self._by_deed.get(deed.kind, ()):
                if rule["id"] not in seen and _tool_fits(rule["tools"], event.tool_name or event.name):
                    place = scene.fits(rule, deed)
                    if place is not None:
                        seen[rule["id"]] = _opinion(rule, deed, place)
        return list(seen.values())

    def _unloadable(self) -> Opinion:
        why = "; ".join(self.problems) or f"there are no rules in {self.home.context}/policies"
        reason = (
            f"The rules cannot be loaded, so nothing is let through ({why}). In a terminal: `levaithan doctor --fix`"
        )
        return Opinion("deny", reason, "policy.unloadable")


def load(home: Home, conf: HotConf | None = None) -> Policy:
    """The policy of `home`, read again only when a file of it changed. Never raises: see Policy.problems.

    A pack that is refused (file, line and reason in `problems`) leaves the last good set in force.
    """
    folder = home.context + "/policies"
    key: list[object] = [*stamps(folder), _stamp(home.hot_conf), _stamp(home.installs)]
    known = _loaded.get(home.root)
    if known is not None and known[0] == key:
        return known[1]
    from levaithan.hot import policy_cache

    rules, problems = policy_cache.rules(folder, home.state + "/cache")
    made = Policy(home, conf or hotconf.read(home.hot_conf), rules, problems)
    _loaded[home.root] = (key, made)
    return made


def stamps(folder: str) -> list[tuple[str, int, int, int]]:
    """What tells that a pack of `folder` changed: name, time, size and inode of each."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml"))
    except OSError:
        return []
    return [(name, *_stamp(f"{folder}/{name}")) for name in names]


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        seen = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino)


def _tool_fits(tools: list[str], name: str) -> bool:
    return not tools or any(name == tool or (tool.endswith("*") and name.startswith(tool[:-1])) for tool in tools)


def _opinion(rule: Rule, deed: Deed, place: str) -> Opinion:
    """One line: what was seen, why it is held up and by which rule, what to do instead."""
    seen = deed.seen if len(deed.seen) <= _SEEN else head(deed.seen, _SEEN - 3) + "..."
    text = f"`{seen}` {rule['reason'].replace('{place}', place)} [rule {rule['id']}]. Instead: {rule['instead']}"
    text = "".join(char if char.isprintable() else "?" for char in text.replace("\n", " "))
    if rule["mode"] == "shadow":
        return Opinion("allow", f"shadow, would {rule['effect']}: {text}", rule["id"])
    verdict = _VERDICTS[rule["effect"]]
    return Opinion(verdict, text, rule["id"], text if rule["effect"] == "warn" else None)


class _Scene:
    """One event with where it happens: gives the deeds in it and says whether a rule's places are met."""

    def __init__(self, policy: Policy, event: Event) -> None:
        self.policy = policy
        self.event = event
        self.user_home = policy.user_home
        self.text = ""
        self._files: frozenset[str] | None = None

    def deeds(self) -> Iterable[Deed]:
        """What the event would do."""

        event = self.event
        if event.name == "ConfigChange":
            path = event.text("file_path")
            why = self.policy.protected.unregistered(path) if path else None
            return [Deed("unregister", why, event.cwd, path or "")] if why else ()
        tool, given = event.tool_name or "", event.tool_input
        command = given.get("command")
        if tool in _SHELL_TOOLS and isinstance(command, str):
            return self._shell(command)
        kind = "write" if tool in _WRITE_TOOLS else "read"
        path = given.get(_WRITE_TOOLS.get(tool) or _READ_TOOLS.get(tool) or "")
        if isinstance(path, str) and path:
            return [Deed(kind, path, event.cwd, f"{tool} {path[:2000]}")]
        return ()

    def _shell(self, command: str) -> list[Deed]:
        from levaithan.hot import shell
        from levaithan.hot.deeds import of_command

        known = {"CLAUDE_PROJECT_DIR": self.event.project} if self.event.project else None
        line = shell.split(command, self.event.cwd, self.user_home, known)
        self.text = command
        found = [deed for made in line.commands for deed in of_command(made)]
        if line.unsure:
            found.append(Deed("unsure", line.unsure, self.event.cwd, command[:2000]))
        return found

    def fits(self, rule: Rule, deed: Deed) -> str | None:
        """The place of `rule` that `deed` meets (as the reason names it), or None."""
        if rule["recursive"] and not deed.recursive:
            return None
        if deed.kind == "switch":
            names = rule["subcommands"]
            return deed.target if any((deed.target + " ").startswith(name + " ") for name in names) else None
        for place in rule["to"]:
            found = self._at(place, deed)
            if found is not None:
                return found
        return None

    def _at(self, place: str, deed: Deed) -> str | None:
        if place == "any":
            return deed.target
        if place == "service":
            return self._service(deed.target)
        if place == "protected":
            return self._protected(deed)
        if place == "key":
            return self.policy.protected.key_in(deed.target, deed.cwd or self.event.cwd)
        return self._elsewhere(place, deed)

    def _protected(self, deed: Deed) -> str | None:
        protected = self.policy.protected
        if self._files is None:
            self._files = protected.settings_of(self.event.project, self.event.cwd)
        cwd = deed.cwd or self.event.cwd
        if deed.kind == "code":
            from levaithan.hot.deeds import writes_in_code

            return protected.named_in_code(deed.target, self._files, cwd) if writes_in_code(deed.target) else None
        removes = deed.kind in ("delete", "move") or (deed.kind == "mode" and deed.recursive)
        target = deed.target
        if "\x00" in target:
            tail = target.rpartition("\x00")[2]
            known = (*protected.folders, *self._files)
            return next((path for path in known if tail.count("/") > 1 and path.endswith(tail)), None)
        if any(c in target for c in "*?["):
            start = min(target.find(c) for c in "*?[" if c in target)
            folder, _, pattern = target[:start].rpartition("/")
            base = resolve(folder or ("/" if target.startswith("/") else "."), cwd, self.user_home)
            glob = f"{(base or '').rstrip('/')}/{pattern}{target[start:]}"
            return protected.hit_by_pattern(glob, self._files, removes=removes) if base else None
        path = resolve(target, cwd, self.user_home)
        if path == protected.home and deed.recursive:
            return path
        return protected.hit(path, self._files, removes=removes) if path else None

    def _service(self, target: str) -> str | None:
        how, _, word = target.partition(" ")
        if how == "pid":
            if "\x00" in word:
                return "the service" if "levaithan" in self.text or "service.json" in self.text else None
            pid = self.policy.protected.service_pid()
            return "the service" if word == "-1" or (pid is not None and word.lstrip("-") == str(pid)) else None
        if how == "unit":
            return "the service" if "levaithan" in word else None
        import re

        try:
            shape = re.compile(word[:200])
        except re.error:
            return None
        names = self.policy.protected.process_names(full=how == "full")
        return "the service" if any(shape.search(name) for name in names) else None

    def _elsewhere(self, place: str, deed: Deed) -> str | None:
        """Root, home, system folders and devices, by the path as written and as the kernel finds it."""
        if "\x00" in deed.target or not deed.target:
            return None
        target = deed.target
        cwd = deed.cwd or self.event.cwd
        if target.startswith("~"):
            target = self.user_home + target[1:] if target[1:2] in ("", "/") else target
        if not target.startswith("/"):
            if cwd is None:
                return None
            target = f"{cwd}/{target}"
        path = without_glob(os.path.normpath(target))
        if is_place(place, path, self.user_home):
            return path
        if place != "device" and not target.endswith(("/", "/*", "/.")):
            return None  # a link itself, not what it points to
        path = real(path)
        return path if is_place(place, path, self.user_home) else None
