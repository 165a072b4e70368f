"""Whether a path is an ordinary file of the project or a temporary one, that no rule on places is about.

Nearly every path is, and saying so at once spares a dozen questions: no link in it, no `..`, no pattern, no name that
begins with a dot, no credential, nothing of the guard's own. In doubt it says no, and every rule looks for itself; a
test holds it against them. Standard library only.
"""

from __future__ import annotations

import os
import time

from levaithan.hot.credentials import kind_of
from levaithan.hot.file_places import is_pipeline
from levaithan.hot.realpath import GONE, PLAIN, look, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.protected import Protected
    from levaithan.hot.realpath import Seen

_FRESH_S = 0.25
_real: dict[str, tuple[float, str]] = {}
_MANY = 256
_TEMPORARY = "/tmp"  # noqa: S108 - looked at, not written to


def real_folder(folder: str, seen: Seen | None = None) -> str:
    """`folder` with its links resolved; a change counts within a quarter of a second. Raises nothing. `seen`: see
    realpath.py."""
    now = time.monotonic()
    known = _real.get(folder)
    if known is not None and now - known[0] < _FRESH_S:
        return known[1]
    try:
        found = real(folder, seen)
    except (OSError, ValueError):
        found = os.path.normpath(folder)
    if len(_real) > _MANY:
        _real.clear()
    _real[folder] = (now, found)
    return found


def is_ordinary(target: str, cwd: str | None, root: str | None, protected: Protected, seen: Seen | None = None) -> bool:
    """Whether `target`, seen from the folder `cwd`, is such a path; `root` is the project's folder. `seen`: see
    realpath.py."""
    base, rest = _split(target.removeprefix("./").rstrip("/"), cwd, root)
    if not base or not rest:
        return False
    folder = real_folder(base, seen)
    path = f"{folder}/{rest}"
    if "/." in path or len(folder) < 2 or kind_of(path) is not None or is_pipeline(path):
        return False
    if folder != _TEMPORARY and base != root and not _inside(folder, root):
        return False
    home = protected.user_home + "/"
    if (folder == _TEMPORARY and path.startswith(home)) or home.startswith(path + "/"):  # a home may lie there too
        return False
    if path.startswith(protected.own) or path in protected.above:
        return False
    return _without_links(folder, rest, {} if seen is None else seen)


def _split(target: str, cwd: str | None, root: str | None) -> tuple[str, str]:
    """(folder, rest) of a path below `cwd`, below `root` or below /tmp; ("", "") of everything else."""
    if not target or target[0] in "~." or "/." in target or "//" in target or not target.isprintable():
        return "", ""
    if "*" in target or "?" in target or "[" in target:
        return "", ""
    if target[0] != "/":
        return cwd or "", target
    for base in (root, _TEMPORARY):
        if base and target.startswith(base + "/"):
            return base, target[len(base) + 1 :]
    return "", ""


def _inside(folder: str, root: str | None) -> bool:
    if not root or len(root) < 2:
        return False
    above = real_folder(root)
    return folder == above or folder.startswith(above + "/")


def _without_links(folder: str, rest: str, seen: Seen) -> bool:
    """Whether no part of `rest` below `folder` is a link; what does not exist has none."""
    at = folder
    for part in rest.split("/"):
        at = f"{at}/{part}"
        try:
            what = seen[at] if at in seen else look(at, seen)
        except ValueError:
            return False
        if what != PLAIN:
            return what == GONE
    return True
