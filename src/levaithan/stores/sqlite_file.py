"""The file under an embedded store: opened, checked, moved aside when damaged, swapped for a rebuilt one.

Standard library only: the read path of the CLI goes through here. The name a store is known by may be a symbolic
link to the file of the present generation: SQLite names its -wal after the real file, so a rebuilt ledger can take
the name over in one rename while readers go on with the old generation and its own -wal.
"""
# Links, inodes and the sides of a file are the subject here, and os is their language.
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH110, PTH113, PTH114, PTH116, PTH119, PTH120, PTH208, PTH211

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from typing import TYPE_CHECKING

from levaithan.errors import StoreError
from levaithan.stores.roles import StoreBusyError, StoreDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable

BUSY_MS = 5_000
PAGE_BYTES = 8_192
CACHE_KIB = {"ledger": 12_288, "search": 2_048}
"""Pages a writer keeps; FTS5 has its own memory. What falls out is in the system's cache: the projector stays small."""
CHECKPOINT_PAGES = 8_192
"""64 MiB of WAL between checkpoints: a page that many batches touch is written to the file once."""
CHECKED_BYTES = 16 << 20
"""A file up to this size is checked whole when a writer opens it (about 100 ms); a larger one when it is used."""
_SIDES = ("", "-wal", "-shm", "-journal")
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_POISON = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE}
_NO_PLACE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
_NOT_SCHEMA = ("savepoint", "transaction", "fts5: syntax")


def translate(store: str, path: str, error: BaseException) -> StoreError | None:
    """The StoreError that `error` amounts to, or None when it is the data's fault (poison), not the store's."""
    error = getattr(error, "orig", None) or error
    if isinstance(error, StoreError):
        return error
    code, words = getattr(error, "sqlite_errorcode", None), str(error)
    if isinstance(code, int):
        kind = code & 0xFF
        # Our statements are fixed texts: one that is no longer valid meets a schema that is no longer ours.
        if kind in _DAMAGE or (kind == sqlite3.SQLITE_ERROR and not any(part in words for part in _NOT_SCHEMA)):
            return StoreDamagedError(store=store, path=path, reason=words)
        return None if kind in _POISON else StoreBusyError(store=store, reason=words)
    if isinstance(error, UnicodeDecodeError) or "decode" in words:
        return StoreDamagedError(store=store, path=path, reason=words)
    # The module's own complaints carry no code: a closed connection is ours, a value it cannot bind is poison.
    if isinstance(error, OSError) or (isinstance(error, sqlite3.DatabaseError) and "closed" in words):
        return StoreBusyError(store=store, reason=words)
    return None


def is_open(link: sqlite3.Connection) -> bool:
    """Whether the connection was not closed by somebody. It is not used for that."""
    try:
        return link.total_changes >= 0
    except sqlite3.ProgrammingError:
        return False


