"""Writes the small files that every event is held against: halts, restraints. What reads them is in halts.py.

Whole writes (temporary file, fsync, rename) under a lock from reading to writing, so that of two setters at once each
counts. Standard library only; loaded where one is set or taken back, never while Claude Code waits.
"""

from __future__ import annotations

import fcntl
import os
import time

from levaithan.hot import halts
from levaithan.hot.lockfile import open_lock
from levaithan.hot.plain_json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KEPT_US = 30 * 86_400_000_000  # what expired stays so long: a clock that was ahead must not end it for good


def change(
    path: str,
    form: halts.Form,
    edit: Callable[[list[Any]], list[Any]],
    unwritable: Callable[[str, str], Exception],
) -> None:
    """Reads the file at `path`, edits what it holds and writes it, as one step; it is on the disk when this returns.

    What expired thirty days ago is left out. Raises what `form` makes of an unreadable file, and what `unwritable`
    makes of (path, why), "" where it would be too large: nothing changed then.
    """
    temporary = f"{path}.{os.getpid()}.{os.urandom(3).hex()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        lock = open_lock(path.removesuffix(".json") + ".lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            halts._cache.pop(path, None)  # two writes within one tick of the clock could share a stat
            long_ago = halts.stamp(max(0, time.time_ns() // 1000 - _KEPT_US))
            kept = [one for one in edit(halts.read(path, form)) if not one.expired(long_ago)]
            text = dumps({"version": 1, form.key: [one.as_dict() for one in kept]})
            data = text.encode() if isinstance(text, str) else text
            if len(data) > halts.MAX_BYTES:
                raise unwritable(path, "")
            _write(temporary, data)
            os.rename(temporary, path)
            _sync_folder(os.path.dirname(path))
        finally:
            os.close(lock)
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise unwritable(path, str(error.strerror)) from error
    halts._cache.pop(path, None)


def _write(path: str, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
