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
_MOST_ADDED = 4096
_RETRY_S = 60.0


class Ahead:
    """Of one writer of the journal in `directory`. `begin` and `add` are of the thread that appends, under the
    journal's lock; `sync` is of one thread at a time."""

    def __init__(self, directory: str, half: int = HALF) -> None:
        self.path = f"{directory}/{segments.AHEAD}"
        self.alone = self.whole = 0
        """How often this file was synced instead of the segment, and how often the segment was."""
        self._half = half
        self._descriptor = -1
        self._begun_at = -1e9
        self._added: deque[tuple[int, int, bytes]] = deque()
        self._first, self._end = 0, -1
        self._which, self._at, self._round = 0, 0, 1
        self._free = 1
        self._records: dict[int, int] = {}
        self._failed: OSError | None = None

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
        self._which, self._at, self._round, self._free = 0, 0, 1, 1
        self._descriptor = made

    def add(self, tail: Tail, offset: int, data: bytes) -> None:
        """`data` was written at `offset` of the last segment."""
        if self._descriptor < 0:
            return
        if len(self._added) >= _MOST_ADDED:
            self._added.clear()  # then the next sync finds a hole, and syncs the segment
        self._added.append((tail.first, offset, data))

    def sync(self, tail: Tail) -> None:
        """Whatever was added or written to the segment before is on the disk when this returns. Raises OSError."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        if not self._put(tail):
            self._sync_whole(tail)

    def abandon(self) -> int:
        """A segment could not be synced: what is here is kept in torn/ for a person, and another file is begun.

        Gives how many records only this file may have.
        """
        records, self._records = sum(self._records.values()), {}
        if self._named():
            folder, name = os.path.split(self.path)
            try:
                if not os.path.isdir(f"{folder}/{segments.TORN}"):
                    os.mkdir(f"{folder}/{segments.TORN}", 0o700)
                os.rename(self.path, f"{folder}/{segments.TORN}/{name}.{time.time_ns()}")
            except OSError:  # it stays, and is put back or moved by the next writer that opens the journal
                pass
        self._leave()
        return records

    def close(self, descriptors: Iterable[int]) -> None:
        """Sync the segments, then remove the file; it stays, to be put back, when that fails."""
        try:
            if self._named():
                for one in descriptors:
                    sync_file(one)
                os.unlink(self.path)
        except OSError:
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
        if not parts or not self._named():
            return False
        try:
            if not self._write(tail, b"".join(parts)):
                return False
        except (OSError, RuntimeError):  # it has its own troubles (or no thread): without it all is as safe, and slower
            self.abandon()
            return False
        self._end = end
        self.alone += 1
        return True

    def _write(self, tail: Tail, data: bytes) -> bool:
        size = _HEAD.size + len(data)
        if size > MOST or (size > self._half - self._at and not self._turn(tail, size)):
            return False
        head = _HEAD.pack(MAGIC, 0, self._round, self._first, self._end, len(data))[SUMMED:]
        entry = MAGIC + struct.pack("<I", crc32(data, crc32(head))) + head + data
        if os.pwrite(self._descriptor, entry, self._which * self._half + self._at) != size:
            return False
        sync_file(self._descriptor)
        self._at += size
        self._records[self._round] = self._records.get(self._round, 0) + data.count(b"\n")
        return True

    def _turn(self, tail: Tail, size: int) -> bool:
        """Go on in the other half, and have the segment synced beside us, so that this one is free by then."""
        if size > self._half or self._free < self._round:
            return False
        descriptor = os.dup(tail.descriptor)
        try:
            start_new_thread(self._cover, (descriptor, self._round + 1))
        except RuntimeError:
            os.close(descriptor)
            raise
        self._which, self._at, self._round = 1 - self._which, 0, self._round + 1
        return True

    def _cover(self, descriptor: int, number: int) -> None:
        """The thread: all that was added before round `number` is on the disk in its segment afterwards."""
        try:
            sync_file(descriptor)
            self._records.pop(number - 1, None)
            self._free = max(self._free, number)
        except OSError as error:
            self._failed = error
        finally:
            os.close(descriptor)

    def _sync_whole(self, tail: Tail) -> None:
        self._added.clear()  # what is in there was written, so it is among the bytes that are there now
        size = os.fstat(tail.descriptor).st_size
        sync_file(tail.descriptor)
        self._records = {}
        self._first, self._end, self._free = tail.first, size, self._round
        self.whole += 1


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
