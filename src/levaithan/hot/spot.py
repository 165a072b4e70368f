"""One path that a deed names, and the places it lies in: each found out when a rule first asks, and once an event.

Part of where.py. Standard library only; what knows each kind of place is imported when a rule asks.
"""

from __future__ import annotations

import os

from levaithan.hot.late import Late
from levaithan.hot.places import is_place, without_glob
from levaithan.hot.realpath import real, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot import credentials, file_places, ordinary
    from levaithan.hot.realpath import Seen
else:
    credentials, file_places, ordinary = Late("credentials"), Late("file_places"), Late("ordinary")


_ALL_OF_IT = frozenset(("*", "**", ".*", "?*", ".[!.]*", ".[^.]*", ".??*", "[!.]*", "[^.]*", "*.*"))
"""Patterns that leave little of a folder."""
FOLDERS = ("root", "home", "system", "device")


class Surroundings:
    """What is around one event. project, cwd: its folders; user_home: whose home `~` is; seen: see realpath.py."""

    __slots__ = ("_roots", "cwd", "project", "seen", "user_home")

    def __init__(self, project: str | None, cwd: str | None, user_home: str) -> None:
        self.project = project
        self.cwd = cwd
        self.user_home = user_home
        self.seen: Seen = {}
        self._roots: tuple[str, ...] | None = None

    def roots(self) -> tuple[str, ...]:
        """The project and the working folder, as written and as the kernel finds them."""
        if self._roots is None:
            named = {root.rstrip("/") for root in (self.project, self.cwd) if root}
            self._roots = (*named, *({ordinary.real_folder(root, self.seen) for root in named} - named))
        return self._roots


