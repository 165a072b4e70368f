"""Paths as the kernel would find them: absolute, `..` and links resolved, also of what does not exist yet.

Standard library only, and lean: every path that a command names comes through here.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    Seen = dict[str, bool | None]


def resolve(path: str, cwd: str | None, user_home: str, seen: Seen | None = None) -> str | None:
    """`path`, seen from the folder `cwd`, as the kernel would find it. `seen`: see real().

    None when it cannot be told (relative to an unknown folder, or a NUL in it).
    """
    if "\x00" in path:
        return None
    if path == "~" or path.startswith("~/"):
        path = user_home + path[1:]
    if path.startswith("/proc/self/cwd"):
        path = (cwd or "") + path[14:]
    if not path.startswith("/"):
        if cwd is None:
            return None
        path = cwd + "/" + path
    return real(path, seen)


def real(path: str, seen: Seen | None = None) -> str:
    """`path` with its links resolved, as far as this user may look: os.path.realpath, only that a path without
    links costs one system call a part, and none below what is not there. `seen` keeps the answers for paths that begin
    alike: path -> whether it is no link; None when it cannot be looked at."""
    if path[:1] != "/":
        return _by_library(path)
    known: Seen = {} if seen is None else seen
    at, plain = "", True
    for part in path.split("/"):
        if part == "..":
            at, plain = at.rpartition("/")[0], True
        elif part and part != ".":
            at = f"{at}/{part}"
            if plain is not None:
                plain = known[at] if at in known else _no_link(at, known)
                if plain is False:
                    return _by_library(path)
    return at or "/"


def _by_library(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:  # /proc/1/root and the like
        return os.path.normpath(path)


def _no_link(path: str, known: Seen) -> bool | None:
    found: bool | None = None
    try:
        found = os.lstat(path).st_mode & 0o170000 != 0o120000
    except OSError:
        pass
    known[path] = found
    return found
