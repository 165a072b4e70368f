"""New lines of the service's log, a bounded piece at a time, past its being set aside and begun anew.

The metrics count the same lines by themselves (levaithan.metrics.log_lines); their place in the file is another one,
for lines are mined only while the mode of the installation has that on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FILE = "service.log"
AT_ONCE = 1 << 20
"""Bytes that one look reads at most. On the first look the log's last piece is read, not all of it."""


class LogTail:
    """The log in the folder `logs`. What cannot be read has no new lines."""

    def __init__(self, logs: str) -> None:
        self._path = Path(logs, FILE)
        self._inode = 0
        self._offset = 0

    def lines(self) -> list[bytes]:
        """The whole lines that came since. A line longer than AT_ONCE is passed over in pieces."""
        try:
            return self._new()
        except OSError:
            return []

    def _new(self) -> list[bytes]:
        """Raises OSError."""
        seen, found = self._path.stat(), []
        if seen.st_ino != self._inode:
            found = self._rest()
            begin = max(0, seen.st_size - AT_ONCE) if not self._inode else 0
            self._inode, self._offset = seen.st_ino, begin
        elif seen.st_size < self._offset:
            self._offset = 0
        if seen.st_size > self._offset:
            piece, taken = _whole_lines(self._path, self._offset)
            self._offset += taken
            found += piece
        return found

    def dump(self) -> dict[str, Any]:
        """JSON-able."""
        return {"inode": self._inode, "offset": self._offset}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError, KeyError for what is none."""
        self._inode, self._offset = int(state["inode"]), int(state["offset"])

    def _rest(self) -> list[bytes]:
        """What came into the log that was set aside, after it was read last."""
        older = self._path.with_name(FILE + ".1")
        try:
            if self._inode and older.stat().st_ino == self._inode:
                return _whole_lines(older, self._offset)[0]
        except FileNotFoundError:
            pass
        return []


def _whole_lines(path: Path, offset: int) -> tuple[list[bytes], int]:
    """Lines from `offset` on, and the bytes they take. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        data = os.pread(descriptor, AT_ONCE, offset)
    finally:
        os.close(descriptor)
    end = data.rfind(b"\n") + 1
    return data[:end].splitlines(), end if end or len(data) < AT_ONCE else len(data)
