"""Prove the journal: read every byte, hold it against every checkpoint and hash there is, name the first thing wrong.

Works on any copy, offline, with the public key alone; memory does not grow with the journal. Takes the journal's lock
only for the moment in which it looks how long the segments are. Imports the journal's own modules and the hot path.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot import segments
from levaithan.journal import checkpoints as sources
from levaithan.journal import read, seal
from levaithan.journal.chain import Chain
from levaithan.journal.evidence import Evidence, HashWalk
from levaithan.journal.files import Segment, opened, size_of
from levaithan.journal.report import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from levaithan.journal.evidence import Hashes
    from levaithan.journal.seal import Checkpoint

    Progress = Callable[[int, int], None]

__all__ = ["Finding", "Report", "verify"]

_HASH = segments.HASH
_LOCK_WAIT_S = 2.0
_SHORTEST = 75
"""Bytes of the shortest line there can be."""


def verify(
    directory: str,
    *,
    public_key: bytes | None = None,
    checkpoints: Iterable[Checkpoint] = (),
    hashes: Hashes | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify the journal in `directory`.

    public_key: PEM (several may follow each other) or 32 raw bytes. checkpoints: from elsewhere (ledger, --against);
    those beside the segments and in the chain are found by themselves. hashes(first, last): the ledger's (seq, hash)
    in order. progress(bytes done, bytes in all). Raises OSError when a segment cannot be read, ValueError
    for a key that is none.
    """
    report = Report()
    return _Verifier(directory, report, Evidence(report, public_key), HashWalk(hashes), progress).run(checkpoints)


