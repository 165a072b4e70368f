"""The write-ahead file: what a resident writer of the journal brings to the disk before it answers.

To sync a file that has grown, a file system commits its own log: that waits for what others wrote, and for a thread of
the kernel to get a processor. Measured at 500 events a second while a server catches up on two cores, an answer's p99
is 3.5 ms with that, and 0.9 ms without any sync. So the records go into this file too, whose blocks are there already:
syncing it is one write and one flush. The segment is synced now and then in a thread of its own. After a crash of the
machine the records that a segment lacks are put back from here (see put_back), before anything else is added.

docs/reference/journal-format.md has the format. Only a writer that lives long uses it: a one-shot syncs the segment,
and so does this one whenever somebody else has written since. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from _thread import start_new_thread
from collections import deque
from zlib import crc32

from levaithan.hot import segments
from levaithan.hot.lines import sync_file
from levaithan.hot.put_back import HALVES, HEAD, MAGIC, SUMMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.hot.tail import Tail

HALF = 4 << 20
"""Bytes of a half. While one is filled, what is in the other is synced where it belongs."""
MOST = 256 << 10
"""Bytes of a batch that is worth it: to sync a larger one, the segment's own blocks are as good, and written once."""
SPARE = 64 << 20
"""What must be free on the disk after the file is made."""
_HEAD = struct.Struct(HEAD)
_HOLE = (-1, -1, b"")
"""Stands for what was not kept, or is not known: the segment is synced then."""
_MOST_ADDED = 4096
_RETRY_S = 60.0


