"""A store on a server is followed in a thread of its own: one that hangs holds nobody else up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger_records import JournalFiles

from levaithan.hot import modes
from levaithan.hot.paths import home_at
from levaithan.projector import status
from levaithan.projector import worker as worker_of
from levaithan.projector.feed import Feed
from levaithan.projector.follower import FIRST_WAIT_S, FLAPS_S, Follower
from levaithan.projector.lock import ProjectionLock, lock_of
from levaithan.projector.worker import GATHER_S, LEAVES, LEAVES_S, YIELD_S, Worker
from levaithan.stores import address
from levaithan.stores.roles import StoreDownError
from levaithan.stores.sqlite_ledger import SqliteLedger


class Far(SqliteLedger):
    """A ledger that stands for one on a server: it may hang, or be down."""

    remote = True

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.gate = threading.Event()
        self.gate.set()
        self.down = False

    def apply(self, batch: Any, cursor: Any) -> Any:
        self.gate.wait(20)
        if self.down:
            raise StoreDownError(store="ledger", role="LEDGER", where="far", reason="stopped")
        return super().apply(batch, cursor)


def until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 15
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> Any:
    home = home_at(str(tmp_path))
    return home, JournalFiles(home.journal), Far(str(tmp_path / "far.sqlite3"))


def test_it_follows_and_waits_for_what_is_down(place: Any) -> None:
    home, files, store = place
    files.events(5)
    store.down = True
    worker = Worker(home, Follower(store, Feed(home.journal)))
    worker.start()
    until(lambda: worker.follower.error)
    assert worker.follower.error["code"] == "store_down"
    store.down = False
    until(lambda: worker.follower.delivered == 6)
    files.events(5, first=6)
    worker.news.set()
    until(lambda: worker.follower.delivered == 11)
    assert worker.follower.error is None
    worker.stop(10)
    assert not worker.is_alive()
    assert not worker.lock.held


def test_what_failed_is_tried_again_when_its_time_has_come(place: Any) -> None:
    home, files, store = place
    files.events(5)
    store.down = True
    worker = Worker(home, Follower(store, Feed(home.journal)))
    assert worker._stretch() <= FIRST_WAIT_S
    assert worker.follower.error
    assert not worker.behind, "nothing is under way"
    store.close()


def test_who_fails_at_every_second_batch_flaps_and_who_is_down_or_fails_once_does_not(place: Any) -> None:
    home, files, store = place
    one, written = Follower(store, Feed(home.journal)), 0
    store.down = True
    for _ in range(10):
        one.step()
    assert one.failures == {"store_down": 10} and not one.flaps, "it is down, and has begun to fail once"
    for _ in range(2):
        for store.down in (False, True):
            files.events(1, first=written + 1)
            written += 1
            one.step()
    assert one.flaps
    store.down = False
    one.step()
    assert one.error is None and status._store(one, written)["flaps"] is True, "well at this look"
    one._relapses[0] -= FLAPS_S
    assert not one.flaps, "long ago"
    store.close()


def test_a_circuit_that_is_broken_elsewhere_does_not_hold_it(place: Any) -> None:
    home, files, store = place
    files.events(5)
    worker = Worker(home, Follower(store, Feed(home.journal)))
    until_us = time.time_ns() // 1000 + 60_000_000
    modes.break_circuit(home, "ledger", until_us, by="a", reason="down", where=address.of(store))
    worker._stretch()
    assert worker.follower.held and worker.follower.delivered == 0
    told = status._store(worker.follower, 6)
    assert (told["state"], told["where"]) == ("held", store.file.path)
    modes.break_circuit(home, "ledger", until_us, by="a", reason="down", where="postgresql://old:5432/db")
    worker._stretch()
    assert not worker.follower.held and worker.follower.delivered == 6
    store.close()


def test_it_lets_others_work_between_two_stretches_though_news_come(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_of, "STRETCH_S", 0.05)
    home, files, store = place
    files.events(3_000)
    worker = Worker(home, Follower(store, Feed(home.journal), batch_bytes=1))
    worker.pace.rest_s = lambda _position: 0.0  # type: ignore[method-assign]
    worker.news.set()
    began = time.monotonic()
    assert worker._stretch() == 0.0
    assert time.monotonic() - began >= 0.05 + YIELD_S
    assert worker.behind
    assert not worker.lock.held
    store.close()


def test_it_is_behind_from_its_first_batch_to_its_last_and_not_while_another_works(place: Any) -> None:
    home, files, store = place
    files.events(5)
    worker = Worker(home, Follower(store, Feed(home.journal)))
    with lock_of(home, store) as other:
        assert other.take()
        worker._stretch()
        assert not worker.behind
    store.gate.clear()
    worker.start()
    until(lambda: worker.behind)
    assert worker.follower.delivered == 0
    store.gate.set()
    until(lambda: not worker.behind)
    assert worker.follower.delivered == 6
    worker.stop(10)


def test_it_works_under_a_lock_of_its_own(place: Any) -> None:
    home, files, store = place
    files.events(5)
    assert lock_of(home, store).path != ProjectionLock(home).path
    with lock_of(home, store) as other:
        assert other.take()
        worker = Worker(home, Follower(store, Feed(home.journal)))
        worker.start()
        time.sleep(0.3)
        assert worker.follower.delivered == 0
        with ProjectionLock(home) as embedded:
            assert embedded.take(), "the embedded stores are not held up"
    worker.news.set()
    until(lambda: worker.follower.delivered == 6)
    worker.stop(10)


def test_a_server_that_hangs_holds_the_end_up_no_longer_than_asked(place: Any) -> None:
    home, files, store = place
    files.events(5)
    store.gate.clear()
    worker = Worker(home, Follower(store, Feed(home.journal)))
    worker.start()
    until(lambda: worker.lock.held)
    began = time.monotonic()
    worker.stop(0.2)
    assert time.monotonic() - began < 5
    store.gate.set()
    worker.join(10)
    assert not worker.is_alive()


def test_a_server_that_goes_between_a_batch_and_a_question_ends_no_thread(place: Any) -> None:
    home, files, store = place
    files.events(5)
    worker = Worker(home, Follower(store, Feed(home.journal)))
    store.migrate()
    asked = []

    def gone() -> int:
        asked.append(1)
        if len(asked) == 2:
            raise StoreDownError(store="ledger", role="LEDGER", where="far", reason="stopped")
        return 1

    store.dead_count = gone
    worker.start()
    until(lambda: worker.follower.failures)
    files.events(1, first=50)
    worker.news.set()
    until(lambda: worker.follower.idle and not worker.follower.error)
    assert store.rows("SELECT count(*) FROM events") == [(6,)]
    worker.stop(10)


def test_what_trickles_in_is_gathered(place: Any) -> None:
    home, files, store = place
    files.events(5)
    applied: list[float] = []
    apply = store.apply

    def trickling(batch: Any, cursor: Any) -> Any:
        applied.append(time.monotonic())
        files.events(1, first=100 + len(applied))  # another one comes meanwhile, and nobody tells
        return apply(batch, cursor)

    store.apply = trickling
    worker = Worker(home, Follower(store, Feed(home.journal)))
    worker.start()
    until(lambda: len(applied) >= 6)
    worker.stop(10)
    assert all(later - sooner >= GATHER_S for sooner, later in pairwise(applied))


def test_while_it_rests_others_may_work_news_wait_and_its_end_does_not(place: Any) -> None:
    home, files, store = place
    files.events(5)
    worker = Worker(home, Follower(store, Feed(home.journal), batch_bytes=1))
    worker.pace.rest_s = lambda _position: 30.0  # type: ignore[method-assign]
    worker.start()
    until(lambda: worker.follower.delivered and not worker.lock.held)
    before = worker.follower.delivered
    files.events(5)
    worker.news.set()
    with lock_of(home, store) as other:
        assert other.take(5)
        time.sleep(0.3)
    assert worker.follower.delivered == before < 11, "it rests"
    began = time.monotonic()
    worker.stop(10)
    assert time.monotonic() - began < 5
    assert not worker.is_alive()


def test_the_longer_a_batch_took_the_longer_it_leaves_what_comes_though_it_is_told_of_it(place: Any) -> None:
    home, files, store = place
    files.events(1)
    worker = Worker(home, Follower(store, Feed(home.journal)))
    put, apply = list[tuple[float, float]](), store.apply

    def slowly(batch: Any, cursor: Any) -> Any:
        began = time.monotonic()
        files.events(1, first=files.seq)
        worker.news.set()
        time.sleep(0.05)
        told = apply(batch, cursor)
        put.append((began, time.monotonic()))
        return told

    store.apply = slowly
    worker.start()
    until(lambda: len(put) >= 4)
    worker.stop(10)
    assert all(later - ended >= min(LEAVES * (ended - began), LEAVES_S) for (began, ended), (later, _) in pairwise(put))


def test_where_events_flow_its_batches_are_small(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_of, "GENTLE_BYTES", 2_000)
    home, files, store = place
    files.events(60)
    worker = Worker(home, Follower(store, Feed(home.journal), batch_bytes=8_000))
    flowing, rests, sizes = iter([True, True, False, False]), iter([0.0, 0.001]), []

    def rest_s(_position: object) -> float:
        worker.pace.gentle = next(flowing, False)
        return next(rests, 0.0)

    monkeypatch.setattr(worker.pace, "rest_s", rest_s)
    apply = store.apply

    def counted(batch: Any, cursor: Any) -> Any:
        sizes.append(sum(len(one.body) for one in batch))
        return apply(batch, cursor)

    store.apply = counted
    while not worker.follower.idle:
        worker._stretch()
    assert worker.follower.delivered == 61
    assert [size > 4_000 for size in sizes[:4]] == [True, False, False, True], sizes
    store.close()


def test_a_journal_that_begins_at_that_very_moment_is_followed_by_its_name(tmp_path: Path) -> None:
    home = home_at(str(tmp_path))
    store = Far(str(tmp_path / "far.sqlite3"))
    store.shared = True
    put: list[str] = []
    apply = store.apply
    store.apply = lambda batch, cursor: put.append(store.journal) or apply(batch, cursor)  # type: ignore[method-assign]
    feed = Feed(home.journal)
    one = Follower(store, feed)
    assert not one.step()
    assert store.journal == ""
    files = JournalFiles(home.journal)
    files.events(5)
    assert one.known, "it was asked for before it began"
    while one.step():
        pass
    assert set(put) == {files.journal}
    assert one.delivered == 6
    store.close()
