"""What of a record is searched, and what a person's words mean to FTS5. Pure; standard library only."""

from __future__ import annotations

import re
from typing import Any

SKIPPED = frozenset(
    {"session_id", "transcript_path", "agent_transcript_path", "hook_event_name", "prompt_id", "tool_use_id", "cwd",
     "agent_id", "permission_mode"}
)  # fmt: skip
"""Keys of a payload that every event repeats: ids have filters of their own, folders would match everything."""
LONGEST = 262_144
"""Characters of one event that are searched: more than the client ever sends of a tool's output (30,000)."""
MOST_WORDS = 64


def text_of(record: dict[str, Any]) -> str:
    """The words of a record of kind "event": all texts of its payload, its reason and rule, or its unparsable input."""
    texts: list[str] = []
    payload = record.get("payload")
    if type(payload) is dict:
        for key, value in payload.items():
            # PostToolBatch repeats every result that PostToolUse already brought.
            if key not in SKIPPED and not (key == "tool_calls" and record.get("event") == "PostToolBatch"):
                _collect(value, texts, 0)
    for key in ("reason", "rule", "raw", "problem"):
        value = record.get(key)
        if type(value) is str:
            texts.append(value)
    return "\n".join(texts)[:LONGEST]


def _collect(value: Any, texts: list[str], depth: int) -> None:
    if type(value) is str:
        texts.append(value)
    elif type(value) is dict and depth < 200:
        for item in value.values():
            _collect(item, texts, depth + 1)
    elif type(value) is list and depth < 200:
        for item in value:
            _collect(item, texts, depth + 1)


def clean(text: str) -> str:
    """`text` as SQLite can hold it: an index needs no exact copy, so nothing is set aside for its characters."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def tag(kind: str, value: str) -> str:
    """One word that stands for an exact value of `kind` (s session, t tool, e event) in the index."""
    return kind + value.encode("utf-8", "replace").hex()


def tags_of(record: dict[str, Any]) -> str:
    """The tags of a record, separated by spaces."""
    pairs = (("s", "session_id"), ("t", "tool_name"), ("e", "event"))
    return " ".join(tag(kind, value) for kind, key in pairs if type(value := record.get(key)) is str and value)


_PART = re.compile(r'"([^"]*)"?|(\S+)')


def match_of(query: str, tags: list[str]) -> str | None:
    """The FTS5 expression for a person's words: all of them, "several words" as a phrase, word* as a prefix.

    Everything reaches FTS5 inside quotes, so that no text is an operator or a syntax error. None when there is no
    word in `query` at all, which finds nothing.
    """
    words = []
    for phrase, word in _PART.findall(clean(query)):
        term, star = phrase or word, ""
        if word:
            term = word.replace('"', " ")
            star = "*" if word.endswith("*") else ""
        if any(one.isalnum() for one in term):
            words.append(f'"{term.strip()}"{star}')
    if not words:
        return None
    expression = "text : (" + " AND ".join(words[:MOST_WORDS]) + ")"
    return " AND ".join([expression, *(f'tags : "{one}"' for one in tags)])


def terms_of(query: str) -> list[str]:
    """The words and phrases of `query`, lower case, to mark them in a snippet."""
    found = [(phrase or word).strip('"* ').lower() for phrase, word in _PART.findall(query)]
    return [term for term in found if any(one.isalnum() for one in term)]


def snippet(text: str, terms: list[str], width: int = 120) -> str:
    """About `width` characters of `text` around the first of `terms` that it holds, on one line."""
    lower = text.lower()
    places = [place for term in terms if (place := lower.find(term)) >= 0]
    if not places:
        words = [word for term in terms for word in re.findall(r"\w+", term)]
        places = [place for word in words if (place := lower.find(word)) >= 0]
    start = max(0, min(places, default=0) - width // 3)
    cut = " ".join(text[start : start + width].split())
    return ("…" if start else "") + cut + ("…" if start + width < len(text) else "")
