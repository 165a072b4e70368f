"""Holds the journal against a store, record by record: what is missing there, altered, or of no record at all.

The journal is read whole and the store is asked for windows of it; what is compared is made from what is stored now
(roles.Projected.fingerprints), so that a row that somebody changed shows. A ledger's sessions, agents, tool calls and
sums, and a graph's nodes, are each made of many records: they are held against what the journal makes anew
(projector.folds, projector.nodes). Writes nothing to the store.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.journal.identity import beginning, journal_id
from levaithan.projector import feed as feeds
from levaithan.projector import segments
from levaithan.projector.lacking import Lacking
from levaithan.projector.scratch import Window
from levaithan.stores.roles import GRAPH, LEDGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.stores.roles import Cursor, Delivery

_BATCH_BYTES = 1 << 20
_SHOWN = 20
_PAGE = 5000


@dataclass(slots=True)
class Compared:
    """journal: records that the store should hold, up to its cursor; stored: how many of these it holds unaltered;
    missing, altered, extra: numbers of records (seq), the first few; *_count: how many in all; waiting: dead letters;
    behind: records after the cursor; pruned: records that only the store has, for the journal let them go; dropped:
    records that only the journal has, for the ledger's retention let their month go.

    folds: sessions, agents, tool calls and hourly sums that the ledger should hold, nodes and edges of no single record
    that the graph should; folds_differ_count: those that it lacks, holds otherwise, or holds though no record makes
    them; folds_differ: the first few, such as `sessions s-1`, `rollups 2026-11-28T10//p/Bash/PreToolUse/allow` (hour,
    project, tool, event, decision), `machines m-1`, `nodes Session s-1` or `edges RAN s-1/main s-1`.
    """

    store: str
    journal: int = 0
    stored: int = 0
    missing_count: int = 0
    altered_count: int = 0
    extra_count: int = 0
    missing: list[int] = field(default_factory=list)
    altered: list[int] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    waiting: int = 0
    behind: int = 0
    pruned: int = 0
    dropped: int = 0
    folds: int = 0
    folds_differ_count: int = 0
    folds_differ: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether the store holds what the journal does, neither more nor less nor other. Lag is no difference."""
        return not (self.missing_count or self.altered_count or self.extra_count or self.folds_differ_count)

    def count(self, kind: str, seq: int) -> None:
        """One more record that is `kind` (missing, altered, extra)."""
        setattr(self, f"{kind}_count", getattr(self, f"{kind}_count") + 1)
        shown: list[int] = getattr(self, kind)
        if len(shown) < _SHOWN:
            shown.append(seq)

    def miss(self, one: Delivery, lacking: Lacking) -> None:
        """The store lacks this record: it is missing, unless retention dropped it, which `settle` tells."""
        if not lacking.missed(one):
            self.count("missing", one.seq)

    def settle(self, lacking: Lacking) -> None:
        """Tell what retention dropped from what is missing, of that which may be either."""
        self.dropped, count, first = lacking.settled()
        self.journal -= self.dropped
        self.missing_count += count
        self.missing = sorted(self.missing + first)[:_SHOWN]


