"""Halts of other machines in this home's file, and the note of what a person released here: how the emergency stop is
one for all machines (service.shared_halts) and still a file that needs nobody.

Only a release by a person takes a halt away: a file that was lost, damaged or set aside is filled again by the others.
Standard library only.
"""

from __future__ import annotations

import os
import time

from levaithan.hot import halts
from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from levaithan.hot.paths import Home

_MOST = 64 << 10
"""Bytes of the note that are read: the last two thousand releases."""
_LONGEST = {"id": 64, "target": 4096, "reason": 8000, "by": 200, "set_at": 40, "expires_at": 40}


def note_released(home: Home, ids: Sequence[str]) -> None:
    """A person has released these: they are released for every machine, when there is one to tell. Raises OSError."""
    if ids:
        handle = os.open(home.state + "/halts.released", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(handle, "ab") as file:
            file.write("".join(f"{one} {time.time_ns() // 1000}\n" for one in ids).encode())
            file.flush()
            os.fsync(file.fileno())


def released(home: Home) -> set[str]:
    """The ids of those that were released here, the last two thousand. Raises OSError."""
    try:
        with open(home.state + "/halts.released", "rb", opener=regular) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST))
            lines = file.read(_MOST).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return set()
    return {line.split(" ")[0] for line in lines if line}


def kept(home: Home) -> list[halts.Halt]:
    """Every halt of the file, in force or over. Raises HaltError."""
    return list(halts._read(home.halts))


def merge(home: Home, fresh: Sequence[dict[str, Any]], gone: Collection[str]) -> None:
    """Put the halts `fresh` of other machines into the file, and take those with the ids `gone` out, as one step.

    Raises HaltError, and then nothing has changed.
    """

    def edit(there: list[halts.Halt]) -> list[halts.Halt]:
        known = {halt.id for halt in there}
        left = [halt for halt in there if halt.id not in gone]
        return left + [halts.Halt(one) for one in fresh if one["id"] not in known]

    halts._change(home, edit)


def problem(name: str, entry: Any) -> str | None:
    """Why `entry`, which another machine calls the halt `name`, is none; None when it is one."""
    wrong = halts._problem(entry)
    if wrong:
        return wrong
    if entry["id"] != name or " " in name or not name.isascii():
        return "a halt has another id than it goes by"
    for field, most in _LONGEST.items():
        if len(entry.get(field) or "") > most:
            return f"a halt's {field} is longer than {most} characters"
    return None
