"""A settings file's bytes, text and folder: read, locked and made, with errors that a person can act on.

Imports the errors only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import InstallError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.install.places import Place
    from levaithan.install.settings_rules import Problem


def refusal(path: str, problem: Problem) -> InstallError:
    """The error for a file that is left alone because of `problem`."""
    where = f"{path}:{problem.line}:{problem.column}"
    what = f"{problem.place}: {problem.message}" if problem.place else problem.message
    return InstallError(
        f"{where}: {what}. Claude Code drops a whole settings file for this, hooks and all, so it was left as it is.",
        fix=f"mend line {problem.line} of {path}, then run the command again (`levaithan hooks validate` checks it)",
        path=path,
    )


def make_folder(folder: str, place: Place) -> list[str]:
    """Make the folder of a settings file; the folders that were made, the outermost first."""
    made = []
    path = Path(folder)
    while not path.exists():
        made.append(str(path))
        path = path.parent
    try:
        Path(folder).mkdir(mode=0o700 if place.scope == "user" else 0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise InstallError(
            path=folder, reason=error.strerror or str(error), fix="see that you may write there"
        ) from None
    return made[::-1]


@contextlib.contextmanager
def folder_lock(folder: str) -> Iterator[None]:
    """Installations of other homes wait too: the lock is on the settings' own folder, and leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def bytes_at(path: str) -> bytes:
    """The bytes of a file; a pipe or a device is not waited for. Raises OSError, FileNotFoundError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read()


def read(path: str) -> bytes | None:
    """The same for a file that is to be changed: None when there is none; raises InstallError."""
    try:
        return bytes_at(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstallError(
            path=path, reason=error.strerror or str(error), fix="see that it is a file that you may read"
        ) from None


def text_of(path: str, data: bytes | None) -> str:
    """The bytes as text; a file that is not there is empty."""
    try:
        return (data or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        line = (data or b"")[: error.start].count(b"\n") + 1
        raise InstallError(
            f"{path}:{line}: it is not UTF-8 text, so it was left as it is.", fix=f"save {path} as UTF-8"
        ) from None


def bytes_of(path: str, text: str) -> bytes:
    """The text as it is written."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise InstallError(
            path=path, reason="the path of the client is not UTF-8", fix="move the home to a path that is"
        ) from None


def digest(data: bytes) -> str:
    """SHA-256, as hex."""
    return hashlib.sha256(data).hexdigest()
