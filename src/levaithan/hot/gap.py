"""What could not be recorded is counted here, so that a full disk never loses events silently.

One slot of fixed size, made in advance and overwritten in place: that needs no free block. `flock` keeps processes
apart. The file's time is 1970 while nothing is counted, so that a writer pays one stat to know. Standard library only.
"""

from __future__ import annotations

import fcntl
import os

from levaithan.hot.segments import encode, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SLOT = 256
_EMPTY = b"0".ljust(SLOT - 1) + b"\n"


class Count:
    """Events dropped, from when to when (ISO 8601 UTC), and why (reasons, comma separated)."""

    __slots__ = ("dropped", "first_at", "last_at", "reason")

    def __init__(self, dropped: int, first_at: str, last_at: str, reason: str) -> None:
        self.dropped = dropped
        self.first_at = first_at
        self.last_at = last_at
        self.reason = reason

    def plus(self, other: Count) -> Count:
        """Both together."""
        reasons = self.reason.split(",")
        reasons += [one for one in other.reason.split(",") if one not in reasons]
        first, last = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        return Count(self.dropped + other.dropped, first, last, ",".join(reasons)[:160])

    def record(self) -> dict[str, Any]:
        """The journal record that says it."""
        return {
            "v": 1,
            "kind": "gap",
            "at": now(),
            "dropped": self.dropped,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "reason": self.reason,
        }


def files(directory: str) -> tuple[str, ...]:
    """Where a journal counts what it could not record: in the home's state folder, else in its run folder, else
    outside the home: a home on a read-only disk has no place for a number."""
    if not directory.endswith("/logs/journal"):
        return (directory + ".gap",)
    from levaithan.hot.paths import outside, run_dir

    root = directory[: -len("/logs/journal")]
    places = [root + "/state", run_dir(root)]
    if os.path.isdir(places[0]):  # else the home is gone, and nobody would ever take it from there
        places.append(outside(root))
    return tuple(dict.fromkeys(place + "/gap" for place in places))


def prepare(path: str) -> None:
    """Make the slot at `path`, whose folder must be there; nothing when it exists or cannot be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return
    try:
        os.pwrite(descriptor, _EMPTY, 0)
        os.utime(descriptor, (0, 0))
    except OSError:
        pass
    finally:
        os.close(descriptor)


def add(paths: Sequence[str], count: Count) -> bool:
    """Add `count` to the first of `paths` that can be written; False when none can."""
    for path in paths:
        try:
            descriptor = _slot(path)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            known = _parse(os.pread(descriptor, SLOT, 0))
            _write(descriptor, known.plus(count) if known else count)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        return True
    return False


def _slot(path: str) -> int:
    """The slot at `path`, open, made when it is not there; one outside the home in a folder that is ours alone."""
    from levaithan.hot.paths import ensure_private

    folder = os.path.dirname(path)
    if os.path.dirname(folder).endswith(f"/levaithan-{os.getuid()}"):
        ensure_private(folder)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def read(paths: Sequence[str]) -> Count | None:
    """What is counted now in all of `paths`, for status; None when nothing is."""
    total: Count | None = None
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            ours = os.fstat(descriptor).st_uid == os.getuid()
            one = _parse(os.pread(descriptor, SLOT, 0)) if ours else None
        except OSError:
            continue
        finally:
            os.close(descriptor)
        if one:
            total = total.plus(one) if total else one
    return total


class Taken:
    """The counts of all slots, held under their locks until `settle` (they are in the journal) or `release`."""

    __slots__ = ("_open", "count")

    def __init__(self, paths: Sequence[str]) -> None:
        self.count: Count | None = None
        self._open: list[int] = []
        for path in paths:
            try:
                seen = os.stat(path)
                if seen.st_mtime == 0 or seen.st_uid != os.getuid():
                    continue
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            self._open.append(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                one = _parse(os.pread(descriptor, SLOT, 0))
            except OSError:
                continue
            if one:
                self.count = self.count.plus(one) if self.count else one

    def settle(self) -> None:
        """The counts are recorded: begin again at nothing."""
        for descriptor in self._open:
            try:
                os.pwrite(descriptor, _EMPTY, 0)
                os.utime(descriptor, (0, 0))
            except OSError:  # then they will be told once more, which is better than never
                pass
        self.release()

    def release(self) -> None:
        """Let go of the slots."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open = []


class Drops:
    """What one writer could not record, counted in the first of `paths` that can be written, else in memory."""

    __slots__ = ("_unwritten", "paths")

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self._unwritten: Count | None = None

    def add(self, dropped: int, reason: str) -> None:
        """Count `dropped` events."""
        if not dropped:
            return
        at = now()
        count = Count(dropped, at, at, reason)
        if not add(self.paths, count):
            self._unwritten = self._unwritten.plus(count) if self._unwritten else count

    def due(self, taken: Taken) -> list[bytes]:
        """The gap record that is to be written, of the slots and of what is in memory."""
        count = taken.count
        if self._unwritten:
            count = count.plus(self._unwritten) if count else self._unwritten
        return [encode(count.record())] if count else []

    def told(self, taken: Taken) -> None:
        """It is in the journal."""
        taken.settle()
        self._unwritten = None


def _write(descriptor: int, count: Count) -> None:
    text = f"{count.dropped} {count.first_at} {count.last_at} {count.reason}"
    os.pwrite(descriptor, text.encode("ascii", "replace")[: SLOT - 1].ljust(SLOT - 1) + b"\n", 0)


def _parse(slot: bytes) -> Count | None:
    """A slot that cannot be read counts as one event at an unknown time: silence would be the lie."""
    words = slot.decode("ascii", "replace").split()
    if not words or words == ["0"]:
        return None
    if len(words) == 4 and words[0].isdigit() and len(words[0]) < 18:
        return Count(int(words[0]), words[1], words[2], words[3])
    return Count(1, now(), now(), "counter-damaged")
