"""The rules on what is run, found by the program and its subcommand: a thousand rules on others cost a command nothing.

Patterns are compiled, and what reads command lines by them is imported, when their program is first seen. Standard
library only.
"""

from __future__ import annotations

from levaithan.hot.late import Late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from levaithan.hot import invocation
    from levaithan.hot.invocation import Pattern
    from levaithan.hot.shell import Simple

    Rule = dict[str, Any]
    Row = tuple[int, Rule, Pattern]
else:
    invocation = Late("invocation")

OTHER_NAMES = frozenset(
    "docker-compose podman-compose tofu terragrunt pip3 mariadb k g tf ip6tables valkey-cli doas".split(" ")
)
"""The ALIASES of programs.py, which is not loaded before one of its programs is run; a test compares."""
_ANY = ""
"""Where patterns stand that begin with no plain word."""


class RunRules:
    """Which rules a command meets. `runs` of each rule are its patterns, see invocation.py."""

    __slots__ = ("_by_program", "_by_word", "_compiled")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_program: dict[str, list[tuple[Rule, str]]] = {}
        self._by_word: dict[str, dict[str, list[Row]]] = {}
        self._compiled: dict[str, Pattern] = {}
        for rule in rules:
            for text in rule["runs"]:
                for program in text.partition(" ")[0].split("|"):
                    self._by_program.setdefault(program, []).append((rule, text))

    def met(self, made: Simple) -> Iterator[Rule]:
        """Every rule with a pattern that `made` fits, a rule as often as it has such patterns, in order."""
        if made.name not in self._by_program and made.name not in OTHER_NAMES:
            return
        call = invocation.of(made)
        if call.name not in self._by_program:
            return
        words = self._by_word.get(call.name)
        if words is None:
            words = self._by_word[call.name] = self._index(call.name)
        rows = words.get(call.words[0]) if call.words else None
        for _, rule, pattern in words[_ANY] if rows is None else rows:
            if pattern.fits(call):
                yield rule

    def _index(self, program: str) -> dict[str, list[Row]]:
        """The patterns of a program by the word that a command begins with; with them, those that begin with any."""
        found: dict[str, list[Row]] = {_ANY: []}
        for place, (rule, text) in enumerate(self._by_program[program]):
            pattern = self._compiled.get(text)
            if pattern is None:
                pattern = self._compiled[text] = invocation.Pattern(text)
            first = pattern.words[0] if pattern.words else None
            for word in first.words if first is not None and first.plain else (_ANY,):
                found.setdefault(word, []).append((place, rule, pattern))
        rest = found[_ANY]
        return {word: sorted(rows + rest, key=_place) if word and rest else rows for word, rows in found.items()}


def _place(row: Row) -> int:
    return row[0]
