"""One projector of a store at a time: advisory locks on files of the home. Standard library only.

The embedded stores have one lock together; a store on a server has its own, for it may hold it until a time-out.

It is held for a stretch of work, never while waiting, so that a rebuild or a catching-up command gets its turn.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from levaithan.hot.lockfile import open_lock

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.stores.roles import Projected


class ProjectionLock:
    """flock on `state/projector.lock`, or on `state/projector-<store>.lock` for the `store` of a server; the system
    releases it when the process dies. Its content means nothing."""

    def __init__(self, home: Home, store: str = "") -> None:
        self.path = Path(home.state, f"projector-{store}.lock" if store else "projector.lock")
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def take(self, wait_s: float = 0.0) -> bool:
        """Take the lock, waiting up to `wait_s` seconds. False when another process holds it. Raises OSError."""
        if self._fd is not None:
            return True
        until = time.monotonic() + wait_s
        while True:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)  # the folder alone: a home that is gone stays gone
            fd = open_lock(str(self.path))
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._still_there(fd):
                    self._fd = fd
                    return True
                os.close(fd)
            except BlockingIOError:
                os.close(fd)
                if time.monotonic() >= until:
                    return False
                time.sleep(0.01)

    def _still_there(self, fd: int) -> bool:
        """A lock file that was removed meanwhile locks nobody else out: then the new one is taken."""
        try:
            seen = self.path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(fd)
        return (seen.st_dev, seen.st_ino) == (mine.st_dev, mine.st_ino)

    def release(self) -> None:
        """Let go; may be called twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_of(home: Home, store: Projected) -> ProjectionLock:
    """The lock that whoever writes into `store` must hold."""
    return ProjectionLock(home, store.name if store.remote else "")
