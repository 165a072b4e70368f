"""What hooks notice of a store's server that is killed, paused, full, locked, aged or restored while events flow.

`python -m tests.bench.store_faults --events 100000 --pause 60` measures the whole of it: what issue and docs promise.
The faults and what must hold are those of tests/faults/test_store_faults.py; here it is timed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import machine
from tests.bench.report import Row, table
from tests.servers.endpoint import ServerMissingError
from tests.support.faulted_stores import SERVERS
from tests.support.store_flow import Told, flowing
from tests.support.store_harm import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 2.0
"""What the p99 may grow by, against the quiet stretch of the same run."""
FLOOR_MS = 2.0
"""A quiet p99 below this counts as this: a timer's tick more is no wait."""
RATE = 500.0
_PAUSED_SHARE = 0.4
_HURT_S = 8.0


def measure(folder: str, events: int, pause_s: float, stores: Sequence[str] = tuple(SERVERS)) -> list[Row]:
    """A row a store: `events` in all flow at RATE a second past its six faults; the pause lasts `pause_s` seconds."""
    rows = []
    for store in stores:
        place = Path(folder, f"faults-{store}")
        place.mkdir()
        try:
            rows.append(_row(store, _through_all(store, place, events, pause_s)))
        except ServerMissingError as error:
            print(f"not measured: {error}", file=sys.stderr)
    return rows


def _through_all(store: str, place: Path, events: int, pause_s: float) -> dict[str, Told]:
    told = {}
    with flowing(store, place, f"{256 + events // 50}m") as flow:
        for name, fault in FAULTS.items():
            if name == "full" and flow.disk is None:
                print(f"not measured: a full disk of {store}, for this user may mount none", file=sys.stderr)
                continue
            paused = name == "paused"
            share = _PAUSED_SHARE if paused else (1 - _PAUSED_SHARE) / (len(FAULTS) - 1)
            hurt_s = pause_s if paused else min(_HURT_S, pause_s)
            told[name] = flow.through(fault, int(events * share), RATE, hurt_s)
            print(f"{store} {name}: {told[name]}", file=sys.stderr)
    return told


def growth(told: Told, of: str = "second_ms") -> float:
    """By how much the p99 `of` the median second, or of all answers ("p99_ms"), grew while the server was hurt or
    caught up, whichever is more."""
    quiet, *others = (float(getattr(waits, of)) for waits in (told.quiet, told.hurt, told.after))
    return max(others) / max(quiet, FLOOR_MS)


def _row(store: str, told: dict[str, Told]) -> Row:
    worst = max(told, key=lambda name: growth(told[name]))
    plain = max(told, key=lambda name: growth(told[name], "p99_ms"))
    ratio, events = growth(told[worst]), sum(one.events for one in told.values())
    each = "; ".join(
        f"{name}: {one.quiet.second_ms:.1f} ms quiet, {one.hurt.second_ms:.1f} hurt for {one.hurt_s:.0f} s, "
        f"{one.after.second_ms:.1f} catching up for {one.caught_up_s:.1f} s, lag {one.lag_highest:,} at most, of all "
        f"answers {one.quiet.p99_ms:.1f}, {one.hurt.p99_ms:.1f} and {one.after.p99_ms:.1f} ms"
        for name, one in told.items()
    )
    return Row(
        f"an event's answer, p99 of the median second, while the server of {store} is hurt, every store equal to the "
        "journal afterwards",
        f"{MOST:g}x of quiet",
        f"{ratio:.2f}x ({worst}); p99 of all answers {growth(told[plain], 'p99_ms'):.2f}x ({plain})",
        ratio <= MOST,
        f"frame in to answer out, at {RATE:.0f} events a second; N={events:,}; {each}",
    )


def main() -> int:
    """Measure and print; 5 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events that flow past the faults of each store")
    parser.add_argument("--pause", type=float, default=60.0, help="seconds that the server is stopped")
    parser.add_argument("--only", action="append", choices=tuple(SERVERS), help="only this store")
    parser.add_argument("--write", action="store_true", help="put them into docs/reference/performance.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        about = machine.describe(folder)
        rows = measure(os.path.realpath(folder), given.events, given.pause, given.only or tuple(SERVERS))
    print(table(rows))
    if given.write:
        from tests.bench import run  # which imports this

        sizes = f"{given.events:,} events past the faults of a server, which is stopped for {given.pause:g} s"
        run.write({"faults": rows}, about, sizes, whole=not given.only)
    return 0 if all(row.met for row in rows) else 5


if __name__ == "__main__":
    raise SystemExit(main())
