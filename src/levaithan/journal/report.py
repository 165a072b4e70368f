"""What a verification found, as data: the surfaces print it, tests compare it. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_FINDINGS = 100
MAX_CHECKPOINTS = 20
"""Anybody can write lines into a file of checkpoints: they must not crowd out what was found in the records."""

KINDS = {
    "edited": "a record or its hash was changed",
    "deleted": "records are missing in the middle or at the start",
    "inserted": "a record stands where it was never written",
    "reordered": "records stand in another order",
    "cut": "records are missing at the end",
    "rewritten": "the chain is whole, but another one was signed or delivered",
    "torn": "the last line is not complete: a crash, or a cut in the middle of a record",
    "checkpoint": "a checkpoint is not signed by the key, or is unreadable",
    "ledger": "the ledger's copy differs from what is signed",
}


@dataclass(slots=True)
class Finding:
    """One thing that is wrong: the first record it is about, the segment, a kind of KINDS, and words."""

    seq: int
    segment: str
    kind: str
    message: str

    @property
    def record(self) -> bool:
        """Whether it is about a record, and not about a checkpoint from beside the journal or elsewhere."""
        return self.seq > 0 and self.segment.startswith("journal-")


@dataclass(slots=True)
class Report:
    """The outcome. findings: the earliest record first, then what is about no record; notes: what limits the proof, or
    is odd but harmless.

    records, first, last, head: what was read; proven_to: every record up to it is vouched for by a checkpoint with a
    good signature; checkpoints and hashes: how many were compared.
    """

    journal: str = ""
    records: int = 0
    first: int = 0
    last: int = 0
    head: str = ""
    segments: int = 0
    bytes: int = 0
    checkpoints: int = 0
    hashes: int = 0
    proven_to: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def add(self, seq: int, segment: str, kind: str, message: str) -> Finding:
        """A finding; past the hundredth only counted in the notes, for one cause may have many effects."""
        found = Finding(seq, segment, kind, message)
        if kind == "checkpoint" and sum(one.kind == kind for one in self.findings) >= MAX_CHECKPOINTS:
            note = f"there are more than {MAX_CHECKPOINTS} findings about checkpoints"
            if note not in self.notes:
                self.notes.append(note)
        elif len(self.findings) < MAX_FINDINGS:
            self.findings.append(found)
        elif not any(note.startswith("there are more") for note in self.notes):
            self.notes.append("there are more findings: mend the first ones, then verify again")
        return found
