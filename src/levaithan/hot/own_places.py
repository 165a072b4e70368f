"""More of what belongs to the guard: the keys as part of a folder above them, its programs, its listener's port.

Beside protected.py, for the few deeds that reach these; imported when one does. Standard library only.
"""

from __future__ import annotations

import os

from levaithan.hot.paths import regular
from levaithan.hot.places import is_place
from levaithan.hot.plain_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.protected import Protected

_HOOK, _COMMAND = NAMES = ("levaithan-hook", "levaithan")


def keys_below(protected: Protected, path: str, *, copied: bool) -> str | None:
    """The keys' folder, when reading all of `path` (absolute, resolved) would read it: of the home itself, and when all
    of it is copied, also of the folder that the home lies in, unless that is a whole user's, the system's or a
    temporary one."""
    home = protected.home
    if path == home:
        return protected.key
    above = os.path.dirname(home)
    if copied and path == above and not _is_shared(path, protected.user_home):
        return protected.key
    return None


def _is_shared(path: str, user_home: str) -> bool:
    temporary = f"{path}/".startswith(("/tmp/", "/var/tmp/")) and path.count("/") < 3  # noqa: S108 - looked at, not written to
    return temporary or any(is_place(place, path, user_home) for place in ("root", "home", "system"))


def program_at(protected: Protected, path: str) -> str | None:
    """`path` (absolute, resolved), when it is one of our programs, by which events are sent and people's steps are
    taken, or the folder of the hook client."""
    own = protected.home + "/bin"
    if path in (own, f"{own}/{_HOOK}"):
        return path
    name = os.path.basename(path)
    inside = name == _COMMAND and os.path.basename(os.path.dirname(path)) == "bin"
    return path if inside and (path.startswith(protected.folders) or _of_python(protected, path)) else None


def _of_python(protected: Protected, path: str) -> bool:
    return bool(protected.python) and os.path.dirname(path) == os.path.dirname(protected.python)


def port(protected: Protected) -> int | None:
    """The port on which the monitor listens, as it told last; None when there is none."""
    try:
        with open(protected.run + "/monitor.json", "rb", opener=regular) as file:
            told = loads(file.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return None
    address = told.get("listening") if isinstance(told, dict) else None
    number = address.rpartition(":")[2] if isinstance(address, str) else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 6 else None


def is_meant(protected: Protected, text: str) -> bool:
    """Whether a command line finds processes by what only ours have: the monitor's port or a path in the run folder."""
    if protected.run + "/" in text or "run/hook.sock" in text:
        return True
    number = port(protected)
    return number is not None and number in numbers(text)


def numbers(text: str) -> set[int]:
    """The port numbers that stand in `text`, ranges (9000-9999) of at most 2000 with all in them."""
    found: set[int] = set()
    words = "".join(char if char in _OF_RANGES else " " for char in text[:_LONGEST]).split()
    for word in words[:_MOST]:
        first, _, last = word.partition("-")
        if 0 < len(first) < 6:
            found.add(int(first))
            if 0 < len(last) < 6 and last.isdigit() and int(last) - int(first) <= _WIDEST:
                found.update(range(int(first), int(last) + 1))
    return found


_WIDEST, _MOST, _LONGEST = 2000, 200, 4000
_OF_RANGES = frozenset("0123456789-")
