"""The service's log as figures: lines by level and by the part that wrote them. Read on where the last look ended.

A line that is no JSON object counts as an error of `other`: something broke in where only our own lines belong.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.metrics import names
from levaithan.stores import slow

if TYPE_CHECKING:
    from levaithan.metrics.tally import Tally

FILE = "service.log"
AT_ONCE = 4 << 20
_LEVELS = frozenset(names.LEVELS_OF_LOG)
_COMPONENTS = frozenset(names.COMPONENTS)
_BY_WORDS = (("projector", "projector"), ("machines ", "sharing"), ("journal", "journal"), ("checkpoint", "journal"))
"""How lines begin that do not name their component."""


class LogLines:
    """The log `name` in the folder `logs`. lines: those that the last look found, for who reads what they say."""

    def __init__(self, logs: str, name: str = FILE) -> None:
        self.lines: list[bytes] = []
        self._path = Path(logs, name)
        self._inode = 0
        self._offset = 0

    def collect(self, tally: Tally) -> None:
        """Count what is new, at most AT_ONCE bytes of it. A log that cannot be read has nothing new."""
        self.lines = []
        try:
            seen = self._path.stat()
            if seen.st_ino != self._inode:
                self._rest(tally)
                self._inode, self._offset = seen.st_ino, 0
            elif seen.st_size < self._offset:
                self._offset = 0
            if seen.st_size > self._offset:
                self._offset += self._count(tally, self._path, self._offset)
        except OSError:
            return

    def _rest(self, tally: Tally) -> None:
        """What came into the log that was set aside, after it was read last."""
        older = self._path.with_name(self._path.name + ".1")
        try:
            if self._inode and older.stat().st_ino == self._inode:
                self._count(tally, older, self._offset)
        except FileNotFoundError:
            return

    def _count(self, tally: Tally, path: Path, offset: int) -> int:
        """Count the whole lines of `path` from `offset` on; the bytes that they take. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            data = os.pread(descriptor, AT_ONCE, offset)
        finally:
            os.close(descriptor)
        end = data.rfind(b"\n") + 1
        lines = data[:end].splitlines()
        self.lines += lines
        for line in lines:
            self.line(tally, line)
        return end if end or len(data) < AT_ONCE else len(data)

    def line(self, tally: Tally, line: bytes) -> None:
        """Count one line."""
        tally.add("levaithan_log_messages_total", said_by(line))

    def dump(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"inode": self._inode, "offset": self._offset}

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError and KeyError for what is none."""
        self._inode, self._offset = int(dumped["inode"]), int(dumped["offset"])


class SlowQuestions(LogLines):
    """The slow questions that every process of this home noted (stores.slow)."""

    def __init__(self, logs: str) -> None:
        super().__init__(logs, slow.FILE)

    def line(self, tally: Tally, line: bytes) -> None:
        """Count one line; one that is none of ours counts for nothing."""
        try:
            told = orjson.loads(line)
            key = (told["store"], told["operation"])
        except (ValueError, TypeError, KeyError):
            return
        if key[0] in names.STORES and key[1] in names.OPERATIONS:
            tally.add("levaithan_store_slow_queries_total", key)


def said_by(line: bytes) -> tuple[str, str]:
    """(level, component) of one line of the log."""
    try:
        told = orjson.loads(line)
        level, component, what = told.get("level"), told.get("component"), str(told.get("event", ""))
    except (ValueError, AttributeError):
        return "error", names.OTHER
    if level not in _LEVELS:
        level = "error"
    if component not in _COMPONENTS:
        named = [of for begin, of in _BY_WORDS if what.startswith(begin)]
        component = names.OTHER if component is not None else named[0] if named else "service"
    return level, component
