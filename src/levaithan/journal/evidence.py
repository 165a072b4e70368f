"""What the journal is held against: signed checkpoints from everywhere, and the hashes that the ledger kept.

A chain alone does not show that its tail was cut or that it was written anew; these do. Imports seal and report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.journal import seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from levaithan.journal.report import Report
    from levaithan.journal.seal import Checkpoint

    Hashes = Callable[[int, int], Iterable[tuple[int, str]]]

LOOK_BEYOND = 5_000
"""How many numbers after the journal's last one are asked of the ledger."""


class Evidence:
    """Checkpoints by the number of the record they sign, and what became of them."""

    def __init__(self, report: Report, public_key: bytes | None) -> None:
        self.report = report
        self.keys = seal.public_keys(public_key) if public_key else {}
        self.marks: dict[int, list[Checkpoint]] = {}
        self.matched: list[int] = []
        self.broken: list[tuple[int, str, Checkpoint]] = []
        self.foreign: Checkpoint | None = None
        self._good: set[tuple[bytes, str]] = set()

    def add(self, one: Checkpoint) -> None:
        """A checkpoint from outside the chain: beside the journal, from the ledger, from a file."""
        if self._signed(one, 0, ""):
            self.marks.setdefault(one.size, []).append(one)

    def _signed(self, one: Checkpoint, seq: int, segment: str) -> bool:
        """Whether its signature is good, or cannot be checked; says so when it is not. Copies are checked once."""
        copy = (one.text(), one.signature)
        problem = seal.check(one, self.keys) if self.keys and copy not in self._good else ""
        if not problem:
            self._good.add(copy)
        else:
            where = f"record {seq}" if seq else f"one from {one.source}"
            self.report.add(
                seq or one.size, segment, "checkpoint", f"a checkpoint of {one.size} records ({where}): {problem}"
            )
        return not problem

    def inside(self, one: Checkpoint, seq: int, segment: str, before: str) -> None:
        """A checkpoint that is record `seq` of the chain, after the hash `before`."""
        if not self._signed(one, seq, segment):
            return
        if one.size != seq - 1:
            self.report.add(
                seq, segment, "inserted", f"record {seq} is a checkpoint of {one.size} records, out of place"
            )
        else:
            self._compare(one, before, segment)

    def pass_by(self, seq: int, head: str, segment: str) -> None:
        """The chain has the hash `head` at record `seq`, which some checkpoint signs."""
        for one in self.marks.pop(seq):
            if self.report.journal and one.journal != self.report.journal:
                self.foreign = self.foreign or one
            else:
                self._compare(one, head, segment)

    def _compare(self, one: Checkpoint, head: str, segment: str) -> None:
        self.report.checkpoints += 1
        if one.head == head:
            self.matched.append(one.size)
        else:
            self.broken.append((one.size, segment, one))

    def conclude(self, hashes: HashWalk, last_segment: str) -> None:
        """Say what the comparison means. Called once, when the whole chain was read."""
        report = self.report
        self._left(last_segment)
        known = {finding.seq for finding in report.findings if finding.kind != "checkpoint"}
        proven = max(self.matched, default=0)
        report.proven_to = proven if self.keys else 0
        if hashes.broken and hashes.broken[0] not in known:
            seq, segment = hashes.broken
            if seq <= report.proven_to:
                report.add(seq, segment, "ledger", f"the ledger has another record {seq} than the one that is signed")
            else:
                report.add(seq, segment, "rewritten", f"record {seq} was rewritten: the ledger has its first hash")
                known.add(seq)
        self._rewritten(hashes, known)
        self._limits(hashes)

    def _rewritten(self, hashes: HashWalk, known: set[int]) -> None:
        if not self.broken:
            return
        size, segment, one = min(self.broken, key=lambda item: item[0])
        good = max((seq for seq in self.matched if seq < size), default=self.report.first - 1)
        if any(good < seq <= size for seq in known):
            return  # it is the edit that the chain or the ledger has named already
        first = max([good, *(seq for seq in (hashes.agreed_to,) if seq < size)]) + 1
        which = f"record {first} was" if first == size else f"one of the records {first} to {size} was"
        self.report.add(
            first, segment, "rewritten", f"{which} rewritten, with all after it: {_words(one)} signed another chain"
        )

    def _left(self, segment: str) -> None:
        """Checkpoints of records that the chain does not have."""
        last = self.report.last
        beyond = [one for size, some in self.marks.items() if size > last for one in some]
        mine = [one for one in beyond if one.journal == self.report.journal or not self.report.journal]
        if mine:
            one = max(mine, key=lambda each: each.size)
            self.report.add(
                last + 1,
                segment,
                "cut",
                f"the records {last + 1} to {one.size} were cut off: {_words(one)} counted them",
            )
        strange = self.foreign or next((one for one in beyond if one not in mine), None)
        if strange:
            self.report.add(
                self.report.first or 1, segment, "rewritten",
                f"the journal was replaced by another one ({self.report.journal}): {_words(strange)} is of the "
                f"journal {strange.journal}",
            )  # fmt: skip

    def _limits(self, hashes: HashWalk) -> None:
        notes = self.report.notes
        if not self.report.checkpoints and not self.report.hashes and not self.broken:
            notes.append("no checkpoint was seen: only the chain itself was checked, a cut end would not show")
        elif not self.keys and self.report.checkpoints:
            notes.append("no public key was given: checkpoints were compared, their signatures were not checked")
        elif self.keys and self.matched and self.report.last - max(self.matched) > 1:
            notes.append(f"the records after {max(self.matched)} are signed by no checkpoint yet")


class HashWalk:
    """The ledger's hashes, in step with the chain. broken: the first record that differs, and its segment."""

    def __init__(self, hashes: Hashes | None) -> None:
        self._ask = hashes
        self._rest: Iterator[tuple[int, str]] = iter(())
        self._next: tuple[int, str] | None = None
        self.broken: tuple[int, str] | None = None
        self.agreed_to = 0
        self.compared = 0

    @property
    def seq(self) -> int:
        """The next number to compare; 0 when there is none."""
        return self._next[0] if self._next else 0

    def begin(self, first: int, last: int) -> None:
        """Ask for the hashes of these records."""
        if self._ask is not None and last >= first:
            self._rest = iter(self._ask(first, last))
            self._step()

    def pass_by(self, seq: int, head: str, segment: str) -> None:
        """The chain has the hash `head` at record `seq`, the one of self.seq."""
        while self._next is not None and self._next[0] <= seq:
            if self._next[0] == seq:
                self.compared += 1
                if self._next[1] == head:
                    self.agreed_to = seq if self.broken is None else self.agreed_to
                else:
                    self.broken = self.broken or (seq, segment)
            self._step()

    def beyond(self, last: int) -> int:
        """The highest number that the ledger has shortly after `last`; 0 when it has none."""
        if self._ask is None:
            return 0
        return max((seq for seq, _ in self._ask(last + 1, last + LOOK_BEYOND)), default=0)

    def _step(self) -> None:
        self._next = next(self._rest, None)


def _words(one: Checkpoint) -> str:
    return f"the checkpoint of {one.at} ({one.source or 'in the journal'})"
