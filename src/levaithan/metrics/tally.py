"""The figures as they stand: plain dicts by family and label values, cheap to add to, bounded whatever comes.

A label set beyond a family's bound counts under one whose values are all `other`, and beyond MOST_SERIES in all no
family grows any more: labels.py keeps that from happening, this is the wall behind it. Not for several threads at
once: who looks from a thread hands over what it found (see gauges). Imports the table of families only.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from levaithan.metrics import names
from levaithan.metrics.families import BY_NAME, COUNTER, FAMILIES, HISTOGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.metrics.families import Family

Labels = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
Series = tuple[str, Pairs, float]
Newborn = frozenset[tuple[str, Labels]]

VERSION = 1
MOST_SERIES = 4900
"""Samples in all, those of the exporter's own process come to them: the promise is 5,000."""
_MOST_SETS = 640
GROWN = 100
"""Looks after which nothing counts as new any more."""


class Tally:
    """Counters, gauges and histograms by the families' names. `changes` grows with each change that may show."""

    def __init__(self) -> None:
        self._values: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}
        self._series = 0
        self._pairs: dict[tuple[str, Labels, str], Pairs] = {}
        self._young: dict[tuple[str, Labels], int] = {}
        for family in FAMILIES:
            tables: dict[str, dict[Labels, Any]] = self._histograms if family.kind == HISTOGRAM else self._values
            tables[family.name] = {}
        self.begin()

    def begin(self) -> None:
        """Give every known label set its 0. Gauges only start so where their family says no source is needed."""
        for family in FAMILIES:
            for labels in family.known if family.kind != "gauge" or family.labels else ():
                if family.kind == HISTOGRAM:
                    self._bins(family.name, labels)
                elif labels not in self._values[family.name]:
                    self._values[family.name][self._place(family.name, labels)] = 0.0

    def add(self, name: str, labels: Labels = (), amount: float = 1.0) -> None:
        """Add to a counter. Raises KeyError for a name that is in no family."""
        table = self._values[name]
        known = table.get(labels)
        if known is None:
            labels = self._place(name, labels)
            known = table.get(labels)
            if known is None:
                known, self._young[name, labels] = 0.0, 0
        table[labels] = known + amount

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Say what a gauge is. Raises KeyError for a name that is in no family."""
        table = self._values[name]
        table[labels if labels in table else self._place(name, labels)] = float(value)

    def raise_to(self, name: str, labels: Labels, total: float) -> None:
        """Bring a counter up to a total that is known elsewhere; it never falls. Raises KeyError."""
        table = self._values[name]
        place = labels if labels in table else self._place(name, labels)
        if place not in table:
            self._young[name, place] = 0
        table[place] = max(table.get(place, 0.0), float(total))

    def replace(self, name: str, values: dict[Labels, float]) -> None:
        """Say all of a gauge's values: a label set that is not in them is gone."""
        table = self._values[name]
        for labels in [one for one in table if one not in values]:
            del table[labels]
            self._series -= 1
        for labels, value in values.items():
            self.set(name, labels, value)

    def observe(self, name: str, labels: Labels, value: float, count: int = 1) -> None:
        """Put `value` into a histogram, `count` times. Raises KeyError for a name that is in no family."""
        bins = self._histograms[name].get(labels) or self._bins(name, labels)
        bins[bisect_left(BY_NAME[name].buckets, value)] += count
        bins[-1] += value * count

    def add_bins(self, name: str, labels: Labels, counts: list[float], total: float) -> None:
        """Add a histogram that was counted elsewhere: a count a bucket (the last: beyond all), and the values' sum."""
        bins = self._histograms[name].get(labels) or self._bins(name, labels)
        for number, count in enumerate(counts[: len(bins) - 1]):
            bins[number] += count
        bins[-1] += total

    def value(self, name: str, labels: Labels = ()) -> float:
        """What a counter or gauge is, 0 where there is nothing yet."""
        return self._values[name].get(labels, 0.0)

    def table(self, name: str) -> dict[Labels, float]:
        """The values of one counter or gauge by label values, not to be changed."""
        return self._values[name]

    def bins(self, name: str, labels: Labels = ()) -> list[float]:
        """A histogram's counts, one a bucket and one beyond, and the sum of the values; not to be changed."""
        return self._histograms[name].get(labels) or [0.0] * (len(BY_NAME[name].buckets) + 2)

    def histograms(self, name: str) -> dict[Labels, list[float]]:
        """The histograms of one family by label values, not to be changed."""
        return self._histograms[name]

    def count(self) -> int:
        """How many series there are."""
        return self._series

    def _bins(self, name: str, labels: Labels) -> list[float]:
        known = self._histograms[name]
        if labels not in known:
            labels = self._place(name, labels)
        return known.setdefault(labels, [0.0] * (len(BY_NAME[name].buckets) + 2))

    def _place(self, name: str, labels: Labels) -> Labels:
        """Where `labels`, which are new, are to be counted."""
        family = BY_NAME[name]
        if len(labels) != len(family.labels):
            raise KeyError(f"{name} has the labels {family.labels}, not {labels!r}")
        histogram = family.kind == HISTOGRAM
        sets = self._histograms[name] if histogram else self._values[name]
        size = len(family.buckets) + 3 if histogram else 1
        full = len(sets) >= _MOST_SETS or self._series + size > MOST_SERIES
        if full and labels:
            labels = (names.OTHER,) * len(labels)
        if labels not in sets:
            self._series += size
        return labels

    def grow(self) -> None:
        """Let all be a look older."""
        self._young = {key: age + 1 for key, age in self._young.items() if age < GROWN}

    def young(self, looks: int) -> Newborn:
        """The (name, labels) of counters that began within the last `looks` looks. Their value is shown as 0: what asks
        for an increase does not see that of a counter's first sample."""
        return frozenset(key for key, age in self._young.items() if age < looks)

    def series(self, *, young: int = 0) -> Iterator[Series]:
        """Every sample: name, sorted labels, value; histograms as `_bucket` (cumulative, `le`), `_sum`, `_count`.
        young: a counter is shown as 0 for so many looks (see `young`)."""
        newborn = self.young(young)
        for family in FAMILIES:
            if family.kind == HISTOGRAM:
                for labels, bins in self._histograms[family.name].items():
                    yield from self._spread(family, labels, bins)
            else:
                for labels, value in self._values[family.name].items():
                    shown = 0.0 if newborn and (family.name, labels) in newborn else value
                    yield family.name, self._paired(family, labels), shown

    def _spread(self, family: Family, labels: Labels, bins: list[float]) -> Iterator[Series]:
        below, bucket = 0.0, family.name + "_bucket"
        for edge, count in zip((*family.buckets, math.inf), bins[:-1], strict=True):
            below += count
            yield bucket, self._paired(family, labels, edge_text(edge)), below
        pairs = self._paired(family, labels)
        yield family.name + "_sum", pairs, bins[-1]
        yield family.name + "_count", pairs, below

    def _paired(self, family: Family, labels: Labels, edge: str = "") -> Pairs:
        key = (family.name, labels, edge)
        found = self._pairs.get(key)
        if found is None:
            if len(self._pairs) > 2 * MOST_SERIES:
                self._pairs.clear()
            pairs = list(zip(family.labels, labels, strict=True)) + ([("le", edge)] if edge else [])
            found = self._pairs[key] = tuple(sorted(pairs))
        return found

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        from levaithan.metrics import exposition  # noqa: PLC0415 - loads prometheus_client

        return exposition.text(self)

    def forget(self, families: frozenset[str]) -> None:
        """Begin these families anew, with their known label sets at 0."""
        for name in families:
            if name in self._values:
                self._series -= len(self._values[name])
                self._values[name].clear()
            else:
                self._series -= len(self._histograms[name]) * (len(BY_NAME[name].buckets) + 3)
                self._histograms[name].clear()
        self.begin()

    def copy(self) -> Tally:
        """The figures as they stand, for a thread of its own."""
        made = Tally()
        made._values = {name: dict(table) for name, table in self._values.items()}
        for name, table in self._histograms.items():
            made._histograms[name] = {labels: list(bins) for labels, bins in table.items()}
        made._series = self._series
        return made

    def dump(self) -> dict[str, Any]:
        """Counters and histograms as JSON takes them; gauges are looked at anew."""
        values = {
            name: [
                [list(labels), value] for labels, value in table.items() if value or labels not in BY_NAME[name].known
            ]
            for name, table in self._values.items()
            if BY_NAME[name].kind == COUNTER
        }
        bins = {
            name: [
                [list(labels), [list(BY_NAME[name].buckets), one]]
                for labels, one in table.items()
                if any(one) or labels not in BY_NAME[name].known
            ]
            for name, table in self._histograms.items()
        }
        return {"version": VERSION, "counters": values, "histograms": bins}

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump, in place of all counters and histograms. What it has under names, labels or buckets of
        another version is left out. Raises ValueError, TypeError and KeyError for what is no dump."""
        if dumped["version"] != VERSION:
            raise ValueError(f"a dump of version {dumped['version']!r}")
        fresh = Tally()
        for family in FAMILIES:
            for labels, value in dumped["counters"].get(family.name, ()) if family.kind == COUNTER else ():
                if len(labels) == len(family.labels):
                    fresh.add(family.name, tuple(map(str, labels)), float(value))
            for labels, (edges, bins) in dumped["histograms"].get(family.name, ()) if family.kind == HISTOGRAM else ():
                if tuple(edges) == family.buckets and len(labels) == len(family.labels):
                    counts = [float(one) for one in bins[:-1]]
                    fresh.add_bins(family.name, tuple(map(str, labels)), counts, float(bins[-1]))
        self._take_over(fresh)

    def _take_over(self, fresh: Tally) -> None:
        """Counters and histograms of `fresh` in place of ours."""
        for name, table in self._values.items():  # in place: who folds keeps hold of them
            if BY_NAME[name].kind == COUNTER:
                table.clear()
                table.update(fresh._values[name])
        for name, bins in self._histograms.items():
            bins.clear()
            bins.update(fresh._histograms[name])
        self._series = sum(len(table) for table in self._values.values())
        for name, known in self._histograms.items():
            self._series += len(known) * (len(BY_NAME[name].buckets) + 3)


def edge_text(edge: float) -> str:
    """A bucket's edge as the text format has it (Go's shortest float, as prometheus_client writes it)."""
    return "+Inf" if edge == math.inf else repr(float(edge))
