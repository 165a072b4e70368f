"""A small JSON object that several processes change: leases, budgets, counters.

`change` holds a lock from reading to writing, so that of many at once each sees what the one before it left: a file's
between processes, which does not tell threads of one apart, and one of this process between those. A file that is not
whole is set aside and begun anew: its hash is in front of it (kept.py). Nothing here is synced: what must outlive the
machine's power is in the journal. Standard library only.
"""

from __future__ import annotations

import _thread
import os

from levaithan.hot import kept
from levaithan.hot.lockfile import open_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Made = TypeVar("Made")

try:
    import fcntl
except ImportError:  # no Unix: the hook that needs it says so
    fcntl = None  # type: ignore[assignment]


class StateFile:
    """One object at `path`, {} as long as there is no file. A process keeps one StateFile a path."""

    __slots__ = ("_known", "_lock", "_mine", "found", "path")

    def __init__(self, path: str) -> None:
        self._lock = -1
        self._mine = _thread.RLock()
        self.path = path
        self.found = ""
        self._known: tuple[tuple[int, int, int] | None, dict[str, Any]] = (None, {})

    def __del__(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)

    def look(self) -> dict[str, Any]:
        """The object as it is now, without waiting for who changes it. Not to be changed. Raises nothing."""
        stamp = _stamp(self.path)
        seen, value = self._known
        if stamp != seen:
            value = self._read() if stamp else {}
            self._known = stamp, value
        return value

    def _read(self) -> dict[str, Any]:
        value = kept.read(self.path)
        return value if isinstance(value, dict) else {}

    @property
    def broken(self) -> bool:
        """Whether there was something at the last look, and it is not what was written."""
        seen, value = self._known
        return seen is not None and not value and kept.read(self.path) is None

    def change(self, work: Callable[[dict[str, Any]], Made]) -> Made:
        """What `work` returns; it is given the object and may change it in place, while nobody else does.

        The file is written when the object changed (`work` says so by anything but None or False); until then nobody
        else sees what is changed. Raises OSError, and what `work` raises: then nothing is written.
        """
        with self._mine:
            return self._changed(work)

    def _changed(self, work: Callable[[dict[str, Any]], Made]) -> Made:
        if self._lock < 0:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            self._lock = open_lock(self.path + ".lock")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            value = self._read()  # by no stamp: two writes within one tick of the clock could share one
            if not value and _stamp(self.path):
                self._set_aside()
            made = work(value)
            if made is not None and made is not False:
                if not kept.write(self.path, value):
                    raise OSError(f"{self.path} cannot be written")
                self._known = _stamp(self.path), value
            return made
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _set_aside(self) -> None:
        """What is there is not whole: kept for a person to look at, once."""
        if kept.read(self.path) is None:
            self.found = f"{self.path} was damaged; it is kept as {self.path}.damaged, and begun anew"
            os.replace(self.path, self.path + ".damaged")


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
