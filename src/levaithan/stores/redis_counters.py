"""The Counters role on Redis: the live stream follows the journal, exactly once, and readers share it by groups.

A batch goes in by a few calls of one script (redis_stream_lua), the last of which moves the cursor: each is one step,
and short, since a server that runs a script answers no hook meanwhile. Cursor and dead letters are in the server, each
journal's by themselves; a server that was emptied has no cursor, and is filled again from the journal.
"""

from __future__ import annotations

import time
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Self

import orjson

from levaithan.stores import redis_entries, redis_link
from levaithan.stores.dead import dead_letter_values
from levaithan.stores.redis_entries import MINUTE_US
from levaithan.stores.redis_groups import Groups
from levaithan.stores.redis_server import RedisServer
from levaithan.stores.redis_stream_lua import EMPTY, NAMES, PUT
from levaithan.stores.roles import Cursor, DeadLetter, Delivery, Rejected, StoreDamagedError, StreamEvent
from levaithan.stores.times import Times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from levaithan.stores.opening import Opening

CHUNK = 256
"""Entries of one call: about 2 ms in which the server does nothing else."""
DAY_S = 86_400
QUIET_S = 90 * DAY_S
"""After so long without news a journal's part goes, all of it at once: its machine may be gone for good."""
MOST_NAMES = 500
"""Counters of one minute; names come from outside. What is beyond counts as `tool:other`."""
_PAGE = 2000
_CURSOR = ("journal", "segment", "offset", "seq", "hash")


