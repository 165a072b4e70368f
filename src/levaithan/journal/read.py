"""Reading the journal while others write it: records in order, each held against its hash, damage said and passed over.

Takes no lock and never writes. Imports the hot path's notion of a line and the standard library, nothing else.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from levaithan.hot import segments
from levaithan.journal.files import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_BYTES = 1 << 20
_HASH = segments.HASH
_LOOK_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two records: `offset` bytes into `segment`, after the record `seq` with its `hash`.

    note: why reading could not go on where it was asked to, and began at the journal's start; "" when it could.
    """

    segment: str
    offset: int
    seq: int = 0
    hash: str = ""
    note: str = ""


class Record:
    """One record: number, hash, JSON bytes, and where its line begins and ends (just after its LF) in its segment."""

    __slots__ = ("body", "end", "hash", "offset", "segment", "seq")

    def __init__(self, seq: int, digest: str, body: bytes, segment: str, offset: int, end: int) -> None:  # noqa: PLR0917
        self.seq = seq
        self.hash = digest
        self.body = body
        self.segment = segment
        self.offset = offset
        self.end = end


class Damage:
    """A line that is not what its hash says: its bytes without the LF, and why, in words."""

    __slots__ = ("end", "line", "offset", "segment", "why")

    def __init__(self, segment: str, offset: int, line: bytes, why: str) -> None:
        self.segment = segment
        self.offset = offset
        self.line = line
        self.end = offset + len(line) + 1
        self.why = why


def read(directory: str, after: Position | None = None, limit_bytes: int = BATCH_BYTES) -> Iterator[Record | Damage]:
    """All records after `after` (None: from the oldest kept) to the last whole line; `limit_bytes` are read at a time.

    Raises OSError.
    """
    while True:
        batch, after = read_batch(directory, after, limit_bytes)
        if not batch:
            return
        yield from batch


def read_batch(
    directory: str, after: Position | None = None, limit_bytes: int = BATCH_BYTES
) -> tuple[list[Record | Damage], Position | None]:
    """About `limit_bytes` of records after `after`, and the position after them; nothing new: [] and the same place.

    None stands for the start; it comes back while there is no journal. When the record before `after` is no longer
    there, reading begins at the start and the position's note says so. Raises OSError.
    """
    try:
        names = segments.listing(directory)[0]
    except FileNotFoundError:
        names = []
    if not names:
        return [], after
    return _Reader(directory, names).batch(after, limit_bytes)


def tail(directory: str) -> Position | None:
    """The position after the last whole line, from the last bytes alone (nothing is verified); None when empty."""
    try:
        names = segments.listing(directory)[0]
    except FileNotFoundError:
        return None
    for name in reversed(names):
        with opened(f"{directory}/{name}") as file:
            end = segments.whole_end(file.fileno(), os.fstat(file.fileno()).st_size)
            if not end:
                continue
            _, line, _ = segments.last_line(file.fileno(), end)
        seq = segments.seq_of(line[_HASH + 1 :])
        return Position(name, end, seq or 0, line[:_HASH].decode("ascii", "replace"))
    return None


