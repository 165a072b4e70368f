"""The chain of hashes and numbers, a line at a time: names what was edited, deleted, inserted or moved.

A line fits when its hash is that of the hash before it and its own bytes, and its number is the next. When it does not,
the line after it tells which of the two is at fault. Holds no file and knows no checkpoint; imports the hot path.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from levaithan.hot import segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.journal.report import Finding, Report

    Peek = Callable[[], bytes]

_HASH = segments.HASH
_OPTIONS = 12


class Chain:
    """Where the chain stands. seq, prev: number and stated hash (ASCII) of the last line that counts."""

    def __init__(self, report: Report, seq: int, prev: bytes) -> None:
        self.seq = seq
        self.prev = prev
        self._report = report
        self._prior = b""
        self._options: list[bytes] = []
        self._holes: list[tuple[int, int, Finding]] = []
        self._junk = False

    def take(self, line: bytes) -> bool:
        """Take a line that simply follows; False when `odd` must look at it."""
        following = self.seq + 1
        if not line.startswith(b'{"seq":%d,' % following, _HASH + 1) and not line.endswith(b' {"seq":%d}' % following):
            return False
        if line[:_HASH] != digest(self.prev, line):
            return False
        self._prior, self.prev, self.seq, self._junk = self.prev, line[:_HASH], following, False
        return True

    def odd(self, line: bytes, segment: str, peek: Peek) -> bool:
        """A line that does not simply follow. `peek` gives the line after it (b"" at the end).

        Says what is wrong; True when the line is the record that the number self.seq now stands for.
        """
        said, seq = segments.stated(line), segments.seq_of(line[_HASH + 1 :])
        if said is None or seq is None:
            return self._not_a_record(line, segment)
        fits = self._follows(line)
        expected = self.seq + 1
        if fits and (seq == expected or (self._junk and seq == expected + 1)):
            self._move(line, seq)
            return True
        following = peek()
        here = bool(following) and digest(line[:_HASH], following) == following[:_HASH]
        next_seq = segments.seq_of(following[_HASH + 1 :])
        if not fits and seq != expected and here and next_seq == expected + 1:
            self._say(expected, segment, "edited", f"record {expected} was edited: it says to be number {seq}")
            self._move(line, expected)
            return True
        if seq > expected:
            return self._hole(line, seq, segment)
        if seq == expected:
            return self._changed(line, segment, following, here)
        return self._again(line, seq, segment, here and next_seq == seq + 1)

    def _follows(self, line: bytes) -> bool:
        return any(digest(one, line) == line[:_HASH] for one in (self.prev, *self._options))

    def _say(self, seq: int, segment: str, kind: str, message: str) -> Finding:
        return self._report.add(seq, segment, kind, message)

    def _move(self, line: bytes, seq: int) -> None:
        """`line` counts as number `seq`; what it should have been is kept as an option for the next one."""
        computed = digest(self.prev, line)
        options = [computed] if computed != line[:_HASH] else []
        self._prior, self.prev, self.seq, self._junk = self.prev, line[:_HASH], seq, False
        self._options = options

    def _not_a_record(self, line: bytes, segment: str) -> bool:
        at = line.rfind(b' {"seq":')
        known = [digest(self.prev, line), line[:_HASH], line[at - _HASH : at] if at > _HASH else b""]
        self._options = [*known, *self._options][:_OPTIONS]
        if not self._junk and (not self._report.findings or self._report.findings[-1].seq != self.seq):
            number = self.seq + 1
            self._say(number, segment, "edited", f"where record {number} should be stands a line that is no record")
            self._junk = True
        return False

    def _changed(self, line: bytes, segment: str, following: bytes, here: bool) -> bool:
        """The right number with a wrong hash."""
        number = self.seq + 1
        if following and not here and digest(self.prev, following) == following[:_HASH]:
            self._say(number, segment, "inserted", f"a record was inserted before record {number}")
            self._options = [line[:_HASH], *self._options][:_OPTIONS]
            return False
        computed = digest(self.prev, line)
        if following and not here and digest(computed, following) == following[:_HASH]:
            self._say(number, segment, "edited", f"the hash of record {number} was edited; its text is as it was")
        else:
            self._say(number, segment, "edited", f"record {number} was edited: its hash is not that of its text")
        self._move(line, number)
        return True

    def _hole(self, line: bytes, seq: int, segment: str) -> bool:
        """A number too high: what lies between is missing, unless it turns up later."""
        low, high = self.seq + 1, seq - 1
        what = f"record {low} was" if low == high else f"the records {low} to {high} were"
        found = self._say(low, segment, "deleted", f"{what} deleted: record {seq} follows record {self.seq}")
        self._holes.append((low, high, found))
        before = [self.prev, *self._options][:_OPTIONS]
        self._move(line, seq)
        self._options += before
        return True

    def _again(self, line: bytes, seq: int, segment: str, goes_on: bool) -> bool:
        """A number that was there, or should have been there before."""
        for low, high, found in self._holes:
            if low <= seq <= high:
                found.kind = "reordered"
                found.message = f"the records from {low} on stand in another order: {self.seq} comes before {seq}"
                self._options = [line[:_HASH], *self._options][:_OPTIONS]
                return False
        if seq == self.seq and self._prior and digest(self._prior, line) == line[:_HASH]:
            self._say(seq, segment, "inserted", f"a record was inserted before record {seq}: two have that number")
            self._move(line, seq)
            return True
        number = self.seq + 1
        self._say(number, segment, "inserted", f"a record that says number {seq} stands where record {number} should")
        self._options = [line[:_HASH], *self._options][:_OPTIONS]
        if goes_on:
            self._move(line, seq)
            return True
        return False


def digest(prev: bytes, line: bytes) -> bytes:
    """The hash that `line` must state after `prev`."""
    return hashlib.sha256(prev + line[_HASH:]).hexdigest().encode()
