"""A file in which a comparison keeps what it makes of the journal: a journal may say more than memory holds.

It is SQLite's, it is gone afterwards, and nobody else reads it.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from levaithan.errors import StoreError
from levaithan.projector import feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from levaithan.stores.roles import Cursor

Answer = TypeVar("Answer")
Given = ParamSpec("Given")


class ScratchError(StoreError):
    """What is made of the journal, to be held against the store, found no place in {folder}: {reason}."""

    code = "scratch_failed"
    fix = "free space in {folder}, or set TMPDIR to another folder with room"


def _told(work: Callable[Concatenate[_Cursor, Given], Answer]) -> Callable[Concatenate[_Cursor, Given], Answer]:
    """`work`, but what the disk or the system does to it is a ScratchError. A mistake of ours stays what it is."""

    def done(cursor: _Cursor, /, *given: Given.args, **more: Given.kwargs) -> Answer:
        try:
            return work(cursor, *given, **more)
        except sqlite3.OperationalError as error:
            raise _failed(error) from error

    return done


class _Cursor(sqlite3.Cursor):
    """A disk fills while something is written, and while an answer that needs a file of its own is read."""

    execute = _told(sqlite3.Cursor.execute)
    executemany = _told(sqlite3.Cursor.executemany)
    fetchone = _told(sqlite3.Cursor.fetchone)
    fetchmany = _told(sqlite3.Cursor.fetchmany)
    fetchall = _told(sqlite3.Cursor.fetchall)
    __next__ = _told(sqlite3.Cursor.__next__)


class _File(sqlite3.Connection):
    def execute(self, sql: str, values: Any = (), /) -> _Cursor:
        made = self.cursor(_Cursor)
        made.execute(sql, values)
        return made

    def executemany(self, sql: str, rows: Iterable[Any], /) -> _Cursor:
        made = self.cursor(_Cursor)
        made.executemany(sql, rows)
        return made


class Scratch:
    """Such a file, open as `file`; a context manager, which removes it. What is done with it, and making it, raises
    ScratchError where there is no room, or no folder."""

    def __init__(self) -> None:
        try:
            folder = tempfile.mkdtemp(prefix="levaithan-folds-")
        except OSError as error:
            raise _failed(error) from error
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            self.file: sqlite3.Connection = sqlite3.connect(
                f"{folder}/folds.sqlite3", isolation_level=None, factory=_File
            )
        except sqlite3.Error as error:
            raise _failed(error) from error
        self.file.execute("PRAGMA journal_mode = OFF")
        self.file.execute("PRAGMA synchronous = OFF")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._remove()


def _failed(error: Exception) -> ScratchError:
    try:
        folder = tempfile.gettempdir()
    except OSError:  # none of those that are tried can be written
        folder = "the folder for temporary files"
    return ScratchError(folder=folder, reason=str(error))


@dataclass(slots=True, frozen=True)
class Window:
    """The records that a comparison is of: `first` to `last` of `journal`, which is in the folder `directory`; after:
    the place behind the last."""

    directory: str
    journal: str
    first: int
    last: int
    after: Cursor | None = None

    def pruned(self) -> bool:
        """Whether there were records before, which a store may still hold."""
        return self.first > 1

    def goes_on(self) -> bool:
        """Whether there are records behind, which a store may hold by now."""
        return feed.last_seq(self.directory) > self.last
