"""Prometheus' arithmetic over a range of samples: rate and increase, deriv and predict_linear, histogram_quantile.

The formulas are those of Prometheus' promql/functions.go and quantile.go (extrapolatedRate, linearRegression,
bucketQuantile) as documented there; the parity test holds them against promtool. Imports nothing of ours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

NAN = math.nan


class Dialect(NamedTuple):
    """In what versions of Prometheus differ.

    left_open: a range does not hold the sample that stands exactly at its start, nor the lookback the one that is
    exactly five minutes old (3.0 on). zero_last: the counter's own zero limits what is added at the start after the
    distance to the first sample was judged, not before (3.0 on; of concern only where the first samples are missing).
    """

    left_open: bool = True
    zero_last: bool = True


V2 = Dialect(left_open=False, zero_last=False)
V3 = Dialect()


class Span(NamedTuple):
    """The samples of one counter in a range: times in milliseconds; `lost` is what resets took, to be added again."""

    first_ms: int
    first: float
    last_ms: int
    last: float
    lost: float
    samples: int


def increase(span: Span, start_ms: int, end_ms: int, dialect: Dialect) -> float | None:
    """How much the counter rose in the whole range, extrapolated to its ends; None with fewer than two samples.

    A counter is taken to have begun no earlier than where its slope meets zero.
    """
    if span.samples < 2:
        return None
    rise = span.last - span.first + span.lost
    if rise == 0:
        return 0.0
    sampled = (span.last_ms - span.first_ms) / 1000
    between = sampled / (span.samples - 1)
    threshold = between * 1.1
    to_start, to_end = (span.first_ms - start_ms) / 1000, (end_ms - span.last_ms) / 1000
    to_zero = sampled * (span.first / rise) if rise > 0 and span.first >= 0 else math.inf
    if not dialect.zero_last:
        to_start = min(to_start, to_zero)
    if to_start >= threshold:
        to_start = between / 2
    if dialect.zero_last:
        to_start = min(to_start, to_zero)
    if to_end >= threshold:
        to_end = between / 2
    return rise * ((sampled + to_start + to_end) / sampled)


def regression(times_ms: Sequence[int], values: Sequence[float], at_ms: int) -> tuple[float, float] | None:
    """Slope per second and value at `at_ms` of the least-squares line; None with fewer than two samples."""
    count = len(values)
    if count < 2:
        return None
    if all(value == values[0] for value in values):
        return (NAN, NAN) if math.isinf(values[0]) else (0.0, values[0])
    xs = [(time - at_ms) / 1000 for time in times_ms]
    sum_x, sum_y = math.fsum(xs), math.fsum(values)
    covariance = math.fsum(x * y for x, y in zip(xs, values, strict=True)) - sum_x * sum_y / count
    variance = math.fsum(x * x for x in xs) - sum_x * sum_x / count
    slope = covariance / variance
    return slope, sum_y / count - slope * sum_x / count


def quantile(q: float, buckets: list[tuple[float, float]]) -> float:
    """The q-quantile of cumulative buckets (upper bound, count), linear within a bucket; NaN where there is none."""
    buckets.sort()
    if len(buckets) < 2 or buckets[-1][0] != math.inf:
        return NAN
    bounds, counts = [bound for bound, _ in buckets], [count for _, count in buckets]
    highest = counts[0]
    for at, count in enumerate(counts):  # not monotonic: buckets that were read while they were counted
        highest = counts[at] = max(count, highest)
    observed = counts[-1]
    if observed == 0 or observed != observed:  # noqa: PLR0124 - NaN
        return NAN
    rank = q * observed
    at = next(at for at, count in enumerate(counts) if count >= rank or at == len(counts) - 1)
    if at == len(counts) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    return start + (bounds[at] - start) * ((rank - below) / (counts[at] - below))
