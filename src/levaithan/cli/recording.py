"""Puts what an operator did into the journal: the record is of people, too. Standard library and `hot` only."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from levaithan.hot import hotconf, wire

if TYPE_CHECKING:
    from levaithan.hot.journal import Journal
    from levaithan.hot.paths import Home


def writer(home: Home) -> Journal:
    """The journal of `home`, for writing; what a person does is synced whatever the setting for hooks is."""
    from levaithan.hot.gate import machine_id
    from levaithan.hot.journal import Journal

    conf = hotconf.read(home.hot_conf)
    return Journal(
        home.journal, fsync="always", segment_bytes=conf.segment_bytes, max_record_bytes=conf.max_record_bytes,
        machine=machine_id(home),
    )  # fmt: skip


def note(home: Home, kind: str, body: dict[str, Any], *, record_id: str = "") -> str | None:
    """Append a record of `kind`, synced, under `record_id` or one of its own. None when it is in the journal, else why
    it is not; never raises for that."""
    from levaithan.hot.gate import machine_id
    from levaithan.hot.halts import stamp
    from levaithan.hot.redact import redact_tree

    one = record_id or wire.new_event_id()
    known = {"v": 1, "kind": kind, "id": one, "at": stamp(time.time_ns() // 1000), "machine": machine_id(home)}
    record = known | body
    try:
        body_text = json.dumps(redact_tree(record)[0], separators=(",", ":"))
        journal = writer(home)
        try:
            journal.append([(one, body_text.encode("ascii"))])
            journal.sync()
        finally:
            journal.close()
    except Exception as problem:  # the deed is done: whatever keeps it out of the journal is told, not raised
        return str(problem)
    return None
