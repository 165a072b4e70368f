"""A strict JSON reader that knows where everything stands, so that a settings file can be changed without rewriting it.

`json` of the standard library forgets spans, drops duplicate keys and takes NaN. Imports the standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]

MAX_DEPTH = 200
BOM = "\ufeff"
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


class NotJsonError(ValueError):
    """A text that is no JSON: `reason` in words, `line` and `column` from 1."""

    def __init__(self, text: str, offset: int, reason: str) -> None:
        self.reason = reason
        self.line, self.column = position(text, offset)
        super().__init__(f"{self.line}:{self.column}: {reason}")


@dataclass(slots=True)
class Node:
    """A value and the span [start, end) of its text. kind: object, array or scalar (then `value` holds it)."""

    kind: str
    start: int
    end: int = 0
    value: object = None
    items: list[Node] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)

    def get(self, key: str) -> Node | None:
        """The value of `key` in an object (the last one counts, as everywhere); None when it is not there."""
        return next((member.node for member in reversed(self.members) if member.key == key), None)

    def plain(self) -> object:
        """The value as Python has it."""
        if self.kind == "object":
            return {member.key: member.node.plain() for member in self.members}
        return [item.plain() for item in self.items] if self.kind == "array" else self.value


@dataclass(slots=True)
class Member:
    """A member of an object; its span is from `start` (the key's quote) to the end of its value."""

    key: str
    start: int
    node: Node


def position(text: str, offset: int) -> tuple[int, int]:
    """(line, column) of `offset`, both from 1; a CR before the LF and a BOM count as nothing."""
    before = text[:offset]
    begun = before.rfind("\n") + 1
    return before.count("\n") + 1, len(before[begun:].removeprefix(BOM)) + 1


def parse(text: str) -> Node:
    """The document in `text`, a BOM in front allowed. Raises NotJsonError with the place of the first wrong thing."""
    reader = _Reader(text)
    return reader.document()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 1 if text.startswith(BOM) else 0

    def document(self) -> Node:
        self.skip()
        node = self.value(0)
        self.skip()
        if self.at != len(self.text):
            raise self.wrong(self._odd("there is more text after the end of the JSON value"))
        return node

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def wrong(self, reason: str, at: int | None = None) -> NotJsonError:
        return NotJsonError(self.text, self.at if at is None else at, reason)

    def _odd(self, otherwise: str) -> str:
        here = self.text[self.at : self.at + 2]
        if here in ("//", "/*") or here[:1] == "#":
            return "a comment is not allowed in JSON (Claude Code ignores such a file as a whole)"
        return otherwise if here else "the text ends too early"

    def value(self, depth: int) -> Node:
        here = self.text[self.at : self.at + 1]
        if depth > MAX_DEPTH:
            raise self.wrong(f"it is nested deeper than {MAX_DEPTH} levels")
        if here == "{":
            return self._object(depth)
        if here == "[":
            return self._array(depth)
        if here == '"':
            start = self.at
            return Node("scalar", start, value=self._string(), end=self.at)
        return self._literal()

    def _literal(self) -> Node:
        start = self.at
        for word, value in _WORDS.items():
            if self.text.startswith(word, start):
                self.at += len(word)
                return Node("scalar", start, self.at, value)
        found = _NUMBER.match(self.text, start)
        if found is None:
            raise self.wrong(self._odd("a value was expected here"))
        self.at = found.end()
        number = found.group()
        if len(number) > 400:
            raise self.wrong("the number is too long", start)
        return Node("scalar", start, self.at, int(number) if number.lstrip("-").isdigit() else float(number))

    def _string(self) -> str:
        start = self.at
        try:
            text, self.at = scanstring(self.text, start + 1, True)
        except JSONDecodeError as error:
            raise self.wrong(f"the string is wrong: {error.msg}", error.pos) from None
        return str(text)

    def _array(self, depth: int) -> Node:
        node = Node("array", self.at)
        self.at += 1
        self.skip()
        while not self._closes("]", node, bool(node.items)):
            node.items.append(self.value(depth + 1))
            self.skip()
        return node

    def _object(self, depth: int) -> Node:
        node = Node("object", self.at)
        self.at += 1
        self.skip()
        while not self._closes("}", node, bool(node.members)):
            start = self.at
            if self.text[start : start + 1] != '"':
                raise self.wrong(self._odd("a key in double quotes was expected here"))
            key = self._string()
            self.skip()
            if self.text[self.at : self.at + 1] != ":":
                raise self.wrong(self._odd("a colon was expected after the key"))
            self.at += 1
            self.skip()
            node.members.append(Member(key, start, self.value(depth + 1)))
            self.skip()
        return node

    def _closes(self, bracket: str, node: Node, filled: bool) -> bool:
        """Whether the container ends here; steps over the comma when it does not."""
        here = self.text[self.at : self.at + 1]
        if here == bracket:
            self.at += 1
            node.end = self.at
            return True
        if not filled:
            return False
        if here != ",":
            raise self.wrong(self._odd(f"a comma or {bracket} was expected here"))
        comma = self.at
        self.at += 1
        self.skip()
        if self.text[self.at : self.at + 1] in ("]", "}"):
            raise self.wrong("a comma before the closing bracket is not allowed in JSON", comma)
        return False
