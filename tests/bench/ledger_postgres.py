"""The ledger on PostgreSQL: how fast the projector fills it, and what questions cost on millions of events by month.

A server of its own, which syncs as a real one does. `python -m tests.bench.ledger_postgres --events 10000000` measures
the questions alone, on that many events; the server makes them itself (COPY through Python would take hours).
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench import bigledger, launching, report
from tests.bench.report import Row
from tests.servers.postgres import Postgres
from tests.support import postgres_place
from tests.support.ledger_records import JournalFiles

from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.queries import audit, sessions
from levaithan.queries.asking import Filters
from levaithan.stores.postgres_link import patient
from levaithan.stores.roles import Cursor, Hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.stores.postgres_ledger import PostgresLedger

LEAST_RATE = 12_000
MONTHS = 6
JOURNAL = "b" * 32
_QUERY_MS = 50
MEMORY = {"shared_buffers": "1GB", "maintenance_work_mem": "512MB", "max_wal_size": "8GB", "work_mem": "16MB"}
_DAY_US = 86_400_000_000
_TOOLS = "(ARRAY['Bash','Bash','Bash','Read','Read','Edit','Write','Grep'])[1 + (n / 2) % 8]"
_SPAN = "%(first)s::bigint + n::bigint * %(step)s"
_FILL = (
    "INSERT INTO events SELECT lpad(to_hex(({at}) / 1000), 12, '0') || lpad(to_hex(n), 20, '0'), n, %(journal)s, "
    "md5(n::text), {at}, CASE n % 2 WHEN 0 THEN 'PreToolUse' ELSE 'PostToolUse' END, 's' || n / 400, NULL, NULL, NULL, "
    "{tool}, 'toolu_' || n / 2, CASE WHEN n % 422 = 0 THEN 'deny' ELSE 'allow' END, "
    "CASE WHEN n % 422 = 0 THEN 'fs.delete-root' END, NULL, NULL, 900, 'native', '2.1.330', '/p' || n / 40000, '/p', "
    "'default', 'bench', 0, 0, "
    '\'{{"payload": {{"tool_input": {{"command": "\' || repeat(md5(n::text), 12) || \'"}}}}}}\' '
    "FROM generate_series(%(low)s::int, %(high)s::int) n"
)
_CALLS = (
    "INSERT INTO tool_calls SELECT 'toolu_' || n / 2, 's' || n / 400, NULL, {tool}, {at}, 'pre', {at} + 900, 'post', "
    "'ok', 'allow', 900 FROM generate_series(%(low)s::int, %(high)s::int, 2) n"
)
_SESSIONS = (
    "INSERT INTO sessions (session_id, first_us, last_us, project) SELECT session_id, min(at_us), max(at_us), "
    "min(project) FROM events GROUP BY 1"
)


def measure(folder: str, events: int, questions: int, rounds: int) -> list[Row]:
    """The rows about the ledger on PostgreSQL."""
    server = Postgres(durable=True, **MEMORY)
    server.start()
    try:
        return [*_filling(server, folder, events), *asking(server, questions, rounds)]
    finally:
        server.stop()


def _filling(server: Postgres, folder: str, events: int) -> list[Row]:
    directory = os.path.join(folder, "journal-for-postgres")
    _journal(directory, events)
    ledger = postgres_place.ledger(postgres_place.database(server.url()), JOURNAL)
    ledger.migrate()
    follower = Follower(ledger, Feed(directory))
    gc.collect()
    gc.disable()  # as the projector's process does
    try:
        begun, spent = time.perf_counter(), time.process_time()
        while follower.step():
            pass
        took, spent = time.perf_counter() - begun, time.process_time() - spent
    finally:
        gc.enable()
    there = ledger.rows("SELECT count(*) FROM events")[0][0]
    ledger.close()
    if follower.error or there != events:
        raise SystemExit(f"the ledger holds {there} of {events} events: {follower.error}")
    rate = events / took
    how = (
        f"Follower.step on a journal of {events:,} events until all are in; {spent / events * 1e6:.0f} microseconds of "
        f"Python an event of {took / events * 1e6:.0f} in all: the rest is the server's, on the other core"
    )
    return [
        Row(
            "events a second into the ledger on PostgreSQL",
            f"{LEAST_RATE:,}/s",
            f"{rate:,.0f}/s",
            rate >= LEAST_RATE,
            how,
        )
    ]


def _journal(directory: str, events: int) -> None:
    files, chance = JournalFiles(directory, JOURNAL), random.Random(20261127)
    words = bigledger.words(chance)
    step_us = bigledger.DAYS * _DAY_US // events
    first_us = int(time.time() * 1e6) - events * step_us
    with open(files.path, "ab") as file:
        for number in range(events):
            record = bigledger.record(number, first_us + number * step_us, chance, words)
            files.seq += 1
            body = json.dumps({**record, "seq": files.seq}, separators=(",", ":")).encode()
            files.hash = hashlib.sha256(files.hash.encode() + b" " + body).hexdigest()
            file.write(files.hash.encode() + b" " + body + b"\n")


def asking(server: Postgres, events: int, rounds: int) -> list[Row]:
    """Fill a database with `events` over MONTHS months and ask each question `rounds` times."""
    ledger = postgres_place.ledger(postgres_place.database(server.url()), JOURNAL, timeout_s=60.0)
    first, step = fill(ledger, events)
    ends = first + events * step
    middle = events // 2 // 400 * 400
    ids = [_id(first + n * step, n) for n in range(7, events, max(1, events // 50))][:50]
    day = Filters(since_us=ends - _DAY_US, tool="Bash")
    asked: dict[str, Callable[[], Any]] = {
        "audit list --since 1d --tool Bash": lambda: _whole(audit.list_events(ledger, day, 50), 50),
        "audit list, the newest of all": lambda: _whole(audit.list_events(ledger, Filters(), 50), 50),
        "audit list --decision deny": lambda: _whole(audit.list_events(ledger, Filters(decision="deny"), 50), 50),
        "the timeline of a session": lambda: _whole(
            audit.list_events(ledger, Filters(session=f"s{middle // 400}"), 400), 400
        ),
        "session show": lambda: sessions.show(ledger, f"s{middle // 400}"),
        "one call explained": lambda: audit.show(ledger, f"toolu_{middle // 2}"),
        "text search: the ledger's part, 50 hits from all months": lambda: _whole(
            audit.search(ledger, _Hits(ids), "x", Filters(include_canary=True), limit=len(ids)), len(ids)
        ),
    }  # fmt: skip

    def timed(ask: Callable[[], Any]) -> Callable[[], float]:
        def once() -> float:
            begun = time.perf_counter()
            ask()
            return time.perf_counter() - begun

        return once

    took = launching.interleaved({what: timed(ask) for what, ask in asked.items()}, rounds)
    size = ledger.health().bytes
    ledger.close()
    return [
        Row(
            f"{what}; PostgreSQL, {events:,} events", f"{_QUERY_MS} ms in the query", launching.milliseconds(some),
            median(some) * 1000 <= _QUERY_MS, f"first, cold {some[0] * 1000:.1f} ms; N={len(some)}; {size >> 20:,} MiB",
        )
        for what, some in took.items()
    ]  # fmt: skip


class _Hits:
    """Stands where a team's search is: it answers with ids that are given, so that only the ledger is measured."""

    shared = True

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids

    def find(self, _query: str, **_more: Any) -> list[Hit]:
        return [Hit(one, number, 0, number, "snippet") for number, one in enumerate(self.ids)]


