"""Paths as the kernel would find them: absolute, `..` and links resolved, also of what does not exist yet.

Standard library only, and lean: every path that a command names comes through here.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    Seen = dict[str, int]

PLAIN, LINK, GONE, HIDDEN = range(4)
"""What stands at a path: no link; a link; nothing; what cannot be looked at. Below the last two nothing else stands."""


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
    links costs one system call a part, and none below what is not there. `seen` keeps what look() found, for paths
    that begin alike."""
    if path[:1] != "/":
        return _by_library(path)
    known: Seen = {} if seen is None else seen
    at, what = "", PLAIN
    for part in path.split("/"):
        if part == "..":
            at, what = at.rpartition("/")[0], PLAIN
        elif part and part != ".":
            at = f"{at}/{part}"
            if what == PLAIN:
                what = known[at] if at in known else look(at, known)
                if what == LINK:
                    return _by_library(path)
    if what != PLAIN:
        known[at] = what
    return at or "/"


def real_in(folder: str, name: str, seen: Seen) -> str:
    """The file `name` in `folder`, which real() gave, with its links resolved."""
    path = f"{folder}/{name}"
    above = seen.get(folder, PLAIN)
    if above != PLAIN:
        seen[path] = above
        return path
    what = seen[path] if path in seen else look(path, seen)
    return _by_library(path) if what == LINK else path


def look(path: str, seen: Seen) -> int:
    """What is at `path`: PLAIN, LINK, GONE or HIDDEN, noted in `seen`. Raises ValueError for what is no path."""
    try:
        found = LINK if os.lstat(path).st_mode & 0o170000 == 0o120000 else PLAIN
    except FileNotFoundError:
        found = GONE
    except OSError:
        found = HIDDEN
    seen[path] = found
    return found


def exists(path: str, seen: Seen | None) -> bool:
    """Whether something stands at `path`, which real() or real_in() gave."""
    what = None if seen is None else seen.get(path)
    return what == PLAIN or (what != GONE and os.path.exists(path))


def _by_library(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:  # /proc/1/root and the like
        return os.path.normpath(path)
