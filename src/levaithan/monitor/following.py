"""The journal as the monitor reads it: every record in order, from a cursor that is kept with what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.projector.feed import Feed
from levaithan.stores.roles import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_BYTES = 1 << 20


class Following:
    """Where in the journal of the folder `directory` we are. skipped: damaged lines that were passed over."""

    def __init__(self, directory: str) -> None:
        self._feed = Feed(directory)
        self.cursor: Cursor | None = None
        self.skipped = 0

    def records(self) -> Iterator[dict[str, Any]]:
        """The next batch's records; none at the end of the journal. What is damaged is counted and passed over: the
        ledger keeps it, and `journal verify` names it. Raises OSError.

        The cursor is moved when the batch is used up, so a batch that is broken off comes again."""
        batch, after = self._feed.batch(self.cursor, BATCH_BYTES)
        for one in batch:
            if one.record is None:
                self.skipped += 1
            else:
                yield one.record
        self.cursor = after

    def dump(self) -> dict[str, Any]:
        """The place, JSON-able."""
        one = self.cursor
        place = None if one is None else [one.journal, one.segment, one.offset, one.seq, one.hash]
        return {"cursor": place, "skipped": self.skipped}

    def load(self, told: dict[str, Any]) -> bool:
        """Go on from what `dump` gave; False (and nothing is changed) when this journal has no such place. Raises
        KeyError, TypeError and ValueError for what is no dump."""
        place = told["cursor"]
        if place is not None:
            cursor = Cursor(str(place[0]), str(place[1]), int(place[2]), int(place[3]), str(place[4]))
            if cursor.journal != self._feed.journal() or self._feed.doubt(cursor):
                return False
            self.cursor = cursor
        self.skipped = int(told["skipped"])
        return True
