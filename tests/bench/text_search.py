"""Full text over millions of events, as a team asks it: the words of Elasticsearch, the rows of PostgreSQL.

Both servers hold the same events by the same ids: PostgreSQL makes them itself (ledger_postgres), the search is filled
through its adapter. `python -m tests.bench.text_search --events 10000000` measures this alone; filling takes most of an
hour on two cores.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench import bigledger, launching, ledger_postgres, machine, report
from tests.bench.report import Row
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.postgres import Postgres
from tests.support import elastic_place, postgres_place

from levaithan.queries import audit
from levaithan.queries.asking import Filters

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.elastic_search import ElasticSearch
    from levaithan.stores.postgres_ledger import PostgresLedger

MOST_MS = 50
LIMIT = 50
_DAY_US = 86_400_000_000


def measure(folder: str, events: int, rounds: int) -> list[Row]:
    """A row a question, on `events` events over ledger_postgres.MONTHS months."""
    postgres, elastic = Postgres(durable=True, **ledger_postgres.MEMORY), Elasticsearch(fast_start=False)
    postgres.start()
    try:
        elastic.start()
        try:
            return _rows(postgres, elastic, folder, events, rounds)
        finally:
            elastic.stop()
    finally:
        postgres.stop()


def _rows(postgres: Postgres, elastic: Elasticsearch, folder: str, events: int, rounds: int) -> list[Row]:
    ledger = postgres_place.ledger(postgres_place.database(postgres.url()), ledger_postgres.JOURNAL, timeout_s=60.0)
    search = elastic_place.search(elastic.endpoint(), Path(folder), "bench", journal=ledger_postgres.JOURNAL)
    try:
        first, step = ledger_postgres.fill(ledger, events)
        _fill(search, events, first, step)
        asked = _asked(ledger, search, first + events * step)
        took = launching.interleaved({what: one for what, (one, _) in asked.items()}, rounds)
    finally:
        ledger.close()
        search.close()
    return [
        Row(
            f"text search: {what}; Elasticsearch and PostgreSQL, {events:,} events", f"{MOST_MS} ms in the query",
            launching.milliseconds(took[what]), median(took[what]) * 1000 <= MOST_MS,
            f"first, cold {took[what][0] * 1000:.1f} ms; {rows} rows of at most {LIMIT}; N={rounds}",
        )
        for what, (_, rows) in asked.items()
    ]  # fmt: skip


def _asked(ledger: PostgresLedger, search: ElasticSearch, ends: int) -> dict[str, tuple[Callable[[], float], int]]:
    """question -> (asks it once and gives the seconds, how many rows it has). Each has rows, or it is no question."""
    one, other = _common_words()
    bash, day = Filters(tool="Bash"), Filters(since_us=ends - _DAY_US)
    questions = {
        f"a word of one event in {bigledger.RARE_EVERY:,}": (bigledger.RARE, Filters()),
        "a word of one event in 500": (one, Filters()),
        "two such words": (f"{one} {other}", Filters()),
        "a word of one event in 500, of calls of Bash": (one, bash),
        "a word of one event in 500, of the last day": (one, day),
        "a word of five events in eight": ("home", Filters()),
    }

    def timed(words: str, filters: Filters) -> Callable[[], float]:
        def once() -> float:
            begun = time.perf_counter()
            found = audit.search(ledger, search, words, filters, limit=LIMIT)
            took = time.perf_counter() - begun
            if not found.rows:
                raise SystemExit(f"nothing was found for {words!r}")
            return took

        return once

    return {
        what: (timed(words, filters), len(audit.search(ledger, search, words, filters, limit=LIMIT).rows))
        for what, (words, filters) in questions.items()
    }


def _common_words() -> tuple[str, str]:
    """Two of the words that bigledger's texts are drawn of."""
    words = bigledger.words(random.Random(bigledger.SEED))
    return words[1], words[2]


def _fill(search: Any, events: int, first_us: int, step_us: int) -> None:
    search.migrate()
    begun, done = time.monotonic(), 0
    gc.disable()
    try:
        for batch in bigledger.batches(events, first_us, step_us):
            if search.apply(batch, bigledger.cursor_after(batch)):
                raise SystemExit("the search took not all of a batch: the generator makes what it refuses")
            done += len(batch)
            print(f"\rfilling Elasticsearch: {done:,} of {events:,}", end="", file=sys.stderr)
    finally:
        gc.enable()
    print(f"\nfilled {events:,} events in {time.monotonic() - begun:.0f} s", file=sys.stderr)


def main() -> int:
    """Measure and print; 5 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="put them into docs/reference/performance.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        about = machine.describe(folder)
        rows = measure(os.path.realpath(folder), given.events, given.rounds)
    print(report.table(rows))
    if given.write:
        from tests.bench import run  # which imports this

        run.write({"text": rows}, about, f"{given.events:,} events, each question {given.rounds} times")
    return 0 if all(row.met for row in rows) else 5


if __name__ == "__main__":
    sys.exit(main())
