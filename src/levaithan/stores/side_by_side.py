"""Long pieces of work that let go of the interpreter, a few at a time. Standard library only.

Not by concurrent.futures: its threads are waited for when the process ends, with all that is queued, and a projector
that is told to stop ends at once. These give way to whoever else wants the processor: a hook that waits comes first.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Given = TypeVar("Given")
Made = TypeVar("Made")
_NICENESS = 10


def side_by_side(work: Callable[[Given], Made], given: Sequence[Given], at_once: int) -> list[Made]:
    """What `work` makes of each of `given`, in their order, `at_once` at a time; one alone is made right here. Raises
    what `work` raises, the first of it, and begins no other piece after that."""
    at_once = min(at_once, len(given))
    if at_once < 2:
        return [work(one) for one in given]
    made: dict[int, Made] = {}
    failed: list[BaseException] = []
    left = iter(enumerate(given))

    def pieces() -> None:
        _give_way()
        for number, one in left:  # each is taken by one thread: a step of enumerate is not interrupted
            if failed:
                return
            try:
                made[number] = work(one)
            except BaseException as error:  # raised again by whoever asked
                failed.append(error)

    threads = [threading.Thread(target=pieces, name=f"side-{number}", daemon=True) for number in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as error:  # an interrupt: no other piece is begun
        failed.append(error)
        raise
    if failed:
        raise failed[0]
    return [made[number] for number in range(len(given))]


def _give_way() -> None:
    """Lower this thread's priority, where threads have one of their own (Linux, setpriority(2))."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
