"""Changes to a JSON text as splices: what is not touched stays byte for byte, what is added looks like its neighbours.

Works on spans that `json_spans` found. Imports nothing else of ours.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from levaithan.install.json_spans import BOM, Member, Node

_INDENT = re.compile(r"[\[{]\r?\n([ \t]+)\S")


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace text[start:end] by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written. newline: between lines; unit: of indentation; compact: all on one line."""

    newline: str
    unit: str
    compact: bool
    comma: str
    colon: str

    def render(self, value: object, indent: str | None) -> str:
        """`value` as JSON: over several lines with `indent` in front of all but the first, or on one (None)."""
        if indent is None:
            return json.dumps(value, ensure_ascii=False, separators=(self.comma, self.colon))
        text = json.dumps(value, ensure_ascii=False, indent=self.unit, separators=(",", ": "))
        return text.replace("\n", self.newline + indent)


def style_of(text: str) -> Style:
    """The style of the file `text`; two blanks and LF for one that shows none."""
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _INDENT.search(text)
    body = text.removeprefix(BOM).strip()
    compact = "\n" not in body and "".join(body.split()) not in ("", "{}")
    tight = compact and '": ' not in body
    return Style(newline, found.group(1) if found else "  ", compact, "," if tight else ", ", ":" if tight else ": ")


def apply(text: str, splices: list[Splice]) -> str:
    """`text` with all `splices` made; they may not overlap."""
    parts = []
    at = 0
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        if splice.start < at:
            raise AssertionError("splices overlap")
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*parts, text[at:]])


def append_items(text: str, array: Node, values: list[object], style: Style) -> Splice:
    """Put `values` at the end of an array."""
    return _append(text, array, [(None, value) for value in values], style)


def append_members(text: str, parent: Node, values: list[tuple[str, object]], style: Style) -> Splice:
    """Put members at the end of an object; the keys must be new."""
    return _append(text, parent, list(values), style)


def _append(text: str, parent: Node, values: list[tuple[str | None, object]], style: Style) -> Splice:
    spans = _children(parent)
    if not spans:
        return _fill(text, parent, values, style)
    before = spans[-2][1] if len(spans) > 1 else parent.start + 1
    gap = text[before : spans[-1][0]].rpartition(",")[2]
    indent = gap.rpartition("\n")[2] if "\n" in gap else None
    if indent is None and not gap and style.comma != ",":
        gap = " "
    added = "".join("," + gap + _one(key, value, style, indent) for key, value in values)
    return Splice(spans[-1][1], spans[-1][1], added)


def _fill(text: str, parent: Node, values: list[tuple[str | None, object]], style: Style) -> Splice:
    """The content of a container that was empty."""
    if style.compact:
        inner = style.comma.join(_one(key, value, style, None) for key, value in values)
        return Splice(parent.start + 1, parent.end - 1, inner)
    outer = _indent_at(text, parent.start)
    inner_indent = outer + style.unit
    lines = [style.newline + inner_indent + _one(key, value, style, inner_indent) for key, value in values]
    return Splice(parent.start + 1, parent.end - 1, ",".join(lines) + style.newline + outer)


def _one(key: str | None, value: object, style: Style, indent: str | None) -> str:
    rendered = style.render(value, indent)
    if key is None:
        return rendered
    return json.dumps(key, ensure_ascii=False) + (style.colon if indent is None else ": ") + rendered


def replace(node: Node, value: object, text: str, style: Style) -> Splice:
    """Another value in the place of `node`."""
    line = text.rfind("\n", 0, node.start) + 1
    own_line = not text[line : node.start].strip(" \t")
    indent = text[line : node.start] if own_line and line else None
    return Splice(node.start, node.end, style.render(value, indent))


def remove(parent: Node, unwanted: list[int]) -> list[Splice]:
    """Take the children with these indexes out, each with one comma and the blanks that go with it."""
    spans = _children(parent)
    gone = sorted(set(unwanted))
    kept = [index for index in range(len(spans)) if index not in set(gone)]
    if not gone:
        return []
    if not kept:
        return [Splice(parent.start + 1, parent.end - 1, "")]
    splices = []
    first = kept[0]
    if first > 0:
        splices.append(Splice(spans[0][0], spans[first][0], ""))
    for index in gone:
        if index > first:
            splices.append(Splice(spans[index - 1][1], spans[index][1], ""))
    return splices


def _children(parent: Node) -> list[tuple[int, int]]:
    if parent.kind == "array":
        return [(item.start, item.end) for item in parent.items]
    return [_span(member) for member in parent.members]


def _span(member: Member) -> tuple[int, int]:
    return member.start, member.node.end


def _indent_at(text: str, offset: int) -> str:
    """The blanks that the line of `offset` begins with."""
    line = text.rfind("\n", 0, offset) + 1
    rest = text[line:offset].removeprefix(BOM)
    return rest[: len(rest) - len(rest.lstrip(" \t"))]
