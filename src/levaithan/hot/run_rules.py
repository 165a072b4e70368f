"""The rules on what is run, found by the program: a thousand rules on others cost a command nothing.

Patterns are compiled when their program is first seen. Standard library only.
"""

from __future__ import annotations

from levaithan.hot.invocation import Pattern, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from levaithan.hot.shell import Simple

    Rule = dict[str, Any]


class RunRules:
    """Which rules a command meets. `runs` of each rule are its patterns, see invocation.py."""

    __slots__ = ("_by_program", "_compiled")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_program: dict[str, list[tuple[Rule, str]]] = {}
        self._compiled: dict[str, Pattern] = {}
        for rule in rules:
            for text in rule["runs"]:
                for program in text.partition(" ")[0].split("|"):
                    self._by_program.setdefault(program, []).append((rule, text))

    def met(self, made: Simple) -> Iterator[Rule]:
        """Every rule with a pattern that `made` fits, a rule as often as it has such patterns."""
        if not self._by_program:
            return
        call = of(made)
        for rule, text in self._by_program.get(call.name, ()):
            pattern = self._compiled.get(text)
            if pattern is None:
                pattern = self._compiled[text] = Pattern(text)
            if pattern.fits(call):
                yield rule
