"""What hooks notice of somebody who scrapes the metrics a hundred times a second.

Events flow at a steady rate all the time; stretches with and without the scraper take turns, so that a machine in other
use is in other use for both. The scraper is a process of its own with one connection that stays open.
`python -I -S scraping.py HOST PORT RATE` is that scraper; it ends when its stdin does.
"""

from __future__ import annotations

import http.client
import json
import select
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.report import Row
    from tests.support.steady_load import Load

RATE = 500.0
SCRAPES = 100.0
MOST = 1.1
STRETCH_S = 4.0
_WARM_S = 3.0


def measure(folder: str, turns: int) -> list[Row]:
    """The row; each of `turns` turns is STRETCH_S seconds without the scraper and as many with it."""
    from tests.bench.report import Row
    from tests.support import homes
    from tests.support.steady_load import Load
    from tests.support.store_flow import SESSION

    from levaithan.hot import paths

    root = homes.make_home(Path(folder, "scraped"), monitor="on", metrics_listen="127.0.0.1:0")
    quiet: list[float] = []
    scraped: list[float] = []
    scrapes = 0
    with homes.serving(root):
        homes.until(lambda: _address(root), 30, 0.1)
        load = Load(paths.home_at(root).socket, RATE, SESSION, Path(folder, "answers"))
        try:
            time.sleep(_WARM_S)
            for _ in range(turns):
                quiet += _seconds(load)
                scraper = _scraper(_address(root))
                scraped += _seconds(load)
                scrapes += int(scraper.communicate()[0])
            load.finish()
        finally:
            load.kill()
    before, during = median(quiet), median(scraped)
    ratio = during / before
    rate = scrapes / (turns * STRETCH_S)
    how = (
        f"p99 of the median second, frame in to answer out, at {RATE:.0f} events a second: {before:.2f} ms without, "
        f"{during:.2f} ms with {rate:.0f} scrapes a second; {turns} turns of {STRETCH_S:g} s each"
    )
    what = "an event's answer at p99 while the metrics are scraped 100 times a second"
    return [Row(what, f"{MOST:g}x", f"{ratio:.2f}x", ratio <= MOST and rate >= 0.9 * SCRAPES, how)]


def _address(root: str) -> str:
    from tests.support import homes

    told = (homes.control(root, "status") or {}).get("monitor") or {}
    return str(told.get("listening") or "")


def _seconds(load: Load) -> list[float]:
    """The p99 (ms) of each whole second of the next stretch."""
    since, begun = load.answered(), time.monotonic_ns()
    time.sleep(STRETCH_S)
    taken: dict[int, list[int]] = {}
    for sent, took, _code in load.answers(since):
        if sent >= begun:
            taken.setdefault((sent - begun) // 1_000_000_000, []).append(took)
    return [sorted(one)[len(one) * 99 // 100] / 1e6 for one in taken.values() if len(one) > RATE / 2]


def _scraper(address: str) -> subprocess.Popen[str]:
    host, _, port = address.rpartition(":")
    command = [sys.executable, "-I", "-S", __file__, host, port, str(SCRAPES)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def scrape(host: str, port: int, rate: float) -> int:
    """Scrape until stdin ends; how often that was."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    count, due = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        connection.request("GET", "/metrics", headers={"User-Agent": "Prometheus/0"})
        answer = connection.getresponse()
        if answer.status != 200 or not answer.read():
            raise SystemExit(f"scrape {count}: {answer.status}")
        count += 1
        due += 1 / rate
    return count


if __name__ == "__main__":
    sys.stdout.write(json.dumps(scrape(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
