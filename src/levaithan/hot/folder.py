"""The journal's folder as a lock, and the one error that writers of the journal raise.

The lock is flock on the folder itself: no lock file can be lost, left over or restored from a copy. Standard library
only, and lean: the one-shot path loads it.
"""

from __future__ import annotations

import errno
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REASONS = {
    "full": frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
    "readonly": frozenset((errno.EROFS, errno.EACCES, errno.EPERM)),
    "missing": frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESTALE)),
}
_FIX = {
    "full": "free space on its disk (or raise the quota); what is dropped until then is counted",
    "readonly": "make the folder writable for this user again, then run `levaithan doctor`",
    "missing": "run `levaithan setup`, or point --home at the right home",
    "io": "look at the disk's health, then run `levaithan journal verify`",
}


class JournalError(OSError):
    """The batch was not recorded. reason: full, readonly, io or missing; the message says what to do next."""

    def __init__(self, reason: str, message: str, number: int = 0) -> None:
        super().__init__(number, message)
        self.reason = reason
        self.message = f"{message}: {_FIX[reason]}"

    def __str__(self) -> str:
        return self.message


def wrap(error: OSError, directory: str) -> JournalError:
    """The JournalError that an OSError means."""
    if isinstance(error, JournalError):
        return error
    number = error.errno or 0
    reason = next((name for name, numbers in _REASONS.items() if number in numbers), "io")
    what = error.strerror or str(error) or type(error).__name__
    return JournalError(reason, f"the journal in {directory} cannot be written ({what})", number)


class Folder:
    """The folder at `path`, made when only it (and not the home around it) is missing. `say` takes words for people."""

    __slots__ = ("_say", "descriptor", "path")

    def __init__(self, path: str, say: Callable[[str], None]) -> None:
        self.path = path
        self.descriptor = -1
        self._say = say

    def lock(self) -> bool:
        """Hold the folder that stands at the path now; False when it is another one than before. Raises OSError."""
        same = True
        for _ in range(8):
            if self.descriptor < 0:
                self.descriptor = self._open()
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            mine = os.fstat(self.descriptor)
            try:
                there = os.stat(self.path)
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                return same
            self._say(f"the journal's folder {self.path} was removed or replaced while it was in use")
            self.close()
            same = False
        raise JournalError("io", f"the folder {self.path} is replaced again and again")

    def unlock(self) -> None:
        """Let others write."""
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def stamp(self) -> tuple[int, int, int]:
        """What changes when a file is made, renamed or removed in the folder."""
        seen = os.fstat(self.descriptor)
        return seen.st_dev, seen.st_ino, seen.st_mtime_ns

    def close(self) -> None:
        """Give the descriptor back, and the lock with it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _open(self) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            home = os.path.dirname(os.path.dirname(self.path))
            if not os.path.isdir(home):
                raise JournalError("missing", f"the home {home} is not there") from None
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        self._say(f"the journal's folder {self.path} was not there and was made")
        return os.open(self.path, flags)
