"""A file in which a comparison keeps what it makes of the journal: a journal may say more than memory holds.

It is SQLite's, it is gone afterwards, and nobody else reads it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from dataclasses import dataclass
from typing import Self

from levaithan.projector import feed


class Scratch:
    """Such a file, open as `file`; a context manager, which removes it. Raises OSError and sqlite3.Error."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="levaithan-folds-")
        self.file = sqlite3.connect(f"{self._folder.name}/folds.sqlite3", isolation_level=None)
        self.file.execute("PRAGMA journal_mode = OFF")
        self.file.execute("PRAGMA synchronous = OFF")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()


@dataclass(slots=True, frozen=True)
class Window:
    """The records that a comparison is of: `first` to `last` of `journal`, which is in the folder `directory`."""

    directory: str
    journal: str
    first: int
    last: int

    def pruned(self) -> bool:
        """Whether there were records before, which a store may still hold."""
        return self.first > 1

    def goes_on(self) -> bool:
        """Whether there are records behind, which a store may hold by now."""
        return feed.last_seq(self.directory) > self.last
