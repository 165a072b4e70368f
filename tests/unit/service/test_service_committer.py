"""Group commit: what is answered was synced, in order; failures are told and not retried; the lock never hangs us."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levaithan.hot.journal import Appended, Journal, JournalError
from levaithan.service.committer import ALONE_S, FAST_SYNC_S, MOST_ENTRIES, Committer


class Entry:
    def __init__(self, number: int) -> None:
        self.id = f"{number:032x}"
        self.body = b'{"v":1,"kind":"event","id":"%s"}' % self.id.encode()


class Seen:
    """What the committer told, in its order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.errors: list[str] = []
        self.sizes: list[int] = []

    def __call__(self, batch: Any, done: list[Appended] | None, error: BaseException | None) -> None:
        self.sizes.append(len(batch))
        if done is None:
            self.errors.append(str(error))
        else:
            self.ids += [one.id for one in batch]

    async def reach(self, count: int) -> None:
        until = time.monotonic() + 10
        while len(self.ids) + sum(self.sizes if self.errors else []) < count and time.monotonic() < until:
            await asyncio.sleep(0.005)


class SlowDiskImitation(Journal):
    """A journal whose syncs take time; records what was synced when it was answered."""

    pause_s = 0.03
    synced_seq = 0

    def sync(self, *, force: bool = False) -> None:
        seq = self._last[0]
        time.sleep(self.pause_s)
        super().sync(force=force)
        self.synced_seq = seq


class BrokenDiskImitation(Journal):
    """A journal that cannot be written for a while."""

    broken = True

    def append(self, items: Any, *, replay: bool = False) -> list[Appended]:
        if self.broken:
            raise JournalError("full", "the disk is full")
        return super().append(items, replay=replay)


def place(tmp_path: Path) -> str:
    folder = tmp_path / "logs" / "journal"
    folder.mkdir(parents=True)
    return str(folder)


def test_what_comes_during_a_sync_is_one_batch_and_nothing_is_answered_unsynced(tmp_path: Path) -> None:
    async def life() -> None:
        journal, seen = SlowDiskImitation(place(tmp_path)), Seen()

        def done(batch: Any, appended: list[Appended] | None, error: BaseException | None) -> None:
            assert appended is not None
            assert appended[-1].seq <= journal.synced_seq
            seen(batch, appended, error)

        committer = Committer(journal, done)
        committer.start()
        for number in range(200):
            committer.put(Entry(number))
            committer.ring()
        await seen.reach(200)
        assert seen.ids == [Entry(number).id for number in range(200)]
        assert seen.sizes == [1, 199]
        assert await committer.stop(5)
        assert not committer.alive

    asyncio.run(life())


def test_batches_are_bounded(tmp_path: Path) -> None:
    async def life() -> None:
        seen = Seen()
        committer = Committer(Journal(place(tmp_path)), seen)
        committer.start()
        for number in range(MOST_ENTRIES * 2 + 5):
            committer.put(Entry(number))
        committer.ring()
        await seen.reach(MOST_ENTRIES * 2 + 5)
        assert seen.sizes == [MOST_ENTRIES, MOST_ENTRIES, 5]
        await committer.stop(5)

    asyncio.run(life())


def test_a_failure_is_told_once_and_the_next_batch_is_tried(tmp_path: Path) -> None:
    async def life() -> None:
        journal, seen = BrokenDiskImitation(place(tmp_path)), Seen()
        committer = Committer(journal, seen)
        committer.start()
        committer.put(Entry(1))
        committer.ring()
        assert seen.errors == ["the disk is full: " + str(JournalError("full", "")).partition(": ")[2]]
        assert committer.last_error is not None
        assert committer.failed == 1
        journal.broken = False
        committer.put(Entry(2))
        committer.ring()
        await seen.reach(2)
        assert seen.ids == [Entry(2).id]
        assert committer.last_error is None
        await committer.stop(5)

    asyncio.run(life())


