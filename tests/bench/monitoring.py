"""What the whole monitor costs at 1,500 events a second, in CPU time of one core: measured as a whole, not summed up.

The monitor is the real one, its threads included, in this process, on a home with a ledger. Another process is the
service and those around it: it writes recorded sessions into the journal as the journal's own writer does, 1,500 events
a second with their time, and lines into the log, and scrapes the figures as Prometheus does. The monitor follows,
judges each record, looks around and evaluates all rules every five seconds, mines the log, asks the ledger what ran
past a guard, keeps its state, and its incidents and actions tick.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import watching
from tests.bench.report import Row
from tests.support import homes

from levaithan.config import settings as settings_of
from levaithan.hot.journal import Journal
from levaithan.hot.paths import home_at
from levaithan.monitor.process import LOOK_S, Monitor
from levaithan.projector import loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home

RATE = watching.RATE
LINES = 10
"""Lines of the log a second: a service that is well writes a few a minute, one with stores that are down a few a
second."""
SCRAPE_S = 15.0
_SHARE = 0.05
_TURN_S = 0.1
_WARM_S = 8.0
_WORDS = ("connection", "store", "graph", "waits", "answers", "retry", "cursor", "moved", "worker", "began", "ended")


def measure(folder: str, events: int, seconds: float) -> list[Row]:
    """The row. `folder` is where the home is made; `events` are in the ledger before; for `seconds` is measured."""
    listens = f"127.0.0.1:{_free_port()}"
    root = homes.make_home(os.path.join(folder, "monitored"), native=False, metrics_listen=listens)
    home = home_at(root)
    watching.write(home, events)
    settings = settings_of.load(home.root, environ={})
    loop.catch_up(home, settings, stores=("ledger",))
    seconds = max(seconds, 30.0)
    code = "import sys; from tests.bench import monitoring as m; m.feed(sys.argv[1], *map(float, sys.argv[2:]))"
    length_s = str(_WARM_S + seconds + 3.0)
    monitor = _caught_up(home, settings)
    feeder = subprocess.Popen([sys.executable, "-c", code, root, length_s, str(events)], cwd=Path(__file__).parents[2])
    try:
        took_s, count, said = _run(monitor, seconds)
    finally:
        feeder.kill()
        feeder.wait()
    share, rate = took_s / seconds, count / seconds
    how = (
        f"{rate:,.0f} events a second for {seconds:g} s, {LINES} lines of the log a second, a scrape each {SCRAPE_S:g} "
        f"s; {said}; {events:,} events in the ledger, which is asked as well"
    )
    met = share <= _SHARE and rate >= 0.95 * RATE
    what = f"the whole monitor at {RATE:,} events a second, CPU"
    return [Row(what, f"{_SHARE:.0%} of one core", f"{share:.2%}", met, how)]


def _caught_up(home: Home, settings: Any) -> Monitor:
    """A monitor that has read what is there."""
    made = Monitor(home, settings, None)
    if not made.parts.own():
        raise RuntimeError("another monitor has this home")
    made.turn()
    return made


def _run(monitor: Monitor, seconds: float) -> tuple[float, int, str]:
    """CPU seconds of this process while the monitor works for `seconds`, how many events it took, and what it has."""
    parts, taken = monitor.parts, [0]
    take = parts.take

    def counted(record: dict[str, Any], at_s: float) -> None:
        taken[0] += 1
        take(record, at_s)

    parts.take = counted  # type: ignore[method-assign]
    gc.collect()
    gc.freeze()
    gc.disable()
    parts.start()
    try:
        _turns(monitor, _WARM_S)
        before, begun = taken[0], time.process_time()
        _turns(monitor, seconds)
        took_s, count = time.process_time() - begun, taken[0] - before
        if monitor.status.failures:
            raise RuntimeError(f"the monitor has failed: {monitor.status.failures}")
        mined = sum(parts.watching.tally.table("levaithan_log_messages_total").values())
        open_now = [one.alert for one in parts.engine.open()]
        said = f"{parts.watching.tally.count()} series, {mined:,.0f} lines mined, {len(open_now)} incidents open"
    finally:
        parts.stop()
        gc.enable()
        gc.unfreeze()
    return took_s, count, said


def _turns(monitor: Monitor, seconds: float) -> None:
    """The monitor's own loop, for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        monitor.turn()
        time.sleep(min(LOOK_S, max(0.0, left)))


def feed(root: str, seconds: float, events: float) -> None:
    """Be the service: RATE events and LINES lines a second, and whoever scrapes. In a process of its own."""
    home = home_at(root)
    settings = settings_of.load(root, environ={})
    begun_ns, begun, scraped = time.time_ns(), time.monotonic(), 0
    journal = Journal(home.journal, fsync="never")
    records, lines = watching.records(int(seconds * RATE) + RATE, begun_ns, int(events)), _lines()
    written = told = 0
    with Path(home.logs, "service.log").open("ab", buffering=0) as log:
        while (passed := time.monotonic() - begun) < seconds:
            due = int(passed * RATE) - written
            journal.append(list(itertools.islice(records, due)))
            written += due
            while told < passed * LINES:
                log.write(next(lines))
                told += 1
            if passed > scraped * SCRAPE_S + 5:
                scraped += 1
                with urllib.request.urlopen(f"http://{settings.metrics_listen}/metrics", timeout=10) as answer:
                    answer.read()
            time.sleep(_TURN_S)
    journal.close()


def _lines() -> Iterator[bytes]:
    """Lines of the log: eighty kinds of them, with numbers and names that differ each time."""
    chance = random.Random(7)
    kinds = [" ".join(chance.choices(_WORDS, k=chance.randrange(3, 8))) for _ in range(80)]
    while True:
        told = {
            "event": f"{chance.choice(kinds)} {chance.randrange(10_000)}", "store": f"s{chance.randrange(5)}",
            "path": f"/home/dev/p{chance.randrange(50)}/file{chance.randrange(10**6)}.py", "level": "info",
            "took_ms": chance.random() * 100, "at": "2026-11-27T13:00:00.000000Z",
        }  # fmt: skip
        yield json.dumps(told).encode() + b"\n"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
