"""What a value from outside is called in a label: one of a closed list, or `other`.

An agent can invent the names of tools, hooks, models and projects; each would be a new series, and a text of its choice
on a dashboard. Imports the hot path's prices and rules only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from levaithan.hot import policy, prices
from levaithan.metrics import names

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

MOST_PROJECTS = 50
MOST_PAIRS = 100
MOST_HOOKS = 40
MOST_ACTIONS = 32
_LONGEST_PROJECT = 200
_OWN = ("pace", "budget", "lease", "approval", "restraint", "halt")
_TOOLS = {tool: tool for tool in names.TOOLS[:-2]}
_PACKS = frozenset(names.PACKS)


class Labels:
    """The names of one home. Projects and the pairs of model and project are named in the order in which they are met;
    keep `dump()` to name the same ones again."""

    def __init__(self, home: Home | None = None) -> None:
        self._home = home
        self._projects: dict[str, str] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._actions: dict[str, str] = {}
        self._hooks = dict.fromkeys(names.GATE_PARTS)
        self._models = prices.built_in().models
        self._rules: dict[str, tuple[str, bool]] = {}
        self._seen: object = None
        self.refresh()

    def refresh(self) -> None:
        """Take up what was installed since: hooks, rules, prices. Reads files only when they changed."""
        home = self._home
        if home is None:
            return
        seen = (policy.stamps(home.context + "/policies"), _time(home.state + prices.FILE), _time(home.hooks))
        if seen == self._seen:
            return
        self._seen = seen
        self._models = prices.Prices.load(home).models
        self._rules = {
            rule["id"]: (_pack(rule["pack"]), rule["severity"] == "critical") for rule in policy.load(home).rules or ()
        }
        for name in _hook_files(home.hooks)[: MOST_HOOKS - len(names.GATE_PARTS)]:
            self._hooks.setdefault(name)

    def tool(self, name: str | None) -> str:
        """A built-in tool's name, `mcp` for one of a server, or `other`."""
        known = _TOOLS.get(name or "")
        if known is not None:
            return known
        return "mcp" if name is not None and name[:5] == "mcp__" else names.OTHER

    def project(self, path: str | None) -> str:
        """The project's folder; `other` from the 51st on, `none` where there is none."""
        if not path:
            return names.NONE
        known = self._projects.get(path)
        if known is None:
            fits = len(self._projects) < MOST_PROJECTS and len(path) <= _LONGEST_PROJECT and path.isprintable()
            if not fits or path in (names.OTHER, names.NONE):
                return names.OTHER
            known = self._projects[path] = path
        return known

    def projects(self) -> list[str]:
        """The folders of the projects that have a name."""
        return list(self._projects)

    def model(self, name: str) -> str:
        """The model's name in the table of prices, or `other`."""
        found = prices.name_in(self._models, name)
        return found if found in self._models else names.OTHER

    def pair(self, model: str, project: str | None) -> tuple[str, str]:
        """Model and project; beyond MOST_PAIRS of them the project is `other`."""
        wanted = (self.model(model), self.project(project))
        known = self._pairs.get(wanted)
        if known is None:
            if len(self._pairs) >= MOST_PAIRS:
                return wanted[0], names.OTHER
            known = self._pairs[wanted] = wanted
        return known

    def hook(self, name: str | None) -> str:
        """A hook that is installed, or `other`."""
        return name if name in self._hooks and name is not None else names.OTHER

    def action(self, name: str) -> str:
        """An action's name, one of the first MOST_ACTIONS, or `other`."""
        known = self._actions.get(name)
        if known is None:
            plain = len(name) <= 40 and name.replace("_", "a").replace("-", "a").isalnum() and name.isascii()
            if not plain or len(self._actions) >= MOST_ACTIONS:
                return names.OTHER
            known = self._actions[name] = name
        return known

    def pack(self, rule: str | None) -> str:
        """The pack that a rule is of, or what else it comes from; `none` without a rule."""
        if rule is None:
            return names.NONE
        known = self._rules.get(rule)
        if known is not None:
            return known[0]
        begin = rule.partition(".")[0]
        if begin in _OWN:
            return begin
        return "gate" if rule in ("hook-failed", "policy.unloadable") else names.OTHER

    def critical(self, rule: str | None) -> bool:
        """Whether it is one of the rules that are there for the worst."""
        return rule in self._rules and self._rules[rule][1] if rule is not None else False

    def dump(self) -> dict[str, Any]:
        """The names given so far, as JSON takes them."""
        return {
            "projects": list(self._projects), "pairs": [list(one) for one in self._pairs],
            "actions": list(self._actions),
        }  # fmt: skip

    def load(self, dumped: dict[str, Any]) -> None:
        """Give the same names again. Raises KeyError and TypeError for what is no dump."""
        self._projects = {str(one): str(one) for one in dumped["projects"][:MOST_PROJECTS]}
        pairs = [(str(model), str(project)) for model, project in dumped["pairs"][:MOST_PAIRS]]
        self._pairs = {one: one for one in pairs}
        self._actions = {str(one): str(one) for one in dumped["actions"][:MOST_ACTIONS]}


def _pack(name: str) -> str:
    return name if name in _PACKS else names.OTHER


def _time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - once a look
    except OSError:
        return 0


def _hook_files(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name[:-3] for one in entries if one.name.endswith(".py") and one.name[0] != "_")
    except OSError:
        return []
