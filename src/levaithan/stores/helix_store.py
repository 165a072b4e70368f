"""The graph on HelixDB as a store that follows the journal: schema, place, dead letters, batches, rewriting in place.

Every write is one transaction and changes nothing when it is repeated. A batch goes in a few of them, the journal's
place in the last: what the server has of a journal is never less than its place says.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import orjson

from levaithan.stores.edge import Edge
from levaithan.stores.graph_facts import read
from levaithan.stores.helix_errors import CONFLICT, RefusedError, translator
from levaithan.stores.helix_reads import Reads
from levaithan.stores.helix_writes import EDGES, Put, Rows, Writes, place, rows_of
from levaithan.stores.letters import Letters
from levaithan.stores.roles import (
    GRAPH,
    Cursor,
    DeadLetter,
    Delivery,
    Rejected,
    SchemaTooNewError,
    StoreBusyError,
    StoreTimeoutError,
    StoreUnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from levaithan.stores.helix_query import Query
    from levaithan.stores.opening import Opening

VERSION = 1
"""Of what is kept: labels, properties, indexes."""
ONE = "levaithan"
RECORDS = 512
"""Records of one transaction: a commit takes 5 ms however small, and one of 512 about half a second."""
_CONFLICTS = 12
_CONFLICT_S = (0.005, 0.25)
_BAD_ENDS = ("blocked", "aborted")
_PORTION = 1000
_MOST_LOOSE = 1_000_000
_LAST = (1 << 63) - 1


class HelixStore:
    """See roles.Projected and roles.Shared. `link` asks the server or the engine; labels begin with `prefix`."""

    name = GRAPH
    rereads = False
    remote = True
    shared = True
    writing: ClassVar[dict[str, threading.Lock]] = {}
    """One write at a time in this process: two at once conflict, whatever they write."""

    def __init__(self, opening: Opening, link: Any, prefix: str = "") -> None:
        self.opening = opening
        self.link = link
        self.journal = opening.journal
        self.max_field = opening.max_field
        self.found: list[str] = []
        self.reads, self.writes = Reads(prefix), Writes(prefix)
        self.letters = Letters(opening.state, GRAPH)
        self.edge = Edge(GRAPH, opening.where, translator(opening), timeout_s=opening.timeout_s)
        self._lock = self.writing.setdefault(opening.where, threading.Lock())
        self._seen = 0
        self._put = 0
        self._rewriting = False
        self._loose: set[int] = set()

    # -- asking --

    def ask(self, query: Query, **values: Any) -> dict[str, Any]:
        """What a read answers. Raises StoreError."""
        return self._told(lambda: self.edge.call(lambda: self.link.ask(query.body(**values))))

    def _write(self, body: bytes) -> dict[str, Any]:
        """What a write answers; repeated where another writer was quicker. Raises StoreError, RefusedError."""
        wait = _CONFLICT_S[0]
        for _ in range(_CONFLICTS):
            try:
                with self._lock:
                    return self._told(lambda: self.edge.call(lambda: self._sent(body)))
            except _ConflictError:
                time.sleep(wait * (0.5 + random.random()))  # noqa: S311 - not a secret: two writers must not stay in step
                wait = min(wait * 2, _CONFLICT_S[1])
        raise StoreBusyError(store=GRAPH, reason=f"other writers were quicker {_CONFLICTS} times in a row")

    def _sent(self, body: bytes) -> bytes:
        try:
            answer: bytes = self.link.ask(body)
        except RefusedError as error:
            if CONFLICT in str(error):
                raise _ConflictError from error
            raise
        return answer

    def _told(self, ask: Callable[[], bytes]) -> dict[str, Any]:
        answer = ask()
        try:
            told = orjson.loads(answer)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise self.unsupported("it answers, and not as HelixDB does")
        return told

    def unsupported(self, reason: str, fix: str | None = None) -> StoreUnsupportedError:
        """An error that says why this server is of no use."""
        return StoreUnsupportedError(store=GRAPH, role=GRAPH.upper(), where=self.opening.where, reason=reason, fix=fix)

    # -- the schema --

    def version(self) -> int | None:
        """The version of what is there; None for nothing."""
        try:
            found = self.ask(self.reads.version, key=ONE)["version"]
        except RefusedError as error:
            raise self.unsupported(f"it does not understand the question for the schema ({error})") from error
        return int(found[0]["version"]) if found else None

    def current(self) -> bool:
        """See roles.Projected."""
        return self.version() == VERSION

    def check_version(self) -> None:
        """See roles.Projected."""
        found = self.version()
        if found is not None and found > VERSION:
            raise SchemaTooNewError(store=GRAPH, path=self.opening.where, found=str(found), known=str(VERSION))

    def migrate(self) -> None:
        """Make the indexes, wait until they are there, then note the version. Again changes nothing."""
        found = self.version()
        if found == VERSION:
            return
        if found is not None and found > VERSION:
            self.check_version()
        try:
            self._wait_for([self._write(one.body())["made"] for one in self.writes.indexes()])
            self._write(self.writes.schema.body(key=ONE, version=VERSION))
        except RefusedError as error:
            raise self.unsupported(f"its indexes cannot be made: {error}") from error

    def _wait_for(self, receipts: list[dict[str, Any]]) -> None:
        """Indexes are built behind the answer; one that is not there yet would let the same node in twice."""
        waiting = [str(one["operation_id"]) for one in receipts if "operation_id" in one]
        until = time.monotonic() + self.opening.timeout_s
        while waiting:
            told = self.ask(self.reads.operations(waiting))
            states = [told[f"i{number}"] for number in range(len(waiting))]
            if bad := next((one for one in states if one["status"] in _BAD_ENDS), None):
                raise self.unsupported(f"the making of an index is {bad['status']}")
            waiting = [one for one, state in zip(waiting, states, strict=True) if state["status"] != "succeeded"]
            if waiting and time.monotonic() > until:
                raise self._late()
            time.sleep(0.02 if waiting else 0)

    def _late(self) -> StoreTimeoutError:
        where, seconds = self.opening.where, f"{self.opening.timeout_s:g}"
        return StoreTimeoutError(store=GRAPH, role=GRAPH.upper(), where=where, seconds=seconds)

    # -- the place in the journal, and what waits outside --

    def cursor(self) -> Cursor | None:
        """See roles.Projected."""
        found = self.ask(self.reads.cursor, key=self.journal)["cursor"]
        self._seen, self._put = (int(found[0]["updated_us"]), int(found[0]["put"])) if found else (0, 0)
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
            self._write(self.writes.batch(empty, None, {}, None))
        except RefusedError:
            raise self.unsupported(f"it refuses what is asked of it: {refused}") from refused

    def _put_rows(self, rows: Rows, cursor: Cursor | None, span: tuple[int, int] | None) -> None:
        replaced = None
        if self._rewriting and span and self.journal:
            replaced = (place(self.journal, span[0]), place(self.journal, span[1]))
        at: dict[str, Any] = {}
        if cursor is not None:
            updated = max(time.time_ns() // 1000, self._seen + 1)
            at = {"seen": self._seen, "updated_us": updated, "put": self._put + rows.edge_count}
        told = self._write(self.writes.batch(rows, cursor, at, replaced))
        self._remember(told)
        if cursor is None:
            self._put += rows.edge_count
            return
        if not told.get("moved"):
            self._seen = 0
            raise StoreBusyError(store=GRAPH, reason="its place in the journal is not where it was left: asked again")
        self._seen, self._put = at["updated_us"], at["put"]

    def _remember(self, told: dict[str, Any]) -> None:
        """The ends of edges that were dropped: nodes that may have no edge left."""
        for kind in EDGES:
            for ends in told.get(f"ends_{kind}") or ():
                if len(self._loose) < _MOST_LOOSE:
                    self._loose.update((int(ends["$from"]), int(ends["$to"])))

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
        self._write(self.writes.forget.body(key=self.journal))
        self._seen = self._put = 0
        self.letters.clear(self.journal)

    def _drop(self, low: int, high: int) -> None:
        """Drop this journal's edges from record `low` to `high`, in portions; then the nodes that nothing touches."""
        body = self.writes.batch(Rows(), None, {}, (place(self.journal, low), place(self.journal, high)))
        while any((told := self._write(body)).get(f"ends_{kind}") for kind in EDGES):
            self._remember(told)
        loose, self._loose = sorted(self._loose), set()
        for some in _portions(loose, _PORTION):
            self._write(self.writes.loose.body(rows=[{"id": one} for one in some]))

    def heal(self) -> bool:
        """See roles.Projected. A server looks after its own files."""
        return False

    def move_aside(self, why: str) -> None:
        """A server cannot be moved aside from here: say what is the matter."""
        self._never(f"be set aside ({why})")

    def beside(self) -> Self:
        """Not for a store that machines share: it is rewritten in place."""
        self._never("be made again beside itself")

    def take_over(self, fresh: Self) -> None:
        """See beside."""
        self._never(f"be replaced by {fresh!r}")

    def clear_leftovers(self) -> None:
        """See roles.Projected: there are none."""

    def close(self) -> None:
        """See roles.Projected."""
        self.link.close()

    def _never(self, what: str) -> NoReturn:
        raise self.unsupported(f"it cannot {what}", fix="run `levaithan store rebuild graph`: it works in place")


class _ConflictError(Exception):
    """Another writer was quicker; nothing was written."""


def _portions(ids: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
