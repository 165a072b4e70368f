"""Checkpoints on their way: into the journal, into the file beside it, off the machine, and back for verification.

A sink is a callable that takes a checkpoint and gives back what went wrong, in words, or None: a target that cannot be
reached must never stop the journal. The standard library alone does the sending.
"""

from __future__ import annotations

import fcntl
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from levaithan.hot import segments
from levaithan.journal import read, seal
from levaithan.journal.files import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from levaithan.hot.journal import Journal
    from levaithan.journal.seal import Checkpoint, Key

    Sink = Callable[[Checkpoint], str | None]

_MAX_FILE = 1 << 30
_PENDING = 1000
_LONGEST_LINE = 64 << 10
_MOST_PROBLEMS = 1000


class Sealer:
    """Signs the journal of a service: at each segment's end by itself, else when `checkpoint` is called.

    The file beside the segments is written at once, the other sinks by `deliver`, outside of the journal's lock. Not
    for two threads at once.
    """

    def __init__(self, journal: Journal, key: Key, sinks: Sequence[Sink] = ()) -> None:
        self._journal = journal
        self._key = key
        self._sinks = sinks
        self._pending: list[Checkpoint] = []
        self._sealed = -1
        self.problems: list[str] = []
        journal.before_rotate = self.before_rotate

    def before_rotate(self, seq: int, digest: str) -> bytes | None:
        """The record that ends a segment, unless the last one is a checkpoint already."""
        if seq == self._sealed:
            return None
        made = self._key.sign(self._journal.journal, seq, digest)
        self._sealed = seq + 1
        self._keep(made)
        return made.body()

    def checkpoint(self) -> Checkpoint | None:
        """Sign what is there now, synced; None when nothing came since the last one. Raises JournalError."""
        end = read.tail(self._journal.directory)
        if end is None or end.seq == self._sealed:
            return None
        made, seq = _append(self._journal, self._key)
        self._sealed = seq
        self._keep(made)
        return made

    def deliver(self) -> list[str]:
        """Give what is due to the sinks; what went wrong, in words. What a sink did not take is not sent again."""
        due, self._pending = self._pending, []
        told = [f"checkpoint {one.size}: {problem}" for one in due for problem in _give(one, self._sinks)]
        told, self.problems = self.problems + told, []
        return told

    def _keep(self, made: Checkpoint) -> None:
        problem = write_beside(self._journal.directory, made)
        if problem:
            self.problems = [*self.problems, problem][-20:]
        self._pending = [*self._pending, made][-_PENDING:]


def append_checkpoint(journal: Journal, key: Key, sinks: Sequence[Sink] = ()) -> tuple[Checkpoint, list[str]]:
    """Sign the journal as it is now, synced, and give it to the file beside it and the sinks. Raises JournalError.

    Also gives what went wrong with the sinks, in words.
    """
    made, _ = _append(journal, key)
    beside = write_beside(journal.directory, made)
    return made, [*([beside] if beside else []), *_give(made, sinks)]


def _append(journal: Journal, key: Key) -> tuple[Checkpoint, int]:
    made: list[Checkpoint] = []

    def body(seq: int, digest: str) -> bytes:
        made[:] = [key.sign(journal.journal, seq, digest)]
        return made[0].body()

    done = journal.append([("", body)])
    journal.sync(force=True)
    return made[0], done[0].seq


def _give(made: Checkpoint, sinks: Iterable[Sink]) -> list[str]:
    problems = []
    for sink in sinks:
        try:
            problem = sink(made)
        except Exception as error:  # a sink of somebody else's
            problem = f"{type(error).__name__}: {error}"
        if problem:
            problems.append(problem)
    return problems


def write_beside(directory: str, made: Checkpoint) -> str | None:
    """Add a line to checkpoints.jsonl beside the segments."""
    return _add_line(str(Path(directory, segments.CHECKPOINTS)), made)


