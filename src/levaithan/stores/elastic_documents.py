"""From journal records to the documents of the search index, and the mapping that they fit. Pure, but for orjson.

The mapping is strict and its fields are few and bounded: a record's payload is text in one field, never fields of its
own, so no event can make the mapping grow.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.stores import search_text
from levaithan.stores.roles import FIELDS
from levaithan.stores.search_fields import clean, fields_of, template_of
from levaithan.stores.search_words import words_of
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from levaithan.stores.roles import Delivery

LONGEST_ID = 512
"""Bytes of a document's id that Elasticsearch takes; one longer id would have it refuse the whole request."""
TEMPLATE = "template"
ORDER = ("at_us", "lane", "seq")
_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_LONG = {"type": "long"}
PROPERTIES: dict[str, Any] = {
    "@timestamp": {"type": "date"},
    "at_us": _LONG,
    "seq": _LONG,
    "lane": {"type": "integer"},
    "journal": _KEYWORD,
    "canary": {"type": "boolean"},
    **dict.fromkeys((*FIELDS, TEMPLATE), _KEYWORD),
    "words": {"type": "text", "analyzer": "whitespace", "norms": False},
    "message": {"type": "text", "index": False},
}
"""@timestamp is the time to the millisecond, as dashboards want it; at_us the exact one, in microseconds since 1970.
lane: a number of the journal, so that (at_us, lane, seq) is an order without ties. message: the text as it was;
words: what of it is searched (search_words)."""


class DocumentError(ValueError):
    """A record that no document can be made of; the message says why."""


def document(delivery: Delivery, times: Times) -> tuple[str, dict[str, Any]] | None:
    """(id, document) of a delivery; None for a record that is no event. Raises DocumentError."""
    record = delivery.record
    if record is None:
        raise DocumentError(delivery.problem or "no record")
    if record.get("kind") != "event":
        return None
    try:
        one, at_us = clean(record["id"]), times.us(record["at"])
        fields = fields_of(record)
        text, said = search_text.text_and_said(record)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DocumentError(f"not a record of format 1: {type(error).__name__}: {error}") from error
    if not one or len(one.encode()) > LONGEST_ID:
        raise DocumentError(f"its id has {len(one.encode())} bytes, not 1 to {LONGEST_ID}")
    if delivery.problem or b"\\u" in delivery.body:
        text = clean(text)
    return one, {
        "@timestamp": at_us // 1000, "at_us": at_us, "seq": delivery.seq, "lane": lane(delivery.journal),
        "journal": delivery.journal, "canary": bool(record.get("canary")), **fields,
        TEMPLATE: template_of(said, fields), "message": text, "words": words_of(text),
    }  # fmt: skip


def lane(journal: str) -> int:
    """A number of 31 bits for a journal's id."""
    return int.from_bytes(hashlib.sha256(journal.encode("utf-8", "replace")).digest()[:4]) >> 1


def position(at_us: int, in_lane: int, seq: int) -> int:
    """The place of a hit in the order of time, in one number."""
    return (at_us << 94) | (in_lane << 63) | seq


def place(number: int) -> list[int]:
    """What `position` was made of, as `search_after` takes it."""
    return [number >> 94, (number >> 63) & 0x7FFF_FFFF, number & ((1 << 63) - 1)]


def fingerprint(one: str, source: Any) -> str:
    """An id and a hash of what is stored under it."""
    packed = orjson.dumps(source, option=orjson.OPT_SORT_KEYS)
    return f"{one} {hashlib.sha256(packed).hexdigest()[:32]}"
