"""What Claude Code takes in a settings file: the rules that decide whether its hooks are in force at all.

Seen on the real client: a file that breaks a rule marked `file` is dropped whole and in silence, permission denies too;
a broken entry of another event costs only that entry. Imports the catalogue and our JSON reader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from levaithan.hot.catalogue import EVENTS
from levaithan.install import json_spans
from levaithan.install.json_spans import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STRICT = ("PreToolUse", "PermissionRequest")
"""The events of which one wrong entry drops the whole file."""

_NEEDS = {"command": "command", "http": "url", "prompt": "prompt", "agent": "prompt", "mcp_tool": "tool"}
_NO_PROMPTS = ("SessionStart", "Setup")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """weight: "file" = every hook of the file is off, "entry" = only this one; place: where in the JSON."""

    weight: str
    line: int
    column: int
    place: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.line}:{self.column}: {self.place}: {self.message}" if self.place else f"{self.line}: {self.message}"
        )


@dataclass(frozen=True, slots=True)
class _Wrong:
    node: Node
    place: str
    message: str
    whole: bool = False


def problems(text: str, root: Node | None = None) -> list[Problem]:
    """Everything in the settings `text` that Claude Code refuses, in the order of the file."""
    if root is None:
        try:
            root = json_spans.parse(text)
        except json_spans.NotJsonError as error:
            return [Problem("file", error.line, error.column, "", error.reason)]
    found = []
    for wrong in _document(root):
        line, column = json_spans.position(text, wrong.node.start)
        found.append(Problem("file" if wrong.whole else "entry", line, column, wrong.place, wrong.message))
    return sorted(found, key=lambda one: (one.line, one.column))


def _document(root: Node) -> Iterator[_Wrong]:
    if root.kind != "object":
        yield _Wrong(root, "settings", f"an object was expected, not {_name(root)}", whole=True)
        return
    yield from _others(root)
    named = [member for member in root.members if member.key == "hooks"]
    if len(named) > 1:
        yield _Wrong(named[1].node, "hooks", "the key is there twice; only the last one counts", whole=True)
    for member in named[-1:]:
        yield from _hooks(member.node)


def _others(root: Node) -> Iterator[_Wrong]:
    """Settings beside the hooks whose wrong type drops the file, hooks and all."""
    for key, kind, words in (
        ("permissions", dict, "an object"),
        ("model", str, "a string"),
        ("disableAllHooks", bool, "true or false"),
    ):
        node = root.get(key)
        if node is not None and not isinstance(node.plain(), kind):
            yield _Wrong(node, key, f"{words} was expected, not {_name(node)}", whole=True)
    permissions = root.get("permissions")
    for key in ("allow", "deny", "ask"):
        node = permissions.get(key) if permissions is not None and permissions.kind == "object" else None
        if node is not None and node.kind != "array":
            yield _Wrong(node, f"permissions.{key}", f"a list was expected, not {_name(node)}", whole=True)


def _hooks(hooks: Node) -> Iterator[_Wrong]:
    if hooks.kind != "object":
        yield _Wrong(hooks, "hooks", f"an object with a list an event was expected, not {_name(hooks)}", whole=True)
        return
    seen: set[str] = set()
    for member in hooks.members:
        if member.key not in EVENTS:  # a newer client may know it; this one tolerates it
            continue
        strict = member.key in STRICT
        if member.key in seen:
            yield _Wrong(member.node, member.key, "the event is there twice; only the last one counts", whole=strict)
        seen.add(member.key)
        for wrong in _event(member.key, member.node):
            yield _Wrong(wrong.node, wrong.place, wrong.message, whole=strict)


def _event(name: str, node: Node) -> Iterator[_Wrong]:
    if node.kind != "array":
        yield _Wrong(node, name, f"a list was expected, not {_name(node)}")
        return
    for index, group in enumerate(node.items):
        place = f"{name}[{index}]"
        if group.kind != "object":
            yield _Wrong(group, place, f"an object with hooks was expected, not {_name(group)}")
            continue
        matcher = group.get("matcher")
        if matcher is not None and not isinstance(matcher.value, str):
            yield _Wrong(matcher, place + ".matcher", f"a string was expected, not {_name(matcher)}")
        handlers = group.get("hooks")
        if handlers is None or handlers.kind != "array":
            yield _Wrong(handlers or group, place + ".hooks", "a list of handlers is missing")
            continue
        for number, handler in enumerate(handlers.items):
            yield from _handler(name, handler, f"{place}.hooks[{number}]")


def _handler(event: str, node: Node, place: str) -> Iterator[_Wrong]:
    kind = node.get("type")
    if node.kind != "object" or kind is None or kind.value not in _NEEDS:
        shown = _name(node) if node.kind != "object" else "none" if kind is None else _name(kind)
        yield _Wrong(kind or node, place + ".type", f"one of {', '.join(_NEEDS)} was expected, not {shown}")
        return
    needed = _NEEDS[str(kind.value)]
    given = node.get(needed)
    if given is None or not isinstance(given.value, str) or not given.value:
        yield _Wrong(given or node, f"{place}.{needed}", f"a {kind.value} handler needs a {needed}")
    for key, fits, words in _OPTIONAL:
        optional = node.get(key)
        if optional is not None and not fits(optional):
            yield _Wrong(optional, f"{place}.{key}", f"{words} was expected, not {_name(optional)}")
    if event in _NO_PROMPTS and kind.value not in ("command", "mcp_tool"):
        yield _Wrong(kind, place + ".type", f"{event} takes command and mcp_tool handlers only")


def _positive(node: Node) -> bool:
    return isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and node.value > 0


def _text_list(node: Node) -> bool:
    return node.kind == "array" and all(isinstance(item.value, str) for item in node.items)


_OPTIONAL: tuple[tuple[str, Callable[[Node], bool], str], ...] = (
    ("timeout", _positive, "a number of seconds over 0"),
    ("args", _text_list, "a list of strings"),
    ("onFailure", lambda node: node.value in ("block", "continue"), '"block" or "continue"'),
    ("async", lambda node: isinstance(node.value, bool), "true or false"),
    ("asyncRewake", lambda node: isinstance(node.value, bool), "true or false"),
    ("once", lambda node: isinstance(node.value, bool), "true or false"),
    ("if", lambda node: isinstance(node.value, str), "a string"),
    ("statusMessage", lambda node: isinstance(node.value, str), "a string"),
)


def _name(node: Node) -> str:
    """The value in a few words."""
    if node.kind == "object":
        return "an object"
    if node.kind == "array":
        return "a list"
    shown = json.dumps(node.value, ensure_ascii=False)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