class Spot:
    """The path `target`, seen from the folder `cwd`."""

    __slots__ = ("_credential", "_folder", "_inside", "_met", "_resolved", "around", "cwd", "ordinary", "target")

    def __init__(self, target: str, cwd: str | None, around: Surroundings) -> None:
        self.target = target
        self.cwd = cwd
        self.around = around
        self.ordinary: bool | None = None
        self._resolved: tuple[str, ...] | None = None
        self._folder: str | None = None
        self._inside: bool | None = None
        self._met: dict[str, str] | None = None
        self._credential: str | None = None

    def resolved(self) -> tuple[str, ...]:
        """(the path as written, the path as the kernel finds it), both absolute; () when it cannot be told."""
        if self._resolved is None:
            found, home = None, self.around.user_home
            if self.target:
                found = resolve(self.target, self.cwd, home, self.around.seen)
            self._resolved = () if found is None else (_written(self.target, self.cwd, home), found)
        return self._resolved

    def is_inside(self) -> bool:
        """Whether it lies below the project or the working folder, with no link on the way, and in no folder that a
        deletion must not reach: then it is in none of where.py's INSIDE_OUT."""
        if self._inside is None:
            found = self.resolved()
            self._inside = bool(found) and found[0] == found[1] and self._is_inside(found[1])
        return self._inside

    def _is_inside(self, path: str) -> bool:
        if "\x00" in self.target or without_glob(path) != path:
            return False
        home = self.around.user_home
        for place in FOLDERS:
            if is_place(place, path, home):
                return False
        for root in self.around.roots():
            if len(root) > 1 and path.startswith(root) and path[len(root) : len(root) + 1] == "/":
                return True
        return False

    def folder(self, place: str, recursive: bool) -> str | None:
        """Root, home, system folders and devices, by the path as written and as the kernel finds it."""
        target, home = self.target, self.around.user_home
        if "\x00" in target or not target:
            empty = place == "root" and recursive and target.strip("\x00") in ("/", "/*", "/.", "/..", "//")
            return "/ if that variable is empty" if empty and target[:1] == "\x00" else None
        if self._folder is None:
            self._folder = _as_folder(target, self.cwd, home)
        path = self._folder
        if not path or is_place(place, path, home):
            return path or None
        if place != "device" and not target.endswith(("/", "/*", "/.")) and target not in ("*", "."):
            return None  # a link itself, not what it points to
        path = real(path, self.around.seen)
        return path if is_place(place, path, home) else None

    def files(self) -> dict[str, str]:
        """The places of single files (file_places.py) that it lies in -> the path, as written or as the kernel
        finds it."""
        if self._met is None:
            met = self._met = {}
            for path in dict.fromkeys(self.resolved()):
                for found in file_places.places_of(path, self.around.user_home):
                    met.setdefault(found, path)
        return self._met

    def credential(self) -> str | None:
        """The path with what is in it, in words."""
        if self._credential is None:
            self._credential = self._as_credential() or ""
        return self._credential or None

    def _as_credential(self) -> str | None:
        if "\x00" in self.target:
            tail = self.target.rpartition("\x00")[2]
            tail = self.target.replace("\x00", "1") if self.target.startswith("/proc/") else tail
            what = credentials.kind_of(tail) if "/" in tail else None
            return f"{tail} ({what})" if what else None
        for path in dict.fromkeys(self.resolved() or (self.target,)):
            what = credentials.kind_of(path)
            if what:
                return f"{path} ({what})"
        return None

    def credential_store(self) -> str | None:
        """A credential file outside of the project: one that the user's other programs count on."""
        found = self.credential()
        return found if found and self.outside() else None

    def outside(self) -> str | None:
        """Outside of the project, where others count on it."""
        found, home = self.resolved(), self.around.user_home
        if not found:
            return None
        return found[1] if file_places.is_outside(found[1], self.around.roots(), home) or self._leads_out() else None

    def beyond(self) -> str | None:
        """Outside of the project, and not for everybody to read."""
        found, home = self.resolved(), self.around.user_home
        if not found or file_places.is_library(found[1], home):
            return None
        return found[1] if file_places.is_beyond(found[1], self.around.roots(), home) or self._leads_out() else None

    def _leads_out(self) -> bool:
        """Whether a link of the project, or `..` out of it, leads to a place outside: a temporary one too."""
        (written, path), target, roots = self.resolved(), self.target, self.around.roots()
        if (written == path and ".." not in target) or not roots or file_places.is_stream(path):
            return False
        if not file_places.is_elsewhere(path, roots, temporary=False):
            return False
        below = not target.startswith(("/", "~")) or target.startswith(tuple(root + "/" for root in roots))
        climbs = below and (target.startswith("../") or "/../" in target)
        return climbs or not file_places.is_elsewhere(written, roots, temporary=False)

    def elsewhere(self) -> str | None:
        """Outside of the project, by the path as the kernel finds it; a link itself is no such place."""
        if "\x00" in self.target:
            return self._below_elsewhere()
        found = self.resolved()
        if not found:
            return None
        path = found[1] if self.target.endswith(("/", "/*", "/.")) else found[0]
        return path if file_places.is_elsewhere(path, self.around.roots()) else None

    def _below_elsewhere(self) -> str | None:
        """A folder outside of the project in which something is named that only the run will know: `/srv/$NAME`."""
        folder, found, _ = self.target.partition("\x00")[0].rpartition("/")
        if not found or not folder or (self.cwd is None and folder[:1] not in ("/", "~")):
            return None
        path = _written(folder, self.cwd, self.around.user_home)
        return path + "/?" if file_places.is_elsewhere(path, self.around.roots()) else None

    def project(self) -> str | None:
        """The project or the working folder, whole, or what they lie in."""
        found = self.resolved()
        if not found:
            return None
        path = found[1]
        while path.rpartition("/")[2] in _ALL_OF_IT:
            path = path.rpartition("/")[0]
        below = path.rstrip("/") + "/"
        return path if any((root + "/").startswith(below) for root in self.around.roots() if len(root) > 1) else None

    def others_home(self) -> str | None:
        """The home folder of somebody who neither runs this nor owns the project."""
        found = self.resolved()
        home = file_places.home_of(found[1]) if found else ""
        ours = {file_places.home_of(root + "/") for root in (self.around.user_home, *self.around.roots())}
        return found[1] if found and home and home not in ours else None


def _as_folder(target: str, cwd: str | None, user_home: str) -> str:
    """`target` made absolute and without a pattern that stands for all in it; "" when it cannot be told."""
    if target.startswith("~"):
        target = user_home + target[1:] if target[1:2] in ("", "/") else target
    if not target.startswith("/"):
        if cwd is None:
            return ""
        target = f"{cwd}/{target}"
    return without_glob(os.path.normpath(target))


def _written(path: str, cwd: str | None, user_home: str) -> str:
    """`path` made absolute, `..` taken out by its text alone."""
    if path == "~" or path.startswith("~/"):
        path = user_home + path[1:]
    return "/" + os.path.normpath(path if path.startswith("/") else f"{cwd}/{path}").lstrip("/")
