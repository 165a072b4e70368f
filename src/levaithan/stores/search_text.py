"""What of a record is searched, and what a person's words mean to FTS5. Pure; standard library only."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from levaithan.stores.search_fields import LOOKED_AT, clean, held
from levaithan.stores.search_words import words_of

if TYPE_CHECKING:
    from levaithan.stores.roles import SearchFilters

SKIPPED = frozenset(
    {"session_id", "transcript_path", "agent_transcript_path", "hook_event_name", "prompt_id", "tool_use_id", "cwd",
     "agent_id", "permission_mode"}
)  # fmt: skip
"""Keys of a payload that every event repeats: ids have filters of their own, folders would match everything."""
LONGEST = 262_144
"""Characters of one event that are searched: more than the client ever sends of a tool's output (30,000)."""
MOST_WORDS = 64
LONGEST_QUERY = 8192
"""Characters of a query that are read."""
TAGS = {"event": "e", "tool": "t", "decision": "d", "rule": "r", "session": "s", "agent": "a", "project": "p",
        "machine": "m"}  # fmt: skip
"""A field (roles.search.FIELDS) and what its tags begin with."""


def text_of(record: dict[str, Any]) -> str:
    """The words of a record of kind "event": all texts of its payload, its reason and rule, or its unparsable input."""
    return text_and_said(record)[0]


def text_and_said(record: dict[str, Any]) -> tuple[str, str]:
    """(its words, the beginning of what it says by itself: without the reason and rule of whoever decided on it)."""
    texts: list[str] = []
    payload = record.get("payload")
    if type(payload) is dict:
        for key, value in payload.items():
            # PostToolBatch repeats every result that PostToolUse already brought.
            if key not in SKIPPED and not (key == "tool_calls" and record.get("event") == "PostToolBatch"):
                _collect(value, texts, 0)
    said = len(texts)
    for key in ("reason", "rule", "raw", "problem"):
        value = record.get(key)
        if type(value) is str:
            texts.append(value)
    text = "\n".join(texts)[:LONGEST]
    return text, "\n".join([one[:LOOKED_AT] for one in texts[: min(said, LOOKED_AT)]])[:LOOKED_AT] if said else text


def _collect(value: Any, texts: list[str], depth: int) -> None:
    if type(value) is str:
        texts.append(value)
    elif type(value) is dict and depth < 200:
        for item in value.values():
            _collect(item, texts, depth + 1)
    elif type(value) is list and depth < 200:
        for item in value:
            _collect(item, texts, depth + 1)


@lru_cache(4096)
def tag(kind: str, value: str) -> str:
    """One word that stands for an exact value of `kind` (see TAGS) in the index: a hash of it, for paths are long."""
    return kind + hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=8).hexdigest()


def tags_of(fields: dict[str, str]) -> str:
    """The tags of a record's fields (see search_fields), separated by spaces."""
    return " ".join([tag(TAGS[name], value) for name, value in fields.items()])


def tags_for(filters: SearchFilters) -> list[str]:
    """The tags that an event must have to be let through by `filters`."""
    asked = [(kind, getattr(filters, name)) for name, kind in TAGS.items()]
    return [tag(kind, held(value)) for kind, value in asked if value]


_PART = re.compile(r'"([^"]*)"?|(\S+)')


def parts_of(query: str) -> list[tuple[str, bool]]:
    """The (text, whether it is a prefix) that an event must hold all of: "several words" is one, word* a prefix.

    Bounded; none when there is no word in `query` at all, which finds nothing.
    """
    parts = []
    for phrase, word in _PART.findall(clean(query[:LONGEST_QUERY])):
        term = phrase or word.replace('"', " ")
        if any(one.isalnum() for one in term):
            parts.append((term.strip(), not phrase and word.endswith("*")))
    return parts[:MOST_WORDS]


def match_of(query: str, tags: list[str]) -> str | None:
    """The FTS5 expression for a person's words (see parts_of) and `tags`; None when there is nothing in it.

    Everything reaches FTS5 inside quotes, so that no text is an operator or a syntax error.
    """
    terms = [(words_of(term), prefix) for term, prefix in parts_of(query)]
    words = [f'"{term}"{"*" if prefix else ""}' for term, prefix in terms if term]
    if query.strip() and not words:
        return None
    said = ["text : (" + " AND ".join(words) + ")"] if words else []
    return " AND ".join([*said, *(f'tags : "{one}"' for one in tags)]) or None


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
