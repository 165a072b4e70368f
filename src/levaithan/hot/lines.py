"""New lines of the chain and how they get onto the disk: one write, all or nothing, a segment begun or closed.

Called under the journal's lock. Standard library only, and lean: the one-shot path loads it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys

from levaithan.hot import segments
from levaithan.hot.tail import Finder, Tail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class Lines:
    """Lines of the chain after (seq, hash), until they are written. parts: their bytes; size: bytes together."""

    __slots__ = ("_sha256", "hash", "parts", "seq", "size")

    def __init__(self, seq: int, digest: str, sha256: Callable[[bytes], Any]) -> None:
        self._sha256 = sha256
        self.seq = seq
        self.hash = digest
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, body: bytes) -> bytes:
        """One more record; gives its body as it will stand there, with its number."""
        stored = segments.numbered(self.seq + 1, body)
        self.seq += 1
        self.hash = self._sha256(b"%b %b" % (self.hash.encode(), stored)).hexdigest()
        line = b"%b %b\n" % (self.hash.encode(), stored)
        self.parts.append(line)
        self.size += len(line)
        return stored

    def data(self) -> bytes:
        """All of them, for one write."""
        return b"".join(self.parts)


def finish(
    tail: Tail, sha256: Callable[[bytes], Any], checkpoint: Callable[[int, str], bytes | None] | None, *, durable: bool
) -> str:
    """Close a full segment: synced, then what `checkpoint` says of it, signed. Gives why there is none, or "".

    Raises OSError; UnsyncedError when it is written and not synced.
    """
    problem, body = "", None
    if durable:
        _sync_full(tail)
    if checkpoint is not None:
        try:
            body = checkpoint(tail.seq, tail.hash)
        except Exception as error:  # a checkpoint less is no reason to lose an event
            problem = f"no checkpoint at the end of {tail.name}: {type(error).__name__}: {error}"
    if body:
        lines = Lines(tail.seq, tail.hash, sha256)
        lines.add(body)
        write_whole(tail.descriptor, lines.data(), tail.size)
        tail.size += lines.size
        tail.seq, tail.hash = lines.seq, lines.hash
        if durable:
            _sync_full(tail)
    tail.sealed = True
    return problem


def _sync_full(tail: Tail) -> None:
    try:
        sync_file(tail.descriptor)
    except OSError as error:
        raise UnsyncedError(error.errno, error.strerror) from error


def begin(old: Tail, lines: Lines, folder: int, finder: Finder, *, durable: bool) -> Tail:
    """Put `lines` into a new segment after `old`, which is sealed so that other writers see that it is over.

    folder: descriptor of the journal's folder. Raises OSError, and leaves nothing then.
    """
    name = segments.name_of(old.seq + 1)
    path = f"{finder.directory}/{name}"
    if old.name:
        try:
            os.fchmod(old.descriptor, segments.SEALED)
        except OSError:  # where modes mean nothing, writers look at the folder's time
            pass
    if os.path.lexists(path):
        finder.say(f"{name} was in the way of the next segment: it was moved to {finder.aside(name)}")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, segments.OPEN)
    try:
        write_whole(descriptor, lines.data(), 0)
        if durable:
            sync_file(descriptor)
            os.fsync(folder)
    except BaseException:
        os.close(descriptor)
        os.unlink(path)
        raise
    return Tail(name, descriptor, lines.size)


def write_whole(descriptor: int, data: bytes, size: int) -> None:
    """One write at the end of a file of `size` bytes; all of it or nothing. Raises OSError."""
    try:
        done = os.write(descriptor, data)
        if done < len(data):
            done += os.write(descriptor, data[done:])  # says why, or does the rest (a write ends at 2 GiB)
        if done < len(data):
            raise OSError(errno.ENOSPC, "only a part of the batch could be written")
    except BaseException:
        os.ftruncate(descriptor, size)
        raise


def too_long(one: str, body: bytes, sha256: Callable[[bytes], Any]) -> bytes:
    """What stands for a record over the limit: the gate cuts them, so this is a second fence only."""
    record: dict[str, Any] = {"v": 1, "kind": "note", "id": one, "at": segments.now()}
    record["problem"] = "a record over the limit was left out"
    record |= {"_cut": len(body), "sha256": sha256(body).hexdigest()}
    return segments.encode(record)


class Direct:
    """Brings the segments to the disk by syncing them: what a writer does that has no write-ahead file (see ahead.py,
    which has the same methods)."""

    failed: OSError | None = None

    def begin(self) -> None:
        """Nothing to prepare."""

    def add(self, tail: Tail, offset: int, data: bytes) -> None:
        """It is where it belongs."""

    def doubt(self) -> None:
        """All of it is synced each time."""

    def heard(self) -> None:
        """Nothing is done beside."""

    def sync(self, tail: Tail) -> None:
        """The last segment is on the disk when this returns. Raises OSError."""
        sync_file(tail.descriptor)

    def abandon(self) -> int:
        """No records are elsewhere."""
        return 0

    def close(self, descriptors: Iterable[int]) -> int:
        """As `abandon`: closing syncs nothing."""
        return 0


class UnsyncedError(OSError):
    """A full segment could not be brought to the disk."""


def sync_file(descriptor: int) -> None:
    """The file's bytes are on the disk, not only in its cache, when this returns. Raises OSError."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(descriptor, 51)  # F_FULLFSYNC
        except OSError:
            os.fsync(descriptor)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