def test_a_lock_that_is_held_does_not_hold_the_loop(tmp_path: Path) -> None:
    """Whoever holds the journal's lock may be a stopped process: the loop must go on answering pings."""

    async def life() -> None:
        folder = place(tmp_path)
        journal, seen = Journal(folder), Seen()
        committer = Committer(journal, seen)
        committer.start()
        await committer.job(journal.open)
        holder = os.open(folder, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        begun = time.monotonic()
        committer.put(Entry(1))
        committer.ring()
        assert time.monotonic() - begun < 0.5
        await asyncio.sleep(0.2)
        assert seen.ids == []
        os.close(holder)
        await seen.reach(1)
        assert seen.ids == [Entry(1).id]
        assert committer.slow == 1
        await committer.stop(5)

    asyncio.run(life())


def test_jobs_are_done_between_batches_and_tell_their_errors(tmp_path: Path) -> None:
    async def life() -> None:
        journal, seen = SlowDiskImitation(place(tmp_path)), Seen()
        committer = Committer(journal, seen)
        committer.start()
        committer.put(Entry(1))
        committer.ring()
        job = committer.job(lambda: (list(seen.ids), journal.synced_seq))
        fails = committer.job(lambda: 1 // 0)
        committer.put(Entry(2))
        committer.ring()
        _told, synced = await job
        assert synced == 2  # the segment's header and the first record
        try:
            await fails
        except ZeroDivisionError:
            pass
        else:
            raise AssertionError("the job's error was lost")
        await seen.reach(2)
        assert seen.ids == [Entry(1).id, Entry(2).id]
        await committer.stop(5)

    asyncio.run(life())


def test_interval_syncs_also_when_nothing_more_comes(tmp_path: Path) -> None:
    async def life() -> None:
        synced: list[bool] = []

        class Watched(Journal):
            def sync(self, *, force: bool = False) -> None:
                super().sync(force=force)
                synced.append(force)

        seen = Seen()
        committer = Committer(Watched(place(tmp_path), fsync="interval", fsync_interval_ms=50), seen, sync_every_s=0.05)
        committer.start()
        committer.put(Entry(1))
        committer.ring()
        await seen.reach(1)
        synced.clear()
        await asyncio.sleep(0.3)
        assert True in synced
        await committer.stop(5)

    asyncio.run(life())


class WatchedDiskImitation(Journal):
    """A journal that notes which thread syncs; a sync takes as long as it is told to, by the clock `now` of its own."""

    now = 100.0
    takes_s = 0.0
    fails = False

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.by_loop: list[bool] = []

    def sync(self, *, force: bool = False) -> None:
        super().sync(force=force)
        self.by_loop.append(threading.current_thread() is threading.main_thread())
        self.now += self.takes_s
        if self.fails:
            raise JournalError("io", "the disk is gone")


async def put(committer: Committer, journal: WatchedDiskImitation, numbers: Sequence[int], after_s: float) -> bool:
    """Put entries after a while, and wait for them; whether the loop's thread synced them."""
    journal.now += after_s
    before = len(journal.by_loop)
    for number in numbers:
        committer.put(Entry(number))
    committer.ring()
    until = time.monotonic() + 10
    while (len(journal.by_loop) == before or committer._busy) and time.monotonic() < until:
        await asyncio.sleep(0.001)
    assert len(journal.by_loop) == before + 1
    return journal.by_loop[-1]


async def settle(committer: Committer, journal: WatchedDiskImitation, numbers: Sequence[int]) -> None:
    """Put entries one after the other, each alone."""
    for number in numbers:
        await put(committer, journal, [number], 2 * ALONE_S)


def test_what_comes_alone_to_a_fast_disk_is_synced_at_once_and_the_rest_by_the_thread(tmp_path: Path) -> None:
    async def life() -> None:
        journal, seen = WatchedDiskImitation(place(tmp_path)), Seen()
        committer = Committer(journal, seen, clock=lambda: journal.now)
        committer.start()
        quiet = 2 * ALONE_S
        assert not await put(committer, journal, [0], quiet), "nothing is known of the disk yet"
        assert await put(committer, journal, [1], quiet)
        assert not await put(committer, journal, [2], 0), "it came right behind another one"
        assert not await put(committer, journal, [3, 4], quiet), "they came together"
        await settle(committer, journal, range(5, 20))
        journal.takes_s = 5 * FAST_SYNC_S
        assert await put(committer, journal, [20], quiet), "that this one is slow could not be known"
        assert await put(committer, journal, [21], quiet), "a single slow one is the scheduler's"
        assert not await put(committer, journal, [22], quiet), "two in a row are the disk's"
        journal.takes_s = 0.0
        assert not await put(committer, journal, [23], quiet), "one that is fast again says little"
        await settle(committer, journal, range(24, 60))
        assert journal.by_loop[-1], "it is fast again"
        assert seen.ids == [Entry(number).id for number in range(60)]
        assert await committer.stop(5)

    asyncio.run(life())


def test_what_comes_behind_a_batch_is_answered_behind_it_recorded_or_not(tmp_path: Path) -> None:
    """Answers carry no id: who asked first would take the other's."""

    async def life() -> None:
        journal, told = WatchedDiskImitation(place(tmp_path)), []
        append = journal.append

        def failing(items: Any, **more: Any) -> Any:
            if items[0][0] == Entry(33).id:
                raise JournalError("io", "the disk is gone")
            return append(items, **more)

        journal.append = failing  # type: ignore[method-assign]
        seen = Seen()

        def noted(batch: Any, done: Any, error: Any) -> None:
            told.extend(one.id for one in batch)
            seen(batch, done, error)

        committer = Committer(journal, noted, clock=lambda: journal.now)
        committer.start()
        await settle(committer, journal, range(20))
        for last in (32, 33):
            journal.now += 2 * ALONE_S
            for number in (last + 10, last + 20):
                committer.put(Entry(number))
            committer.ring()
            committer.put(Entry(last))  # while those are synced
            journal.now += 2 * ALONE_S
            until = time.monotonic() + 10
            while Entry(last).id not in told and time.monotonic() < until:
                await asyncio.sleep(0.001)
            assert told[-3:] == [Entry(number).id for number in (last + 10, last + 20, last)]
        assert (len(seen.errors), committer.failed) == (1, 1)
        assert await committer.stop(5)

    asyncio.run(life())


def test_a_sync_that_fails_is_told_of_what_comes_alone_too(tmp_path: Path) -> None:
    async def life() -> None:
        journal, seen = WatchedDiskImitation(place(tmp_path)), Seen()
        committer = Committer(journal, seen, clock=lambda: journal.now)
        committer.start()
        await put(committer, journal, [0], 1)
        journal.fails = True
        assert await put(committer, journal, [1], 1)
        journal.fails = False
        assert await put(committer, journal, [2], 1)
        assert seen.ids == [Entry(0).id, Entry(2).id]
        assert len(seen.errors) == committer.failed == 1
        assert await committer.stop(5)

    asyncio.run(life())
