"""Whether a deed meets a place that a rule names: the project, a home, the guard's files, a credential, an address.

Between scene.py, which knows what an event would do, and the modules that know each kind of place. Standard library
only; those modules are imported when a rule asks.
"""

from __future__ import annotations

import os

from levaithan.hot.places import is_place, without_glob
from levaithan.hot.protected import real, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.deed import Deed
    from levaithan.hot.event import Event
    from levaithan.hot.protected import Protected

    Rule = dict[str, Any]

_FOLDERS = ("root", "home", "system", "device")
_FILES: tuple[str, ...] = ("startup", "autostart", "git-folder", "git-hooks", "ci", "client", "servers", "rights")
_FILES += ("accounts", "system-file")
_ADDRESSES = ("metadata", "private-network", "no-web", "login-in-url", "drop", "control-port")
_NAMED = ("protected", "key", "service", "any", "credential", "credential-store", "outside", "beyond", "elsewhere")
PLACES = (*_FOLDERS, *_NAMED, "project", "others-home", *_FILES, *_ADDRESSES)

PATH_PLACES = frozenset((*_FOLDERS, *_FILES, "protected", "key", "credential", "credential-store", "outside", "beyond"))
PATH_PLACES |= {"elsewhere", "project", "others-home"}
"""Places that an ordinary file of the project is in none of."""
PATH_DEEDS = frozenset(("delete", "write", "move", "mode", "read", "list", "copy", "commit", "send"))


