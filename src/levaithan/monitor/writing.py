"""Puts the monitor's own records into the journal, synced. Who writes keeps what could not be written, and goes on: the
trouble may be the journal itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot import hotconf, wire
from levaithan.hot.halts import stamp
from levaithan.hot.journal import Journal
from levaithan.hot.redact import redact_tree

if TYPE_CHECKING:
    from levaithan.hot.paths import Home


class Writer:
    """Writes records of `home`, made on `machine`."""

    def __init__(self, home: Home, machine: str) -> None:
        conf = hotconf.read(home.hot_conf)
        self._machine = machine
        self._journal = Journal(
            home.journal, fsync="always", segment_bytes=conf.segment_bytes, max_record_bytes=conf.max_record_bytes,
            machine=machine,
        )  # fmt: skip

    def write(self, kind: str, body: dict[str, Any]) -> None:
        """Append a record of `kind`, redacted; `at` is now unless `body` says when. Raises JournalError, OSError."""
        one = wire.new_event_id()
        at = stamp(time.time_ns() // 1000)
        record = {"v": 1, "kind": kind, "id": one, "at": at, "machine": self._machine, **body}
        self._journal.append([(one, orjson.dumps(redact_tree(record)[0], default=str))])
        self._journal.sync()

    def close(self) -> None:
        """Give the descriptors back."""
        self._journal.close()
