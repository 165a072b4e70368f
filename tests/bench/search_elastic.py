"""How fast the projector fills the search on Elasticsearch: a server of its own, both Java compilers on."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import bigledger, report
from tests.bench.report import Row
from tests.servers.elasticsearch import Elasticsearch
from tests.support import elastic_place
from tests.support.ledger_records import JournalFiles

from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_RATE = 5_000
JOURNAL = "b" * 32
WARM = 100_000
"""Events before those that are timed: a Java server compiles itself while it begins, and is five times as slow."""


def measure(folder: str, events: int) -> list[Row]:
    """The row about the search on Elasticsearch."""
    directory = os.path.join(folder, "journal-for-elasticsearch")
    _journal(directory, WARM + events)
    server = Elasticsearch(fast_start=False)
    server.start()
    store = elastic_place.search(server.endpoint(), Path(folder), "bench", journal=JOURNAL)
    follower = Follower(store, Feed(directory))
    gc.collect()
    gc.disable()  # as the projector's process does
    try:
        warm, first = 0, time.perf_counter()
        begun, spent = first, time.process_time()
        while follower.step():
            if not warm and follower.delivered >= WARM:
                warm, begun, spent = follower.delivered, time.perf_counter(), time.process_time()
        took, spent, whole = time.perf_counter() - begun, time.process_time() - spent, time.perf_counter() - first
        there = len(store.fingerprints(1, 1 << 62))
    finally:
        gc.enable()
        store.close()
        server.stop()
    if follower.error or there != WARM + events:
        raise SystemExit(f"the search holds {there} of {WARM + events} events: {follower.error}")
    timed = WARM + events - warm
    rate = timed / took
    how = (
        f"Follower.step on a journal until all are in, the last {timed:,} events of {there:,} (all of them "
        f"{there / whole:,.0f}/s: the server's compiler is at work in the first 100,000); {spent / timed * 1e6:.0f} "
        f"microseconds of Python an event of {took / timed * 1e6:.0f} in all: the rest is the server's"
    )
    what = "events a second into the search on Elasticsearch"
    return [Row(what, f"{LEAST_RATE:,}/s", f"{rate:,.0f}/s", rate >= LEAST_RATE, how)]


def _journal(directory: str, events: int) -> None:
    files, chance = JournalFiles(directory, JOURNAL), random.Random(20261127)
    words = bigledger.words(chance)
    first_us = int(time.time() * 1e6) - events * 1000
    with open(files.path, "ab") as file:
        for number in range(events):
            record = bigledger.record(number, first_us + number * 1000, chance, words)
            files.seq += 1
            body = json.dumps({**record, "seq": files.seq}, separators=(",", ":")).encode()
            files.hash = hashlib.sha256(files.hash.encode() + b" " + body).hexdigest()
            file.write(files.hash.encode() + b" " + body + b"\n")


def main(arguments: Sequence[str]) -> int:
    """`python -m tests.bench.search_elastic [EVENTS]`: this part alone."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows = measure(folder, int(arguments[0]) if arguments else 100_000)
    print(report.table(rows))
    return 0 if all(row.met for row in rows) else 5


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
