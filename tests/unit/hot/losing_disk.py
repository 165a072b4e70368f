"""An imitation of a disk that loses at a crash what was not synced: the tests' own, for no test can cut the power.

Whatever a journal syncs is remembered as it was then. A crash image has of each file what was synced last, then some of
what came after: a part of it, then zeros; of the write-ahead file some sectors of a write that was under way.
Names of files are never lost here: where one must not be, the code syncs the folder.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot import ahead, lines, put_back, segments

if TYPE_CHECKING:
    from random import Random

    import pytest

SECTOR, PAGE = 512, 4096


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
        for module in (lines, ahead, put_back):
            patch.setattr(module, "sync_file", self.sync)
        patch.setattr(ahead, "start_new_thread", lambda call, given: self.covers.append((call, given)))

    def sync(self, descriptor: int) -> None:
        if self.failing:
            raise OSError(5, "Input/output error")
        self.left -= 1
        if self.left < 0:
            raise PowerCutError
        self.synced[os.fstat(descriptor).st_ino] = Path(f"/dev/fd/{descriptor}").read_bytes()

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
    zeros = chance.choice((size, chance.randint(len(durable), size) // PAGE * PAGE))
    zeros = max(len(durable), zeros)
    return now[:zeros] + bytes(size - zeros)


def _torn(durable: bytes, now: bytes, chance: Random) -> bytes:
    """Each sector is as it was synced last or as it is now."""
    sectors = range(0, len(now), SECTOR)
    return b"".join((durable if chance.random() < 0.5 else now)[at : at + SECTOR] for at in sectors)
