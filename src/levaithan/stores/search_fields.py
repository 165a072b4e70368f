"""What of a record is counted and narrowed by: its fields, and the template of what it says. Pure; standard library.

The template is made when the event is put, not when it is asked for: then every adapter counts all events exactly, and
the same, whatever its server knows of patterns.
"""

from __future__ import annotations

import re
from typing import Any

from levaithan.stores.roles.search import FIELDS

LONGEST_VALUE = 512
"""Characters of a field's value that count: none of Claude Code's is longer, and no index takes any size."""
LONGEST_TEMPLATE = 96
MOST_WORDS = 8
LOOKED_AT = 200
"""Characters of an event's text that its template is made of: the tool and the beginning of what it was asked. Further
words tell events of a kind apart, and hardly ever the kinds."""
KEYS = ("event", "tool_name", "decision", "rule", "session_id", "agent_id", "project", "machine")
"""Where a record has each of FIELDS."""
_VARYING = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>]+)"
    r"|(?P<id>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<text>\"[^\"]*\"?|(?<!\w)'[^']*'?)"
    r"|(?P<path>(?<![\w<])[~.\w@+-]*/[^\s\"'<>|;&()]*)"
    r"|(?P<hex>\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])(?:0x)?[0-9a-fA-F]{7,}\b)"
    r"|(?P<number>\d+(?:[.,:]\d+)*)"
)


def fields_of(record: dict[str, Any]) -> dict[str, str]:
    """The fields of a record that it has, cut to LONGEST_VALUE, with nothing in them that a store cannot hold."""
    found = {}
    for name, key in zip(FIELDS, KEYS, strict=True):
        value = record.get(key)
        if type(value) is str and value:
            found[name] = held(value)
    return found


def held(value: str) -> str:
    """A field's value as it is stored and asked for."""
    value = value[:LONGEST_VALUE]
    return value if value.isascii() and "\0" not in value else clean(value)


def clean(text: str) -> str:
    """`text` as every store can hold it: an index needs no exact copy, so nothing is set aside for its characters."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def template_of(said: str, fields: dict[str, str]) -> str:
    """The beginning of what an event says on one line, with <number>, <path>, <url>, <hex>, <id> and <text> for what
    varies; the event's name for one that says nothing."""
    words: list[str] = []
    quote = ""
    for word in said[:LOOKED_AT].split():
        if quote:
            quote = "" if quote in word else quote
        elif word.isalpha():
            words.append(word)
        elif word[0] in "\"'":
            words.append("<text>")
            quote = word[0] if word.count(word[0]) == 1 else ""
        else:
            words.append(_VARYING.sub(_mark, word))
        if len(words) == MOST_WORDS:
            break
    return held(" ".join(words)[:LONGEST_TEMPLATE]) or fields.get("event", "")


def _mark(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"