class RedisCounters(RedisServer):
    """One server. Every method raises StoreError where the server does not do it, but `health` and `close`."""

    rereads = True
    remote = True
    shared = True

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening)
        self.kept = redis_link.kept(opening)
        self._least: int | None = None
        self._floor = 0
        self._groups = Groups(self)

    # -- the projector --

    def cursor(self) -> Cursor | None:
        """See roles.Projected."""
        found = self.ask(lambda link: link.hmget(self._cursor_key(), *_CURSOR))
        if not any(found):
            self._least = None
            return None
        if None in found or not (found[2].isdigit() and found[3].isdigit()):
            raise StoreDamagedError(store=self.name, path=self.opening.where, reason="its cursor is of no sense")
        self._least = int(found[3])
        return Cursor(found[0], found[1], int(found[2]), int(found[3]), found[4])

    def apply(self, batch: Sequence[Delivery], cursor: Cursor) -> list[Rejected]:
        """See roles.Projected. In steps: what was put of a batch that failed stays, and is not put twice."""
        rejected = self._put(batch, cursor)
        self._least = cursor.seq
        return rejected

    def put_again(self, batch: Sequence[Delivery]) -> list[Rejected]:
        """See roles.Projected."""
        return self._put(batch, None)

    def _put(self, batch: Sequence[Delivery], cursor: Cursor | None) -> list[Rejected]:
        entries, rejected = redis_entries.build(batch)
        keys = [self.stream(), self._cursor_key(), self._key("dead"), self._key("late"), self.prefix + "journals"]
        told: dict[str, Any] = {
            "names": NAMES, "journal": self.journal, "kept": self.kept, "minutes": self._key("minute") + ":",
            "oldest": int(time.time() - DAY_S) // 60, "lasts": DAY_S + 3600, "quiet": QUIET_S, "most": MOST_NAMES,
            "counted": redis_entries.COUNTED, "dead": {}, "arrived": [],
        }  # fmt: skip
        if self._least is not None:
            told["least"] = self._least
        chunks = [entries[at : at + CHUNK] for at in range(0, len(entries), CHUNK)] or [[]]
        calls = [(_json(chunk), told) for chunk in chunks]
        refused = {_place(one.delivery) for one in rejected}
        last = told | {
            "dead": {_place(one.delivery): self._letter(one) for one in rejected},
            "arrived": [_place(one) for one in batch if _place(one) not in refused],
        }
        if cursor is not None:
            values = (cursor.journal, cursor.segment, str(cursor.offset), str(cursor.seq), cursor.hash)
            last["cursor"] = dict(zip(_CURSOR, values, strict=True))
        calls[-1] = (calls[-1][0], last)
        for listed, more in calls:
            self.script(PUT, keys, listed, orjson.dumps(more))
        return rejected

    def _letter(self, rejected: Rejected) -> dict[str, Any]:
        values = dead_letter_values(self.name, rejected)
        return values | {"first_us": str(values["first_us"]), "last_us": str(values["last_us"])}

    def dead_letters(self, limit: int = 1000) -> list[DeadLetter]:
        """See roles.Projected."""
        kept = [orjson.loads(one) for one in self.ask(lambda link: link.hvals(self._key("dead")))]
        for one in kept:
            one |= {"first_us": int(one["first_us"]), "last_us": int(one["last_us"]), "attempts": int(one["attempts"])}
            one |= {name: one.get(name) for name in ("seq", "id", "tool_use_id")}
        kept.sort(key=lambda one: (one["first_us"], one["segment"], one["offset"]))
        return [DeadLetter(**one) for one in kept[:limit]]

    def dead_count(self) -> int:
        """See roles.Projected."""
        return int(self.ask(lambda link: link.hlen(self._key("dead"))))

    # -- its life --

    def heal(self) -> bool:
        """See roles.Projected. What the server holds is its own to mend."""
        return False

    def move_aside(self, why: str) -> None:
        """See roles.Projected: this journal's part is emptied, for a damaged copy is of no use."""
        self.found.append(f"emptied: {why}")
        self.drop_all()

    def beside(self) -> Self:
        """See roles.Projected; machines share the server, so it is rebuilt in place instead."""
        raise NotImplementedError("a shared store is rebuilt in place")

    def take_over(self, fresh: Self) -> None:
        """See beside."""
        raise NotImplementedError("a shared store is rebuilt in place")

    def clear_leftovers(self) -> None:
        """See roles.Projected: there are none."""

    def drop_all(self) -> None:
        """Empty this journal's part; what machines share while they decide, and the groups of readers, stay."""
        self._empty()

    def rewrite_begin(self) -> None:
        """See roles.Shared. An event gets the place it had, so groups of readers go on where they were."""
        self._empty()

    def rewrite_end(self, last: int) -> None:
        """See roles.Shared: all of this journal went when the rewriting began."""

    def _empty(self) -> None:
        minutes = self.ask(lambda link: list(link.scan_iter(match=_literal(self._key("minute")) + ":*", count=1000)))
        keys = [self.stream(), self._cursor_key(), self._key("dead"), self._key("late"), *minutes]
        self.script(EMPTY, keys, "keep")
        self._least = None

    # -- what is there --

    def expected(self, delivery: Delivery) -> str | None:
        """See roles.Projected. An event that left the stream since, by its age, is none that it keeps."""
        record = delivery.record
        if not record or record.get("kind") != "event" or delivery.seq < self._floor:
            return None
        try:
            made = redis_entries.entry(delivery.seq, record, Times())
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return None
        return redis_entries.fingerprint(redis_entries.fields(made, self.journal))

    def fingerprints(self, first: int, last: int) -> dict[int, str]:
        """See roles.Projected."""
        found: dict[int, str] = {}
        late = {int(seq): at for seq, at in self.ask(lambda link: link.hgetall(self._key("late"))).items()}
        here, end = self.stream(), f"{min(last, 2**63)}-0"
        at = f"{max(0, first)}-0"
        while True:
            page = self.ask(methodcaller("xrange", here, at, end, count=_PAGE))
            for place, stored in page:
                if place.endswith("-0"):
                    found[int(place[:-2])] = redis_entries.fingerprint(stored)
            if len(page) < _PAGE:
                break
            at = "(" + page[-1][0]
        for seq, place in late.items():
            if first <= seq <= last:
                for _, stored in self.ask(methodcaller("xrange", here, place, place)):
                    found[seq] = redis_entries.fingerprint(stored)
        self._floor = self._first_kept()
        return {seq: mark for seq, mark in found.items() if seq >= self._floor}

    def _first_kept(self) -> int:
        oldest = self.ask(lambda link: link.xrange(self.stream(), "-", "+", count=1))
        trimmed = self.ask(lambda link: link.xlen(self.stream())) >= self.kept
        return int(oldest[0][0].partition("-")[0]) if oldest and trimmed else 0

    # -- readers --

    def begin(self, group: str, *, oldest: bool = True) -> None:
        """See roles.Counters."""
        self._groups.begin(group, oldest=oldest)

    def read(self, group: str, consumer: str, *, count: int = 100, block_ms: int = 0) -> list[StreamEvent]:
        """See roles.Counters."""
        return self._groups.read(group, consumer, count, block_ms)

    def ack(self, group: str, positions: Sequence[str]) -> int:
        """See roles.Counters."""
        return self._groups.ack(group, positions)

    def claim(self, group: str, consumer: str, *, idle_ms: int, count: int = 100) -> list[StreamEvent]:
        """See roles.Counters."""
        return self._groups.claim(group, consumer, idle_ms, count)

    def latest(self, count: int = 100) -> list[StreamEvent]:
        """See roles.Counters."""
        return self._groups.latest(count)

    def minutes(self, since_us: int, until_us: int) -> dict[int, dict[str, int]]:
        """See roles.Counters."""
        first, end = -(-since_us // MINUTE_US), -(-until_us // MINUTE_US)
        numbers = range(max(first, end - DAY_S // 60 - 60), end)
        asked = [(one, f"{self.prefix}minute:{journal}:{one}") for journal in self.journals() for one in numbers]

        def ask(link: Any) -> list[dict[str, str]]:
            line = link.pipeline(transaction=False)
            for _, key in asked:
                line.hgetall(key)
            return list(line.execute())

        sums: dict[int, dict[str, int]] = {}
        for (number, _), found in zip(asked, self.ask(ask) if asked else (), strict=True):
            if found:
                kept = sums.setdefault(number * MINUTE_US, {})
                for what, count in found.items():
                    kept[what] = kept.get(what, 0) + int(count)
        return sums

    # -- for its own parts --

    def journals(self) -> list[str]:
        """The ids of the journals that have a stream here."""
        return sorted(self.ask(lambda link: link.smembers(self.prefix + "journals")))

    def _key(self, what: str) -> str:
        return f"{self.prefix}{what}:{self.journal}"

    def _cursor_key(self) -> str:
        return self._key("cursor")


def _json(entries: list[redis_entries.Entry]) -> bytes:
    try:
        return orjson.dumps(entries)
    except TypeError:  # a lone surrogate
        return orjson.dumps(redis_entries.harmless(entries))


def _place(delivery: Delivery) -> str:
    return f"{delivery.segment}:{delivery.offset}"


def _literal(key: str) -> str:
    """`key` as a pattern that means just it."""
    return "".join("\\" + one if one in "*?[]\\^" else one for one in key)


def opened(opening: Opening) -> RedisCounters:
    """The adapter, as the registry asks for it."""
    return RedisCounters(opening)
