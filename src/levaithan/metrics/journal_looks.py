"""The journal's folder: can a record be written now, how long does a sync take, when was the whole chain proven.

Writable is tried, not asked for: the last segment is opened for writing, and a block is written and synced on the same
file system, in `logs/` (the journal's folder holds nothing that is not of the journal). Where a service runs it tells
how long its own syncs took, which is what hooks wait for; the probe's counts only without one.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import gap, segments, wire
from levaithan.metrics.families import SYNC_S
from levaithan.metrics.looks import Look

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.metrics.tally import Tally

PROBE_S = 5.0
LIMIT_S = 5.0
ASK_S = 2.0
BLOCK = 4096
LOST_S = 30.0
"""An event that was lost within so many seconds says that the journal cannot be written, whatever the probe says."""


class JournalLooks:
    """The journal of one home. service_pid: the service's process as it said last, None where none answered."""

    def __init__(self, home: Home, *, threads: bool = True) -> None:
        self.service_pid: int | None = None
        self._threads = threads
        self._ok = True
        self._syncs: tuple[int, list[float]] | None = None
        self._probe = Look("journal", lambda: probe(home), PROBE_S, LIMIT_S)
        self._asked = Look("service", lambda: ask(home), PROBE_S, LIMIT_S)
        if threads:
            self._probe.start()
            self._asked.start()

    def stop(self) -> None:
        """End the threads."""
        self._probe.stop()
        self._asked.stop()

    def collect(self, tally: Tally) -> None:
        """Bring the journal's gauges up to now."""
        if not self._threads:
            self._probe.once()
            self._asked.once()
        for found in self._asked.take():
            self._served(tally, found.value if found.error is None else None)
        for found in self._probe.take():
            self._ok = found.error is None
            if found.value is not None and self.service_pid is None:
                tally.observe("levaithan_journal_fsync_seconds", (), found.value)
        tally.set("levaithan_journal_writable", (), float(self._ok and not self._probe.overdue()))

    def _served(self, tally: Tally, told: dict[str, Any] | None) -> None:
        """What the service said of itself: its process, and the syncs it has counted since it began."""
        pid = told.get("pid") if told else None
        self.service_pid = pid if type(pid) is int else None
        syncs = (told or {}).get("journal", {}).get("syncs")
        if self.service_pid is None or not isinstance(syncs, list) or len(syncs) != len(SYNC_S) + 2:
            return
        before = self._syncs[1] if self._syncs and self._syncs[0] == self.service_pid else [0.0] * len(syncs)
        more = [max(0.0, float(new) - old) for new, old in zip(syncs, before, strict=True)]
        self._syncs = (self.service_pid, [float(one) for one in syncs])
        if any(more):
            tally.add_bins("levaithan_journal_fsync_seconds", (), more[:-1], more[-1])


def probe(home: Home) -> float | None:
    """How long a sync took where the journal is, seconds; None while there is no journal. Raises OSError when a record
    could not be written."""
    if not os.path.lexists(home.journal):  # its first writer makes it
        return None
    if not Path(home.journal).is_dir():
        raise NotADirectoryError(f"{home.journal} is no folder")
    if not os.access(home.journal, os.W_OK | os.X_OK):
        raise PermissionError(f"{home.journal} cannot be written")
    for name in segments.listing(home.journal)[0][-1:]:
        last = Path(home.journal, name)
        if last.stat().st_mode & 0o200:  # one without a write bit is complete: the next record begins another
            os.close(os.open(last, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK))
    if _losing(home):
        raise OSError("events could not be recorded just now")
    return _synced(Path(home.logs, f".probe.{os.getpid()}"))


def _losing(home: Home) -> bool:
    """Whether an event was counted as lost a moment ago, and nothing was recorded since."""
    now = time.time()
    for path in gap.files(home.journal):
        try:
            counted = Path(path).stat().st_mtime
        except OSError:
            continue
        if counted and 0 <= now - counted < LOST_S and gap.read([path]) is not None:
            return True
    return False


def _synced(path: Path) -> float:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        if os.write(descriptor, b"\0" * BLOCK) < BLOCK:
            raise OSError(f"{path} took only a part")
        begun = time.monotonic()
        getattr(os, "fdatasync", os.fsync)(descriptor)
        return time.monotonic() - begun
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def ask(home: Home) -> dict[str, Any] | None:
    """The service's status; None where none answers in time."""
    frame = wire.pack_request({"id": wire.new_event_id(), "op": "status", "timeout_ms": "1000"}, b"")
    try:
        _code, answer, _words = wire.request(home.socket, frame, ASK_S)
        told = json.loads(answer)
    except (OSError, wire.WireError, ValueError):
        return None
    return told if isinstance(told, dict) else None
