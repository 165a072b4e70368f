"""The benchmark: every figure that issue and docs promise, measured in one run, printed as a table.

`levaithan bench` (or `python tests/bench`) runs it. Exits with 0 when every target is met, 5 when one is missed, 1 when
a part could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.bench import (
    all_stores,
    evaluating,
    figures,
    graph_helix,
    hooks,
    ledger_postgres,
    machine,
    memory,
    monitoring,
    reading,
    report,
    rules,
    scraping,
    search_elastic,
    sharing,
    store_faults,
    text_search,
    throughput,
    watching,
)
from tests.e2e import real_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int
    bursts: int
    events: int
    ledger: int
    starts: int
    projected: int = 200_000
    months: int = 10_000_000
    graph: int = 50_000
    texts: int = 4_000
    steady_s: float = 60.0
    stores_s: float = 180.0
    turns: int = 10
    faults: int = 100_000
    pause_s: float = 60.0
    watched: int = 500_000
    monitored: int = 1_350_000

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.bursts} bursts of 16, {self.events:,} events through the service, "
            f"{self.ledger:,} in the ledger, {self.starts} starts of each command, {self.projected:,} events into "
            f"PostgreSQL, {self.months:,} in it, {self.graph:,} into HelixDB, {self.texts:,} texts to remember, "
            f"{self.watched:,} to watch, {self.monitored:,} behind the monitor, "
            f"{self.faults:,} past the faults of each server, one of which is stopped for {self.pause_s:g} s"
        )


FULL = Sizes(rounds=400, bursts=40, events=1_000_000, ledger=2_000_000, starts=21)
QUICK = Sizes(
    rounds=40, bursts=5, events=20_000, ledger=100_000, starts=7, projected=20_000, months=200_000, graph=5_000,
    texts=500, steady_s=10.0, stores_s=10.0, turns=2, faults=6_000, pause_s=3.0,
    watched=40_000, monitored=40_000,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, print it; the exit code."""
    given = _parse(arguments)
    sizes = QUICK if given.quick else FULL
    if given.events:
        sizes = replace(sizes, events=given.events, months=given.events)
    cache = real_client.cache()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder or cache) as folder:
        about = machine.describe(folder)
        measured, failed = _measure(given.only or PARTS, sizes, os.path.realpath(folder))
    rows = [row for part in measured.values() for row in part]
    if given.json:
        print(json.dumps({"schema_version": 1, "ok": True, "machine": about, "rows": [asdict(row) for row in rows]}))
    else:
        print("\n".join([*about, str(sizes), "", report.table(rows)]))
    if given.write and measured:
        write(measured, about, f"{', '.join(measured)} of {sizes}")
    if failed:
        print(f"not measured, see above: {', '.join(failed)}", file=sys.stderr)
        return 1
    return 0 if all(row.met for row in rows) else 5


def write(measured: dict[str, list[report.Row]], about: Sequence[str], sizes: str, *, whole: bool = True) -> None:
    """Put what was measured (part -> rows) into the figures and the page; see figures.merged."""
    run = figures.Run(f"{datetime.now(UTC):%Y-%m-%d}", tuple(about), sizes)
    kept = figures.merged(figures.read(), measured, run, PARTS, whole=whole)
    figures.write(kept)
    report.PAGE.write_text(report.page(kept), encoding="utf-8")
    print(f"written: {report.PAGE}", file=sys.stderr)


Part = tuple[str, "Callable[[str, Sizes], list[report.Row]]"]
_PARTS: dict[str, Part] = {
    "hooks": ("hooks", lambda folder, sizes: hooks.measure(folder, sizes.rounds, sizes.bursts)),
    "rules": ("rules", lambda folder, sizes: rules.measure(folder, sizes.rounds)),
    "throughput": ("events through the service", lambda folder, sizes: throughput.measure(folder, sizes.events)),
    "sharing": ("what machines share", lambda folder, sizes: sharing.measure(folder, sizes.events, sizes.rounds)),
    "reading": ("questions to many events", lambda _folder, sizes: reading.measure(sizes.ledger, sizes.starts)),
    "postgres": (
        "PostgreSQL",
        lambda folder, sizes: ledger_postgres.measure(folder, sizes.projected, sizes.months, max(10, sizes.starts)),
    ),
    "elasticsearch": ("Elasticsearch", lambda folder, sizes: search_elastic.measure(folder, sizes.projected)),
    "text": (
        "full text over many events",
        lambda folder, sizes: text_search.measure(folder, sizes.months, max(10, sizes.starts)),
    ),
    "helix": ("HelixDB", lambda folder, sizes: graph_helix.measure(folder, sizes.graph, sizes.starts)),
    "evaluating": ("what the rules cost", lambda folder, sizes: evaluating.measure(folder, sizes.rounds * 3)),
    "scraping": ("hooks while metrics are scraped", lambda folder, sizes: scraping.measure(folder, sizes.turns)),
    "watching": ("what watching costs", lambda folder, sizes: watching.measure(folder, sizes.watched, sizes.steady_s)),
    "monitoring": (
        "what the whole monitor costs",
        lambda folder, sizes: monitoring.measure(folder, sizes.monitored, sizes.steady_s),
    ),
    "memory": ("texts to remember", lambda folder, sizes: memory.measure(folder, sizes.texts)),
    "stores": ("all stores on servers at once", lambda folder, sizes: all_stores.measure(folder, sizes.stores_s)),
    "faults": (
        "hooks while servers are hurt",
        lambda folder, sizes: store_faults.measure(folder, sizes.faults, sizes.pause_s),
    ),
}
"""A part's name -> what it measures, in words, and the function that does."""
PARTS = tuple(_PARTS)


def _measure(
    parts: Sequence[str], sizes: Sizes, folder: str, known: Mapping[str, Part] = _PARTS
) -> tuple[dict[str, list[report.Row]], list[str]]:
    """The rows of each part that could be measured, and the names of those that could not: an hour of the others is not
    thrown away for them."""
    measured, failed = dict[str, list[report.Row]](), list[str]()
    for name in known:
        if name in parts:
            words, measure = known[name]
            print(f"measuring {words} ...", file=sys.stderr)
            try:
                measured[name] = measure(folder, sizes)
            except Exception:  # whatever it is: it is shown, and the exit code tells of it
                traceback.print_exc()
                failed.append(name)
    return measured, failed


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure this checkout against its targets.")
    parser.add_argument("--quick", action="store_true", help="small sizes: a minute instead of twenty")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part (may be given again)")
    parser.add_argument("--events", type=int, help="events through the service, and in PostgreSQL")
    parser.add_argument("--folder", help="where scratch homes are made: the disk to be measured (default: the cache)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument(
        "--write", action="store_true", help="put what was measured into docs/reference/performance.md (full sizes)"
    )
    given = parser.parse_args(arguments)
    if given.write and given.quick:
        parser.error("--write wants full sizes: leave out --quick")
    return given


if __name__ == "__main__":
    raise SystemExit(main())
