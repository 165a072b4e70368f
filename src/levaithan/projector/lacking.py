"""What a store rightly lacks of a journal: dead letters, and the months that a ledger's retention has dropped.

Retention drops whole months on the server, all before some one, whichever machine asks for it; the journal may have
them still. A month that a delivered record of the journal is in was there once. So where it is not there now it was
dropped, and with it all before; one of these may have been made again since, for a single late record. Where an earlier
month still has what came before the first record of the one that is not there, no retention can have been at work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.projector.again import name_of
from levaithan.stores.roles import LEDGER
from levaithan.stores.times import FIRST_US, Times, month_of, start_us

if TYPE_CHECKING:
    from collections.abc import Collection

    from levaithan.stores.roles import DeadLetter, Delivery

_SHOWN = 20
_ALL = 1_000_000


@dataclass(slots=True)
class _Misses:
    """The records of one month that are not there: how many, and the numbers of the first few."""

    count: int = 0
    first: list[int] = field(default_factory=list)


class Lacking:
    """What `store` lacks of the records that it should have; asked in the order of the journal.

    waiting: its dead letters; dropped_us: what is before it, and not before FIRST_US, was dropped; known when all is
    `settled`. Raises StoreError.
    """

    def __init__(self, store: Any) -> None:
        letters: list[DeadLetter] = store.dead_letters(_ALL)
        self.dropped_us = 0
        self.waiting = len(letters)
        self._dead = {name_of(one) for one in letters} | {f"{one.segment}:{one.offset}" for one in letters}
        self._ledger = store if has_months(store) else None
        self._held: dict[tuple[int, int], int] = {}
        self._this = month_of(time.time_ns() // 1000)
        self._missed: dict[tuple[int, int], _Misses] = {}
        self._times = Times()

    def waits(self, delivery: Delivery) -> bool:
        """Whether it is a dead letter of the store."""
        return f"{delivery.segment}:{delivery.offset}" in self._dead

    def missed(self, delivery: Delivery) -> bool:
        """Note that the store lacks this record. False for one that no retention can have dropped."""
        month = self._month(delivery)
        if month is None:
            return False
        misses = self._missed.setdefault(month, _Misses())
        misses.count += 1
        if len(misses.first) < _SHOWN:
            misses.first.append(delivery.seq)
        return True

    def saw(self, delivery: Delivery, *, held: bool) -> None:
        """Note whether the store holds this record."""
        month = self._month(delivery) if held else None
        if month is not None:
            self._held.setdefault(month, delivery.seq)

    def _month(self, delivery: Delivery) -> tuple[int, int] | None:
        record = delivery.record or {}
        if self._ledger is None or record.get("kind") != "event":
            return None
        try:
            at_us = self._times.us(record["at"])
        except (KeyError, ValueError, TypeError):
            return None
        month = month_of(at_us)
        return month if at_us >= FIRST_US and month < self._this else None

    def settled(self) -> tuple[int, int, list[int]]:
        """(how many of the `missed` were dropped, how many are missing, the numbers of the first few of these)."""
        there = self._ledger.months_there() if self._missed and self._ledger else ()
        gone = max((month for month in self._missed if self._may_be_gone(month, there)), default=None)
        if gone is not None:
            self.dropped_us = start_us(gone[0], gone[1] + 1)
        dropped = sum(misses.count for month, misses in self._missed.items() if gone and month <= gone)
        missing = [misses for month, misses in self._missed.items() if not gone or month > gone]
        first = sorted(seq for misses in missing for seq in misses.first)[:_SHOWN]
        return dropped, sum(misses.count for misses in missing), first

    def _may_be_gone(self, month: tuple[int, int], there: Collection[tuple[int, int]]) -> bool:
        """Whether the month is not `there` any more, and nothing of an earlier one speaks against a retention."""
        first = self._missed[month].first[0]
        earlier = (seq for held, seq in self._held.items() if held < month)
        return month not in there and all(seq > first for seq in earlier)


def has_months(store: Any) -> bool:
    """Whether it is a ledger that keeps its events by month, and may have dropped some."""
    return bool(store.name == LEDGER and store.shared)
