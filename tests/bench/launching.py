"""Starts processes as cheaply as a program can, the same way for what is measured and for what it is measured against.

posix_spawn with the input already in a pipe: no shell, no fork of this big process, no threads that read. The time of
a process is from before it is started until it is reaped. Linux and macOS.
"""

from __future__ import annotations

import os
import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST_INPUT = 60_000
"""Bytes of input that fit into a pipe before anybody reads."""


def spawn(command: Sequence[str], given: bytes, environ: Mapping[str, str]) -> int:
    """Start `command` with `given` on its stdin and its output thrown away; its pid."""
    if len(given) > MOST_INPUT:
        raise ValueError(f"{len(given)} bytes of input could block: give at most {MOST_INPUT}")
    out, into = os.pipe()
    try:
        os.write(into, given)
        os.close(into)
        actions = [
            (os.POSIX_SPAWN_DUP2, out, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        return os.posix_spawn(command[0], list(command), environ, file_actions=actions)
    finally:
        os.close(out)


def timed(command: Sequence[str], given: bytes, environ: Mapping[str, str], exits: int = 0) -> float:
    """Seconds that one process takes. Raises RuntimeError when it does not exit with `exits`."""
    begun = time.perf_counter()
    _pid, status = os.waitpid(spawn(command, given, environ), 0)
    took = time.perf_counter() - begun
    _check(command, status, exits)
    return took


def at_once(command: Sequence[str], inputs: Sequence[bytes], environ: Mapping[str, str]) -> list[float]:
    """Start `command` once an input, all at once; seconds that each took, from its own start until its own end."""
    begun: dict[int, float] = {}
    took = []
    for given in inputs:
        start = time.perf_counter()
        begun[spawn(command, given, environ)] = start
    while begun:
        pid, status = os.waitpid(-1, 0)
        now = time.perf_counter()
        start_of = begun.pop(pid, None)
        if start_of is not None:  # not a process of somebody else's, such as the service
            took.append(now - start_of)
            _check(command, status, 0)
    return took


def interleaved(subjects: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure every subject once a round, each round beginning with another one: what drifts, drifts for all."""
    names = list(subjects)
    took: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            took[name].append(subjects[name]())
    return took


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered)) - 1))]


def milliseconds(values: Sequence[float]) -> str:
    """A median for people, in ms."""
    return f"{median(values) * 1000:.2f} ms"


def _check(command: Sequence[str], status: int, exits: int) -> None:
    code = os.waitstatus_to_exitcode(status)
    if code != exits:
        raise RuntimeError(f"{' '.join(command)} exited with {code} instead of {exits}: run it by hand to see why")
