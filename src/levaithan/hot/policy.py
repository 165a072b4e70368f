"""Holds a tool call against the rules: what it would do (deeds.py), to which place (protected.py), under which rule.

Rules are data (`context/policies/*.toml`, compiled by policy_pack.py and cached), so this file knows kinds of deeds and
kinds of places but forbids nothing by itself. Standard library only; the command parser and the compiler are imported
when they are needed: the one-shot path runs this while Claude Code waits.
"""

from __future__ import annotations

import os

from levaithan.hot import charter, hotconf, policy_charter
from levaithan.hot.bounded import head
from levaithan.hot.deed import Deed, shown
from levaithan.hot.deed_rules import DeedRules
from levaithan.hot.opinion import Opinion
from levaithan.hot.protected import Protected
from levaithan.hot.run_rules import RunRules
from levaithan.hot.scene import Scene
from levaithan.hot.where import PLACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.hotconf import HotConf
    from levaithan.hot.paths import Home

__all__ = ("PLACES", "Policy", "load", "stamps")

Rule = dict[str, "Any"]

_VERDICTS = {"deny": "deny", "ask": "ask", "warn": "allow"}
_STRENGTH = {"allow": 0, "ask": 1, "deny": 2}
_SEEN = 120
_loaded: dict[tuple[str, str], tuple[list[object], Policy]] = {}
_PROJECTS = 64


class Policy:
    """The rules in force; `rules` None: there never were good ones. problems: what is wrong with them, in words."""

    __slots__ = (
        "_deeds",
        "_last",
        "_runs",
        "conf",
        "home",
        "problems",
        "protected",
        "rules",
        "user_home",
    )

    def __init__(
        self, home: Home, conf: HotConf, rules: list[Rule] | None, problems: list[str], user_home: str | None = None
    ) -> None:
        self.home = home
        self.conf = conf
        self.rules = rules
        self.problems = problems
        self.user_home = user_home or os.path.expanduser("~")
        self.protected = Protected(home, conf, self.user_home)
        self._deeds = DeedRules(rules or ())
        self._runs = RunRules(rule for rule in rules or () if "run" in rule["does"])
        self._last: tuple[str, list[Deed]] = ("", [])

    def judge(self, event: Event) -> Opinion | None:
        """What the strictest rule that fits says; None when none does.

        A shadow rule or a warning gives verdict "allow" with the reason, which is recorded and holds nothing up.
        """
        found = self.opinions(event)
        return max(found, key=lambda one: (_STRENGTH[one.verdict], one.context is not None)) if found else None

    def deeds(self, event: Event) -> list[Deed]:
        """What `event` would do, for whoever wants to see it."""
        return Scene(self.protected, self.user_home, event).deeds()

    def deeds_of(self, event: Event) -> list[Deed]:
        """The same for who asks after the rules were: the event that was judged last is not read again."""
        return self._last[1] if event.id and self._last[0] == event.id else self.deeds(event)

    def opinions(self, event: Event) -> list[Opinion]:
        """What every rule that fits says, each rule once."""
        if self.rules is None:
            return [self._unloadable()] if event.guard else []
        if event.name not in ("PreToolUse", "PermissionRequest", "ConfigChange", "UserPromptSubmit"):
            return []
        scene = Scene(self.protected, self.user_home, event)
        where, kinds = scene.where, self._deeds.of_tool(event.tool_name or event.name)
        seen: dict[str, Opinion] = {}
        deeds = scene.deeds()
        self._last = (event.id, deeds)
        for deed in deeds:
            rules = kinds.get(deed.kind)
            for rule in rules.about(deed, where) if rules is not None else ():
                if rule["id"] not in seen:
                    place = where.fits(rule, deed)
                    if place is not None:
                        seen[rule["id"]] = _opinion(rule, deed, place)
        for made in scene.commands:
            for rule in self._runs.met(made):
                if rule["id"] not in seen:
                    seen_as = f"{made.origin}: {shown(made.words)}" if made.origin else shown(made.words)
                    deed = Deed("run", made.name, made.cwd, seen_as)
                    seen[rule["id"]] = _opinion(rule, deed, deed.seen)
        return list(seen.values())

    def _unloadable(self) -> Opinion:
        why = "; ".join(self.problems) or f"there are no rules in {self.home.context}/policies"
        reason = (
            f"The rules cannot be loaded, so nothing is let through ({why}). In a terminal: `levaithan doctor --fix`"
        )
        return Opinion("deny", reason, "policy.unloadable")


def load(home: Home, conf: HotConf | None = None, project: str | None = None) -> Policy:
    """The policy of `home`, and of `project` where that has rules of its own; read again only when a file of it
    changed. Never raises: see Policy.problems.

    A pack that is refused (file, line and reason in `problems`) leaves the last good set in force.
    """
    folder = home.context + "/policies"
    own = project if charter.has_own(project) else None
    laid_down = charter.load(home, own)
    key: list[object] = [*stamps(folder), _stamp(home.hot_conf), _stamp(home.installs), laid_down]
    known = _loaded.get((home.root, own or ""))
    if known is not None and known[0] == key:
        return known[1]
    from levaithan.hot import policy_cache

    rules, problems = policy_cache.rules(folder, home.state + "/cache")
    if rules is not None:
        rules, more = policy_charter.in_force(rules, laid_down)
        problems = [*problems, *laid_down.problems, *more]
    made = Policy(home, conf or hotconf.read(home.hot_conf), rules, problems)
    if len(_loaded) > _PROJECTS:
        _loaded.clear()
    _loaded[home.root, own or ""] = (key, made)
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


def _opinion(rule: Rule, deed: Deed, place: str) -> Opinion:
    """One line: what was seen, why it is held up and by which rule, what to do instead."""
    seen = deed.seen if len(deed.seen) <= _SEEN else head(deed.seen, _SEEN - 3) + "..."
    text = f"`{seen}` {rule['reason'].replace('{place}', place)} [rule {rule['id']}]. Instead: {rule['instead']}"
    text = text.replace("\n", " ")
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "?" for char in text)
    if rule["mode"] == "shadow":
        return Opinion("allow", f"shadow, would {rule['effect']}: {text}", rule["id"])
    verdict = _VERDICTS[rule["effect"]]
    return Opinion(verdict, text, rule["id"], text if rule["effect"] == "warn" else None)
