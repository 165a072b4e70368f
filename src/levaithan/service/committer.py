"""Group commit: one thread takes all that waits, appends it with one write, syncs once, and then all of it is answered.

The only thread that appends: signed checkpoints and pruning are done here too, as jobs between two batches, so that
nothing else needs a lock. An entry's answer leaves only after its sync. Knows nothing of sockets and decisions.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.journal import Appended, Journal

    Done = Callable[[Sequence["Entry"], list[Appended] | None, BaseException | None], None]

MOST_ENTRIES = 1024
MOST_BYTES = 8 << 20


class Entry(Protocol):
    """What is to be recorded: the event's id and its record without a number."""

    id: str
    body: bytes


class Committer:
    """`put` entries from the loop's thread, `ring` after the last of a turn; `done` is called in the committer's thread
    with each batch and either its numbers or why it was not recorded (it is not tried again: the gap is counted)."""

    def __init__(self, journal: Journal, done: Done, *, sync_every_s: float | None = None) -> None:
        self.journal = journal
        self.head: tuple[int, str] = (0, "")
        self.batches = 0
        self.last_error: str | None = None
        self.failed = 0
        self._done = done
        self._sync_every_s = sync_every_s
        self._waiting: deque[Entry] = deque()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._asleep = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def put(self, entry: Entry) -> None:
        """Queue an entry; the caller keeps the queue bounded."""
        self._waiting.append(entry)

    def ring(self) -> None:
        """There is something to do."""
        if self._asleep:
            self._asleep = False
            self._bell.put(None)

    def job(self, work: Callable[[], Any]) -> Future[Any]:
        """Do `work` in the committer's thread, between two batches."""
        future: Future[Any] = Future()
        self._jobs.append((work, future))
        self.ring()
        return future

    def stop(self, timeout_s: float) -> bool:
        """Do what waits, sync, and end. False when that took longer."""
        self._stopping = True
        self._bell.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            if self._waiting:
                self._commit(self._take())
            elif self._jobs:
                self._work()
            elif self._stopping:
                break
            else:
                self._sleep()
        self._sync_rest()

    def _sleep(self) -> None:
        """Wait for the bell; a ring between the look and the wait is not lost, for it sees `_asleep` set."""
        self._asleep = True
        if self._waiting or self._jobs or self._stopping:
            self._asleep = False
            return
        try:
            self._bell.get(timeout=self._sync_every_s)
        except Empty:
            self._sync_rest()
        self._asleep = False

    def _take(self) -> list[Entry]:
        """What waits, in order, up to the bounds of one batch."""
        waiting, batch, size = self._waiting, [], 0
        for _ in range(min(len(waiting), MOST_ENTRIES)):
            entry = waiting.popleft()
            batch.append(entry)
            size += len(entry.body)
            if size > MOST_BYTES:
                break
        return batch

    def _commit(self, batch: list[Entry]) -> None:
        try:
            done = self.journal.append([(one.id, one.body) for one in batch])
            self.journal.sync()
        except BaseException as error:  # JournalError, and whatever else: the thread must outlive it
            self.failed += len(batch)
            self.last_error = str(error) or type(error).__name__
            self._done(batch, None, error)
            time.sleep(0)  # let the loop answer before the next attempt on the same sick disk
            return
        self.batches += 1
        self.last_error = None
        last = done[-1]
        if last.seq > self.head[0]:
            self.head = (last.seq, last.hash)
        self._done(batch, done, None)

    def _work(self) -> None:
        work, future = self._jobs.popleft()
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    def _sync_rest(self) -> None:
        """With fsync=interval the last batches may not be synced yet."""
        try:
            self.journal.sync(force=True)
        except OSError as error:
            self.last_error = str(error)
