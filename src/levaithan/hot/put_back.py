"""Puts back into the segments what only the write-ahead file has: after a crash, before anything is added.

Called under the journal's lock by whoever opens the journal first, a one-shot too. A writer that lives holds a lock on
its file, and nothing is missing then. What a segment has otherwise than the file is a person's deed or damage, and is
left as it is: only what is missing at its end, or reads as zeros, is written. Standard library only, and lean.
"""

from __future__ import annotations

import fcntl
import os

from levaithan.hot import segments
from levaithan.hot.lines import sync_file

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
_PAGE = 4096
_MOST = 1 << 30
"""A file beyond this is none of ours."""


def put_back(finder: Finder) -> None:
    """Bring the segments of the finder's folder up to the write-ahead file there, if there is one, and remove it.

    Raises OSError when the disk does not take it: nothing may be added then.
    """
    path = f"{finder.directory}/{segments.AHEAD}"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        _aside(finder, f"{segments.AHEAD} cannot be read ({error.strerror})")
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(descriptor).st_size
        odd = [_stretch(finder, *one) for one in _stretches(segments.read_at(descriptor, 0, min(size, _MOST)))]
        if any(odd):
            _aside(finder, "; ".join(filter(None, odd)))
        else:
            _without(path)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


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
    """Write what the segment lacks of `data`; why that cannot be, or "". A segment that is gone was pruned."""
    name = segments.name_of(first)
    try:
        descriptor = os.open(f"{finder.directory}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{name} cannot be read ({error.strerror}), so {segments.AHEAD} was not put back"
    try:
        there = segments.read_at(descriptor, offset, len(data))
        if there == data:
            sync_file(descriptor)  # it may be in the system's cache only, and the file is removed after this
            return ""
        if os.fstat(descriptor).st_size < offset or not _lost(there, data, offset):
            return f"{name} was changed: {segments.AHEAD} has something else there, and was not put back"
        if not _follows(finder, descriptor, offset, data):
            return f"{segments.AHEAD} does not follow what is in {name}, and was not put back"
    finally:
        os.close(descriptor)
    _write(finder, name, offset, data, len(data) - len(there.rstrip(b"\0")))
    return ""


def _lost(there: bytes, data: bytes, offset: int) -> bool:
    """Whether all that `there` has otherwise than `data` are pages of the file, or ends of pages, of zeros."""
    begin = 0
    while begin < len(there):
        end = begin + _PAGE - (offset + begin) % _PAGE
        if not data.startswith(there[begin:end].rstrip(b"\0"), begin):
            return False
        begin = end
    return True


def _follows(finder: Finder, descriptor: int, offset: int, data: bytes) -> bool:
    """Whether the first line of `data` is the one after what the segment has before `offset`."""
    line = data.partition(b"\n")[0]
    before = segments.last_line(descriptor, offset)[1] if offset else b""
    return segments.fits(line, segments.previous_hash(line, before), finder.sha256)


def _write(finder: Finder, name: str, offset: int, data: bytes, lost: int) -> None:
    path = f"{finder.directory}/{name}"
    sealed = not os.stat(path).st_mode & 0o200
    if sealed:
        os.chmod(path, segments.OPEN)
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # without O_APPEND: in its place
    try:
        done = 0
        while done < len(data):
            done += os.pwrite(descriptor, data[done:], offset + done)
        sync_file(descriptor)
        if sealed:
            os.fchmod(descriptor, segments.SEALED)
    finally:
        os.close(descriptor)
    finder.say(f"{name} lacked {lost} bytes at its end (a crash): they were put back from {segments.AHEAD}")
    repair = {"v": 1, "kind": "repair", "at": segments.now(), "what": "ahead", "segment": name}
    finder.repairs.append(repair | {"offset": offset + len(data) - lost, "bytes": lost})
