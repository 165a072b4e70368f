"""Whether a deed meets a place that a rule names: the project, a home, the guard's files, a credential, an address.

Between scene.py, which knows what an event would do, and the modules that know each kind of place. Standard library
only; those modules are imported when a rule asks.
"""

from __future__ import annotations

from levaithan.hot.late import Late
from levaithan.hot.protected import is_glob, tells_pids
from levaithan.hot.realpath import resolve
from levaithan.hot.spot import FOLDERS, Spot, Surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot import addresses, deeds, ordinary, own_places
    from levaithan.hot.deed import Deed
    from levaithan.hot.event import Event
    from levaithan.hot.protected import Protected

    Rule = dict[str, Any]
    At = Callable[["Where", Deed], str | None]
else:
    addresses, deeds, ordinary = Late("addresses"), Late("deeds"), Late("ordinary")
    own_places = Late("own_places")

_FILES: tuple[str, ...] = ("startup", "autostart", "git-folder", "git-hooks", "ci", "client", "servers", "rights")
_FILES += ("accounts", "system-file")
_ADDRESSES = ("metadata", "private-network", "no-web", "login-in-url", "drop", "control-port")
_NAMED = (
    "protected",
    "key",
    "own-program",
    "service",
    "any",
    "credential",
    "credential-store",
    "outside",
    "beyond",
    "elsewhere",
)
PLACES = (*FOLDERS, *_NAMED, "project", "others-home", *_FILES, *_ADDRESSES)

PATH_PLACES = frozenset(
    (*FOLDERS, *_FILES, "protected", "key", "own-program", "credential", "credential-store", "outside", "beyond")
)
PATH_PLACES |= {"elsewhere", "project", "others-home"}
"""Places that an ordinary file of the project is in none of."""
FILE_PLACES = frozenset(_FILES)
INSIDE_OUT = frozenset((*FOLDERS, "outside", "beyond", "elsewhere", "credential-store"))
"""Places that no path below the project is in, see Spot.is_inside."""
PATH_DEEDS = frozenset(("delete", "write", "move", "mode", "read", "list", "copy", "commit", "send"))


