"""A month of made-up figures for every family of metrics, as blocks that a Prometheus of the tests begins with.

Half-daily samples for a month, then one a minute for the last two hours: whatever looks back over 5 minutes or over
30 days finds something. Counters and histograms grow steadily; a gauge stays where GAUGES or its name puts it.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from levaithan.metrics.families import Family

DAYS = 31
TARGET = {"job": "levaithan", "instance": "127.0.0.1:9465"}
VALUES = {
    "project": ("/p/one", "/p/two"), "machine": ("m1",), "model": ("claude-opus-5-5", "other"), "tool": ("Bash", "mcp"),
    "scope": ("all", "project"), "period": ("month", "day"), "store": ("ledger", "search"), "version": ("0.1.0",),
    "slo": ("gate_availability", "gate_latency"), "outcome": ("completed", "failed", "cancelled", "verified"),
    "action": ("notify",), "kind": ("input", "output"), "event": ("PreToolUse",), "path": ("native", "oneshot"),
    "severity": ("P0", "P1"), "reason": ("crash",), "component": ("service",), "level": ("warning",),
    "address": ("embedded",), "host": ("h1",),
}  # fmt: skip
"""Labels of families whose sets are not known from the start."""
GAUGES = {
    "slo_error_budget_remaining_ratio": 0.7, "system_cpu_idle_ratio": 0.6, "journal_verified_timestamp_seconds": None,
    "detector_last_run_timestamp_seconds": None, "budget_limit_usd": 100.0, "budget_spent_usd": 40.0,
    "budget_reserved_usd": 2.0, "budget_period_remaining_seconds": 864_000.0, "store_pool_in_use": 3.0,
    "store_pool_size": 10.0, "system_memory_size_bytes": 16e9, "system_memory_available_bytes": 9e9,
    "system_disk_size_bytes": 200e9, "store_size_bytes": 3e9, "incidents_open": 1.0, "leases_held": 4.0,
}  # fmt: skip
"""Values by name; None = a moment ago. Every other gauge is 1."""
FALLING = "system_disk_free_bytes"


def blocks(families: Iterable[Family], now_s: float, promtool: Path, folder: Path) -> Path:
    """A folder of blocks whose newest sample is of `now_s`. Raises AssertionError with promtool's words."""
    text = folder / "metrics.txt"
    with text.open("w", encoding="utf-8") as file:
        for name, kind, series in _all(families):
            file.write(f"# TYPE {name} {kind}\n")
            for sample, labels, rate, level in series:
                file.writelines(_samples(sample, {**labels, **TARGET}, rate, level, now_s))
        file.write("# EOF\n")
    made = folder / "blocks"
    told = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "--max-block-duration=768h", "openmetrics", "-q", text, made],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    return made


Line = tuple[str, dict[str, str], float, float | None]
"""A sample's name, its labels, what it grows by in a second, and where it ends (None: a moment ago)."""


def _all(families: Iterable[Family]) -> Iterator[tuple[str, str, list[Line]]]:
    for family in families:
        sets = _label_sets(family)
        if family.kind == "counter":
            lines: list[Line] = [(family.name, labels, 0.01 + 0.002 * at, 0.0) for at, labels in enumerate(sets)]
            yield family.name.removesuffix("_total"), "counter", lines
        elif family.kind == "histogram":
            yield family.name, "histogram", [line for labels in sets for line in _histogram(family, labels)]
        else:
            short = family.name.removeprefix("levaithan_")
            falls = -1e5 if short == FALLING else 0.0
            level = 60e9 if falls else GAUGES.get(short, 1.0)
            yield family.name, "gauge", [(family.name, labels, falls, level) for labels in sets]
    yield "up", "gauge", [("up", {}, 0.0, 1.0)]
    for name, level in (("resident_memory_bytes", 8e7), ("open_fds", 40.0), ("max_fds", 1024.0)):
        yield f"process_{name}", "gauge", [(f"process_{name}", {}, 0.0, level)]
    yield "process_cpu_seconds", "counter", [("process_cpu_seconds_total", {}, 0.02, 0.0)]
    firing = {"alertname": "StoreDown", "alertstate": "firing", "severity": "P1", "detection": "high_error_rate"}
    yield "ALERTS", "gauge", [("ALERTS", {**firing, "store": "graph"}, 0.0, 1.0)]


def _label_sets(family: Family) -> list[dict[str, str]]:
    known = [one for one in family.known if len(one) == len(family.labels)]
    sets = known if known or not family.labels else list(product(*(VALUES[name] for name in family.labels)))
    return [dict(zip(family.labels, one, strict=True)) for one in sets or [()]]


def _histogram(family: Family, labels: dict[str, str]) -> Iterator[Line]:
    edges = [*(repr(float(edge)) for edge in family.buckets), "+Inf"]
    for at, edge in enumerate(edges, 1):
        yield f"{family.name}_bucket", {**labels, "le": edge}, 0.02 * at / len(edges), 0.0
    yield f"{family.name}_count", labels, 0.02, 0.0
    yield f"{family.name}_sum", labels, 0.02 * family.buckets[len(family.buckets) // 2], 0.0


def _samples(name: str, labels: dict[str, str], rate: float, level: float | None, now_s: float) -> Iterator[str]:
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    grown = rate * DAYS * 86400 if rate > 0 else 0.0
    for back_s in (*range(DAYS * 86400, 7200, -43200), *range(7200, -1, -60)):
        value = now_s - 600 if level is None else level + grown - rate * back_s
        assert math.isfinite(value)
        yield f"{name}{{{inside}}} {value:.6f} {now_s - back_s:.0f}\n"
