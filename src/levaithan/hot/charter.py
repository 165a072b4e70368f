"""The charter in force: what people have laid down for a home, with what a project adds to it.

`context/charter.toml` holds the directives and what follows from them: which packs of rules count, how rules are
changed, limits, who must approve what. A project's `.claude/levaithan.toml` can only make it stricter. Both are kept
compiled, and the last good form of a file stays in force while it cannot be used. Standard library only, and lean: the
one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

import os

from levaithan.hot import kept
from levaithan.hot.bounded import sha256_hex
from levaithan.hot.paths import fnv1a64, regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.paths import Home
    from levaithan.hot.workflow import Context

Section = dict[str, "Any"]
FILE = "/charter.toml"
PROJECT_FILE = "/.claude/levaithan.toml"
_FORMAT = 1
_MOST = 256 << 10
_PROJECTS = 256
FRESH_US = 250_000
"""How long a file is taken to be as it was."""
FIXED_PACKS = ("base", "guard")
"""Without these the guard does not guard itself: no charter switches them off."""
LIMITS = ("budgets", "pace", "leases")
DEFAULTS: dict[str, Section] = {
    "approvals": {"headless": "ticket", "waits": 86_400, "passes": 3600},
    "pace": {
        "enabled": True,
        "calls_per_minute": 600,
        "calls_per_minute_by_agent": 0,
        "calls_per_minute_by_tool": 0,
        "calls_per_minute_by_project": 0,
        "tokens_per_minute": 0,
        "tokens_per_minute_by_agent": 0,
        "tokens_per_minute_by_project": 0,
        "denials_per_minute": 40,
        "denials_per_minute_by_agent": 0,
        "denials_per_minute_by_tool": 0,
        "denials_per_minute_by_project": 0,
        "repeats_warn": 8,
        "repeats_deny": 25,
        "pingpong_deny": 40,
        "backoff": 20,
        "backoff_longest": 300,
        "exempt": ["TaskOutput", "BashOutput", "TaskList", "TaskGet", "TodoWrite", "Monitor"],
    },
    "leases": {"enabled": True, "expires": 600, "on_conflict": "deny", "ignore": []},
    "budgets": {"enabled": True, "limit": [], "reserve_usd": 0.05},
}
"""What holds where nobody says otherwise; times in seconds, numbers a minute, 0 for no limit."""
_CONFLICT = ("warn", "ask", "deny")
_cache: dict[tuple[str, str], tuple[object, Charter]] = {}


class Charter:
    """Tables by section, {} for what nobody laid down; `problems`: what is wrong with the files, in words.

    off: packs that do not count; overrides: [(rule id or pattern, {effect, mode}, by the project)]; rules: the
    project's own; required: [{"rules": patterns, "by": users}], whose asks need an approval.
    """

    __slots__ = ("approvals", "budgets", "directives", "leases", "off", "overrides", "pace", "problems", "required",
                 "rules", "secrets")  # fmt: skip

    def __init__(self, home: Section, project: Section, problems: list[str]) -> None:
        self.problems = problems
        self.directives: list[Section] = home.get("directive", [])
        self.secrets: Section = home.get("secrets", {})
        self.approvals = _section(home, "approvals")
        self.budgets = _with_limits(_section(home, "budgets"), project.get("budgets", {}))
        self.pace = _lower(_section(home, "pace"), project.get("pace", {}))
        self.leases = _section(home, "leases")
        stricter = project.get("leases", {}).get("on_conflict")
        if stricter and _CONFLICT.index(stricter) > _CONFLICT.index(self.leases["on_conflict"]):
            self.leases["on_conflict"] = stricter
        self.rules: list[Section] = project.get("rule", [])
        self.overrides = _overrides(home, project)
        self.required: list[Section] = [
            *self.approvals.get("required", ()),
            *project.get("approvals", {}).get("required", ()),
        ]
        self.off = self._select(home.get("policy", {}).get("off", []))

    def _select(self, off: list[str]) -> frozenset[str]:
        """What the directives choose: the packs and limits of one that is switched off, and of no other, are off."""
        chosen: dict[str, bool] = {}
        for directive in self.directives:
            enabled = directive.get("enabled", True)
            for name in (*directive.get("packs", ()), *directive.get("limits", ())):
                chosen[name] = chosen.get(name, False) or enabled
            if enabled:
                self.required += directive.get("approvals", ())
        for name in LIMITS:
            if not chosen.get(name, True):
                setattr(self, name, {**getattr(self, name), "enabled": False})
        return frozenset((*off, *(name for name, on in chosen.items() if not on))).difference(FIXED_PACKS)


def load(home: Home, project: str | None = None) -> Charter:
    """The charter of `home`, with what the folder `project` adds; read again only when a file changed. Never raises."""
    path = home.context + FILE
    own = project + PROJECT_FILE if project else ""
    seen = _stamp(own) if own else None
    own = own if seen else ""
    key = (_stamp(path), seen)
    known = _cache.get((path, own))
    if known is not None and known[0] == key:
        return known[1]
    problems: list[str] = []
    laid_down = _file(home, path, problems)
    added = _file(home, own, problems, of_project=True) if own else {}
    if len(_cache) > _PROJECTS:
        _cache.clear()
    made = Charter(laid_down, added, problems)
    _cache[path, own] = (key, made)
    return made


def of(event: Event, context: Context) -> Charter:
    """The charter that counts for `event`; a change of its files does so within a quarter of a second."""
    project = event.project or event.cwd or ""
    fresh: dict[str, tuple[int, Charter]] = context.memory.setdefault("charter", {})
    until, found = fresh.get(project, (0, None))
    if found is None or not 0 <= until - context.now_us <= FRESH_US:
        found = load(context.home, project or None)
        if len(fresh) > _PROJECTS:
            fresh.clear()
        fresh[project] = (context.now_us + FRESH_US, found)
    return found


def has_own(project: str | None) -> bool:
    """Whether the folder `project` adds something."""
    return bool(project) and os.path.lexists(str(project) + PROJECT_FILE)


def _file(home: Home, path: str, problems: list[str], *, of_project: bool = False) -> Section:
    """The compiled charter of one file; the last good one, and a problem, where it cannot be used."""
    cache = f"{home.state}/cache/charter-{fnv1a64(os.fsencode(path))}.json"
    good = kept.read(cache)
    if not isinstance(good, dict) or good.get("format") != _FORMAT or good.get("path") != path:
        good = None
    try:
        with open(path, "rb", opener=regular) as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        return _last_good(good, problems, f"{path} cannot be read ({error.strerror})")
    if len(data) > _MOST:
        return _last_good(good, problems, f"{path} has more than {_MOST >> 10} KiB")
    digest = sha256_hex(data)
    if good and good["hash"] == digest:
        return dict(good["charter"])
    from levaithan.hot.charter_file import CharterError, compiled

    try:
        made = compiled(path, data, of_project=of_project)
    except CharterError as error:
        return _last_good(good, problems, str(error))
    kept.write(cache, {"format": _FORMAT, "path": path, "hash": digest, "charter": made})
    return made


def _last_good(good: Section | None, problems: list[str], why: str) -> Section:
    after = "the last good one stays in force" if good else "what is built in is in force"
    problems.append(f"{why}; {after}: correct it, `levaithan charter validate` checks it")
    return dict(good["charter"]) if good else {}


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _section(home: Section, name: str) -> Section:
    return {**DEFAULTS[name], **home.get(name, {})}


def _overrides(home: Section, project: Section) -> list[tuple[str, dict[str, str], bool]]:
    """How rules are changed: what [secrets] says, then [policy.rules], then the project's."""
    found: list[tuple[str, dict[str, str], bool]] = []
    for name, rule in (("prompt", "secrets.in-prompt"), ("command", "secrets.in-text")):
        effect = home.get("secrets", {}).get(name)
        if effect:
            found.append((rule, {"effect": effect}, False))
    for source, by_project in ((home, False), (project, True)):
        found += [(rule, said, by_project) for rule, said in source.get("policy", {}).get("rules", {}).items()]
    return found


def _lower(home: Section, project: Section) -> Section:
    """`home` with what in `project` is lower: of numbers that limit, 0 is none at all."""
    made = dict(home)
    for key, value in project.items():
        if value and (not made.get(key) or value < made[key]):
            made[key] = value
    return made


def _with_limits(home: Section, project: Section) -> Section:
    """`home` with the limits of a project beside its own: each is held, so that the stricter one counts."""
    more = [{**limit, "by_project": True} for limit in project.get("limit", ())]
    return {**home, "limit": [*home.get("limit", ()), *more]} if more else dict(home)
