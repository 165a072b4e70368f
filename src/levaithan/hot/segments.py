"""The journal's files as bytes: names of segments, lines, records, and where the last whole line of a file is.

docs/reference/journal-format.md is the promise that this module keeps. Standard library only and lean: the one-shot
path loads it while Claude Code waits. It never writes; journal.py does.
"""

from __future__ import annotations

import os
import time

from levaithan.hot.plain_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

FORMAT = "levaithan-journal/1"
ZERO = "0" * 64
"""What stands before the first record."""
HASH = 64
"""Hexadecimal digits at the start of a line, then a space, then the record."""
NUMBER = 20
CHECKPOINTS = "checkpoints.jsonl"
TORN = "torn"
AHEAD = "ahead"
"""The write-ahead file of a writer that lives long: see ahead.py."""
SEALED = 0o400
"""Mode of a segment that is followed by another: a writer that has it open sees by fstat that it must move on."""
OPEN = 0o600
LARGEST = 10**18
"""First numbers from here on are no journal's: a garbage file of such a name must not push the numbers there."""
_STEP = 1 << 16
_OWN = frozenset((CHECKPOINTS, TORN, AHEAD))


def name_of(first: int) -> str:
    """The file name of the segment whose first record has the number `first`."""
    return f"journal-{first:020d}.log"


def first_of(name: str) -> int | None:
    """The number of the first record, from a segment's name; None when it is no segment's name."""
    digits = name[8:-4]
    if name[:8] == "journal-" and name[-4:] == ".log" and len(digits) == NUMBER and digits.isascii():
        return int(digits) if digits.isdigit() else None
    return None


def listing(directory: str) -> tuple[list[str], list[str]]:
    """(segments, the oldest first; names that are none of the journal's). Raises OSError."""
    names, strangers = [], []
    for name in os.listdir(directory):
        if first_of(name) is not None:
            names.append(name)
        elif name not in _OWN:
            strangers.append(name)
    return sorted(names), sorted(strangers)


def now() -> str:
    """The wall clock as `2026-11-23T15:04:05.123456Z`."""
    second, rest = divmod(time.time_ns() // 1000, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)) + f".{rest:06d}Z"


def numbered(seq: int, body: bytes) -> bytes:
    """The record `body` (a JSON object) with its number put first, on one line."""
    if body[:1] != b"{" or body[-1:] != b"}":
        raise ValueError("a record must be a JSON object: " + repr(body[:40]))
    if b"\n" in body:  # only ever between two tokens: inside a string JSON has it escaped
        body = body.replace(b"\n", b" ")
    rest = body[1:] if body[1:].strip() == b"}" else b"," + body[1:]
    return b'{"seq":%d' % seq + rest


def encode(record: dict[str, Any]) -> bytes:
    """A record of the journal's own as JSON bytes."""
    return dumps(record).encode("ascii")


def decode(body: bytes) -> dict[str, Any] | None:
    """The record in `body`; None when it is no JSON object."""
    try:
        value = loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def seq_of(body: bytes) -> int | None:
    """The number that a record states, as its first key; None when it has none there."""
    if body[:7] != b'{"seq":':
        return None
    end = 7
    while body[end : end + 1].isdigit() and end < 27:
        end += 1
    return int(body[7:end]) if end > 7 and body[end : end + 1] in (b",", b"}") else None


def stated(line: bytes) -> str | None:
    """The hash at the start of a line; None when there is none."""
    head = line[:HASH]
    if len(head) == HASH and line[HASH : HASH + 1] == b" " and not head.translate(None, b"0123456789abcdef"):
        return head.decode("ascii")
    return None


def header(seq: int, prev: str, journal: str, machine: str, damage: str | None) -> bytes:
    """The first record of a segment."""
    record: dict[str, Any] = {
        "v": 1,
        "kind": "segment",
        "at": now(),
        "machine": machine,
        "journal": journal,
        "first": seq,
        "prev": prev,
        "format": FORMAT,
    }
    if damage:
        record["damage"] = damage
    return encode(record)


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """`length` bytes from `offset` on; fewer at the end of the file. Raises OSError."""
    parts = []
    while length > 0:
        part = os.pread(descriptor, min(length, 1 << 28), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def whole_end(descriptor: int, size: int) -> int:
    """The offset just after the last LF before `size`; 0 when there is none."""
    end, step = size, _STEP
    while end > 0:
        start = max(0, end - step)
        cut = read_at(descriptor, start, end - start).rfind(b"\n")
        if cut >= 0:
            return start + cut + 1
        end, step = start, 1 << 20
    return 0


def last_line(descriptor: int, end: int) -> tuple[int, bytes, bytes]:
    """(offset, line without LF, start of the line before it) of the line that ends at `end`, just after its LF."""
    step = _STEP
    while True:
        start = max(0, end - step)
        data = read_at(descriptor, start, end - start)
        cut = data.rfind(b"\n", 0, -1)
        if cut < 0 and start == 0:
            return 0, data[:-1], b""
        before = data.rfind(b"\n", 0, cut) if cut > 0 else -1
        if cut >= 0 and (before >= 0 or start == 0):
            return start + cut + 1, data[cut + 1 : -1], data[before + 1 : before + 2 + HASH]
        step *= 8


def previous_hash(line: bytes, before: bytes) -> str | None:
    """The hash that `line` follows: that of the line before it, or, in a segment's first line, the one it names."""
    if before:
        return stated(before)
    record = decode(line[HASH + 1 :])
    prev = record.get("prev") if record and record.get("kind") == "segment" else None
    return prev if isinstance(prev, str) and len(prev) == HASH and prev.isascii() else None


def fits(line: bytes, prev: str | None, sha256: Callable[[bytes], Any]) -> bool:
    """Whether `line` states the hash that it must have after `prev`."""
    said = stated(line)
    return bool(said and prev and sha256(prev.encode() + line[HASH:]).hexdigest() == said)


def count_lines(descriptor: int, end: int) -> int:
    """Lines from the start of the file to `end`."""
    lines = offset = 0
    while offset < end:
        part = read_at(descriptor, offset, min(1 << 20, end - offset))
        if not part:
            break
        lines += part.count(b"\n")
        offset += len(part)
    return lines


def find_ids(
    descriptor: int, start: int, end: int, ids: Sequence[str], found: dict[str, tuple[int, str, bytes]]
) -> None:
    """Put into `found`, for each of `ids` that has a record between the two offsets: (seq, hash, body).

    `start` may lie inside a line; reads 4 MiB at a time. Raises OSError.
    """
    rest, wanted = b"", [(one, one[-20:].encode() + b'"') for one in ids if one]  # ids begin with the time, all alike
    while start < end:
        part = read_at(descriptor, start, min(4 << 20, end - start))
        if not part:
            break
        start += len(part)
        cut = part.rfind(b"\n") + 1
        if not cut:
            rest += part
            continue
        data, rest = rest + part[:cut], part[cut:]
        for one, needle in wanted:
            at = data.find(needle)
            while at >= 0 and one not in found:
                begin, stop = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
                _match(data[begin:stop], one, found)
                at = data.find(needle, stop)


def _match(line: bytes, wanted: str, found: dict[str, tuple[int, str, bytes]]) -> None:
    """The id may stand in some payload too: only the record's own counts."""
    said, body = stated(line), line[HASH + 1 :]
    record = decode(body) if said else None
    if said and record and record.get("id") == wanted:
        found[wanted] = (seq_of(body) or 0, said, body)
