"""The journal as the metrics read it: records in order, parsed, each held against its hash on the way.

That check costs nothing more, so a chain that breaks while the monitor runs shows within seconds. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import segments
from levaithan.journal import read
from levaithan.journal.identity import journal_id
from levaithan.stores import poison

if TYPE_CHECKING:
    from levaithan.journal.read import Position

BATCH_BYTES = 1 << 16
"""Small enough for what is parsed of it to stay in the processor's cache: with 1 MiB a record costs twice as much."""


@dataclass(slots=True)
class Batch:
    """records: parsed, in order; lines: how many lines they are of, odd ones included; bytes: of these lines; damages:
    why lines are no records; skipped: whether records were pruned before they were read; anew: why reading began at
    the journal's start, "" when it went on; gap: whether records are missing between two; end: whether that is all
    there is now."""

    records: list[dict[str, Any]] = field(default_factory=list)
    lines: int = 0
    bytes: int = 0
    damages: list[str] = field(default_factory=list)
    skipped: bool = False
    anew: str = ""
    gap: bool = False
    end: bool = True


class Reader:
    """Goes along the journal in `directory` from `position` (None: from the oldest record kept). journal: its id, ""
    before it is begun; another one in the same folder is read from its start."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.position: Position | None = None
        self.journal = ""

    def batch(self, limit_bytes: int = BATCH_BYTES) -> Batch:
        """About `limit_bytes` of what is new. Raises OSError: then nothing was taken."""
        before = self._pruned()
        found, after = read.read_batch(self.directory, before, limit_bytes)
        made = Batch(skipped=before is not self.position)
        if after is not None:
            made.anew = after.note if before is not None else ""
            if not self.journal or made.anew:
                self.journal = journal_id(self.directory)
            self.position = read.Position(after.segment, after.offset, after.seq, after.hash)
        last = before.seq if before is not None and not made.anew else 0
        for one in found:
            made.lines += 1
            made.bytes += one.end - one.offset
            if isinstance(one, read.Damage):
                made.damages.append(f"{one.segment} at byte {one.offset}: {one.why}")
                last = 0
                continue
            made.gap = made.gap or (last > 0 and one.seq != last + 1)
            last = one.seq
            record, _problem = poison.parse(one.body)
            if record is not None:
                made.records.append(record)
        made.end = made.bytes < limit_bytes
        return made

    def _pruned(self) -> Position | None:
        """Where to read on: of the same journal, segments may have been pruned before they were read. What was in them
        is not counted; that is no reason to count everything again."""
        place = self.position
        if place is None or not place.segment or Path(self.directory, place.segment).is_file():
            return place
        later = [name for name in _names(self.directory) if name > place.segment]
        if not later or journal_id(self.directory) != self.journal:
            return place
        return read.Position(later[0], 0, place.seq, place.hash)

    def dump(self) -> list[Any] | None:
        """Journal and position as JSON takes them."""
        one = self.position
        return None if one is None else [self.journal, one.segment, one.offset, one.seq, one.hash]

    def load(self, kept: Any) -> None:
        """Go on from a dump. Raises ValueError and TypeError for what is none."""
        if kept is not None:
            journal, segment, offset, seq, digest = kept
            self.journal = str(journal)
            self.position = read.Position(str(segment), int(offset), int(seq), str(digest))


def _names(directory: str) -> list[str]:
    try:
        return segments.listing(directory)[0]
    except FileNotFoundError:
        return []
