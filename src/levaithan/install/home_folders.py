"""The folders of a home: what is wrong with them, and putting that right.

Nothing is ever deleted here: what stands where a folder belongs (a file, a link to nowhere) is set aside under another
name. Imports the hot path's notion of a home.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot import paths

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


def _wanted(home: Home) -> list[tuple[str, bool, bool]]:
    """Each folder, a parent before what is in it; whether it is closed to others; whether a home must have it. What
    need not be there is made by what writes there first."""
    private = (home.state, home.logs, home.journal, home.keys, home.bin, home.run)
    later = (home.sessions, home.state + "/cache", home.state + "/backups", home.journal + "/torn")
    shared = (home.context, home.context + "/policies", home.hooks)
    found = [(home.root, False, True), *((path, True, True) for path in private)]
    return found + [(path, True, False) for path in later] + [(path, False, False) for path in shared]


def folders(home: Home) -> list[str]:
    """The folders of a home that are missing, no folders, closed to us, or open to others who should not come in."""
    return [path for path, private, must in _wanted(home) if _wrong(home, path, private=private, must=must)]


def _wrong(home: Home, path: str, *, private: bool, must: bool) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:  # not there, a link to nowhere or to itself, or below a folder that is closed to us
        return must or os.path.lexists(path)
    if not stat.S_ISDIR(mode) or (path == home.run and Path(path).is_symlink()):
        return True
    return mode & 0o700 != 0o700 or bool(mode & _forbidden(private=private, must=must))


def _forbidden(*, private: bool, must: bool) -> int:
    """What of a folder's mode is too much: others read nothing of the private ones, and write into none. Who may
    write beside the rules and hooks decides what the guard does, whatever the umask was when they were made."""
    return 0o077 if private and must else 0o022


def make_folders(home: Home) -> str:
    """Make and open them, the private ones for this user alone. Raises OSError for what belongs to somebody else."""
    Path(home.root).mkdir(mode=0o700, parents=True, exist_ok=True)
    made, aside = 0, []
    for path, private, must in _wanted(home):
        if not _wrong(home, path, private=private, must=must):
            continue
        made += 1
        link_for_socket = path == home.run and Path(path).is_symlink()
        if os.path.lexists(path) and (link_for_socket or not Path(path).is_dir()):
            aside.append(set_aside(path))
        if Path(path).is_dir():
            mode = stat.S_IMODE(Path(path).stat().st_mode) | 0o700
            Path(path).chmod(mode & (0o700 if private else 0o755))
        elif must:
            paths.ensure_private(path)
    kept = f"; what was in their place is kept as {', '.join(aside)}" if aside else ""
    return f"{made} folders in {home.root}{kept}"


def set_aside(path: str) -> str:
    """Give what stands at `path` another name beside it; that name. Raises OSError."""
    aside = f"{path}.aside-{time.time_ns()}"
    Path(path).rename(aside)
    return aside