class SqliteFile:
    """One store's file. `path` is the name it is known by; `found` collects what was met, in words."""

    def __init__(self, store: str, path: str) -> None:
        self.store = store
        self.path = path
        self.found: list[str] = []

    def exists(self) -> bool:
        """Whether there is a file under the name."""
        return os.path.exists(self.path)

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the present generation; None when there is none."""
        try:
            seen = os.stat(self.path)
        except OSError:
            return None
        return seen.st_dev, seen.st_ino

    def size(self) -> int:
        """Bytes of the file and its WAL."""
        real, total = os.path.realpath(self.path), 0
        for side in _SIDES[:2]:
            try:
                total += os.stat(real + side).st_size
            except OSError:
                continue
        return total

    def free(self) -> int | None:
        """Bytes free on its disk; None where there is none to ask."""
        try:
            seen = os.statvfs(os.path.dirname(os.path.realpath(self.path)))
        except OSError:
            return None
        return seen.f_bavail * seen.f_frsize

    def connect(self, *, write: bool) -> sqlite3.Connection:
        """A connection in autocommit mode. A reader never makes the file. Raises StoreError."""
        try:
            if write:
                with contextlib.suppress(FileExistsError):  # the folder alone: a home that is gone stays gone
                    os.mkdir(os.path.dirname(self.path), mode=0o700)
                self._open_to_us()
                return self._opened("mode=rwc", write=True)
            try:
                return self._opened("mode=rw", write=False)
            except sqlite3.OperationalError as error:
                if not self._at_rest(error):
                    raise
                return self._opened("mode=ro&immutable=1", write=False)
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise self.wrap(error) from error

    def _opened(self, options: str, *, write: bool) -> sqlite3.Connection:
        uri = "file:" + _quoted(os.path.realpath(self.path)) + "?" + options
        link = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False)
        try:
            for pragma in _pragmas(CACHE_KIB.get(self.store, 2_048), write=write):
                link.execute(pragma)
            if write:
                self._close_to_others()
            elif self.exists():
                link.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # what cannot be opened is said only now
        except BaseException:
            link.close()
            raise
        return link

    def _at_rest(self, error: sqlite3.Error) -> bool:
        """Whether a reader was refused for want of a place for -shm (a full or read-only disk), and needs none: with
        nothing in the WAL the file alone is all there is."""
        if _kind(error) not in _NO_PLACE:
            return False
        try:
            return os.stat(os.path.realpath(self.path) + "-wal").st_size == 0
        except FileNotFoundError:
            return self.exists()

    def wrap(self, error: BaseException) -> StoreError:
        """`error` as a StoreError, whatever it is."""
        if isinstance(error, sqlite3.Error) and _kind(error) in _NO_PLACE and (why := self._in_the_way()):
            return StoreDamagedError(store=self.store, path=self.path, reason=why)
        return translate(self.store, self.path, error) or StoreError(store=self.store, reason=str(error))

    def _in_the_way(self) -> str:
        """What stands where the file, or what belongs to it, must be, and is no file; "" when nothing does."""
        real = os.path.realpath(self.path)
        for path in (self.path, *(real + side for side in _SIDES)):
            if _no_file(path, linked=path == self.path):
                return f"{path} is no file" + (", but a link" if os.path.islink(path) else "")
        return ""

    def _open_to_us(self) -> None:
        """A file of ours that was closed to us is opened again; where that cannot be done, opening it says why."""
        real = os.path.realpath(self.path)
        for path in (real + side for side in _SIDES):
            try:
                mode = os.stat(path).st_mode
                if stat.S_ISREG(mode) and mode & 0o600 != 0o600:
                    os.chmod(path, 0o600)
            except OSError:
                continue

    def _close_to_others(self) -> None:
        real = os.path.realpath(self.path)
        if os.stat(real).st_mode & 0o077:
            os.chmod(real, 0o600)

    def check(self) -> str:
        """What is wrong with the file ("" = nothing seen). Reads all of a file up to CHECKED_BYTES."""
        if why := self._in_the_way():
            return why
        if not self.exists():
            return ""
        self._open_to_us()
        try:
            link = self.connect(write=False)
            try:
                link.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if self.size() > CHECKED_BYTES:
                    return ""
                said = str(link.execute("PRAGMA integrity_check(1)").fetchone()[0])
            finally:
                link.close()
        except StoreDamagedError as error:
            return str(error.values.get("reason", error))
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            return str(error) if isinstance(self.wrap(error), StoreDamagedError) else ""
        return "" if said == "ok" else said

    def move_aside(self, why: str) -> str:
        """Keep a damaged file under another name, so that a new one can be begun; says so in `found`."""
        real = os.path.realpath(self.path)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        kept = f"{self.path}.damaged-{stamp}-{time.time_ns() % 10**9:09d}"
        for side in _SIDES:
            if os.path.lexists(real + side):
                os.rename(real + side, kept + side)
        if os.path.islink(self.path):
            os.unlink(self.path)
        self.found.append(f"the {self.store} store was damaged ({why}): kept as {kept}, made again from the journal")
        return kept

    def beside(self) -> SqliteFile:
        """A file for the next generation, in the same folder."""
        return SqliteFile(self.store, f"{self.path}.g{time.time_ns():x}")

    def take_over(self, fresh: SqliteFile) -> None:
        """Let `fresh` (closed, no WAL left) be known by this name from now on, and remove the old generation.

        Readers that have the old one open keep it until they look at `identity` again.
        """
        old = os.path.realpath(self.path)
        link = f"{self.path}.link-{os.getpid()}"
        remove([link])
        os.symlink(os.path.basename(fresh.path), link)
        was_link = os.path.islink(self.path)
        os.rename(link, self.path)
        sides = _SIDES if was_link else _SIDES[1:]
        remove(old + side for side in sides)

    def remove(self) -> None:
        """Remove the file and what belongs to it."""
        real = os.path.realpath(self.path)
        remove([*(real + side for side in _SIDES), self.path])

    def leftovers(self) -> list[str]:
        """Files of rebuilds that never finished."""
        folder, name = os.path.split(self.path)
        real = os.path.basename(os.path.realpath(self.path))
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        mine = {real + side for side in _SIDES}
        begins = (f"{name}.g", f"{name}.link-")
        return [f"{folder}/{one}" for one in names if one.startswith(begins) and one not in mine]


def _kind(error: sqlite3.Error) -> int:
    """The primary result code; 0 for the module's own complaints, which have none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _no_file(path: str, *, linked: bool) -> bool:
    """Whether something stands at `path` that can be no file of SQLite's, which follows a link (`linked`) only to the
    file itself. One that goes meanwhile is no obstacle."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    if stat.S_ISLNK(mode):
        return not linked or not os.path.isfile(path)
    return not stat.S_ISREG(mode)


def remove(paths: Iterable[str]) -> None:
    """Remove files; one that is not there is as good as removed."""
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _pragmas(cache_kib: int, *, write: bool) -> tuple[str, ...]:
    """synchronous=NORMAL: a power cut may take the last transactions, never the file; the journal has them still,
    and the cursor that went with them is the older one too, so they are projected again."""
    shared = (f"PRAGMA busy_timeout={BUSY_MS}", "PRAGMA foreign_keys=OFF", "PRAGMA temp_store=MEMORY")
    if not write:
        return (*shared, "PRAGMA query_only=ON", "PRAGMA mmap_size=268435456")
    return (
        f"PRAGMA page_size={PAGE_BYTES}", *shared, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL",
        f"PRAGMA cache_size=-{cache_kib}", f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
        "PRAGMA journal_size_limit=134217728",
    )  # fmt: skip