def compare(home: Home, store: Any, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Compared:
    """`store` against the journal of `home`, up to the store's cursor. progress(bytes done, bytes in all).

    Raises StoreError, and OSError for a journal that cannot be read.
    """
    done = Compared(store.name)
    feed = feeds.Feed(home.journal)
    if store.shared:
        store.journal = journal_id(home.journal)
    until = store.cursor()
    last = until.seq if until else 0
    done.behind = feeds.lag(home.journal, last)
    lacking = Lacking(store)
    done.waiting = lacking.waiting
    first = beginning(home.journal)[1] or 1
    total = segments.total_bytes(home.journal)
    at, seen = None, first - 1
    ahead: list[Delivery] = []
    with ExitStack() as ends:
        folds = _folds(store, ends, lacking)
        if store.name == GRAPH:
            store = folds.watch(store)
        while last > seen:
            read, at = feed.batch(at, _BATCH_BYTES)
            if not read:
                break
            batch, ahead = [one for one in read if 0 < one.seq <= last], [one for one in read if one.seq > last]
            if batch:
                taken = _window(done, store, batch, lacking, seen + 1)
                seen = batch[-1].seq
                if folds is not None:
                    folds.put(batch, taken, store.max_field)
            progress(total - segments.bytes_left(home.journal, at), total)
        done.settle(lacking)
        if last:
            _beyond(done, store, last, ahead, feed, at)
        if folds is not None and last:
            _folded(done, store, folds, Window(home.journal, journal_id(home.journal), first, last, until))
    done.pruned = sum(len(store.fingerprints(one, min(one + _PAGE, first) - 1)) for one in range(1, first, _PAGE))
    return done


def _folds(store: Any, ends: ExitStack, lacking: Lacking) -> Any:
    """What the journal makes of a ledger's folds, or of a graph's nodes; None for a store that has neither."""
    if store.name == LEDGER:
        from levaithan.projector.folds import Folds  # noqa: PLC0415 - loads SQLAlchemy

        return ends.enter_context(Folds(lacking))
    if store.name == GRAPH:
        from levaithan.projector.nodes import Nodes  # noqa: PLC0415 - loads what makes a graph's facts

        return ends.enter_context(Nodes())
    return None


def _folded(done: Compared, store: Any, folds: Any, window: Window) -> None:
    """What is made of many records, each made of the records before."""
    done.folds = folds.count()
    for table, key in folds.differing(store, window):
        done.folds_differ_count += 1
        if len(done.folds_differ) < _SHOWN:
            done.folds_differ.append(f"{table} {key}")


def _beyond(  # noqa: PLR0917 - what the walk has come to
    done: Compared, store: Any, last: int, batch: list[Delivery], feed: feeds.Feed, at: Cursor | None
) -> None:
    """What the store holds after the cursor that was read (`last`): `batch` follows it, then what follows `at`.

    A service that runs has put it meanwhile, and a store without transactions puts records before its cursor. That is
    no difference, unless it is not what the journal says.
    """
    beyond = store.fingerprints(last + 1, 1 << 62)
    while beyond:
        if not batch:
            batch, at = feed.batch(at, _BATCH_BYTES)
            if not batch:
                break
        for one in batch:
            found, wanted = beyond.pop(one.seq, None), store.expected(one)
            if found is not None and found not in (wanted, _harmless(store, one), _before(store, one)):
                done.count("extra" if wanted is None else "altered", one.seq)
        batch = []
    for seq in sorted(beyond):
        done.count("extra", seq)


def _window(done: Compared, store: Any, batch: list[Delivery], lacking: Lacking, begin: int) -> list[Delivery]:
    """The records of `batch`, and whatever the store holds between `begin` and the last of them. Gives the records as
    the store should have taken them: without those that wait as dead letters, made harmless where it has them so."""
    taken = []
    there = store.fingerprints(begin, batch[-1].seq)
    for one in batch:
        plain = wanted = store.expected(one)
        found = there.pop(one.seq, None)
        if wanted is None and found is not None:
            wanted = _harmless(store, one)
            if wanted is None and found != _before(store, one):
                done.count("extra", one.seq)
        if wanted is None:
            taken += _beside(store, one, lacking)
            continue
        waits = lacking.waits(one)
        done.journal += not waits
        lacking.saw(one, held=found is not None)
        if found is None:
            if not waits:
                done.miss(one, lacking)
                taken.append(one)
        elif found == plain or found == _before(store, one):
            done.stored += 1
            taken.append(one)
        elif found == _harmless(store, one):
            done.stored += 1
            taken.append(feeds.cured(one, store.max_field))
        else:
            done.count("altered", one.seq)
            taken.append(one)
    for seq in sorted(there):
        done.count("extra", seq)
    return taken


def _beside(store: Any, delivery: Delivery, lacking: Lacking) -> list[Delivery]:
    """A record of which a graph has no edge of its own: it may say yet which edges stand, and what nodes are."""
    return [delivery] if store.name == GRAPH and not lacking.waits(delivery) else []


def _before(store: Any, delivery: Delivery) -> str | None:
    """What a graph has of a record that an earlier version put into it."""
    if store.name != GRAPH:
        return None
    made: str | None = store.expected_before(delivery)
    return made


def _harmless(store: Any, delivery: Delivery) -> str | None:
    """What the store says of a record that a person had delivered made harmless."""
    cured = feeds.cured(delivery, store.max_field)
    made: str | None = store.expected(cured) if cured is not delivery else None
    return made
