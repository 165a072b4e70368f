"""The rules on deeds, found by the tool that would do them and the kind of deed: the others cost it nothing.

Beside run_rules.py, which finds the rules on what is run. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.where import FILE_PLACES, INSIDE_OUT, PATH_DEEDS, PATH_PLACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from levaithan.hot.deed import Deed
    from levaithan.hot.where import Where

    Rule = dict[str, Any]

_MANY = 64
"""Names of tools come from outside."""


class DeedRules:
    """Which rules a deed may meet."""

    __slots__ = ("_of_tool", "_rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = list(rules)
        self._of_tool: dict[str, dict[str, Of]] = {}

    def of_tool(self, name: str) -> dict[str, Of]:
        """Kind of deed -> the rules on it, for the tool (or the event) `name`."""
        known = self._of_tool.get(name)
        if known is None:
            found: dict[str, list[Rule]] = {}
            for rule in self._rules:
                if not rule["tools"] or _tool_fits(rule["tools"], name):
                    for kind in rule["does"]:
                        found.setdefault(kind, []).append(rule)
            if len(self._of_tool) > _MANY:
                self._of_tool.clear()
            known = self._of_tool[name] = {kind: Of(kind, rules) for kind, rules in found.items()}
        return known


class Of:
    """The rules on one kind of deed; of those on paths, the ones that matter for a path that lies in no place at all,
    for one below the project, and for one that lies in no place of single files. None: all of them do."""

    __slots__ = ("_beyond_files", "_beyond_inside", "_beyond_paths", "_rules")

    def __init__(self, kind: str, rules: list[Rule]) -> None:
        self._rules: Sequence[Rule] = rules
        of_paths = kind in PATH_DEEDS
        self._beyond_paths = _beyond(PATH_PLACES, rules) if of_paths else None
        self._beyond_inside = _beyond(FILE_PLACES | INSIDE_OUT, rules) if of_paths else None
        self._beyond_files = _beyond(FILE_PLACES, rules) if of_paths else None

    def about(self, deed: Deed, where: Where) -> Sequence[Rule]:
        """Those that `deed` may meet, in order."""
        if self._beyond_paths is not None and where.is_ordinary(deed):
            return self._beyond_paths
        if self._beyond_inside is not None and where.is_inside(deed):
            return self._beyond_inside
        if self._beyond_files is not None and not where.is_in_files(deed):
            return self._beyond_files
        return self._rules


def _beyond(places: frozenset[str], rules: list[Rule]) -> list[Rule] | None:
    """The rules that name other places as well; None when all do."""
    found = [rule for rule in rules if not places.issuperset(rule["to"])]
    return found if len(found) < len(rules) else None


def _tool_fits(tools: list[str], name: str) -> bool:
    return any(name == tool or (tool.endswith("*") and name.startswith(tool[:-1])) for tool in tools)
