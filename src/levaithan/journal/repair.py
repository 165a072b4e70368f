"""`journal repair`: what a writer does not do by itself when it opens the journal. Nothing whole is ever removed.

A segment under a wrong name gets its own again, a file that holds no record of a journal goes to torn/, one that was
closed to us is opened, a seal that was lost is put back. Everything else that verification finds is reported, never
changed: only a backup can mend it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from levaithan.hot import segments
from levaithan.hot.journal import Journal
from levaithan.hot.tail import Finder

_READ = 1 << 16


@dataclass(slots=True)
class Repaired:
    """What was done (or would be, in a dry run), and what was seen and left, in words."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def repair(directory: str, *, dry_run: bool = False, journal: Journal | None = None) -> Repaired:
    """Repair the journal in `directory`; what was done is recorded in it. Raises JournalError, OSError."""
    result = Repaired()
    if not Path(directory).is_dir():
        result.left.append(f"{directory} is not there: run `levaithan setup`")
        return result
    folder = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _unreadable(directory, result, dry_run)
        _names(directory, result, dry_run)
        _contents(directory, result, dry_run)
        _seals(directory, result, dry_run)
    finally:
        os.close(folder)
    if dry_run:
        return result
    writer = journal or Journal(directory)
    seen = len(writer.found)
    writer.open()
    if result.done:
        record = {"v": 1, "kind": "repair", "at": segments.now(), "what": "repair", "done": result.done[:100]}
        writer.append([("", segments.encode(record))])
    writer.sync(force=True)
    result.done += [words for words in writer.found[seen:] if "is ignored" not in words]
    return result


def unreadable(directory: str) -> list[str]:
    """The segments that nobody can read: no files, links to none, or closed to us. All that follows waits for them."""
    names = segments.listing(directory)[0]
    return [name for name in names if not _readable(Path(directory, name))]


def _readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)


def _unreadable(directory: str, result: Repaired, dry_run: bool) -> None:
    """What is closed is opened to us again; what is no file goes to torn/."""
    finder = Finder(directory, hashlib.sha256, result.left.append, synced=True)
    for name in unreadable(directory):
        path = Path(directory, name)
        if path.is_file():
            result.done.append(f"{name} was closed to us and was opened again, for reading")
            if not dry_run:
                path.chmod(segments.SEALED)
        else:
            result.done.append(f"{name} is no file and was moved to {segments.TORN}/")
            if not dry_run:
                finder.aside(name)


def _names(directory: str, result: Repaired, dry_run: bool) -> None:
    """Files that begin as a segment does, under a name that is none, or another segment's."""
    names, strangers = segments.listing(directory)
    for name in [*strangers, *names]:
        first = _header_first(Path(directory, name))
        right = segments.name_of(first) if first else name
        if right == name:
            if name in strangers:
                result.left.append(f"{name} is none of the journal's files: remove it when it is yours")
        elif Path(directory, right).exists():
            result.left.append(f"{name} is a copy of the segment {right}: compare the two, remove one")
        else:
            result.done.append(f"{name} is the segment {right} and got that name")
            if not dry_run:
                Path(directory, name).rename(Path(directory, right))


def _header_first(path: Path) -> int | None:
    """The number of the first record, when the file begins with a whole segment header."""
    if path.is_symlink() or not _readable(path):
        return None
    with path.open("rb") as file:
        line = file.read(_READ).partition(b"\n")[0]
    if not segments.fits(line, segments.previous_hash(line, b""), hashlib.sha256):
        return None
    record = segments.decode(line[segments.HASH + 1 :]) or {}
    first = record.get("first")
    return first if type(first) is int and 0 < first < segments.LARGEST and first == record.get("seq") else None


def _contents(directory: str, result: Repaired, dry_run: bool) -> None:
    """Segments in which no line has the form of a record."""
    finder = Finder(directory, hashlib.sha256, result.left.append, synced=True)
    names = segments.listing(directory)[0]
    for name in names[:-1]:
        path = Path(directory, name)
        if not _readable(path):  # a dry run
            continue
        if path.is_symlink():
            result.left.append(f"{name} is a link: bring the file itself here")
            continue
        if path.stat().st_size and _has_record(path):
            continue
        result.done.append(f"{name} holds no record at all and was moved to {segments.TORN}/")
        if not dry_run:
            finder.aside(name)


def _has_record(path: Path) -> bool:
    with path.open("rb") as file:
        for line in file:
            if segments.stated(line) and segments.seq_of(line[segments.HASH + 1 :]):
                return True
    return False


def _seals(directory: str, result: Repaired, dry_run: bool) -> None:
    """All segments but the last are read-only: a restore from a copy may have lost that."""
    for name in segments.listing(directory)[0][:-1]:
        path = Path(directory, name)
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o222:
            result.done.append(f"{name} is complete and was made read-only")
            if not dry_run:
                path.chmod(segments.SEALED)
