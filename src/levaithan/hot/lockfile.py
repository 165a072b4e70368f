"""Opening a file that is there only to be locked, whatever has got into its place. Standard library only.

What a lock file holds means nothing and its name everything: a folder or a link under that name is set aside, and a
file that was closed to us is opened again. It is never removed: somebody may hold it.
"""

from __future__ import annotations

import os

_TRIES = 4


def open_lock(path: str) -> int:
    """A descriptor of the regular file at `path`, made when it is missing; its folder must be there. Raises OSError."""
    for left in range(_TRIES, -1, -1):
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
        except OSError:
            if not left or not _made_way(path):
                raise
            continue
        if (os.fstat(descriptor).st_mode & 0o170000) == 0o100000:
            return descriptor
        os.close(descriptor)
        if not left or not _made_way(path):
            break
    raise FileExistsError(17, "something that is no file is in the way", path)


def _made_way(path: str) -> bool:
    """Whether something was done about what stands at `path`."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    if (mode & 0o170000) != 0o100000:
        os.rename(path, f"{path}.aside-{os.urandom(4).hex()}")
        return True
    if mode & 0o600 != 0o600:
        os.chmod(path, 0o600)
        return True
    return False
