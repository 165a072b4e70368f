"""Segments as files to read, whatever was put in their place: pipes, folders, lines without an end.

Imports the hot path's notion of a segment and the standard library, nothing else.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot import segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

_BLOCK = 1 << 20
_LONGEST = 1 << 28


def size_of(path: str) -> int:
    """Bytes of a regular file; -1 for anything else and for a dead link. Raises OSError, FileNotFoundError."""
    if not Path(path).exists() and Path(path).is_symlink():
        return -1
    seen = Path(path).stat()
    return seen.st_size if stat.S_ISREG(seen.st_mode) else -1


def opened(path: str) -> BufferedReader:
    """A segment for reading; what is no regular file (a pipe, a dead link) holds no records and is never waited for.

    Raises OSError, FileNotFoundError for one that was pruned meanwhile.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if not Path(path).is_symlink():
            raise
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return open(descriptor, "rb")  # noqa: PTH123 - a descriptor, and the caller's to close


class Segment:
    """An open segment: name, file, bytes that count, and the path of the next one ("" after the last)."""

    __slots__ = ("file", "following", "name", "size")

    def __init__(self, name: str, file: BufferedReader, size: int, following: str) -> None:
        self.name = name
        self.file = file
        self.size = size
        self.following = following

    def line_at(self, offset: int) -> bytes:
        """The line that begins there, or in the next segment; b"" when there is none."""
        if offset < self.size:
            self.file.seek(offset)
            line = self.file.readline(_LONGEST)
            return line[:-1] if line.endswith(b"\n") else b""
        if not self.following:
            return b""
        with opened(self.following) as file:
            return file.readline(_LONGEST).rstrip(b"\n")

    def blocks(self) -> Iterator[tuple[int, list[bytes], bytes]]:
        """Whole lines, about a MiB at a time, after the offset of the first, and before what is left after the last LF
        (at the end only). Of a line longer than any record only the beginning is given."""
        parts: list[bytes] = []
        begin = offset = held = 0
        while offset < self.size:
            part = segments.read_at(self.file.fileno(), offset, min(_BLOCK, self.size - offset))
            if not part:
                break
            offset += len(part)
            cut = part.rfind(b"\n")
            if cut >= 0:
                lines = b"".join((*parts, part[:cut])).split(b"\n")
                yield begin, lines, b""
                begin, parts, part = offset - len(part) + cut + 1, [], part[cut + 1 :]
                held = 0
            if held <= _LONGEST:
                parts.append(part)
            held += len(part)
        if parts and any(parts):
            yield begin, [], b"".join(parts)