class Where:
    """The places around one event. text: the command lines that are judged."""

    __slots__ = ("_files", "_ordinary", "_paths", "_roots", "event", "protected", "text", "user_home")

    def __init__(self, protected: Protected, user_home: str, event: Event) -> None:
        self.protected = protected
        self.event = event
        self.user_home = user_home
        self.text = ""
        self._files: frozenset[str] | None = None
        self._roots: tuple[str, ...] | None = None
        self._ordinary: dict[tuple[str, str | None], bool] = {}
        self._paths: dict[tuple[str, str | None], tuple[str, str] | None] = {}

    def fits(self, rule: Rule, deed: Deed) -> str | None:
        """The place of `rule` that `deed` meets (as the reason names it), or None."""
        if rule["recursive"] and not deed.recursive:
            return None
        if deed.kind == "switch":
            names = rule["subcommands"]
            return deed.target if any((deed.target + " ").startswith(name + " ") for name in names) else None
        for place in rule["to"]:
            found = self._at(place, deed)
            if found is not None:
                return found
        return None

    def is_ordinary(self, deed: Deed) -> bool:
        """Whether `deed` is about a path that lies in none of PATH_PLACES: found out once a path."""
        if deed.kind not in PATH_DEEDS:
            return False
        cwd = deed.cwd or self.event.cwd
        key = (deed.target, cwd)
        known = self._ordinary.get(key)
        if known is None:
            from levaithan.hot.ordinary import is_ordinary

            known = self._ordinary[key] = is_ordinary(deed.target, cwd, self.event.project, self.protected)
        return known

    def _at(self, place: str, deed: Deed) -> str | None:
        if place == "any":
            return deed.target
        if place in _FOLDERS:
            return self._folder(place, deed)
        if place in _FILES:
            return self._file(place, deed)
        if place in _ADDRESSES:
            return self._address(place, deed)
        return _OTHER[place](self, deed)

    def _protected(self, deed: Deed) -> str | None:
        protected = self.protected
        if self._files is None:
            self._files = protected.settings_of(self.event.project, self.event.cwd)
        cwd = deed.cwd or self.event.cwd
        if deed.kind == "code":
            from levaithan.hot.deeds import writes_in_code

            return protected.named_in_code(deed.target, self._files, cwd) if writes_in_code(deed.target) else None
        removes = deed.kind == "move" or (deed.kind in ("delete", "mode") and deed.recursive)
        target = deed.target
        if "\x00" in target:
            tail = target.rpartition("\x00")[2]
            known = (*protected.folders, *self._files)
            return next((path for path in known if tail.count("/") > 1 and path.endswith(tail)), None)
        if any(c in target for c in "*?["):
            start = min(target.find(c) for c in "*?[" if c in target)
            folder, _, pattern = target[:start].rpartition("/")
            base = resolve(folder or ("/" if target.startswith("/") else "."), cwd, self.user_home)
            glob = f"{(base or '').rstrip('/')}/{pattern}{target[start:]}"
            return protected.hit_by_pattern(glob, self._files, removes=removes) if base else None
        found = self._resolved(deed)
        if found is None:
            return None
        if found[1] == protected.home and deed.recursive:
            return found[1]
        return protected.hit(found[1], self._files, removes=removes)

    def _key(self, deed: Deed) -> str | None:
        return self.protected.key_in(deed.target, deed.cwd or self.event.cwd)

    def _service(self, deed: Deed) -> str | None:
        how, _, word = deed.target.partition(" ")
        if how == "pid":
            if "\x00" in word:
                return "the service" if "levaithan" in self.text or "service.json" in self.text else None
            pid = self.protected.service_pid()
            return "the service" if word == "-1" or (pid is not None and word.lstrip("-") == str(pid)) else None
        if how == "unit":
            return "the service" if "levaithan" in word else None
        import re

        try:
            shape = re.compile(word[:200])
        except re.error:
            return None
        names = self.protected.process_names(full=how == "full")
        return "the service" if any(shape.search(name) for name in names) else None

    def _folder(self, place: str, deed: Deed) -> str | None:
        """Root, home, system folders and devices, by the path as written and as the kernel finds it."""
        if "\x00" in deed.target or not deed.target:
            empty = place == "root" and deed.recursive and deed.target.strip("\x00") in ("/", "/*", "/.", "/..", "//")
            return "/ if that variable is empty" if empty and deed.target[:1] == "\x00" else None
        target = deed.target
        cwd = deed.cwd or self.event.cwd
        if target.startswith("~"):
            target = self.user_home + target[1:] if target[1:2] in ("", "/") else target
        if not target.startswith("/"):
            if cwd is None:
                return None
            target = f"{cwd}/{target}"
        path = without_glob(os.path.normpath(target))
        if is_place(place, path, self.user_home):
            return path
        if place != "device" and not target.endswith(("/", "/*", "/.")):
            return None  # a link itself, not what it points to
        path = real(path)
        return path if is_place(place, path, self.user_home) else None

    def _file(self, place: str, deed: Deed) -> str | None:
        """Files that start or govern something, by the path as written and as the kernel finds it."""
        from levaithan.hot.file_places import FILE_PLACES

        found = self._resolved(deed)
        meets = FILE_PLACES[place]
        return next((path for path in dict.fromkeys(found or ()) if meets(path, self.user_home)), None)

    def _credential(self, deed: Deed) -> str | None:
        from levaithan.hot.credentials import kind_of

        if "\x00" in deed.target:
            tail = deed.target.rpartition("\x00")[2]
            tail = deed.target.replace("\x00", "1") if deed.target.startswith("/proc/") else tail
            what = kind_of(tail) if "/" in tail else None
            return f"{tail} ({what})" if what else None
        for path in dict.fromkeys(self._resolved(deed) or (deed.target,)):
            what = kind_of(path)
            if what:
                return f"{path} ({what})"
        return None

    def _credential_store(self, deed: Deed) -> str | None:
        """A credential file outside of the project: one that the user's other programs count on."""
        found = self._credential(deed)
        return found if found and self._outside(deed) else None

    def _outside(self, deed: Deed) -> str | None:
        from levaithan.hot.file_places import is_outside

        found = self._resolved(deed)
        if found and (is_outside(found[1], self._around(), self.user_home) or self._leads_out(found, deed.target)):
            return found[1]
        return None

    def _leads_out(self, found: tuple[str, str], target: str) -> bool:
        """Whether a link of the project, or `..` out of it, leads to a place outside: a temporary one too."""
        written, path = found
        if written == path and ".." not in target:
            return False
        from levaithan.hot.file_places import is_elsewhere, is_stream

        roots = self._around()
        if not roots or is_stream(path) or not is_elsewhere(path, roots, temporary=False):
            return False
        below = not target.startswith(("/", "~")) or target.startswith(tuple(root + "/" for root in roots))
        climbs = below and (target.startswith("../") or "/../" in target)
        return climbs or not is_elsewhere(written, roots, temporary=False)

    def _beyond(self, deed: Deed) -> str | None:
        from levaithan.hot.file_places import is_beyond, is_library

        found = self._resolved(deed)
        if found is None or is_library(found[1], self.user_home):
            return None
        if is_beyond(found[1], self._around(), self.user_home) or self._leads_out(found, deed.target):
            return found[1]
        return None

    def _elsewhere(self, deed: Deed) -> str | None:
        """Outside of the project, by the path as the kernel finds it; a link itself is no such place."""
        from levaithan.hot.file_places import is_elsewhere

        found = self._resolved(deed)
        if found is None:
            return None
        path = found[1] if deed.target.endswith(("/", "/*", "/.")) else found[0]
        return path if is_elsewhere(path, self._around()) else None

    def _project(self, deed: Deed) -> str | None:
        """The project or the working folder, whole, or what they lie in."""
        found = self._resolved(deed)
        if found is None:
            return None
        path = found[1]
        while path.rpartition("/")[2] in ("*", ".*", "?*"):
            path = path.rpartition("/")[0]
        below = path.rstrip("/") + "/"
        return path if any((root + "/").startswith(below) for root in self._around() if len(root) > 1) else None

    def _others_home(self, deed: Deed) -> str | None:
        """The home folder of somebody who neither runs this nor owns the project."""
        from levaithan.hot.file_places import home_of

        found = self._resolved(deed)
        home = home_of(found[1]) if found else ""
        ours = {home_of(root + "/") for root in (self.user_home, *self._around())}
        return found[1] if found and home and home not in ours else None

    def _around(self) -> tuple[str, ...]:
        """The project and the working folder, as written and as the kernel finds them."""
        if self._roots is None:
            from levaithan.hot.ordinary import real_folder

            named = {root.rstrip("/") for root in (self.event.project, self.event.cwd) if root}
            self._roots = (*named, *({real_folder(root) for root in named} - named))
        return self._roots

    def _address(self, place: str, deed: Deed) -> str | None:
        from levaithan.hot import addresses

        return deed.target if addresses.PLACES[place](deed.target) else None

    def _resolved(self, deed: Deed) -> tuple[str, str] | None:
        """(the path as written, the path as the kernel finds it), both absolute; None when it cannot be told."""
        cwd = deed.cwd or self.event.cwd
        key = (deed.target, cwd)
        if key not in self._paths:
            path = resolve(deed.target, cwd, self.user_home) if deed.target else None
            self._paths[key] = None if path is None else (_written(deed.target, cwd, self.user_home), path)
        return self._paths[key]


def _written(path: str, cwd: str | None, user_home: str) -> str:
    """`path` made absolute, `..` taken out by its text alone."""
    if path == "~" or path.startswith("~/"):
        path = user_home + path[1:]
    return "/" + os.path.normpath(path if path.startswith("/") else f"{cwd}/{path}").lstrip("/")


_OTHER = {
    "protected": Where._protected,
    "key": Where._key,
    "service": Where._service,
    "credential": Where._credential,
    "credential-store": Where._credential_store,
    "outside": Where._outside,
    "beyond": Where._beyond,
    "elsewhere": Where._elsewhere,
    "project": Where._project,
    "others-home": Where._others_home,
}
