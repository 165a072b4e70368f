"""What machines pay for deciding together: the live stream's rate, the reach of a halt, the round trip of a hook that
asks the others. On a real Redis of the benchmark's own, on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench import launching
from tests.bench.hooks import EVENT, environment, event
from tests.bench.report import Row
from tests.servers.catalogue import local
from tests.support import homes
from tests.support.ledger_records import JOURNAL, cursor, delivery
from tests.support.ledger_records import event as record

from levaithan.hot import halts, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.stores.redis_counters import RedisCounters

LEAST_RATE = 50_000
REACH_MS = 250
MOST_RATIO = 2.0
BATCH = 1400
_LIMITS = '\n[[budgets.limit]]\nscope = "day"\nusd = 1000000\n'


def measure(folder: str, events: int, rounds: int) -> list[Row]:
    """The three rows. `events` go into the stream, `rounds` are halts, and ten times as many round trips."""
    server = local("redis")
    server.start()
    try:
        rows = [_stream(server.url(), events)]  # type: ignore[attr-defined]
        with _two(folder, server.url()) as (first, second, alone):  # type: ignore[attr-defined]
            rows += [_reach(first, second, rounds), _round_trip(first, alone, 10 * rounds)]
    finally:
        server.stop()
    return rows


def _stream(url: str, events: int) -> Row:
    from levaithan.stores.opening import Opening
    from levaithan.stores.redis_counters import RedisCounters

    store = RedisCounters(Opening("counters", "", "/nowhere", url, journal=JOURNAL))
    store.migrate()
    batches = [[delivery(record(n)) for n in range(first, first + BATCH)] for first in range(1, 28_001, BATCH)]
    held = len(batches) * BATCH
    wall = spent = server_s = 0.0
    done = 0
    while done < events:
        store.drop_all()
        before, began, cpu = _server_cpu(store), time.perf_counter(), time.process_time()
        for batch in batches:
            store.apply(batch, cursor(batch[-1].seq))
        wall += time.perf_counter() - began
        spent += time.process_time() - cpu
        server_s += _server_cpu(store) - before
        done += held
    there = len(store.fingerprints(1, held + 1))
    store.close()
    if there != held:
        raise SystemExit(f"{there} of {held} events are in the stream")
    rate = done / wall
    return Row(
        "events a second into the live stream (Redis), exactly once",
        f"{LEAST_RATE:,}/s",
        f"{rate:,.0f}/s",
        rate >= LEAST_RATE,
        f"one writer, batches of {BATCH}, N={done:,}; of an event's {wall / done * 1e6:.1f} us Python has "
        f"{spent / done * 1e6:.1f} and the server {server_s / done * 1e6:.1f}, one after the other: with both cores "
        f"free that is {done / (spent + server_s):,.0f}/s",
    )


def _server_cpu(store: RedisCounters) -> float:
    info: dict[str, Any] = store.ask(lambda link: link.info("cpu"))
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


@contextlib.contextmanager
def _two(folder: str, url: str) -> Iterator[tuple[str, str, str]]:
    """Two homes that share, and one that does not, each with its service and the same limits."""
    shared: dict[str, object] = {"counters_url": url, "counters_timeout_ms": 1000}
    named: tuple[tuple[str, dict[str, object]], ...] = (("first", shared), ("second", shared), ("alone", {}))
    roots = [homes.make_home(os.path.join(folder, f"sharing-{name}"), **settings) for name, settings in named]
    for root in roots:
        charter = Path(root, "context", "charter.toml")
        text = charter.read_text("utf-8").replace("[pace]", "[pace]\ncalls_per_minute_by_project = 1000000", 1)
        charter.write_text(text + _LIMITS, encoding="utf-8")
    with contextlib.ExitStack() as services:
        for root in roots:
            services.enter_context(homes.serving(root))
        end = time.monotonic() + 30
        while not all(_shares(root) for root in roots[:2]):
            if time.monotonic() > end:
                raise SystemExit(f"the homes do not share: see {roots[0]}/logs/service.log")
            time.sleep(0.05)
        yield roots[0], roots[1], roots[2]


def _shares(root: str) -> bool:
    told = (homes.control(root, "status") or {}).get("sharing") or {}
    return bool(told.get("answering")) and told.get("machines") == 2


def _reach(first: str, second: str, rounds: int) -> Row:
    here, there = paths.home_at(first), paths.home_at(second)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        name = halts.set_halt(here, "session", "bench", "a halt of the benchmark", "bench").id
        while name not in {one.id for one in halts.active(there)}:
            if time.perf_counter() - began > 30:
                raise SystemExit("a halt did not reach the second home in 30 s")
            time.sleep(0.001)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(0.01 * (len(took) % 7))
    p95 = launching.percentile(took, 0.95)
    return Row(
        "a halt of one home holds in a second one",
        f"p95 within {REACH_MS} ms",
        f"{p95:.0f} ms",
        p95 <= REACH_MS,
        f"median {median(took):.0f} ms, longest {max(took):.0f} ms; two services, from before it is set until it is in "
        f"the second home's file, both synced to the disk; N={rounds}",
    )


def _round_trip(shared: str, alone: str, rounds: int) -> Row:
    environ = environment()
    commands = {"shared": homes.client_command(shared, EVENT), "alone": homes.client_command(alone, EVENT)}
    took = launching.interleaved(
        {
            name: lambda command=command: launching.timed(command, event(), environ)
            for name, command in commands.items()
        },  # type: ignore[misc]
        rounds,
    )
    asked = [one for one in homes.journal_records(shared) if one.get("kind") == "event"]
    if len(asked) < rounds or (homes.control(shared, "status") or {})["sharing"]["trips"]:
        raise SystemExit(f"the calls were not decided together: {json.dumps(homes.control(shared, 'status'))[:500]}")
    ratio = median(took["shared"]) / median(took["alone"])
    return Row(
        "hook round trip that asks the other machines, over one that does not",
        f"at most {MOST_RATIO:g}x",
        f"{ratio:.2f}x",
        ratio <= MOST_RATIO,
        f"medians {median(took['shared']) * 1000:.2f} and {median(took['alone']) * 1000:.2f} ms, p99 "
        f"{launching.percentile(took['shared'], 0.99) * 1000:.1f} and "
        f"{launching.percentile(took['alone'], 0.99) * 1000:.1f} ms; a project's quota and a day's budget asked of "
        f"Redis each time; N={rounds}",
    )
