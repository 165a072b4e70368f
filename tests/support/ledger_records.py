"""Records, deliveries and journal files for the tests of stores, projector and queries. The journal is written here
by its published format alone, so that these tests do not lean on the code that writes the real one."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from levaithan.stores.roles import Cursor, Delivery

START = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
START_US = 1_795_424_400_000_000
JOURNAL = "j" * 32
SEGMENT = "journal-00000000000000000001.log"


def at(seconds: float) -> str:
    """A time that many seconds after START, as the journal writes it."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event(n: int, name: str = "PreToolUse", **over: Any) -> dict[str, Any]:
    """The record number `n` (seq 1 is the segment's header), a second after its predecessor. None drops a key."""
    call = over.pop("call", f"toolu_{n:04d}")
    payload = {"session_id": "s1", "hook_event_name": name, "tool_name": "Bash", "tool_use_id": call}
    payload["tool_input"] = {"command": f"echo {n}"}
    payload |= over.pop("payload", {})
    record = {
        "seq": n + 1, "v": 1, "kind": "event", "id": f"{n:032x}", "at": at(n), "machine": "m1", "event": name,
        "session_id": "s1", "tool_name": "Bash", "tool_use_id": call, "project": "/p", "cwd": "/p",
        "decision": "allow", "duration_ms": 0.5, "path": "native", "client_version": "2.1.330", "payload": payload,
    }  # fmt: skip
    record |= over
    return {key: value for key, value in record.items() if value is not None}


def delivery(record: dict[str, Any], /, **over: Any) -> Delivery:
    """`record` as the projector would hand it in."""
    body = json.dumps(record, separators=(",", ":")).encode()
    seq = record.get("seq", 0)
    made = Delivery(seq, hashlib.sha256(body).hexdigest(), JOURNAL, SEGMENT, seq * 1000, record, body)
    for key, value in over.items():
        setattr(made, key, value)
    return made


def cursor(seq: int) -> Cursor:
    """The cursor after the record `seq` of `delivery`."""
    return Cursor(JOURNAL, SEGMENT, (seq + 1) * 1000, seq, f"{seq:064x}")


def compact(record: dict[str, Any]) -> bytes:
    """`record` as the journal writes it: no spaces, its number first."""
    return json.dumps({"seq": record["seq"], **record}, separators=(",", ":")).encode()


class JournalFiles:
    """A journal folder written line by line, by the published format."""

    def __init__(self, directory: str, journal: str = JOURNAL) -> None:
        self.directory = directory
        self.journal = journal
        self.seq = 0
        self.hash = "0" * 64
        self.path = ""
        os.makedirs(directory, exist_ok=True)
        self.segment()

    def segment(self) -> None:
        """Begin a new segment."""
        first = self.seq + 1
        self.path = f"{self.directory}/journal-{first:020d}.log"
        self.add({"v": 1, "kind": "segment", "at": at(0), "journal": self.journal, "first": first, "prev": self.hash,
                  "format": "levaithan-journal/1"})  # fmt: skip

    def add(self, record: dict[str, Any] | bytes) -> int:
        """Append a record (its seq is set) or raw bytes as one; returns the offset of its line."""
        self.seq += 1
        body = record if isinstance(record, bytes) else compact({**record, "seq": self.seq})
        self.hash = hashlib.sha256(self.hash.encode() + b" " + body).hexdigest()
        with open(self.path, "ab") as file:
            offset = file.tell()
            file.write(self.hash.encode() + b" " + body + b"\n")
        return offset

    def events(self, count: int, first: int = 1, **over: Any) -> None:
        """Append `count` events."""
        for n in range(first, first + count):
            self.add(event(n, **over))
