"""A Tally in Prometheus' text format, by prometheus-client. The only module that imports it besides push.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from levaithan.metrics.families import COUNTER, FAMILIES, HISTOGRAM
from levaithan.metrics.tally import edge_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from levaithan.metrics.families import Family
    from levaithan.metrics.tally import Newborn, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class TallyCollector(Collector):
    """What prometheus-client asks: the families of a tally that have a sample. newborn: counters shown as 0."""

    def __init__(self, tally: Tally, newborn: Callable[[], Newborn] = frozenset) -> None:
        self._tally = tally
        self._newborn = newborn

    def collect(self) -> Iterator[Metric]:
        """The families, each with its samples."""
        newborn = self._newborn()
        for family in FAMILIES:
            histogram = family.kind == HISTOGRAM
            made = _histogram(family, self._tally) if histogram else _plain(family, self._tally, newborn)
            if made.samples:
                yield made


def _plain(family: Family, tally: Tally, newborn: Newborn) -> Metric:
    shape: Any = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
    made: Metric = shape(family.name, family.help, labels=family.labels)
    for labels, value in tally.table(family.name).items():
        made.add_metric(labels, 0.0 if (family.name, labels) in newborn else value)  # type: ignore[attr-defined]
    return made


def _histogram(family: Family, tally: Tally) -> Metric:
    made = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    edges = [edge_text(edge) for edge in (*family.buckets, math.inf)]
    for labels, bins in tally.histograms(family.name).items():
        below, buckets = 0.0, []
        for edge, count in zip(edges, bins[:-1], strict=True):
            below += count
            buckets.append((edge, below))
        made.add_metric(labels, buckets, bins[-1])
    return made


def registry(
    tally: Tally, pid: Callable[[], int] | None = None, *, newborn: Callable[[], Newborn] = frozenset
) -> CollectorRegistry:
    """A registry of `tally`, and of the process that `pid` names (process_cpu_seconds_total and its like)."""
    made = CollectorRegistry(auto_describe=False)
    made.register(TallyCollector(tally, newborn))
    if pid is not None:
        ProcessCollector(pid=pid, registry=made)
    return made


def text(tally: Tally, pid: Callable[[], int] | None = None) -> bytes:
    """The text format, version 0.0.4."""
    return generate_latest(registry(tally, pid))


class Exposition:
    """The bytes for scrapes, made at most once in `kept_s` seconds. `clock` is time.monotonic but for tests."""

    def __init__(
        self,
        tally: Tally,
        clock: Callable[[], float],
        *,
        pid: Callable[[], int] | None = None,
        kept_s: float = 1.0,
        newborn: Callable[[], Newborn] = frozenset,
    ) -> None:
        self._registry = registry(tally, pid, newborn=newborn)
        self._clock = clock
        self._kept_s = kept_s
        self._made_at = -math.inf
        self._bytes = b""

    def bytes(self) -> bytes:
        """What a scrape gets."""
        now = self._clock()
        if now - self._made_at >= self._kept_s:
            self._bytes = generate_latest(self._registry)
            self._made_at = now
        return self._bytes
