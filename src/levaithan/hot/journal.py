"""The journal: the append-only, hash-chained record that every hook call is written into before it is answered.

Any number of processes write at once: each append holds a lock on the folder while it looks at the end, adds its lines
with one write() and lets go. docs/reference/journal-format.md is the promise to readers. Standard library only, and
lean: the one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from levaithan.hot import gap as gaps
from levaithan.hot import lines, segments, tail
from levaithan.hot.folder import Folder, JournalError, wrap
from levaithan.hot.put_back import put_back
from levaithan.hot.sha256 import pick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.ahead import Ahead
    from levaithan.hot.tail import Known, Tail

    Body = bytes | Callable[[int, str], bytes]

__all__ = ["Appended", "Journal", "JournalError"]
_SLACK = 64 << 10


class Appended:
    """Number and hash of a record. duplicate: the body that was there already under this id, or None."""

    __slots__ = ("duplicate", "hash", "seq")

    def __init__(self, seq: int, digest: str, duplicate: bytes | None = None) -> None:
        self.seq = seq
        self.hash = digest
        self.duplicate = duplicate


class Journal:
    """A writer. Does no I/O before the first `append` (or `open`, which is an append of nothing).

    One thread may append while another syncs. found: what was found and mended, in words. before_rotate(seq, hash) is
    called under the lock when a segment is full and synced; what it returns becomes the segment's last record. What
    cannot be recorded is counted in the first of the `gap` files that can be written, so do not retry a failed batch.
    ahead: of a writer that lives long and syncs always.
    """

    def __init__(
        self,
        directory: str,
        *,
        fsync: str = "always",
        segment_bytes: int = 64 << 20,
        max_record_bytes: int = 16 << 20,
        machine: str = "",
        fsync_interval_ms: int = 200,
        gap: Sequence[str] | None = None,
        before_rotate: Callable[[int, str], bytes | None] | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        self.directory = directory
        self.found: list[str] = []
        self.before_rotate = before_rotate
        self.gap = gaps.files(directory) if gap is None else tuple(gap)
        self._fsync, self._durable = fsync, fsync != "never"
        self._interval_s = fsync_interval_ms / 1000
        self._segment_bytes = segment_bytes
        self._max_bytes = max_record_bytes + _SLACK
        self._machine = machine or os.uname().nodename
        self._sha256 = pick()
        self._mutex, self._sync_mutex = allocate_lock(), allocate_lock()
        self._folder, self._folder_seen = Folder(directory, self._say), (0, 0, 0)
        self._tail: Tail | None = None
        self._before: Tail | None = None
        self._last: tuple[int, str] = (0, segments.ZERO)
        self._id = ""
        self._due: list[bytes] = []
        self._retired: list[int] = []
        self._appended = self._synced = 0  # each is changed by one thread only
        self._suspect: str | None = None
        self._synced_at = -1e9
        self._drops = gaps.Drops(self.gap)
        self._disk = ahead or lines.Direct()

    @property
    def journal(self) -> str:
        """The journal's id; "" before the first append. Inside a callable or before_rotate it is always known."""
        return self._id

    def open(self) -> None:
        """Look at the end and mend it, see `found`; make the write-ahead file where it is gone. Raises JournalError."""
        self.append([])

    def append(self, items: Sequence[tuple[str, Body]], *, replay: bool = False) -> list[Appended]:
        """Add records, in order, all or none; durable only after `sync`. Raises JournalError, and counts the gap.

        items: (event id or "", JSON object without seq); a callable gets (last seq, last hash) and gives the body.
        An id that another writer recorded since our last append is not written again; `replay` looks for it in the
        last 32 MiB too.
        """
        count = sum(not callable(body) for _, body in items)
        with self._mutex:
            try:
                if not self._folder.lock():
                    self._forget()
                try:
                    return self._append(items, replay)
                finally:
                    self._folder.unlock()
            except OSError as error:
                if isinstance(error, lines.UnsyncedError):
                    self._unsynced(error, self._appended - self._synced)
                    self._disk.failed = error  # for the next sync: one may be under way
                self._forget()
                failure = wrap(error, self.directory)
                self._drops.add(count, failure.reason)
                raise failure from error
            except BaseException as error:  # the time limit of a one-shot may ring anywhere
                self._forget()
                if not isinstance(error, Exception):
                    self._drops.add(count, "interrupted")
                raise

    def sync(self, *, force: bool = False) -> None:
        """Bring what this process appended to the disk, as the fsync setting says. Raises JournalError: not durable.

        force: also when the interval is not over. After a failure nothing more is added to that segment.
        """
        waits = self._fsync == "interval" and time.monotonic() - self._synced_at < self._interval_s
        if not self._durable or (waits and not force):
            return
        with self._sync_mutex:
            appended, current = self._appended, self._tail
            try:
                closed = self._sync_retired()
                self._disk.heard()
                if current is not None and appended > self._synced and current.descriptor not in closed:
                    self._disk.sync(current)
            except OSError as error:
                self._unsynced(error, appended - self._synced + self._disk.abandon())
                self._synced = appended
                raise wrap(error, self.directory) from error
            self._synced, self._synced_at = appended, time.monotonic()

    def _unsynced(self, error: OSError, records: int) -> None:
        """The last segment could not be synced, and so many records may be lost."""
        self._suspect = f"syncing it failed ({error.strerror})"
        self._drops.add(records, "io")

    def close(self) -> None:
        """Give the descriptors back (without a sync); the next append opens anew."""
        with self._mutex, self._sync_mutex:
            self._forget()
            self._drops.add(self._disk.close(self._retired), "io")
            while self._retired:
                os.close(self._retired.pop())
            self._folder.close()

    def _sync_retired(self) -> list[int]:
        """The descriptors that were synced and given back: an append beside us may just have retired the last one."""
        closed: list[int] = []
        while self._retired:
            closed.append(self._retired.pop())
            try:
                lines.sync_file(closed[-1])
            finally:
                os.close(closed[-1])
        return closed

    def _append(self, items: Sequence[tuple[str, Body]], replay: bool) -> list[Appended]:
        ids = [one for one, _ in items if one]
        known: Known = {}
        end = self._tail
        if end is None or self._suspect or not self._unchanged(end):
            end = self._reopen(ids, known)
        if not ids:  # the journal is opened, or signed: no hook waits
            self._disk.begin()
            self._folder_seen = self._folder.stamp()
        if replay:
            tail.look_back(self.directory, end, ids, known)
        taken = gaps.Taken(self.gap)
        try:
            due = self._due + self._drops.due(taken)
            done = self._write(end, due, items, known) if items or due else []
        except BaseException:
            taken.release()
            raise
        self._drops.told(taken)
        self._due = []
        return done

    def _unchanged(self, end: Tail) -> bool:
        """Whether nobody wrote or began another segment since our last append.

        A segment that is over has lost its write bit; where modes mean nothing, the folder's time tells.
        """
        if end.descriptor < 0:
            return False
        seen = os.fstat(end.descriptor)
        same = seen.st_size == end.size and bool(seen.st_mode & 0o200) and seen.st_nlink > 0
        return same and self._folder.stamp() == self._folder_seen

    def _reopen(self, ids: list[str], known: Known) -> Tail:
        """The tail as it is now, with those of `ids` that others recorded since the last one."""
        old = self._tail or self._before
        finder = self._finder()
        put_back(finder)
        end = finder.find()
        self._due += [segments.encode(one) for one in finder.repairs]
        if old is not None:
            tail.search_since(self.directory, old, end, ids, known)
        elif self.gap:
            gaps.prepare(self.gap[0])
        self._identify(end)
        self._stand_at(end)
        return end

    def _finder(self) -> tail.Finder:
        return tail.Finder(self.directory, self._sha256, self._say, synced=self._durable)

    def _identify(self, end: Tail) -> None:
        """Which journal it is, and whether it still has what this process wrote: if not, its numbers stay taken."""
        name = tail.read_name(self.directory) if end.name else None
        if name and self._id and name != self._id:
            self._say(f"the journal {self._id} was replaced by another one, {name}, which is continued")
            self._last = (0, segments.ZERO)
        self._id = name or (self._id if self._last[0] else "")
        seq, digest = self._last
        if end.seq < seq:
            lost = f"the records {end.seq + 1} to {seq} were here and are cut off"
            self._say(f"{lost}; the journal goes on with {seq + 1}: run `levaithan journal verify`")
            end.damage, end.seq, end.hash = lost, seq, digest

    def _write(self, end: Tail, due: list[bytes], items: Sequence[tuple[str, Body]], known: Known) -> list[Appended]:
        fresh = [body for one, body in items if one not in known]
        if not fresh and not due:
            return [Appended(*known[one]) for one, _ in items]
        self._id = self._id or os.urandom(16).hex()  # not before: another process may begin it
        if self._suspect and end.name:
            end.damage, self._suspect = end.damage or self._suspect, None
        size = sum(map(len, due)) + sum(600 if callable(body) else len(body) + 100 for body in fresh)
        if not end.closed and end.size + size > self._segment_bytes and end.seq > end.first:
            self._say(lines.finish(end, self._sha256, self.before_rotate, durable=self._durable))
        new = lines.Lines(end.seq, end.hash, self._sha256)
        if end.closed:
            new.add(segments.header(end.seq + 1, end.hash, self._id, self._machine, end.damage))
        for body in due:
            new.add(body)
        done = self._lines(new, items, known)
        if end.closed:
            end = lines.begin(end, new, self._folder.descriptor, self._finder(), durable=self._durable)
            self._stand_at(end)
        else:
            data = new.data()
            lines.write_whole(end.descriptor, data, end.size)
            self._disk.add(end, end.size, data)
            end.size += new.size
        end.seq, end.hash = self._last = new.seq, new.hash
        self._appended += len(new.parts)
        return done

    def _stand_at(self, end: Tail) -> None:
        self._forget()
        self._tail = end
        self._disk.doubt()
        self._folder_seen = self._folder.stamp()

    def _lines(self, new: lines.Lines, items: Sequence[tuple[str, Body]], known: Known) -> list[Appended]:
        done = []
        for one, body in items:
            if one and one in known:
                done.append(Appended(*known[one]))
                continue
            made = body(new.seq, new.hash) if callable(body) else body
            if len(made) > self._max_bytes:
                made = lines.too_long(one, made, self._sha256)
            stored = new.add(made)
            done.append(Appended(new.seq, new.hash))
            if one:
                known[one] = (new.seq, new.hash, stored)
        return done

    def _forget(self) -> None:
        """A sync in another thread may be using the descriptor: only sync and close give descriptors back.

        Where we were is kept: what others record from there on is looked through at the next append.
        """
        if self._tail is not None:
            self._before, self._tail = self._tail, None
            if self._before.descriptor >= 0:
                self._retired.append(self._before.descriptor)

    def _say(self, words: str) -> None:
        if words and words not in self.found:
            self.found.append(words)
