"""Where the journal ends, and what must be mended there before anything can be added: called under the journal's lock.

A crash leaves half a line, zeros or an empty segment; a disk or a hand may leave anything. Nothing here raises for it
and nothing whole is thrown away: halves go to `torn/`, a new segment follows a damaged line. Standard library only.
"""

from __future__ import annotations

import errno
import os

from levaithan.hot import segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Known = dict[str, tuple[int, str, bytes]]

REPLAY_BYTES = 32 << 20
_FLAGS = os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KEEP = 64 << 20
"""Of half a record at most this much is kept; the journal never writes more at once but for huge batches."""


class Tail:
    """The last segment, open for reading and appending, and its last record.

    name "" = the journal is empty. damage: why a new segment must begin after it, in words, or None.
    """

    __slots__ = ("damage", "descriptor", "first", "hash", "name", "sealed", "seq", "size")

    def __init__(self, name: str = "", descriptor: int = -1, size: int = 0) -> None:
        self.name = name
        self.descriptor = descriptor
        self.size = size
        self.first = segments.first_of(name) or 1
        self.seq = 0
        self.hash = segments.ZERO
        self.sealed = False
        self.damage: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the next record needs a new segment."""
        return self.sealed or self.damage is not None or not self.name


class Finder:
    """One look for the end. `say` takes words for people, `repairs` the records that tell the journal what was done."""

    def __init__(
        self, directory: str, sha256: Callable[[bytes], Any], say: Callable[[str], None], *, synced: bool
    ) -> None:
        self.directory = directory
        self.repairs: list[dict[str, Any]] = []
        self.sha256 = sha256
        self.say = say
        self._synced = synced

    def find(self) -> Tail:
        """The journal's tail, mended. Raises OSError only for what cannot be read or written at all."""
        names, strangers = segments.listing(self.directory)
        for name in strangers:
            self.say(f"{name} in the journal's folder is none of its files and is ignored: remove it when it is yours")
        tail = Tail()
        for name in reversed(names):
            found = self._look(name)
            if found is not None and found.seq < found.first and found.size:
                self._rename(found)
                return self.find()
            if found is not None and found.size:
                tail = found
                break
            if found is not None:
                self._drop_empty(found)
        return tail

    def _rename(self, found: Tail) -> None:
        """Its records are older than its name: left so, it would hide every segment that comes."""
        line = segments.read_at(found.descriptor, 0, 1 << 16).partition(b"\n")[0]
        os.close(found.descriptor)
        first = segments.seq_of(line[segments.HASH + 1 :])
        right = segments.name_of(first) if first and first < segments.LARGEST else found.name
        if os.path.lexists(f"{self.directory}/{right}"):
            self.say(f"{found.name} has the records of another segment: it was moved to {self.aside(found.name)}")
        else:
            os.rename(f"{self.directory}/{found.name}", f"{self.directory}/{right}")
            self.say(f"{found.name} is the segment {right} by its records and got that name")

    def _drop_empty(self, found: Tail) -> None:
        """Nothing is in it, and under a wrong number it would hide the segments that come."""
        os.close(found.descriptor)
        os.unlink(f"{self.directory}/{found.name}")
        self.say(f"{found.name} was empty (a crash, or a full disk, just after it was begun) and was removed")

    def _look(self, name: str) -> Tail | None:
        """The end of one segment; None when it is no file that a journal could have."""
        descriptor = open_segment(f"{self.directory}/{name}")
        if descriptor is None:
            self.say(f"{name} is no regular file: it was moved to {self.aside(name)}")
            return None
        tail = Tail(name, descriptor)
        try:
            seen = os.fstat(descriptor)
            tail.size = segments.whole_end(descriptor, seen.st_size)
            tail.sealed = not seen.st_mode & 0o200
            if tail.size:
                self._last_record(tail)
            if tail.size < seen.st_size:
                self._mend_end(tail, seen.st_size)
            if tail.damage and tail.first >= segments.LARGEST:
                self.say(f"{name} is no part of this journal: it was moved to {self.aside(name)}")
                os.close(descriptor)
                return None
        except BaseException:
            os.close(descriptor)
            raise
        return tail

    def _last_record(self, tail: Tail) -> None:
        """Number and hash of the last line; a line that does not fit is counted and left."""
        _, line, before = segments.last_line(tail.descriptor, tail.size)
        said, seq = segments.stated(line), segments.seq_of(line[segments.HASH + 1 :])
        if said and seq and segments.fits(line, segments.previous_hash(line, before), self.sha256):
            tail.seq, tail.hash = seq, said
            return
        tail.damage = f"the last line of {tail.name} is not what its hash says"
        counted = tail.first + segments.count_lines(tail.descriptor, tail.size) - 1
        seq = segments.seq_of(line[line.rfind(b' {"seq":') + 1 :])  # two lines may have become one
        tail.seq = seq if seq and counted <= seq <= counted + 1000 else counted
        tail.hash = said or self._digest(tail)
        self.say(f"{tail.damage}: it was left, a new segment goes on after it; run `levaithan journal verify`")

    def _digest(self, tail: Tail) -> str:
        digest, offset = self.sha256(b""), 0
        while offset < tail.size:
            part = segments.read_at(tail.descriptor, offset, min(1 << 20, tail.size - offset))
            digest.update(part)
            offset += len(part)
        value: str = digest.hexdigest()
        return value

    def _mend_end(self, tail: Tail, size: int) -> None:
        """Half a line at the end: completed when only its LF is missing, else moved to torn/ and cut off."""
        rest = segments.read_at(tail.descriptor, tail.size, min(size - tail.size, _KEEP))
        prev = tail.hash if tail.size else segments.previous_hash(rest, b"")
        if size - tail.size == len(rest) and self._complete(tail, rest, prev):
            return
        self._writable(tail)
        kept = rest.rstrip(b"\0")
        file = self._save(f"{tail.name}.{tail.size}", kept) if kept else None
        os.ftruncate(tail.descriptor, tail.size)
        if self._synced:
            os.fsync(tail.descriptor)
        lost = size - tail.size
        self.say(
            f"{tail.name} ended in the middle of a record (a crash): its last {lost} bytes were "
            + (f"moved to {file}" if file else "zeros and were cut off")
        )
        self._tell("torn", tail, lost, file)

    def _tell(self, what: str, tail: Tail, lost: int, file: str | None) -> None:
        repair: dict[str, Any] = {"v": 1, "kind": "repair", "at": segments.now(), "what": what, "segment": tail.name}
        repair |= {"offset": tail.size, "bytes": lost}
        self.repairs.append({**repair, "file": file} if file else repair)

    def _complete(self, tail: Tail, rest: bytes, prev: str | None) -> bool:
        """Add the final LF to a record that is whole without it; False when it is not whole."""
        seq = segments.seq_of(rest[segments.HASH + 1 :])
        if not seq or not segments.fits(rest, prev, self.sha256):
            return False
        self._writable(tail)
        if os.write(tail.descriptor, b"\n") != 1:
            return False
        self.say(f"the last line of {tail.name} lacked its line feed, which was added: the record is whole")
        self._tell("line-feed", tail, 0, None)
        tail.seq, tail.hash, tail.damage = seq, rest[: segments.HASH].decode(), None
        tail.size += len(rest) + 1
        return True

    def _writable(self, tail: Tail) -> None:
        """A sealed segment that ends in half a line (only a hand does that) is opened for writing, to be mended."""
        if not tail.sealed:
            return
        os.fchmod(tail.descriptor, segments.OPEN)
        fresh = os.open(f"{self.directory}/{tail.name}", os.O_RDWR | _FLAGS)
        os.dup2(fresh, tail.descriptor, inheritable=False)
        os.close(fresh)
        os.fchmod(tail.descriptor, segments.SEALED)

    def _save(self, name: str, data: bytes) -> str:
        """Keep `data` as a new file in torn/, on the disk before what it is from is cut; its name in the folder."""
        file = self._free(name)
        descriptor = os.open(f"{self.directory}/{file}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            if self._synced:
                os.fsync(descriptor)
        except BaseException:
            os.unlink(f"{self.directory}/{file}")
            raise
        finally:
            os.close(descriptor)
        return file

    def aside(self, name: str) -> str:
        """Move a file that cannot be the journal's out of its way; its new name in the folder."""
        file = self._free(name)
        os.rename(f"{self.directory}/{name}", f"{self.directory}/{file}")
        return file

    def _free(self, name: str) -> str:
        folder = f"{self.directory}/{segments.TORN}"
        if not os.path.isdir(folder):
            if os.path.lexists(folder):
                os.rename(folder, f"{folder}.aside-{os.urandom(4).hex()}")
            os.mkdir(folder, 0o700)
        file, number = f"{segments.TORN}/{name}", 1
        while os.path.lexists(f"{self.directory}/{file}"):
            file, number = f"{segments.TORN}/{name}.{number}", number + 1
        return file


def open_segment(path: str) -> int | None:
    """A descriptor to read and append; only to read when it is sealed. None for what is no regular file."""
    try:
        descriptor = os.open(path, os.O_RDWR | _FLAGS)
    except PermissionError:
        descriptor = _open_denied(path)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        raise
    if os.fstat(descriptor).st_mode & 0o170000 != 0o100000:
        os.close(descriptor)
        return None
    return descriptor


def _open_denied(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | _FLAGS)
    except PermissionError:  # its mode was taken away: it is ours, so give it back
        os.chmod(path, segments.SEALED)
        return os.open(path, os.O_RDONLY | _FLAGS)


NO_FILE = frozenset((errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EOPNOTSUPP))
"""A folder, a link, a socket."""


def search_since(directory: str, old: Tail, new: Tail, ids: list[str], known: Known) -> None:
    """Put into `known` those of `ids` that were recorded after `old`'s end."""
    for name in segments.listing(directory)[0] if ids else ():
        if old.name <= name <= new.name:
            _search(f"{directory}/{name}", ids, known, start=old.size if name == old.name else 0)


def look_back(directory: str, tail: Tail, ids: list[str], known: Known) -> None:
    """Put into `known` those of `ids` that are in the last 32 MiB, over segment borders."""
    left = REPLAY_BYTES
    for name in reversed(segments.listing(directory)[0]):
        if left > 0 and name <= tail.name:
            left -= _search(f"{directory}/{name}", ids, known, last=left)


def _search(path: str, ids: list[str], known: Known, *, start: int = 0, last: int = 1 << 60) -> int:
    """Look through a segment from `start` on, at most its `last` bytes; its size; 0 when it was pruned meanwhile."""
    try:
        descriptor = open_segment(path)
    except FileNotFoundError:
        descriptor = None
    if descriptor is None:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        segments.find_ids(descriptor, max(start, size - last), size, ids, known)
        return size
    finally:
        os.close(descriptor)


def read_name(directory: str) -> str | None:
    """The journal's id, from the newest segment header that can be read; None when there is none."""
    for name in reversed(segments.listing(directory)[0]):
        descriptor = open_segment(f"{directory}/{name}")
        if descriptor is None:
            continue
        try:
            line, _, _ = segments.read_at(descriptor, 0, 1 << 16).partition(b"\n")
        finally:
            os.close(descriptor)
        record = segments.decode(line[segments.HASH + 1 :])
        if record and record.get("kind") == "segment" and isinstance(record.get("journal"), str):
            return str(record["journal"])
    return None
