"""Readers of the live stream: groups that share the work, over the streams of all journals (Redis Streams, XREADGROUP).

Any number of processes may read in one group: each event is given to one of them, and stays with it until it is
acknowledged or claimed by another. That is at least once: what a reader died over is done again.
"""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from levaithan.stores import slow
from levaithan.stores.redis_stream_lua import NAMES
from levaithan.stores.roles import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from levaithan.stores.redis_counters import RedisCounters

LONGEST_WAIT_MS = 1000
"""After which the journals are listed again: another machine may have begun one. Less than a store's time limit."""


class Groups:
    """The groups of one store; the methods are those of roles.Counters."""

    def __init__(self, store: RedisCounters) -> None:
        self._store = store

    def begin(self, group: str, *, oldest: bool = True) -> None:
        """See roles.Counters."""
        for journal in self._store.journals():
            self._make(group, journal, "0" if oldest else "$")

    def read(self, group: str, consumer: str, count: int, block_ms: int) -> list[StreamEvent]:
        """See roles.Counters."""
        left = block_ms
        while True:
            turn = min(left, LONGEST_WAIT_MS, int(self._store.opening.timeout_s * 500))
            found = self._given(group, consumer, count, turn)
            left -= turn
            if found or left <= 0:
                return found

    def _given(self, group: str, consumer: str, count: int, block_ms: int) -> list[StreamEvent]:
        journals = self._store.journals()
        if not journals:
            if block_ms:
                with slow.unsaid():
                    self._store.ask(lambda link: link.blpop([self._store.prefix + "none"], block_ms / 1000))
            return []
        wanted = {self._store.stream(one): ">" for one in journals}

        def ask(link: Any) -> Any:
            return link.xreadgroup(group, consumer, wanted, count=count, block=block_ms or None)

        try:
            answer = self._store.ask(ask, again=False)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.begin(group)  # of a journal that is new, or of a server that was emptied
            answer = self._store.ask(ask, again=False)
        return [one for key, entries in answer or () for one in self._events(key, entries)]

    def ack(self, group: str, positions: Sequence[str]) -> int:
        """See roles.Counters."""
        by_journal: dict[str, list[str]] = {}
        for position in positions:
            journal, _, place = position.partition("/")
            by_journal.setdefault(journal, []).append(place)
        done = 0
        for journal, places in by_journal.items():
            done += int(self._store.ask(methodcaller("xack", self._store.stream(journal), group, *places)))
        return done

    def claim(self, group: str, consumer: str, idle_ms: int, count: int) -> list[StreamEvent]:
        """See roles.Counters."""
        found: list[StreamEvent] = []
        for journal in self._store.journals():
            key, at = self._store.stream(journal), "0-0"

            def ask(link: Any, key: str = key, at: str = at) -> Any:
                return link.xautoclaim(key, group, consumer, idle_ms, at, count=count)

            try:
                _, entries, *_ = self._store.ask(ask)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                continue
            found += self._events(key, entries)
        return found

    def latest(self, count: int) -> list[StreamEvent]:
        """See roles.Counters."""
        found: list[StreamEvent] = []
        for journal in self._store.journals():
            key = self._store.stream(journal)
            found += self._events(key, self._store.ask(methodcaller("xrevrange", key, count=count)))
        found.sort(key=lambda one: (one.at, one.seq), reverse=True)
        return found[:count]

    def _make(self, group: str, journal: str, at: str) -> None:
        key = self._store.stream(journal)
        try:
            self._store.ask(lambda link: link.xgroup_create(key, group, at, mkstream=True))
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _events(self, key: str, entries: Iterable[tuple[str, dict[str, str]]]) -> list[StreamEvent]:
        journal = key.removeprefix(self._store.stream(""))
        return [_event(journal, place, stored) for place, stored in entries if stored]


def _event(journal: str, place: str, stored: dict[str, str]) -> StreamEvent:
    seq = stored.get("seq", "0")
    values = {name: stored.get(name, "") for name in NAMES}
    return StreamEvent(f"{journal}/{place}", journal=journal, seq=int(seq) if seq.isdigit() else 0, **values)