class Where:
    """The places around one event. text: the command lines that are judged."""

    __slots__ = ("_files", "_last", "_spots", "around", "protected", "text", "user_home")

    def __init__(self, protected: Protected, user_home: str, event: Event) -> None:
        self.protected = protected
        self.user_home = user_home
        self.text = ""
        self.around = Surroundings(event.project, event.cwd, user_home)
        self._files: frozenset[str] | None = None
        self._spots: dict[tuple[str, str | None], Spot] = {}
        self._last: tuple[Deed | None, Spot | None] = (None, None)

    def fits(self, rule: Rule, deed: Deed) -> str | None:
        """The place of `rule` that `deed` meets (as the reason names it), or None."""
        if rule["recursive"] and not deed.recursive:
            return None
        if deed.kind == "switch":
            names = rule["subcommands"]
            return deed.target if any((deed.target + " ").startswith(name + " ") for name in names) else None
        for place in rule["to"]:
            found = _AT[place](self, deed)
            if found is not None:
                return found
        return None

    def is_ordinary(self, deed: Deed) -> bool:
        """Whether `deed` is about a path that lies in none of PATH_PLACES: found out once a path."""
        if deed.kind not in PATH_DEEDS:
            return False
        spot = self._spot(deed)
        if spot.ordinary is None:
            around = self.around
            spot.ordinary = ordinary.is_ordinary(spot.target, spot.cwd, around.project, self.protected, around.seen)
        return spot.ordinary

    def is_inside(self, deed: Deed) -> bool:
        """Whether the path that `deed` is about lies in none of INSIDE_OUT and FILE_PLACES."""
        spot = self._spot(deed)
        return spot.is_inside() and not spot.files()

    def is_in_files(self, deed: Deed) -> bool:
        """Whether the path that `deed` is about lies in one of FILE_PLACES."""
        return bool(self._spot(deed).files())

    def _spot(self, deed: Deed) -> Spot:
        last, spot = self._last
        if last is deed and spot is not None:
            return spot
        key = (deed.target, deed.cwd or self.around.cwd)
        spot = self._spots.get(key)
        if spot is None:
            spot = self._spots[key] = Spot(*key, self.around)
        self._last = (deed, spot)
        return spot

    def _protected(self, deed: Deed) -> str | None:
        if deed.kind == "code" and not deeds.writes_in_code(deed.target):
            return None
        if self._files is None:
            self._files = self.protected.settings_of(self.around.project, self.around.cwd, seen=self.around.seen)
        if deed.kind == "code":
            return self.protected.named_in_code(deed.target, self._files, deed.cwd or self.around.cwd)
        return self._protected_at(deed, self._files)

    def _protected_at(self, deed: Deed, files: frozenset[str]) -> str | None:
        """The protected path that the target of `deed`, a path or a pattern, is or may become."""
        protected = self.protected
        removes = deed.kind == "move" or (deed.kind in ("delete", "mode") and deed.recursive)
        target = deed.target
        if "\x00" in target:
            tail = target.rpartition("\x00")[2]
            known = (*protected.folders, *files)
            return next((path for path in known if tail.count("/") > 1 and path.endswith(tail)), None)
        if is_glob(target):
            start = min(target.find(c) for c in "*?[" if c in target)
            folder, _, pattern = target[:start].rpartition("/")
            cwd, above = deed.cwd or self.around.cwd, folder or ("/" if target.startswith("/") else ".")
            base = resolve(above, cwd, self.user_home, self.around.seen)
            glob = f"{(base or '').rstrip('/')}/{pattern}{target[start:]}"
            return protected.hit_by_pattern(glob, files, removes=removes) if base else None
        found = self._spot(deed).resolved()
        if not found:
            return None
        if found[1] == protected.home and deed.recursive:
            return found[1]
        return protected.hit(found[1], files, removes=removes, seen=self.around.seen)

    def _key(self, deed: Deed) -> str | None:
        spot = self._spot(deed)
        if is_glob(spot.target):
            return self.protected.key_by_pattern(spot.target, spot.cwd)
        found = spot.resolved()
        if not found:
            return None
        if deed.recursive and found[1] in self.protected.above:
            return own_places.keys_below(self.protected, found[1], copied=deed.kind != "read")
        return self.protected.key_at(found[1])

    def _own_program(self, deed: Deed) -> str | None:
        spot = self._spot(deed)
        found = spot.resolved()
        return own_places.program_at(self.protected, found[1]) if found else None

    def _service(self, deed: Deed) -> str | None:
        how, _, word = deed.target.partition(" ")
        if how == "pid":
            return "the service" if self._is_ours(word) else None
        if how == "ports":
            return "the monitor" if own_places.port(self.protected) in own_places.numbers(word) else None
        if how == "unit":
            return "the service" if "levaithan" in word else None
        import re

        try:
            shape = re.compile(word[:200])
        except re.error:
            return None
        names = self.protected.process_names(full=how == "full")
        return "the service" if any(shape.search(name) for name in names) else None

    def _is_ours(self, pid: str) -> bool:
        """Whether `pid`, as a command is given it, may be of one of our processes."""
        if "\x00" in pid:
            return tells_pids(self.text) or own_places.is_meant(self.protected, self.text)
        number = pid.lstrip("-")
        return pid == "-1" or (number.isdigit() and int(number) in self.protected.pids())


def _folder(place: str) -> At:
    return lambda where, deed: where._spot(deed).folder(place, deed.recursive)


def _file(place: str) -> At:
    return lambda where, deed: where._spot(deed).files().get(place)


def _address(place: str) -> At:
    return lambda _where, deed: deed.target if addresses.PLACES[place](deed.target) else None


_AT: dict[str, At] = {
    **{place: _folder(place) for place in FOLDERS},
    **{place: _file(place) for place in _FILES},
    **{place: _address(place) for place in _ADDRESSES},
    "any": lambda _where, deed: deed.target,
    "protected": Where._protected,
    "key": Where._key,
    "own-program": Where._own_program,
    "service": Where._service,
    "credential": lambda where, deed: where._spot(deed).credential(),
    "credential-store": lambda where, deed: where._spot(deed).credential_store(),
    "outside": lambda where, deed: where._spot(deed).outside(),
    "beyond": lambda where, deed: where._spot(deed).beyond(),
    "elsewhere": lambda where, deed: where._spot(deed).elsewhere(),
    "project": lambda where, deed: where._spot(deed).project(),
    "others-home": lambda where, deed: where._spot(deed).others_home(),
}
"""Place -> what of it a deed meets."""