class _Reader:
    """One batch. `names` were listed before anything is read: a segment that is followed by another is complete."""

    def __init__(self, directory: str, names: list[str]) -> None:
        self.directory = directory
        self.names = names
        self.seq = 0
        self.prev = segments.ZERO.encode()
        self.others: list[bytes] = []
        self.out: list[Record | Damage] = []
        self.note = ""

    def batch(self, after: Position | None, limit: int) -> tuple[list[Record | Damage], Position | None]:
        index, offset = self._place(after)
        left = limit
        while True:
            name = self.names[index]
            following = index + 1 < len(self.names)
            with opened(f"{self.directory}/{name}") as file:
                if after is not None and not self._still(file.fileno(), after, name, offset):
                    return self._from_start(after, limit)
                after = None
                data, ended = _block(file.fileno(), offset, left)
            whole = data.rfind(b"\n") + 1
            self._take(data[:whole] if whole < len(data) else data, name, offset)
            offset, left = offset + whole, left - whole
            if ended and following:
                if whole < len(data):
                    self._damage(data[whole:], name, offset, "it lacks its line feed and is not the last")
                index, offset = index + 1, 0
            if left <= 0 or (ended and not following):
                return self.out, Position(
                    self.names[index], offset, self.seq, self.prev.decode("ascii", "replace"), self.note
                )

    def _place(self, after: Position | None) -> tuple[int, int]:
        """Index of the segment and the offset to read from."""
        if after is None or not after.segment:
            return 0, 0
        self.seq, self.prev = after.seq, after.hash.encode("ascii", "replace")
        if after.segment in self.names:
            return self.names.index(after.segment), after.offset
        for index, name in enumerate(self.names):  # its segment was pruned after it had been read whole
            if name > after.segment and segments.first_of(name) == after.seq + 1:
                return index, 0
        self._reset(f"the segment {after.segment} is no longer there")
        return 0, 0

    def _reset(self, why: str) -> None:
        self.seq, self.prev, self.others = 0, segments.ZERO.encode(), []
        self.note = f"{why}: the journal is read from its start"

    def _from_start(self, after: Position, limit: int) -> tuple[list[Record | Damage], Position | None]:
        self._reset(f"{after.segment} does not have the record {after.seq} before byte {after.offset} any more")
        return self.batch(None, limit)

    def _still(self, descriptor: int, after: Position, name: str, offset: int) -> bool:
        """Whether the record that was read last stands where it was; what follows it may be damaged all the same."""
        if not offset or name != after.segment:
            return True
        size = os.fstat(descriptor).st_size
        if size <= offset:
            return size == offset
        start = segments.read_at(descriptor, offset, 1 << 16)
        line, whole, _ = start.partition(b"\n")
        if whole and segments.fits(line, after.hash, hashlib.sha256):
            return True
        if os.pread(descriptor, 1, offset - 1) != b"\n":
            return False
        _, line, before = segments.last_line(descriptor, offset)
        if segments.stated(before) is not None:
            self.others.append(_digest(before[:_HASH], line))
        odd = line[_HASH : _HASH + 1] != b" "
        return odd or line[:_HASH].decode("ascii", "replace") == after.hash

    def _take(self, data: bytes, name: str, offset: int) -> None:
        """Whole lines of a segment from `offset` on."""
        sha256, out = hashlib.sha256, self.out
        prev, seq = self.prev, self.seq
        lines = data.split(b"\n")
        lines.pop()
        for line in lines:
            end = offset + len(line) + 1
            digest = sha256(prev + line[_HASH:]).hexdigest()
            if line[:_HASH] == digest.encode() and line.startswith(b'{"seq":%d,' % (seq + 1), _HASH + 1):
                seq += 1
                prev = line[:_HASH]
                out.append(Record(seq, digest, line[_HASH + 1 :], name, offset, end))
            else:
                self.prev, self.seq = prev, seq
                self._odd(line, name, offset)
                prev, seq = self.prev, self.seq
            offset = end
        self.prev, self.seq = prev, seq

    def _odd(self, line: bytes, name: str, offset: int) -> None:
        """A line that does not simply follow: after damage or a hole it may still be whole."""
        said, seq = segments.stated(line), segments.seq_of(line[_HASH + 1 :])
        options = [self.prev, *self.others]
        if not offset and (own := segments.previous_hash(line, b"")):
            options.append(own.encode())
        if said and seq and any(_digest(one, line) == line[:_HASH] for one in options):
            self.seq, self.prev, self.others = seq, line[:_HASH], []
            self.out.append(Record(seq, said, line[_HASH + 1 :], name, offset, offset + len(line) + 1))
        elif said and seq:
            self._damage(line, name, offset, "its hash is not that of its bytes after the record before it")
        else:
            self._damage(line, name, offset, "it is no line of a journal")

    def _damage(self, line: bytes, name: str, offset: int, why: str) -> None:
        self.out.append(Damage(name, offset, line, why))
        computed = hashlib.sha256(self.prev + b" " + line[_HASH + 1 :]).hexdigest().encode()
        options = [self.prev, computed, line[:_HASH], *self.others]
        at = line.rfind(b' {"seq":')  # two lines that became one: the second's hash stands inside
        if at > _HASH:
            options.append(line[at - _HASH : at])
        if len(line) > _HASH + 2 and line[_HASH : _HASH + 1] == b" ":
            self.prev = line[:_HASH]
            self.seq += 1
        self.others = options[:_LOOK_AHEAD]


def _digest(prev: bytes, line: bytes) -> bytes:
    return hashlib.sha256(prev + line[_HASH:]).hexdigest().encode()


def _block(descriptor: int, offset: int, length: int) -> tuple[bytes, bool]:
    """At least one line from `offset`, about `length` bytes; and whether the file ends there."""
    length = max(length, 1 << 12)
    while True:
        data = segments.read_at(descriptor, offset, length)
        ended = len(data) < length
        if ended or b"\n" in data:
            return data, ended
        length *= 4
