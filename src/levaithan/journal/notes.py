"""Finds the few records of some kinds among many events, without reading the events: for what must be known while the
stores are behind or down.

Looks for the kind as text and then takes the record whole, held against the hash of the line before it. Reads only.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HASH = segments.HASH
_HEAD = 200
"""A record's kind is one of its first keys: further on it is somebody's text."""


def notes(directory: str, kinds: Sequence[str], after: tuple[str, int] = ("", 0)) -> Iterator[dict[str, Any]]:
    """The records of `kinds` in the journal's folder, in order, from the place `after` (segment's name, bytes; default:
    the oldest kept) on. Lines that are not what their hash says are passed over. Raises OSError."""
    for path in sorted(one for one in Path(directory).glob("journal-*.log") if one.stem[8:].isdigit()):
        if path.name >= after[0]:
            yield from _of_segment(path, kinds, after[1] if path.name == after[0] else 0)


def _of_segment(path: Path, kinds: Sequence[str], start: int) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        if file.seek(0, 2) <= start:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            begins = sorted({begin for kind in kinds for begin in _lines(data, b'"kind":"%s"' % kind.encode(), start)})
            for begin in begins:
                record = _record(data, begin)
                if record is not None and record.get("kind") in kinds:
                    yield record


def _lines(data: mmap.mmap, needle: bytes, start: int) -> Iterator[int]:
    """Where the lines begin that have `needle` in their head."""
    at = data.find(needle, start)
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        if begin >= start and at - begin <= _HASH + _HEAD:
            yield begin
        at = data.find(needle, at + len(needle))


def _record(data: mmap.mmap, begin: int) -> dict[str, Any] | None:
    """The record of the line that begins there; None for one that is half, changed, or none."""
    end = data.find(b"\n", begin)
    if end < begin + _HASH + 2:
        return None
    stated, body = data[begin : begin + _HASH], data[begin + _HASH + 1 : end]
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    if begin == 0:
        previous = str(record.get("prev", segments.ZERO)).encode()
    else:
        before = data.rfind(b"\n", 0, begin - 1) + 1
        previous = data[before : before + _HASH]
    return record if hashlib.sha256(previous + b" " + body).hexdigest().encode() == stated else None