def _whole(page: Any, rows: int) -> Any:
    if len(page.rows) != rows:
        raise SystemExit(f"{len(page.rows)} rows where {rows} were asked for: {page.rows[:1]}")
    return page


def _id(at_us: int, number: int) -> str:
    return f"{at_us // 1000:012x}{number:020x}"


def fill(ledger: PostgresLedger, events: int) -> tuple[int, int]:
    """`events` events over MONTHS months, with ids as of bigledger: (time of the first event, microseconds between
    two). The indices are made afterwards, as a restore does."""
    ledger.migrate()
    step = MONTHS * 30 * _DAY_US // events
    first = int(time.time() * 1e6) - (events + 1) * step
    begun = time.monotonic()
    with ledger.links.writer() as link, patient(link):
        link.execute("SET synchronous_commit = off")
        made = link.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'events' AND indexname LIKE 'ix%'"
        )
        indices = made.fetchall()
        for day in range(0, MONTHS * 30 + 2):
            link.execute("SELECT levaithan_make_month(%s::bigint)", (first + day * _DAY_US,))
        for name, _ in indices:
            link.execute(f"DROP INDEX {name}")
        chunk = 250_000
        for low in range(0, events, chunk):
            span = {"first": first, "step": step, "low": low, "high": min(low + chunk, events) - 1, "journal": JOURNAL}
            for sql in (_FILL, _CALLS):
                text = sql.format(at=_SPAN, tool=_TOOLS).replace(" % ", " %% ")
                link.execute(text, span)
            print(f"\rfilling PostgreSQL: {span['high'] + 1:,} of {events:,}", end="", file=sys.stderr)
        link.execute(_SESSIONS)
        for _, words in indices:
            link.execute(words.replace(" ON ONLY ", " ON "))
        link.execute("VACUUM ANALYZE")
    ledger.apply([], Cursor(JOURNAL, "journal-00000000000000000001.log", 1, events, "0" * 64))
    print(f"\nfilled {events:,} events in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return first, step


def main() -> int:
    """Ask the questions of as many events as were asked for."""
    parser = argparse.ArgumentParser(description="Questions to a ledger on PostgreSQL.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate-events", type=int, default=0, help="also measure the filling, with so many")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    server = Postgres(durable=True, **MEMORY)
    server.start()
    try:
        rows = []
        if given.rate_events:
            with tempfile.TemporaryDirectory() as folder:
                rows += _filling(server, folder, given.rate_events)
        rows += asking(server, given.events, given.rounds)
    finally:
        server.stop()
    print(report.table(rows))
    return 0 if all(row.met for row in rows) else 5


if __name__ == "__main__":
    sys.exit(main())
