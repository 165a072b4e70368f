"""The graph on HelixDB as a store that follows the journal: schema, place, dead letters, batches, rewriting in place.

Every write is one transaction and changes nothing when it is repeated. A batch goes in a few of them, the journal's
place in the last: what the server has of a journal is never less than its place says.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from levaithan.stores import helix_schema as schema
from levaithan.stores.graph_facts import read
from levaithan.stores.helix_calls import Calls
from levaithan.stores.helix_errors import RefusedError
from levaithan.stores.helix_reads import Reads
from levaithan.stores.helix_rows import Rows, place, rows_of
from levaithan.stores.helix_writes import Writes
from levaithan.stores.in_place import InPlace
from levaithan.stores.letters import Letters
from levaithan.stores.roles import GRAPH, Cursor, DeadLetter, Delivery, Rejected, StoreBusyError
from levaithan.stores.roles.graph import EDGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from levaithan.stores.helix_rows import Put
    from levaithan.stores.opening import Opening

RECORDS = 512
"""Records of one transaction: a commit takes 5 ms however small, and one of 512 about half a second."""
_PORTION = 1000
_MOST_LOOSE = 1_000_000
_LAST = (1 << 63) - 1


class HelixStore(InPlace):
    """See roles.Projected and roles.Shared. `link` asks the server or the engine; labels begin with `prefix`."""

    name = GRAPH
    rereads = False
    remote = True
    shared = True

    def __init__(self, opening: Opening, link: Any, prefix: str = "") -> None:
        self.opening = opening
        self.link = link
        self.journal = opening.journal
        self.max_field = opening.max_field
        self.found: list[str] = []
        self.reads, self.writes = Reads(prefix), Writes(prefix)
        self.calls = Calls(opening, link)
        self.letters = Letters(opening.state, GRAPH)
        self._seen = 0
        self._put = 0
        self._rewriting = False
        self._loose: set[int] = set()

    # -- the schema --

    def current(self) -> bool:
        """See roles.Projected."""
        return schema.version(self.calls, self.reads) == schema.VERSION

    def check_version(self) -> None:
        """See roles.Projected."""
        schema.check(self.calls, schema.version(self.calls, self.reads))

    def migrate(self) -> None:
        """See roles.Projected."""
        found = schema.version(self.calls, self.reads)
        schema.check(self.calls, found)
        if found != schema.VERSION:
            schema.make(self.calls, self.reads, self.writes)

    # -- the place in the journal, and what waits outside --

    def cursor(self) -> Cursor | None:
        """See roles.Projected."""
        found = self.calls.ask(self.reads.cursor, key=self.journal)["cursor"]
        self._seen, self._put = (int(found[0]["writes"]), int(found[0]["put"])) if found else (0, 0)
        if not found:
            return None
        one = found[0]
        return Cursor(str(one["key"]), str(one["segment"]), int(one["offset"]), int(one["seq"]), str(one["hash"]))

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """See roles.Projected."""
        return self.letters.list(self.journal, limit)

    def dead_count(self) -> int:
        """See roles.Projected."""
        return self.letters.count(self.journal)

    # -- putting --

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected. Documents, then dead letters, then the place, which goes with the last documents."""
        puts, rejected = self._read(batch)
        chunks = [puts[start : start + RECORDS] for start in range(0, len(puts), RECORDS)] or [[]]
        low = min((one.seq for one in batch if one.seq), default=0)
        for chunk in chunks[:-1]:
            rejected += self._put_or_halve(chunk, (low, chunk[-1][0].seq))
            low = chunk[-1][0].seq + 1
        self.letters.note(batch, rejected)
        high = max((one.seq for one in batch), default=0)
        try:
            self._put_rows(rows_of(chunks[-1]), cursor, (low, high))
        except RefusedError:
            late = self._put_or_halve(chunks[-1], (low, high))
            self.letters.note([one.delivery for one in late], late)
            self._put_rows(Rows(), cursor, None)
            rejected += late
        return rejected

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        puts, rejected = self._read(batch)
        for start in range(0, len(puts), RECORDS):
            rejected += self._put_or_halve(puts[start : start + RECORDS], None)
        self.letters.note(batch, rejected)
        return rejected

    def _read(self, batch: Sequence[Delivery]) -> tuple[list[Put], list[Rejected]]:
        found, rejected = read(batch, self.max_field)
        by_seq = {one.seq: one for one in batch}
        return [(by_seq[seq], facts) for seq, facts in found], rejected

    def _put_or_halve(self, puts: list[Put], span: tuple[int, int] | None) -> list[Rejected]:
        """Put them; what the server refuses is looked for by halves. Raises StoreUnsupportedError when it refuses the
        question and not what is in it."""
        try:
            self._put_rows(rows_of(puts), None, span)
        except RefusedError as error:
            if len(puts) > 1:
                middle = len(puts) // 2
                first = (span[0], puts[middle - 1][0].seq) if span else None
                rest = (puts[middle - 1][0].seq + 1, span[1]) if span else None
                return [*self._put_or_halve(puts[:middle], first), *self._put_or_halve(puts[middle:], rest)]
            self._same_without_rows(rows_of(puts), error)
            return [Rejected(puts[0][0], f"HelixDB refuses it: {error}")] if puts else []
        return []

    def _same_without_rows(self, rows: Rows, refused: RefusedError) -> None:
        empty = Rows(
            {kind: {} for kind in rows.nodes}, {name: {} for name in rows.props}, {ends: [] for ends in rows.edges}
        )
        try:
            self.calls.write(self.writes.batch(empty, None, {}, None))
        except RefusedError:
            raise self.calls.unsupported(f"it refuses what is asked of it: {refused}") from refused

    def _put_rows(self, rows: Rows, cursor: Cursor | None, span: tuple[int, int] | None) -> None:
        replaced = None
        if self._rewriting and span and self.journal:
            replaced = (place(self.journal, span[0]), place(self.journal, span[1]))
        at: dict[str, Any] = {}
        if cursor is not None:
            at = {"seen": self._seen, "updated_us": time.time_ns() // 1000, "put": self._put + rows.edge_count}
        told = self.calls.write(self.writes.batch(rows, cursor, at, replaced))
        self._remember(told)
        if cursor is None:
            self._put += rows.edge_count
            return
        if not told.get("moved"):
            self._seen = 0
            raise StoreBusyError(store=GRAPH, reason="its place in the journal is not where it was left")
        self._seen, self._put = int(told["moved"][0]["writes"]), at["put"]

    def _remember(self, told: dict[str, Any]) -> int:
        """How many edges were dropped; their ends may have no edge left."""
        dropped = [ends for kind in EDGES for ends in told.get(f"ends_{kind}") or ()]
        for ends in dropped:
            if len(self._loose) < _MOST_LOOSE:
                self._loose.update((int(ends["$from"]), int(ends["$to"])))
        return len(dropped)

    # -- beginning anew --

    def rewrite_begin(self) -> None:
        """See roles.Shared."""
        self._forget()
        self._rewriting = True

    def rewrite_end(self, last: int) -> None:
        """See roles.Shared."""
        self._drop(last + 1, _LAST)
        self._rewriting = False

    def drop_all(self) -> None:
        """Empty it of what this journal put there: its edges, the nodes that no other journal's edges touch, its place
        and its dead letters."""
        self._forget()
        self._drop(0, _LAST)

    def _forget(self) -> None:
        self.calls.write(self.writes.forget.body(key=self.journal))
        self._seen = self._put = 0
        self.letters.clear(self.journal)

    def _drop(self, low: int, high: int) -> None:
        """Drop this journal's edges from record `low` to `high`, in portions; then the nodes that nothing touches."""
        body = self.writes.batch(Rows(), None, {}, (place(self.journal, low), place(self.journal, high)), _PORTION)
        while self._remember(self.calls.write(body)):
            pass
        loose, self._loose = sorted(self._loose), set()
        for some in _portions(loose, _PORTION):
            self.calls.write(self.writes.loose.body(rows=[{"id": one} for one in some]))

    def _drop_edges(self, numbers: Sequence[int]) -> None:
        for some in _portions(numbers, _PORTION):
            self.calls.write(self.writes.unjoin.body(ids=list(some)))

    def heal(self) -> bool:
        """See roles.Projected. A server looks after its own files."""
        return False

    def close(self) -> None:
        """See roles.Projected."""
        self.link.close()

    def _never(self, what: str) -> NoReturn:
        raise self.calls.unsupported(f"it cannot {what}", fix="run `levaithan store rebuild graph`: it works in place")


def _portions(ids: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