class _Verifier:
    """One verification. The evidence is read before the segments' sizes are: it can never be ahead of them."""

    def __init__(
        self, directory: str, report: Report, evidence: Evidence, hashes: HashWalk, progress: Progress | None
    ) -> None:
        self.directory = directory
        self.report = report
        self.evidence = evidence
        self.hashes = hashes
        self.progress = progress
        self.prunes: dict[int, str] = {}
        self.chain = Chain(report, 0, segments.ZERO.encode())
        self.there = Path(directory).is_dir()
        self.done = self.total = 0

    def run(self, checkpoints: Iterable[Checkpoint]) -> Report:
        report = self.report
        self._collect(checkpoints)
        names, sizes = self._snapshot() if self.there else ([], [])
        report.segments, report.bytes = len(names), sum(sizes)
        self.total = report.bytes
        if names:
            self._start(names[0])
            self.hashes.begin(report.first, self._last_seq())
        for index, name in enumerate(names):
            later = names[index + 1 : index + 2]
            self._segment(name, sizes[index], str(Path(self.directory, later[0])) if later else "")
        report.last, report.head = self.chain.seq, self.chain.prev.decode("ascii", "replace")
        report.hashes = self.hashes.compared
        self._check_start(names)
        last_segment = names[-1] if names else ""
        self.evidence.conclude(self.hashes, last_segment)
        self._beyond(last_segment)
        if not names:
            report.head = ""
            report.notes.append(f"there is no journal in {self.directory}")
        report.findings.sort(key=lambda one: (one.kind == "checkpoint" and not one.record, one.seq))
        return report

    def _collect(self, given: Iterable[Checkpoint]) -> None:
        self.report.journal = self._journal_id() if self.there else ""
        for one in given:
            self.evidence.add(one)
        beside = Path(self.directory, segments.CHECKPOINTS)
        if beside.is_symlink() or beside.exists():
            found, problems = sources.load(str(beside)) if beside.is_file() else ([], [f"{beside.name} is no file"])
            for one in found:
                self.evidence.add(one)
            for problem in problems:
                self.report.add(0, segments.CHECKPOINTS, "checkpoint", problem)
        elif self.there:
            self.report.notes.append(f"there is no {beside.name}: a cut end shows by checkpoints from elsewhere only")

    def _journal_id(self) -> str:
        """The id that the oldest readable segment header states."""
        for name in segments.listing(self.directory)[0]:
            with opened(str(Path(self.directory, name))) as file:
                record = segments.decode(file.readline(1 << 16).rstrip(b"\n")[_HASH + 1 :])
            if record and record.get("kind") == "segment" and isinstance(record.get("journal"), str):
                return str(record["journal"])
        return ""

    def _snapshot(self) -> tuple[list[str], list[int]]:
        """The segments and their sizes while nobody writes; a line that is being written is not torn."""
        folder = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            until = time.monotonic() + _LOCK_WAIT_S
            while time.monotonic() < until:
                try:
                    fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(0.001)
                except OSError:  # a file system without locks
                    break
                else:
                    break
            names, strangers = segments.listing(self.directory)
            sizes = [self._size(name) for name in names]
        finally:
            os.close(folder)
        self.report.notes += [f"{name} is none of the journal's files and was not read" for name in strangers]
        return names, sizes

    def _size(self, name: str) -> int:
        """Bytes of a segment; what is no file has none, and that is said."""
        size = size_of(f"{self.directory}/{name}")
        if size < 0:
            words = f"{name} is no file (a pipe, a folder or a dead link): the records that it held are gone"
            self.report.add(segments.first_of(name) or 1, name, "deleted", words)
        return max(size, 0)

    def _start(self, name: str) -> None:
        """Before the first kept segment: nothing, or what its header says of the pruned ones."""
        first = segments.first_of(name) or 1
        prev = segments.ZERO
        if first > 1:
            with opened(str(Path(self.directory, name))) as file:
                prev = segments.previous_hash(file.readline(1 << 20).rstrip(b"\n"), b"") or prev
        self.report.first = first
        self.chain = Chain(self.report, first - 1, prev.encode())
        self._first_prev = prev

    def _last_seq(self) -> int:
        """The number that the last line states, within reason: it says how much is asked of the ledger."""
        end = read.tail(self.directory)
        most = self.report.first + self.report.bytes // _SHORTEST + 1_000_000
        return min(end.seq, most) if end and end.seq else most - 1_000_000

    def _check_start(self, names: list[str]) -> None:
        """Records before the first kept one must have been pruned, and the prune recorded."""
        first = self.report.first
        if not names or first == 1 or self.prunes.get(first - 1) == self._first_prev:
            return
        which = "record 1 was" if first == 2 else f"the records 1 to {first - 1} were"
        self.report.add(1, names[0], "deleted", f"{which} deleted: no record of a prune accounts for them")

    def _segment(self, name: str, size: int, following: str) -> None:
        with opened(str(Path(self.directory, name))) as file:
            segment = Segment(name, file, size, following)
            offset, left = 0, b""
            for begin, block, left in segment.blocks():  # noqa: B007 - the last one is what is left
                offset = self._block(block, segment, begin)
                if self.progress is not None:
                    self.progress(self.done + offset, self.total)
        self.done += size
        if left:
            self._torn(left, name, bool(following))

    def _block(self, block: list[bytes], segment: Segment, offset: int) -> int:
        """Take lines that begin at `offset`; gives the offset after them."""
        chain, marks, hashes, name = self.chain, self.evidence.marks, self.hashes, segment.name
        for line in block:
            before, end = chain.prev, offset + len(line) + 1
            if chain.take(line) or self._odd(line, segment, offset):
                chain = self.chain
                seq = chain.seq
                self.report.records += 1
                if line.find(b'"kind":"event"', _HASH, _HASH + 64) < 0:
                    self._special(line, name, before)
                if seq in marks:
                    self.evidence.pass_by(seq, chain.prev.decode("ascii", "replace"), name)
                if 0 < hashes.seq <= seq:
                    hashes.pass_by(seq, chain.prev.decode("ascii", "replace"), name)
            offset = end
        return offset

    def _odd(self, line: bytes, segment: Segment, offset: int) -> bool:
        """A first line may go on from a segment whose last line had no hash: then from that file's own."""
        if not offset and segment.name != segments.name_of(self.report.first) and self._goes_on(line, segment.name):
            return True
        return self.chain.odd(line, segment.name, lambda: segment.line_at(offset + len(line) + 1))

    def _goes_on(self, line: bytes, name: str) -> bool:
        record = segments.decode(line[_HASH + 1 :]) or {}
        prev = record.get("prev")
        if not record.get("damage") or not isinstance(prev, str) or not self.report.findings:
            return False
        names = segments.listing(self.directory)[0]
        before = names[names.index(name) - 1]
        with opened(str(Path(self.directory, before))) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != prev:
                return False
        self.chain = Chain(self.report, (segments.first_of(name) or 1) - 1, prev.encode())
        return self.chain.take(line)

    def _special(self, line: bytes, name: str, before: bytes) -> None:
        """Checkpoints and prunes in the chain count as evidence."""
        if b'"checkpoint"' not in line and b'"prune"' not in line:
            return
        record = segments.decode(line[_HASH + 1 :]) or {}
        if record.get("kind") == "prune" and isinstance(record.get("last"), int):
            self.prunes[record["last"]] = str(record.get("head"))
        elif record.get("kind") == "checkpoint":
            try:
                one = seal.from_record(record, "")
            except ValueError:
                self.report.add(self.chain.seq, name, "checkpoint", f"record {self.chain.seq} is no whole checkpoint")
                return
            self.evidence.inside(one, self.chain.seq, name, before.decode("ascii", "replace"))

    def _torn(self, rest: bytes, name: str, followed: bool) -> None:
        number = self.chain.seq + 1
        whole = segments.fits(rest, self.chain.prev.decode("ascii", "replace"), hashlib.sha256)
        what = f"record {number} lacks its line feed" if whole else f"record {number} is not whole"
        why = "and another segment follows" if followed else "a crash, or a cut in the middle of a record"
        self.report.add(number, name, "torn", f"{what} ({len(rest)} bytes at the end of {name}): {why}")

    def _beyond(self, segment: str) -> None:
        """What the ledger has after the journal's end, unless it was written while we read."""
        last = self.report.last
        highest = self.hashes.beyond(last) if self.report.journal else 0
        if highest and not any(one.kind == "cut" for one in self.report.findings):
            end = read.tail(self.directory)
            if end is None or end.seq < highest:
                self.report.add(
                    last + 1, segment, "cut", f"the records {last + 1} to {highest} were cut off: the ledger has them"
                )
