"""When processes of the service get their turn of a processor that others want too.

Claude Code waits for the service, which needs a processor seldom and for a fraction of a millisecond; compilers,
tests, servers and our own projector want it for as long as they can have it. Linux's scheduler (EEVDF) lets who asked
for short slices interrupt who has long ones, by `sched_setattr(2)`, from Linux 6.12 on; before, asking changes nothing.
Anybody may ask, and gets no larger share by it. Nobody waits for the projector: it is made nicer.

Measured on two cores at 500 events a second: p95 of an answer from 3.7 to 0.9 ms, p98 from 6.3 to 2.9 ms.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

SHORT_NS = 100_000
"""The shortest slice that the scheduler takes."""
NICER = 5
_ATTR = struct.Struct("=IIQiIQQQII")
"""struct sched_attr of version 1: size, policy, flags, nice, priority, runtime, deadline, period, two clamps."""
_RUNTIME = 5
_FAIR = (0, 3)
"""SCHED_OTHER and SCHED_BATCH: who was given another policy on purpose keeps it as it is."""
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275), "riscv64": (274, 275)}
"""The numbers of sched_setattr and sched_getattr."""


def short(pid: int = 0) -> bool:
    """Ask for short slices for the main thread of `pid` (0: the calling thread) and what it starts from now on.

    Gives whether the system took it; never raises.
    """
    return _ask(pid, SHORT_NS)


def background(pid: int) -> bool:
    """Let the process `pid`, started just now, wait for others: slices of the usual length, and nicer than ours.

    Gives whether the system took both; never raises.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, pid, min(19, os.getpriority(os.PRIO_PROCESS, pid) + NICER))
    except OSError:
        return False
    return usual(pid)


def usual(pid: int) -> bool:
    """Give the process `pid`, started just now, slices of the usual length, as if we had not asked for short ones.

    Gives whether the system took it; never raises.
    """
    return _ask(pid, 0)


def slice_ns(pid: int = 0) -> int:
    """The slice of a thread in nanoseconds, the usual one as the system gives it; 0 where that cannot be known."""
    found = _attributes(pid)
    return found[_RUNTIME] if found else 0


def _ask(pid: int, runtime_ns: int) -> bool:
    found = _attributes(pid)
    if not found or found[1] not in _FAIR:
        return False
    return _call(0, pid, _ATTR.pack(*found[:_RUNTIME], runtime_ns, *found[_RUNTIME + 1 :]), 0) is not None


def _attributes(pid: int) -> tuple[int, ...]:
    said = _call(1, pid, bytes(_ATTR.size), _ATTR.size, 0)
    return _ATTR.unpack(said) if said is not None else ()


def _call(which: int, pid: int, given: bytes, *more: int) -> bytes | None:
    """Call the one or the other; the structure afterwards, None when it failed or there is no such call."""
    numbers = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
    if numbers is None or sys.maxsize < 1 << 32:  # a 32-bit program on a 64-bit kernel has other numbers
        return None
    structure = ctypes.create_string_buffer(given, len(given))
    try:
        failed = ctypes.CDLL(None).syscall(numbers[which], pid, structure, *more)
    except (OSError, AttributeError):  # a C library that has no such function
        return None
    return None if failed else structure.raw
