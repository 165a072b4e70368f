"""Makes stored text safe and fitting for a terminal: what an agent wrote must not move the cursor or hide a word.

Standard library only.
"""

from __future__ import annotations

import unicodedata

JOINER = "\u200d"  # joins emoji; harmless
CUT = "…"


def clean(text: str, *, lines: bool = False) -> str:
    """`text` with every control, escape, bidirectional, invisible or unassigned character written as \\x1b, \\u202e...

    With `lines`, line breaks and tabs stay. Lone surrogates are written out too, so the result always encodes.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == JOINER else _shown(char, lines) for char in text)


def _shown(char: str, lines: bool) -> str:
    if lines and char in "\n\t":
        return char
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if known:
        return known
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Columns that a cleaned `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or char == JOINER or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns` columns; what was cut away is shown by an ellipsis."""
    if width(text) <= columns:
        return text
    kept = []
    used = 0
    for char in text:
        used += _columns(char)
        if used > columns - 1:
            break
        kept.append(char)
    return "".join(kept) + CUT if columns > 0 else ""


def wrap(text: str, columns: int) -> list[str]:
    """A cleaned `text` in lines of at most `columns` columns (1 at least), broken at blanks, in a word only where that
    is longer; one line for an empty one. Nothing is left out but the blanks where it is broken."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= columns:
            lines[-1] = joined
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = lines[-1] or word
        while width(lines[-1]) > columns and len(lines[-1]) > 1:
            head = _head(lines[-1], columns)
            lines[-1:] = [head, lines[-1][len(head) :]]
    return lines


def _head(text: str, columns: int) -> str:
    """As much of `text` as fits into `columns`, one character at least."""
    used = 0
    for at, char in enumerate(text):
        used += _columns(char)
        if used > columns and at:
            return text[:at]
    return text


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` filled with blanks to `columns` columns."""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks
