"""Whether the process of Claude Code that a session belongs to is still there: a number is given to another process in
time, so it counts together with the moment when its process began.

Linux tells both in /proc/PID/stat (proc_pid_stat(5)); elsewhere nothing is known. Standard library only; loaded where a
session is written down, and where somebody asks.
"""

from __future__ import annotations

import os

from levaithan.hot.paths import regular

_BEGAN = 19
"""The moment it began (field 22, in clock ticks since the machine did), counted from behind its name in brackets."""
_ENDED = ("Z", "X")


def began(pid: str | None) -> int | None:
    """When the process `pid` (digits) began, in ticks; None where it is not this user's, or cannot be seen from here:
    the number may be one of another container."""
    if not pid or not pid.isascii() or not pid.isdigit() or len(pid) > 10:
        return None
    try:
        if os.stat("/proc/" + pid).st_uid != os.geteuid():
            return None
    except OSError:
        return None
    found = _stat(pid)
    return found[1] if found is not None and found[0] not in _ENDED else None


def alive(pid: object, since: object) -> bool | None:
    """Whether the process that `began` gave `since` for is there; None where that cannot be told."""
    if type(pid) is not str or type(since) is not int or _stat("self") is None:
        return None
    found = _stat(pid)
    return found is not None and found[0] not in _ENDED and found[1] == since


def _stat(pid: str) -> tuple[str, int] | None:
    """(state, moment it began) of a process; None for none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", opener=regular) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[_BEGAN])
    except (OSError, ValueError, IndexError):
        return None
