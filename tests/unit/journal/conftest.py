"""Small journals to damage, and the lines in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from levaithan.hot.journal import Journal
from levaithan.journal import checkpoints, seal
from levaithan.journal.report import Report
from levaithan.journal.verify import verify


def event(number: int, size: int = 40) -> tuple[str, bytes]:
    """An item as the gate makes them."""
    one = f"{number:032x}"
    return one, b'{"v":1,"kind":"event","id":"%s","at":"2026-11-23T15:04:05.000000Z","x":"%s"}' % (
        one.encode(),
        b"x" * size,
    )


class Made:
    """A journal in `path`, signed by `key`, with `verify` and views of its lines."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "logs" / "journal"
        (root / "state").mkdir(parents=True)
        self.key = seal.ensure_key(str(root / "keys" / "journal.key"), str(root / "keys" / "journal.pub"))
        self.event = event

    def writer(self, **options: object) -> Journal:
        return Journal(str(self.path), fsync="never", machine="m", **options)  # type: ignore[arg-type]

    def fill(self, count: int, every: int = 0, segment_bytes: int = 1 << 20) -> None:
        """`count` events in segments, a checkpoint after each `every`th and at each segment's end."""
        journal = self.writer(segment_bytes=segment_bytes)
        sealer = checkpoints.Sealer(journal, self.key)
        for number in range(1, count + 1):
            journal.append([event(number)])
            if every and number % every == 0:
                sealer.checkpoint()
        journal.close()

    def verify(self, **options: object) -> Report:
        return verify(str(self.path), public_key=self.key.public, **options)  # type: ignore[arg-type]

    def segments(self) -> list[Path]:
        return sorted(self.path.glob("journal-*.log"))

    def lines(self) -> list[bytes]:
        """All lines with their LF, over all segments."""
        return [line for one in self.segments() for line in one.read_bytes().splitlines(keepends=True)]

    def write_one(self, lines: list[bytes]) -> None:
        """Put `lines` into the first segment and remove the others."""
        first, *rest = self.segments()
        for one in rest:
            one.unlink()
        first.chmod(0o600)
        first.write_bytes(b"".join(lines))

    def copy(self, name: str) -> Made:
        """The same journal and key in another folder."""
        other = Made.__new__(Made)
        other.root, other.key, other.event = self.root.parent / name, self.key, event
        other.path = other.root / "logs" / "journal"
        shutil.copytree(self.root, other.root)
        return other


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "home")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Made]:
    return lambda name: Made(tmp_path / name)
