"""Our entries in the text of a settings file: put in, brought up to date, taken out; nothing else of it changes.

Texts in, texts out: no file is touched here. An entry is ours by its command and its `--home`, never by its place.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from levaithan.install import json_edit, json_spans, settings_rules
from levaithan.install.json_spans import Node

if TYPE_CHECKING:
    from collections.abc import Mapping

NATIVE = "levaithan-hook"
PYTHON = "levaithan/hot/client.py"


@dataclass(frozen=True, slots=True)
class Created:
    """What a merge had to make around our entries: the `hooks` object, and the lists of these events.

    What another installation of LevAIthan made counts too: whichever of them goes last takes it away.
    """

    hooks: bool = False
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """The new text, what was made in it, and what Claude Code will not like about foreign entries."""

    text: str
    created: Created
    notes: list[settings_rules.Problem] = field(default_factory=list)


class Refused(Exception):  # noqa: N818 - settings_file makes an InstallError of it, with the path
    """The settings cannot be changed safely; `problem` says where and why."""

    def __init__(self, problem: settings_rules.Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def words_of(handler: object) -> list[str]:
    """The command of a handler as a list of words; a shell command is split. [] for what is no command."""
    if not isinstance(handler, dict) or not isinstance(handler.get("command"), str):
        return []
    command = str(handler["command"])
    arguments = handler.get("args")
    if isinstance(arguments, list):
        return [command, *(word for word in arguments if isinstance(word, str))]
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def home_of(handler: object) -> str | None:
    """The home that a handler of LevAIthan works for ("" when it names none); None for a foreign handler."""
    words = words_of(handler)
    if not any(os.path.basename(word) == NATIVE or word.endswith("/" + PYTHON) for word in words):  # noqa: PTH119
        return None
    for index, word in enumerate(words):
        if word == "--home":
            return os.path.realpath(words[index + 1]) if index + 1 < len(words) else ""
        if word.startswith("--home="):
            return os.path.realpath(word[7:])
    return ""


def parse(text: str) -> Node:
    """The document of a settings text; an empty one is an empty object. Raises Refused for what is no JSON."""
    try:
        return json_spans.parse(text)
    except json_spans.NotJsonError as error:
        problem = settings_rules.Problem("file", error.line, error.column, "", error.reason)
        raise Refused(problem) from None


def merge(text: str, entries: Mapping[str, dict[str, object]], home: str, *, formerly: str = "") -> Merged:
    """Put `entries` (an event's group each) into `text`, in place of older ones of ours; ours elsewhere go.

    `formerly`: where this home was before it was moved; its entries are ours too. A text that needs no change comes
    back as it is. Raises Refused for a text that Claude Code would drop, or
    that has our place taken by something else.
    """
    base = text if text.strip(" \t\r\n" + json_spans.BOM) else text + "{}" + ("\n" if not text else "")
    notes = _check(base)
    homes = (home, formerly or home)
    cleaned = _take_out(base, homes, keep=entries)
    created = Created()
    if _missing(cleaned, entries, homes):
        cleaned, created = _put_in(cleaned, entries, homes)
    if cleaned == base:
        cleaned = text if text.strip() else base
    left = [one for one in settings_rules.problems(cleaned) if one.weight == "file"]
    if left:  # never written: the rules and the splices would contradict each other
        raise Refused(left[0])
    return Merged(cleaned, created, notes)


def _check(text: str) -> list[settings_rules.Problem]:
    parse(text)
    found = settings_rules.problems(text)
    fatal = [one for one in found if one.weight == "file"]
    if fatal:
        raise Refused(fatal[0])
    return found


def _hooks(root: Node) -> Node | None:
    return root.get("hooks")


def events(text: str) -> list[str]:
    """The events that the settings `text` has hooks for."""
    hooks = _hooks(parse(text))
    return [member.key for member in hooks.members] if hooks is not None else []


def _mine(group: Node, homes: tuple[str, ...]) -> list[int]:
    """The indexes of our handlers in a group."""
    handlers = group.get("hooks") if group.kind == "object" else None
    if handlers is None or handlers.kind != "array":
        return []
    return [index for index, handler in enumerate(handlers.items) if home_of(handler.plain()) in homes]


def _missing(text: str, entries: Mapping[str, dict[str, object]], homes: tuple[str, ...]) -> list[str]:
    """The events whose entry of ours is not there."""
    hooks = _hooks(parse(text))
    lists = {name: hooks.get(name) if hooks else None for name in entries}
    return [name for name, node in lists.items() if not node or not any(_mine(group, homes) for group in node.items)]


def _take_out(text: str, homes: tuple[str, ...], keep: Mapping[str, dict[str, object]]) -> str:
    """Without our entries, but for the first of each event in `keep`, which gets the wanted value in its place."""
    hooks = _hooks(parse(text))
    if hooks is None:
        return text
    style = json_edit.style_of(text)
    splices: list[json_edit.Splice] = []
    for member in hooks.members:
        wanted = keep.get(member.key)
        gone: list[int] = []
        for index, group in enumerate(member.node.items):
            mine = _mine(group, homes)
            if not mine:
                continue
            handlers = group.get("hooks")
            if handlers is None or len(mine) < len(handlers.items):  # somebody put a hook of theirs beside ours
                splices += json_edit.remove(handlers, mine) if handlers else []
            elif wanted is None:
                gone.append(index)
            else:
                if group.plain() != wanted:
                    splices.append(json_edit.replace(group, wanted, text, style))
                wanted = None
        splices += json_edit.remove(member.node, gone)
    return json_edit.apply(text, splices)


def _put_in(text: str, entries: Mapping[str, dict[str, object]], homes: tuple[str, ...]) -> tuple[str, Created]:
    root = parse(text)
    style = json_edit.style_of(text)
    missing = _missing(text, entries, homes)
    hooks = _hooks(root)
    if hooks is None:
        whole = {name: [entries[name]] for name in missing}
        added = json_edit.append_members(text, root, [("hooks", whole)], style)
        return json_edit.apply(text, [added]), Created(True, tuple(missing))
    splices = []
    new: list[tuple[str, object]] = []
    for name in missing:
        node = hooks.get(name)
        if node is None:
            new.append((name, [entries[name]]))
        elif node.kind == "array":
            splices.append(json_edit.append_items(text, node, [entries[name]], style))
        else:
            line, column = json_spans.position(text, node.start)
            raise Refused(settings_rules.Problem("entry", line, column, f"hooks.{name}", "a list was expected"))
    if new:
        splices.append(json_edit.append_members(text, hooks, new, style))
    shared = [member.key for member in hooks.members if _no_foreign(member.node)]
    made = tuple(name for name in missing if name in shared or hooks.get(name) is None)
    return json_edit.apply(text, splices), Created(0 < len(shared) == len(hooks.members), made)


def _no_foreign(node: Node) -> bool:
    """Whether an event's list has entries, and all of them are of installations of LevAIthan."""
    lists = [group.get("hooks") if group.kind == "object" else None for group in node.items]
    return bool(lists) and all(
        one and one.items and all(home_of(handler.plain()) is not None for handler in one.items) for one in lists
    )


def without(text: str, home: str, created: Created | None = None, *, formerly: str = "") -> str:
    """`text` without our entries, and without the lists that were made for them (by default: every one left empty).

    Raises Refused for a text that is no JSON.
    """
    homes = (home, formerly or home)
    if not text.strip(" \t\r\n" + json_spans.BOM):
        return text
    before = parse(text)
    hooks = _hooks(before)
    if hooks is None or hooks.kind != "object":
        return text
    ours = [member.key for member in hooks.members if any(_mine(group, homes) for group in member.node.items)]
    cleaned = _take_out(text, homes, keep={})
    root = parse(cleaned)
    hooks = _hooks(root)
    if hooks is None or not ours:
        return text
    made = ours if created is None else [*created.events]
    empty = [
        index
        for index, member in enumerate(hooks.members)
        if member.key in made and member.node.kind == "array" and not member.node.items
    ]
    if len(empty) == len(hooks.members) and (created is None or created.hooks):
        whole = [index for index, member in enumerate(root.members) if member.key == "hooks"]
        return json_edit.apply(cleaned, json_edit.remove(root, whole))
    return json_edit.apply(cleaned, json_edit.remove(hooks, empty))