def export_to(target: str, timeout_s: float = 5.0) -> Sink:
    """The sink for the setting checkpoint_export: an http(s) URL that takes a POST of JSON, or a folder."""
    if target.lower().startswith(("http://", "https://")):
        return lambda made: _post(target, made, timeout_s)
    folder = Path(target).expanduser()
    return lambda made: _export(folder, made)


def _export(folder: Path, made: Checkpoint) -> str | None:
    if not folder.is_dir():  # not made here: a drive that is not mounted must not become a folder on this disk
        return f"the export folder {folder} is not there: make or mount it"
    return _add_line(str(folder / f"checkpoints-{made.journal}.jsonl"), made)


def _add_line(path: str, made: Checkpoint) -> str | None:
    line = json.dumps(made.as_dict(), separators=(",", ":")).encode() + b"\n"
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                mine = os.fstat(descriptor)
                if (mine.st_dev, mine.st_ino) != _identity(path):
                    continue  # `thin` put another file there meanwhile
                if mine.st_size and os.pread(descriptor, 1, mine.st_size - 1) != b"\n":
                    line = b"\n" + line  # a crash left half a line: it must not swallow this one
                if os.write(descriptor, line) != len(line):
                    os.ftruncate(descriptor, mine.st_size)
                    return f"the checkpoint could not be written to {path}: the disk is full"
                os.fsync(descriptor)
                return None
            finally:
                os.close(descriptor)
    except OSError as error:
        return f"the checkpoint could not be written to {path}: {error.strerror}"


def _identity(path: str) -> tuple[int, int]:
    seen = os.stat(path)  # noqa: PTH116 - beside the descriptors of os
    return seen.st_dev, seen.st_ino


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body, and look like a success."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, made: Checkpoint, timeout_s: float) -> str | None:
    data = json.dumps(made.as_dict()).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urllib.request.build_opener(_Straight).open(request, timeout=timeout_s) as answer:
            answer.read(1 << 10)
    except urllib.error.HTTPError as error:
        return f"{url} refused the checkpoint with status {error.code}"
    except (OSError, ValueError) as error:
        return f"{url} did not take the checkpoint: {getattr(error, 'reason', None) or error}"
    return None


def load(path: str) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints in a file (one JSON object, or one a line) or in every file of a folder; and what was unreadable.

    Raises OSError when `path` cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        found = [load(str(one)) for one in sorted(place.glob("*.json*"))]
        return [one for some, _ in found for one in some], [one for _, some in found for one in some]
    with opened(path) as file:
        if file.seek(0, os.SEEK_END) <= _LONGEST_LINE:
            file.seek(0)
            try:
                return [seal.from_record(json.loads(file.read()), place.name)], []
            except (ValueError, AttributeError, RecursionError):
                pass
        file.seek(0)
        return _lines(file, place.name)


def _lines(file: IO[bytes], source: str) -> tuple[list[Checkpoint], list[str]]:
    """A line at a time, of what may be large and is not ours alone to write."""
    made: list[Checkpoint] = []
    problems: list[str] = []
    number, goes_on = 0, False
    while line := file.readline(_LONGEST_LINE):
        begins, goes_on = not goes_on, not line.endswith(b"\n")
        number += begins
        if not begins or not line.strip(b" \t\r\n\0"):
            continue
        try:
            made.append(seal.from_record(json.loads(line), source))
        except (ValueError, AttributeError, RecursionError):
            if len(problems) < _MOST_PROBLEMS:
                problems.append(f"line {number} of {source} is no checkpoint")
    return made, problems


def thin(directory: str, first: int) -> None:
    """Drop from checkpoints.jsonl what is about records before `first`, which were pruned. Raises OSError."""
    path = Path(directory, segments.CHECKPOINTS)
    if not path.exists():
        return
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept = [line for line in file.read(_MAX_FILE).splitlines(keepends=True) if not _before(line, first)]
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as new:
            temporary.chmod(0o600)
            new.writelines(kept)
            new.flush()
            os.fsync(new.fileno())
        temporary.replace(path)


def _before(line: bytes, first: int) -> bool:
    try:
        return seal.from_record(json.loads(line), "").size < first
    except (ValueError, AttributeError, RecursionError):
        return False
