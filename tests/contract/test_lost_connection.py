"""What every store of every role must do when the way to it is lost: before it is asked, in the midst of a batch (it
has done what it was asked, and nobody hears of it), and while nobody is reached.

It says in our own words that it is down, or goes on by itself. Its place is never beyond what it has; what is put again
is there once, and all that it holds is what the journal says. tests/support/lines.py has the ways.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import stamina
from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores import edge
from levaithan.stores.roles import COUNTERS, GRAPH, LEDGER, MEMORY, SEARCH, StoreBusyError
from levaithan.stores.sqlite_graph import SqliteGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contract.conftest import Place
    from tests.support.lines import Line

    from levaithan.stores.roles import Cursor, Delivery

BATCH = 3
PATIENCE_S = 60.0
BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def record(n: int) -> dict[str, Any]:
    """The record number `n`, of an hour ago: a prompt, a file that is written, a call, in turns."""
    at = (BEGUN + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if n % 3 == 1:
        prompt = {"prompt": f"repair the form number {n}"}
        return event(n, "UserPromptSubmit", at=at, tool_name=None, tool_use_id=None, payload=prompt)
    if n % 3 == 2:
        return event(n, "PostToolUse", at=at, tool_name="Write", payload={"tool_input": {"file_path": f"/p/{n}.py"}})
    return event(n, at=at)


@dataclass
class Followed:
    """A store that follows a journal over a way that is hurt."""

    role: str
    line: Line
    store: Any
    there: int = 0

    def next(self) -> list[Delivery]:
        """The batch that is put next."""
        return [delivery(record(n)) for n in range(self.there + 1, self.there + BATCH + 1)]

    def put(self) -> int:
        """Put the next batch as the follower does: after each failure the place is read again and it is put again. How
        often it failed; what is no word of ours that it is to be tried again passes through."""
        batch, after = self.next(), cursor(self.there + BATCH + 1)
        failed = self._until(lambda again: self._applied(batch, after, again), [])
        self.there += BATCH
        return failed

    def _applied(self, batch: list[Delivery], after: Cursor, again: int) -> Any:
        if again:
            self.stands(batch, after)
        return self.store.apply(batch, after)

    def stands(self, batch: list[Delivery], after: Cursor) -> None:
        """Its place is where it was; or after the batch, though that failed: then all of it is there."""
        if self.store.cursor() == cursor(self.there + 1):
            return
        assert self.store.cursor() == after
        wanted = {one.seq: made for one in batch if (made := self.store.expected(one))}
        assert self.store.fingerprints(batch[0].seq, batch[-1].seq) == wanted

    def asked(self, ask: Callable[[], Any], expected: Any) -> int:
        """Ask until there is an answer, which must be the right one. How often there was none."""
        return self._until(lambda _: ask(), expected)

    def _until(self, ask: Callable[[int], Any], expected: Any) -> int:
        limit, failed = time.monotonic() + PATIENCE_S, 0
        while True:
            try:
                answer = ask(failed)
            except StoreBusyError as error:
                assert time.monotonic() < limit, error
                failed += 1
                time.sleep(0.02)
            else:
                assert answer == expected
                return failed

    def is_well(self) -> None:
        """It says so, within the time that a busy machine may need."""
        limit = time.monotonic() + PATIENCE_S
        while not (told := self.store.health()).ok:
            assert time.monotonic() < limit, told

    def expected(self) -> dict[int, str]:
        """seq -> what the store must say that it holds."""
        every = [delivery(record(n)) for n in range(1, self.there + 1)]
        return {one.seq: made for one in every if (made := self.store.expected(one))}

    def is_whole(self, folder: Path) -> None:
        """All that was put is there, once, and nothing else."""
        assert self.store.cursor() == cursor(self.there + 1)
        wanted = self.expected()
        assert len(wanted) >= self.there // 3 > 0
        assert self.store.fingerprints(1, 1 << 40) == wanted
        assert self.store.dead_count() == 0
        put = [delivery(record(n)) for n in range(1, self.there + 1)]
        _HELD[self.role](self.store, put, folder)


def ledger_holds(store: Any, put: list[Delivery], _: Path) -> None:
    assert store.rows("SELECT count(*), count(DISTINCT id) FROM events") == [(len(put), len(put))]
    assert store.rows("SELECT sum(events) FROM rollups") == [(len(put),)]
    assert store.rows("SELECT count(*) FROM prompts") == [(len(put) // 3,)]


def graph_holds(store: Any, put: list[Delivery], folder: Path) -> None:
    calm = SqliteGraph(str(folder / "calm.sqlite3"))
    assert calm.apply(put, cursor(len(put) + 1)) == []
    assert store.kinds() == calm.kinds()
    calm.close()


def memory_holds(store: Any, put: list[Delivery], _: Path) -> None:
    assert store.kinds() == {"prompt": len(put) // 3}
    assert len(store.near("repair the form", 1000)) == len(put) // 3


def search_holds(store: Any, put: list[Delivery], _: Path) -> None:
    third = len(put) // 3
    assert dict(store.top("event")) == {"PreToolUse": third, "PostToolUse": third, "UserPromptSubmit": third}
    assert len(store.find("repair", limit=1000)) == third


def counters_hold(store: Any, put: list[Delivery], _: Path) -> None:
    assert [one.seq for one in store.latest(1000)] == [one.seq for one in reversed(put)]
    minutes = store.minutes(0, time.time_ns() // 1000).values()
    assert sum(one.get("event:PreToolUse", 0) for one in minutes) == len(put) // 3


_HELD: dict[str, Callable[[Any, list[Delivery], Path], None]] = {
    LEDGER: ledger_holds, GRAPH: graph_holds, MEMORY: memory_holds, SEARCH: search_holds, COUNTERS: counters_hold,
}  # fmt: skip
"""What each role says of how much it has, by other questions than those of the comparison."""


@pytest.fixture
def followed(every_place: tuple[str, Place], monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    """It has put its first batch. What it does not do in these tests is wait before it tries again."""
    monkeypatch.setattr(edge, "OPEN_S", 0.05)
    role, place = every_place
    assert place.line is not None, "its place says no way to it that can be hurt"
    patient = place.open()  # a schema may take longer than these ways wait
    patient.migrate()
    patient.close()
    line = place.line()
    store = line.open()
    with stamina.set_testing(True, attempts=edge.ATTEMPTS):
        try:
            made = Followed(role, line, store)
            made.asked(store.cursor, None)
            made.put()
            yield made
        finally:
            store.close()
            line.close()


def test_a_connection_that_was_lost_is_made_anew(followed: Followed, tmp_path: Path) -> None:
    """Closed in order, as by a server that is restarted; then reset, as by one that died."""
    line, store = followed.line, followed.store
    held = followed.expected()
    line.cut(reset=False)
    followed.asked(store.cursor, cursor(followed.there + 1))
    line.cut(reset=False)
    followed.asked(lambda: store.fingerprints(1, 1 << 40), held)
    line.cut(reset=False)
    followed.put()
    line.cut(reset=True)
    batch = [delivery(record(n)) for n in range(1, followed.there + 1)]
    followed.asked(lambda: store.put_again(batch), [])
    followed.is_well()
    followed.is_whole(tmp_path)


def test_whichever_answer_of_a_batch_is_lost_it_is_there_once(followed: Followed, tmp_path: Path) -> None:
    """The first one that a batch takes, the last two, and some between."""
    line, before = followed.line, followed.line.answers
    followed.put()
    every = line.answers - before
    assert every > 0, "nobody was asked"
    for number in sorted({1, every // 3, every * 2 // 3, every - 1, every} - {0}):
        line.lose_answer(number)
        followed.put()
        line.lose_answer(0)
    assert line.lost >= min(every, 2), "answers that nobody asked for were none"
    followed.is_whole(tmp_path)


def test_while_nobody_is_reached_it_says_so_and_goes_on_afterwards(followed: Followed, tmp_path: Path) -> None:
    """Before the batch, then from its midst on. What it then says of its place holds."""
    line, store, before = followed.line, followed.store, followed.line.answers
    followed.put()
    for after in (0, max(1, (line.answers - before) // 3)):
        batch, held = followed.next(), followed.expected()
        end = cursor(batch[-1].seq)
        with line.away(after):
            with pytest.raises(line.down):
                store.apply(batch, end)
            if not after:
                told = store.health()
                assert told.ok is line.readable, told
                assert told.ok or told.problems
        if not after:
            followed.asked(lambda there=held: store.fingerprints(1, 1 << 40) == there, True)
            followed.asked(store.cursor, cursor(followed.there + 1))
        followed.asked(lambda some=batch, place=end: followed.stands(some, place), None)
        followed.put()
    followed.is_whole(tmp_path)
