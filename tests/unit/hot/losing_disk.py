"""An imitation of a disk that loses at a crash what was not synced: the tests' own, for no test can cut the power.

Whatever a journal syncs is remembered as it was then. A crash image has of each file what was synced last, then some of
what came after: a part of it, then zeros; of the write-ahead file some sectors of a write that was under way.
Names of files are never lost here: where one must not be, the code syncs the folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from journal_by_hand import events, folder, item, writer

from levaithan.hot import ahead, lines, put_back, segments
from levaithan.hot.ahead import Ahead

if TYPE_CHECKING:
    from random import Random

    import pytest

    from levaithan.hot.journal import Journal

SECTOR = 512
HALF = 8192


class PowerCutError(BaseException):
    """The machine is gone."""


class LosingDisk:
    """Stands in for the disk under the journals of this process. covers: the threads that wait to sync a segment beside
    the writer; they run when `cover` is called. left: how many syncs come through before the power is cut in one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.synced: dict[int, bytes] = {}
        self.covers: deque[tuple] = deque()
        self.failing = False
        self.left = 1 << 30
        self.given_up: set[int] = set()
        """What was not synced when it failed: the system says so once, and takes it for written then."""
        write = os.pwrite
        patch.setattr(os, "pwrite", lambda descriptor, data, at: self._anew(descriptor) or write(descriptor, data, at))
        for module in (lines, ahead, put_back):
            patch.setattr(module, "sync_file", self.sync)
        patch.setattr(ahead, "start_new_thread", lambda call, given: self.covers.append((call, given)))

    def sync(self, descriptor: int) -> None:
        number = os.fstat(descriptor).st_ino
        if self.failing:
            self.given_up.add(number)
            raise OSError(errno.EIO, "Input/output error")
        self.left -= 1
        if self.left < 0:
            raise PowerCutError
        if number not in self.given_up:
            self.synced[number] = Path(f"/dev/fd/{descriptor}").read_bytes()

    def _anew(self, descriptor: int) -> None:
        self.given_up.discard(os.fstat(descriptor).st_ino)

    def cover_fails(self) -> None:
        self.failing = True
        self.cover()
        self.failing = False

    def cover(self) -> None:
        while self.covers:
            call, given = self.covers.popleft()
            call(*given)

    def crash(self, home: Path, into: Path, chance: Random) -> Path:
        """A copy of the home as it may be found after a crash now."""
        shutil.copytree(home, into)
        for file in (home / "logs" / "journal").iterdir():
            if not file.is_file():
                continue
            durable, now = self.synced.get(file.stat().st_ino, b""), file.read_bytes()
            lost = _torn if file.name == segments.AHEAD else _short
            copy = into / "logs" / "journal" / file.name
            copy.chmod(0o600)
            copy.write_bytes(lost(durable, now, chance))
            copy.chmod(file.stat().st_mode & 0o777)
        return into


def _short(durable: bytes, now: bytes, chance: Random) -> bytes:
    """Cut somewhere, and zeros from somewhere on."""
    assert now.startswith(durable), "only what is at the end can be lost"
    size = chance.choice((len(durable), len(now), chance.randint(len(durable), len(now))))
    zeros = chance.choice((size, chance.randint(len(durable), size) // SECTOR * SECTOR))
    zeros = max(len(durable), zeros)
    return now[:zeros] + bytes(size - zeros)


def _torn(durable: bytes, now: bytes, chance: Random) -> bytes:
    """Each sector is as it was synced last or as it is now."""
    sectors = range(0, len(now), SECTOR)
    return b"".join((durable if chance.random() < 0.5 else now)[at : at + SECTOR] for at in sectors)


def resident(home: Path, half: int = HALF, **options) -> tuple[Journal, Ahead]:
    """A writer with a write-ahead file, opened."""
    file = Ahead(str(folder(home)), half)
    journal = writer(home, fsync="always", ahead=file, **options)
    journal.open()
    return journal, file


def left(home: Path) -> bool:
    return (folder(home) / segments.AHEAD).exists()


def torn(home: Path) -> list[Path]:
    return sorted((folder(home) / segments.TORN).glob("*"))


def until_a_cover(journal: Journal, disk: LosingDisk) -> int:
    """Synced records until a segment is to be synced beside; how many."""
    number = 0
    while not disk.covers:
        number += 1
        journal.append([item(number)])
        journal.sync()
    return number


def crashed(home: Path, disk: LosingDisk, into: Path, count: int = 5) -> tuple[Path, Path]:
    """A home whose segment lacks all but the first record, and the segment."""
    journal, _ = resident(home)
    for number in range(1, count + 1):
        journal.append([item(number)])
        journal.sync()
    shutil.copytree(home, into)
    segment = folder(into) / segments.name_of(1)
    segment.write_bytes(disk.synced[(folder(home) / segments.name_of(1)).stat().st_ino])
    assert events(into) == [1]
    return into, segment