class Ahead:
    """Of one writer of the journal in `directory`. `begin` and `add` are of the thread that appends, under the
    journal's lock; `sync` is of one thread at a time."""

    def __init__(self, directory: str, half: int = HALF) -> None:
        self.path = f"{directory}/{segments.AHEAD}"
        self.alone = self.whole = 0
        """How often this file was synced instead of the segment, and how often the segment was."""
        self.failed: OSError | None = None
        """What a segment's sync met in another thread, until `abandon`."""
        self._half = half
        self._descriptor = -1
        self._begun_at = -1e9
        self._added: deque[tuple[int, int, bytes]] = deque()
        self._first, self._end = 0, -1
        self._which = self._at = self._round = self._free = 0
        self._spoiled = False
        self._records: dict[int, int] = {}

    def begin(self) -> None:
        """Make the file, unless it is there. Where it cannot be made the segments are synced; tried again a minute
        later. An old one must have been put back before."""
        now = time.monotonic()
        if self._descriptor >= 0 or now - self._begun_at < _RETRY_S:
            return
        self._begun_at = now
        try:
            made = _made(self.path, HALVES * self._half)
        except OSError:
            return
        self._round += 1  # a thread of the file before may still tell of an earlier one
        self._which, self._at, self._free, self._spoiled = 0, 0, self._round, False
        self._descriptor = made

    def add(self, tail: Tail, offset: int, data: bytes) -> None:
        """`data` was written at `offset` of the last segment."""
        if self._descriptor >= 0 and len(self._added) <= _MOST_ADDED:
            room = len(self._added) < _MOST_ADDED
            self._added.append((tail.first, offset, data) if room else _HOLE)

    def doubt(self) -> None:
        """Others may have written, or cut, what was synced: the next sync is the segment's."""
        self._added.append(_HOLE)

    def heard(self) -> None:
        """Raises the OSError that a segment's sync met since: call `abandon` then."""
        if self.failed is not None:
            raise self.failed

    def sync(self, tail: Tail) -> None:
        """Whatever was added or written to the segment before is on the disk when this returns. Raises OSError, as
        `heard`."""
        if not self._put(tail):
            self._sync_whole(tail)

    def abandon(self) -> int:
        """A segment could not be synced: let go of the file, for whoever opens the journal next to put back.

        Gives how many records may be in it only.
        """
        records, self._records, self.failed = sum(self._records.values()), {}, None
        self._begun_at = -1e9
        self._leave()
        return records

    def close(self, descriptors: Iterable[int]) -> int:
        """Sync the segments, then remove the file. When that fails it stays; how many records may be in it only."""
        try:
            self.heard()
            for one in descriptors:
                sync_file(one)
        except OSError:
            return self.abandon()
        self._remove()
        return 0

    def _remove(self) -> None:
        try:
            if self._named():
                os.unlink(self.path)
        except OSError:  # what is put back from it is there already
            pass
        self._leave()

    def _leave(self) -> None:
        descriptor, self._end = self._descriptor, -1
        self._added.clear()
        if descriptor >= 0:
            self._descriptor = -1
            os.close(descriptor)

    def _named(self) -> bool:
        """Whether the file is still the one that a crash would be mended from."""
        try:
            return self._descriptor >= 0 and os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except OSError:
            return False

    def _put(self, tail: Tail) -> bool:
        """Bring what was added to the disk in this file; False when only syncing the segment will do: others wrote
        between, it is another segment, it is too much, or the halves are full."""
        end, parts = self._end, []
        while self._added:
            first, offset, data = self._added.popleft()
            if first != self._first or first != tail.first or offset != end:
                return False
            parts.append(data)
            end += len(data)
        if not parts or not self._write(tail, b"".join(parts)):
            return False
        self._end = end
        self.alone += 1
        return True

    def _write(self, tail: Tail, data: bytes) -> bool:
        size = _HEAD.size + len(data)
        if size > min(MOST, self._half) or not self._named() or (size > self._half - self._at and not self._turn(tail)):
            return False
        head = _HEAD.pack(MAGIC, 0, self._round, self._first, self._end, len(data))[SUMMED:]
        entry = MAGIC + struct.pack("<I", crc32(data, crc32(head))) + head + data
        try:
            if os.pwrite(self._descriptor, entry, self._which * self._half + self._at) != size:
                raise OSError("a part of it only")
            sync_file(self._descriptor)
        except OSError:  # the segment may still be well
            self._spoiled = True
            return False
        self._at += size
        self._records[self._round] = self._records.get(self._round, 0) + data.count(b"\n")
        return True

    def _turn(self, tail: Tail) -> bool:
        """Go on in the other half, and have the segment synced beside us, so that this one is free by then."""
        if self._free < self._round:
            return False
        try:
            descriptor = _opened_anew(f"{os.path.dirname(self.path)}/{tail.name}", tail.descriptor)
        except OSError:
            return False
        try:
            start_new_thread(self._cover, (descriptor, self._round + 1))
        except RuntimeError:  # no thread can be started
            os.close(descriptor)
            return False
        self._which, self._at, self._round = 1 - self._which, 0, self._round + 1
        return True

    def _cover(self, descriptor: int, number: int) -> None:
        """The thread: all that was added before round `number` is on the disk in its segment afterwards."""
        try:
            sync_file(descriptor)
            self._records.pop(number - 1, None)
            self._free = max(self._free, number)
        except OSError as error:
            self.failed = error
        finally:
            os.close(descriptor)

    def _sync_whole(self, tail: Tail) -> None:
        self._added.clear()  # what is in there was written, so it is among the bytes that are there now
        size = os.fstat(tail.descriptor).st_size
        sync_file(tail.descriptor)
        self._records = {}
        self._first, self._end, self._free = tail.first, size, self._round
        self.whole += 1
        if self._spoiled or not self._named():  # another one is made when the journal is opened next
            self._remove()


def _opened_anew(path: str, descriptor: int) -> int:
    """The file at `path`, which must be that of `descriptor`, as another open one: a disk's error is told once to each,
    and two that wait for the same sync must both hear of it. Raises OSError."""
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if os.path.samestat(os.fstat(opened), os.fstat(descriptor)):
        return opened
    os.close(opened)
    raise FileNotFoundError(path)


def _made(path: str, size: int) -> int:
    """A new file of `size` zeros on the disk, locked for as long as it is open. Raises OSError."""
    folder = os.path.dirname(path)
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < size + SPARE:
        raise OSError("too little room")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        zeros = bytes(1 << 20)
        for offset in range(0, size, len(zeros)):
            part = zeros[: size - offset]
            if os.pwrite(descriptor, part, offset) != len(part):
                raise OSError("the disk took a part of it only")
        sync_file(descriptor)
        named = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(named)
        finally:
            os.close(named)
    except BaseException:
        os.close(descriptor)
        os.unlink(path)
        raise
    return descriptor
