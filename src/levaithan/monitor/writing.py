"""Puts the monitor's own records into the journal, synced. A journal that cannot be written holds up no alarm: what it
does not take is kept and tried again, in order.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot import hotconf, wire
from levaithan.hot.halts import stamp
from levaithan.hot.journal import Journal, JournalError
from levaithan.hot.redact import redact_tree

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

MOST_WAITING = 10_000


class Writer:
    """Writes records of `home`. waiting: those that the journal did not take yet; lost: how many were too many."""

    def __init__(self, home: Home, own: dict[str, None], machine: str = "") -> None:
        conf = hotconf.read(home.hot_conf)
        self._journal = Journal(
            home.journal, fsync="always", segment_bytes=conf.segment_bytes, max_record_bytes=conf.max_record_bytes,
            machine=machine,
        )  # fmt: skip
        self._own = own
        self._machine = machine
        self.waiting: deque[tuple[str, bytes]] = deque()
        self.lost = 0
        self.error = ""

    def write(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Append a record of `kind`; gives it as it stands in the journal, redacted, with `id`, `at` and `machine`.

        Never raises for the journal: see `retry`."""
        one = str(body.get("id") or wire.new_event_id())
        record: dict[str, Any] = {"v": 1, "kind": kind, "id": one, "at": stamp(time.time_ns() // 1000)}
        if self._machine:
            record["machine"] = self._machine
        record = redact_tree(record | {key: value for key, value in body.items() if key != "id"})[0]
        if len(self.waiting) >= MOST_WAITING:
            self.lost += 1
            return record
        self.waiting.append((one, orjson.dumps(record, default=str)))
        self._own[one] = None
        self.retry()
        return record

    def retry(self) -> bool:
        """Append what waits; whether nothing waits any more."""
        if not self.waiting:
            return True
        try:
            self._journal.append(list(self.waiting), replay=bool(self.error))
            self._journal.sync()
        except (JournalError, OSError) as error:
            self.error = str(error)
            return False
        self.waiting.clear()
        self.error = ""
        return True

    def close(self) -> None:
        """Try once more, and give the descriptors back."""
        self.retry()
        self._journal.close()
