"""A small SQLite file of the home that several processes change: what was spent, who holds which file.

One step is one transaction, so that a process that is killed leaves all of it or nothing. Nothing is synced: what must
outlive the machine's power is in the journal or comes back from elsewhere. A file that is damaged is set aside and
begun anew. Standard library only; sqlite3 costs 9 ms to import, so this is loaded where it is needed and not before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3

from levaithan.hot.lockfile import open_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Made = TypeVar("Made")

Problem = sqlite3.Error
_WAIT_S = 0.5


class Database:
    """The file at `path` with the `tables` (SQL) of `version`; found: what is to be said of it, "" for nothing. Raises
    OSError and sqlite3.Error where it cannot be."""

    __slots__ = ("_db", "_lock", "_seen", "_tables", "_version", "found", "path")

    def __init__(self, path: str, tables: str, version: int) -> None:
        self.path = path
        self.found = ""
        self._tables = tables
        self._version = version
        self._lock = -1
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self._lock = open_lock(path + ".lock")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._db = self._opened()
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
        self.__del__()

    def __del__(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        """Run one statement. Text that is no Unicode (half a surrogate pair, from JSON) is kept as its escapes."""
        try:
            return self._db.execute(sql, values)
        except UnicodeEncodeError:
            return self._db.execute(sql, _escaped(values))

    def executemany(self, sql: str, rows: Any) -> None:
        """Run one statement for each of the rows."""
        for row in rows:
            self.execute(sql, row)

    @property
    def gone(self) -> bool:
        """Whether the open file is no longer the one at `path`: deleted, emptied, or set aside by another process."""
        try:
            seen = os.stat(self.path)
        except OSError:
            return True
        return (seen.st_dev, seen.st_ino) != self._seen or not seen.st_size

    def one_step(self, work: Callable[[], Made]) -> Made:
        """What `work` makes; nobody else's change comes between, and it is undone if it raises. A damaged file is set
        aside, and `work` begins once more with an empty one."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # in turn: SQLite's own waiting lets some of many wait for ever
        try:
            if self.gone:
                self._db.close()
                self._db = self._opened()
            try:
                return self._begun(work)
            except sqlite3.DatabaseError as error:
                if not damaged(error):
                    raise
            self._db.close()
            if not self.gone:
                self._set_aside()
            self._db = self._opened()
            return self._begun(work)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _begun(self, work: Callable[[], Made]) -> Made:
        """`work` in a transaction. Every call that takes something is one: no context managers, they cost as much."""
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        try:
            made = work()
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise
        execute("COMMIT")
        return made

    def _opened(self) -> sqlite3.Connection:
        """The file at `path`, open: made where there is none, set aside where it is damaged."""
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise
        self._set_aside()
        return self._connected()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] != self._version:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(f"BEGIN IMMEDIATE; {self._tables} PRAGMA user_version = {self._version}; COMMIT;")
                os.chmod(self.path, 0o600)
            db.execute("PRAGMA synchronous = OFF")
            seen = os.stat(self.path)
            self._seen = (seen.st_dev, seen.st_ino)
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self) -> None:
        self.found = f"{self.path} was damaged; it is kept as {self.path}.damaged, and begun anew"
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path + suffix, f"{self.path}.damaged{suffix}")


def _escaped(values: Any) -> list[Any]:
    return [one.encode("utf-8", "backslashreplace").decode() if isinstance(one, str) else one for one in values]


def damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite says that the file is none of its own, or not whole: not that it is busy or cannot be written."""
    return type(error) is sqlite3.DatabaseError
