"""Puts back into the segments what only the write-ahead file has: after a crash, before anything is added.

Called under the journal's lock by whoever opens the journal first, a one-shot too. A writer that lives holds a lock on
its file, and nothing is missing then. What a segment has otherwise than the file is a person's deed or damage, and is
left as it is: only what is missing at its end, or reads as zeros, is written. Standard library only, and lean.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from levaithan.hot import segments
from levaithan.hot.lines import sync_file
from levaithan.hot.tail import NO_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.tail import Finder

MAGIC = b"LVW1"
HEAD = "<4sIQQQI"
"""Of an entry: MAGIC, CRC-32 of all that follows, round, number of the segment's first record, offset in the segment,
bytes; then the bytes."""
SUMMED = 8
"""Where in it begins what the sum is over."""
HALVES = 2
_MOST = 64 << 20
"""A file beyond this is none of ours."""
_BLOCK = 512


def put_back(finder: Finder) -> None:
    """Bring the segments of the finder's folder up to the write-ahead file there, if there is one, and remove it.

    Raises OSError when the disk does not take it: nothing may be added then.
    """
    path = f"{finder.directory}/{segments.AHEAD}"
    try:
        descriptor = _opened(path)
    except FileNotFoundError:
        return
    if descriptor is None:
        _aside(finder, f"{segments.AHEAD} is no regular file")
        return
    try:
        if _writer_lives(descriptor):
            return
        odd = "; ".join(filter(None, _put_back(finder, descriptor)))
        if odd:
            _aside(finder, odd)
        else:
            _without(path)
    finally:
        os.close(descriptor)


def _writer_lives(descriptor: int) -> bool:
    """Whether somebody holds the file's lock; if nobody does, we do until it is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _put_back(finder: Finder, descriptor: int) -> list[str]:
    """For each stretch why it is not where it belongs, or "". Raises OSError but for what the disk cannot read or write
    any more: then no more can be done, and what comes is recorded all the same."""
    size = os.fstat(descriptor).st_size
    if size > _MOST:
        return [f"{segments.AHEAD} is of {size} bytes, which is none of ours"]
    try:
        return [_stretch(finder, *one) for one in _stretches(segments.read_at(descriptor, 0, size))]
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return [f"{segments.AHEAD} could not be put back: {error.strerror}"]


def _opened(path: str) -> int | None:
    """The file, open for reading; None when it is no regular one. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _without(path: str) -> None:
    """Remove the file, where the folder lets us: what is read a second time is found equal, and does no harm."""
    try:
        os.unlink(path)
    except OSError:
        pass


def _aside(finder: Finder, why: str) -> None:
    try:
        finder.say(f"{why}: it was moved to {finder.aside(segments.AHEAD)}")
    except OSError:
        finder.say(why)


def _stretches(data: bytes) -> list[tuple[int, int, bytes]]:
    """(number of a segment's first record, offset in it, bytes) of what follows on one another, in order."""
    pieces: dict[tuple[int, int], bytes] = {}
    half = len(data) // HALVES
    for which in range(HALVES):
        pieces |= _entries(data[which * half : which * half + half])
    found: list[tuple[int, int, list[bytes]]] = []
    end = (0, 0)
    for (first, offset), piece in sorted(pieces.items()):
        if (first, offset) != end:
            found.append((first, offset, []))
        found[-1][2].append(piece)
        end = (first, offset + len(piece))
    return [(first, offset, b"".join(parts)) for first, offset, parts in found]


def _entries(half: bytes) -> dict[tuple[int, int], bytes]:
    """The entries of one half, up to the first that is not whole or is of an earlier round."""
    from struct import Struct  # a one-shot beside a living service needs neither
    from zlib import crc32

    head, found, at, round_of_first = Struct(HEAD), {}, 0, None
    while at + head.size <= len(half):
        magic, said, number, first, offset, size = head.unpack_from(half, at)
        end = at + head.size + size
        whole = magic == MAGIC and end <= len(half) and crc32(half[at + SUMMED : end]) == said
        if not whole or round_of_first not in (None, number):
            break
        found[first, offset] = half[at + head.size : end]
        round_of_first, at = number, end
    return found


def _stretch(finder: Finder, first: int, offset: int, data: bytes) -> str:
    """Write what the segment lacks of `data`; why that cannot be, or "". Raises OSError."""
    name = segments.name_of(first)
    try:
        descriptor = _opened(f"{finder.directory}/{name}")
    except FileNotFoundError:  # pruned, most likely; if not, this may be the only copy
        return f"{name} is gone, and {segments.AHEAD} was not put back"
    if descriptor is None:
        return f"{name} is no regular file, and {segments.AHEAD} was not put back"
    try:
        seen = os.fstat(descriptor)
        there = segments.read_at(descriptor, offset, len(data)) if offset <= seen.st_size else None
        if there is None or not _lost(there, data):
            return f"{name} was changed: {segments.AHEAD} has something else there, and was not put back"
        if there != data and not _follows(finder, descriptor, offset, data):
            return f"{segments.AHEAD} does not follow what is in {name}, and was not put back"
        sealed = not seen.st_mode & 0o200
        if not sealed or there != data:  # what is equal may be in the system's cache only, after a sync that failed
            _write(f"{finder.directory}/{name}", offset, data)
        sync_file(descriptor)
    finally:
        os.close(descriptor)
    if there != data:
        _tell(finder, name, offset, there, data)
    return ""


def _lost(there: bytes, data: bytes) -> bool:
    """Whether all that `there` has otherwise than the beginning of `data` are zeros, which no record has."""
    for at in range(0, len(there), _BLOCK):
        block = there[at : at + _BLOCK]
        if data.startswith(block, at):
            continue
        if any(one and one != other for one, other in zip(block, data[at : at + _BLOCK], strict=False)):
            return False
    return True


def _follows(finder: Finder, descriptor: int, offset: int, data: bytes) -> bool:
    """Whether the first line of `data` is the one after what the segment has before `offset`."""
    line = data.partition(b"\n")[0]
    before = segments.last_line(descriptor, offset)[1] if offset else b""
    return segments.fits(line, segments.previous_hash(line, before), finder.sha256)


def _write(path: str, offset: int, data: bytes) -> None:
    mode = os.stat(path).st_mode & 0o777
    if not mode & 0o200:
        os.chmod(path, segments.OPEN)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # without O_APPEND: in its place
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(descriptor, data[done:], offset + done)
        finally:
            os.close(descriptor)
    finally:
        if not mode & 0o200:
            os.chmod(path, mode)


def _tell(finder: Finder, name: str, offset: int, there: bytes, data: bytes) -> None:
    """From the first block that was missing to the last."""
    blocks = range(0, len(data), _BLOCK)
    missing = [at for at in blocks if there[at : at + _BLOCK] != data[at : at + _BLOCK]]
    first = max(missing[0], len(there[: missing[0] + _BLOCK].rstrip(b"\0")))
    size = min(missing[-1] + _BLOCK, len(data)) - first
    finder.say(f"{name} lacked {size} bytes (a crash): they were put back from {segments.AHEAD}")
    repair = {"v": 1, "kind": "repair", "at": segments.now(), "what": "ahead", "segment": name}
    finder.repairs.append(repair | {"offset": offset + first, "bytes": size})
