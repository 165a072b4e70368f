"""What a store cannot hold portably, found cheaply and cured on request. Imports orjson and the standard library only.

NUL is refused by Postgres, a lone surrogate by every UTF-8 store, a field beyond the limit by some index or other:
what one store could take and another not would make them differ, so such records are set aside for all of them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

NUL_STANDS_AS = "\u2400"
SURROGATE_STANDS_AS = "\ufffd"
DEEPEST = 900
"""Levels of nesting that a walk follows: below Python's own limit of 1,000 frames."""


def parse(body: bytes) -> tuple[dict[str, Any] | None, str]:
    """The record in `body` and what is wrong with it ("" = nothing). Never raises.

    A record that holds a lone surrogate is returned with its problem, so that it can be cured.
    """
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _parse_slowly(body, str(error))
    if type(record) is dict:
        return record, ""
    return None, "the record is not a JSON object"


def _parse_slowly(body: bytes, why: str) -> tuple[dict[str, Any] | None, str]:
    try:
        record = json.loads(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None, f"not JSON: {why}"
    if type(record) is not dict:
        return None, "the record is not a JSON object"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return record, f"invalid UTF-8 at byte {error.start}"
    if "surrogate" in why or b"\\ud" in body.lower():
        return record, "text with a lone surrogate"
    return record, f"not JSON: {why}"


def problem(body: bytes, record: dict[str, Any], max_field: int) -> str:
    """Why a store should not take `record`, or "". `max_field` is in bytes of UTF-8.

    Looks at the encoded bytes first: a walk over the strings happens for one record in thousands.
    """
    long = len(body) > max_field
    if not long and b"\\u0000" not in body:
        return ""
    try:
        return _walk(record, "", max_field, 0)
    except RecursionError:
        return f"nested deeper than {DEEPEST} levels"


def _walk(value: Any, where: str, max_field: int, depth: int) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return f"NUL in {where or 'text'}"
        if len(value) * 4 > max_field and (size := len(value.encode("utf-8", "surrogatepass"))) > max_field:
            return (
                f"{where or 'text'} has {size} bytes, over the limit of {max_field} (LEVAITHAN_LEDGER_MAX_FIELD_BYTES)"
            )
        return ""
    if depth > DEEPEST:
        raise RecursionError
    for name, item in _parts(value, where):
        if found := _walk(item, name, max_field, depth + 1):
            return found
    return ""


def _parts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"a key of {where or 'the record'}", key
            yield f"{where}.{key}" if where else key, item
    elif isinstance(value, list):
        for item in value:
            yield f"{where}[]", item


def cure(record: dict[str, Any], max_field: int) -> dict[str, Any]:
    """A copy of `record` that every store can hold: NUL and lone surrogates replaced, long strings cut with a marker.

    Raises RecursionError when it is nested deeper than DEEPEST.
    """
    cured = _cure(record, max_field, 0)
    if not isinstance(cured, dict):  # pragma: no cover - a dict stays a dict
        raise TypeError("a record is a dict")
    return cured


def _cure(value: Any, max_field: int, depth: int) -> Any:
    if isinstance(value, str):
        return _cure_text(value, max_field)
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return {_cure_text(key, max_field): _cure(item, max_field, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_cure(item, max_field, depth + 1) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1000 else str(value)
    return value


def _cure_text(text: str, max_field: int) -> str:
    text = text.replace("\0", NUL_STANDS_AS)
    # A pair of surrogates that came as two halves is one character; a lone one becomes the replacement character.
    raw = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if _has_surrogate(text) else text
    encoded = raw.encode("utf-8")
    if len(encoded) <= max_field:
        return raw
    marker = f"… [cut: {len(encoded)} bytes, sha256 {hashlib.sha256(encoded).hexdigest()}]"
    keep = max(0, max_field - len(marker.encode()))
    return encoded[:keep].decode("utf-8", "ignore") + marker


def _has_surrogate(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
