"""The samples that rules look back at, in bounded memory: banks, the longer the window the coarser the times.

All series of one scrape share its time, so that a bank is one list of times and a column a series, and the samples of a
window are found once for all. Banks keep every sample of the last ten minutes, one in 15 seconds of an hour, one a
minute of six hours, one in five minutes of three days, one in half an hour of a week: what a rule says of a long
window may so begin and end by one such step earlier or later than in Prometheus, never more. Resets of counters are
kept apart, and none is lost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from levaithan.detectors.extrapolation import NAN, Span

Labels = tuple[tuple[str, str], ...]
BANKS = (
    (0, 600_000),
    (15_000, 3_600_000),
    (60_000, 21_600_000),
    (300_000, 259_200_000),
    (1_800_000, 608_400_000),
)
"""(step, kept at most) in milliseconds; the last keeps seven days and the hour before which they end"""
_SLACK_MS = 400_000
_TRIM = 32
_MOST_RESETS = 500


class Column:
    """One series' values in one bank, from the bank's index `start` on. holes: some of them are NaN, for none."""

    __slots__ = ("count", "counts", "holes", "start", "sums", "total", "values")

    def __init__(self, start: int, *, gathers: bool) -> None:
        self.start = start
        self.values = array("d")
        self.holes = False
        self.sums = array("d") if gathers else None
        self.counts = array("d") if gathers else None
        self.total = self.count = 0.0  # of the samples since the last one that is kept

    def put(self, at: int, value: float) -> None:
        """The value at the bank's index `at`; what was left out since the last one becomes holes."""
        missing = at - self.start - len(self.values)
        if missing > 0:
            self.holes = True
            for kept, filler in ((self.values, NAN), (self.sums, 0.0), (self.counts, 0.0)):
                if kept is not None:
                    kept.extend([filler] * missing)
        self.values.append(value)
        if self.sums is not None and self.counts is not None:
            self.sums.append(self.total)
            self.counts.append(self.count)
            self.total = self.count = 0.0

    def drop(self, first: int) -> None:
        """Forget the bank's first `first` indices."""
        gone = max(0, first - self.start)
        for kept in (self.values, self.sums, self.counts):
            if kept is not None:
                del kept[:gone]
        self.start = max(0, self.start - first)
        self.holes = self.holes and any(value != value for value in self.values)  # noqa: PLR0124 - NaN


class Bank:
    """Times in milliseconds, at least `step` apart, of the last `keep`."""

    def __init__(self, step: int, keep: int) -> None:
        self.step = step
        self.keep = keep
        self.times: list[int] = []

    def due(self, at_ms: int) -> bool:
        """Whether a sample belongs in here now."""
        return not self.times or at_ms - self.times[-1] >= self.step * 0.9  # scrapes are never quite on time

    def within(self, start_ms: int, end_ms: int, *, left_open: bool) -> tuple[int, int]:
        """The indices from (or just after) start up to and with end: first, and one past the last."""
        find = bisect_right if left_open else bisect_left
        return find(self.times, start_ms), bisect_right(self.times, end_ms)

    def outdated(self, at_ms: int) -> int:
        """How many times at its beginning no window reaches any more; 0 as long as it is not worth the work."""
        first = bisect_left(self.times, at_ms - self.keep - _SLACK_MS - self.step)
        return first if first >= _TRIM else 0


class Track:
    """One series: its columns by bank, its newest value, and the counter's resets (time, value before)."""

    __slots__ = ("columns", "gathering", "given", "labels", "last", "last_ms", "name", "resets")

    def __init__(self, name: str, labels: Labels) -> None:
        self.name = name
        self.given = labels
        self.labels = tuple(pair for pair in labels if pair[1])  # a label without a value is none, as in Prometheus
        self.columns: dict[int, Column] = {}
        self.last = NAN
        self.last_ms = -1
        self.resets: list[tuple[int, float]] = []
        self.gathering: list[Column] = []

    def add(self, number: int, column: Column) -> None:
        """Its column in the bank of that number."""
        self.columns[number] = column
        if column.sums is not None:
            self.gathering.append(column)

    def take(self, at_ms: int, value: float) -> None:
        """The newest value."""
        if value < self.last:
            self.resets.append((at_ms, self.last))
            if len(self.resets) > _MOST_RESETS:
                (_, lost), (time, more) = self.resets[:2]
                self.resets[:2] = [(time, lost + more)]
        self.last, self.last_ms = value, at_ms
        for column in self.gathering:
            column.total += value
            column.count += 1

    def lost(self, after_ms: int, until_ms: int) -> float:
        """What resets took in a time."""
        return sum((lost for at, lost in self.resets if after_ms < at <= until_ms), 0.0)

    def span(self, bank: Bank, number: int, first: int, end: int, *, tail: bool) -> Span | None:
        """The ends of the samples first to end (one past the last); tail: the newest sample belongs to it, too."""
        column = self.columns.get(number)
        if column is None:
            return None
        low, high = max(0, first - column.start), min(end - column.start, len(column.values))
        values, count = column.values, high - low
        if column.holes:
            while low < high and values[low] != values[low]:
                low += 1
            while high > low and values[high - 1] != values[high - 1]:
                high -= 1
            count = sum(1 for value in values[low:high] if value == value)  # noqa: PLR0124 - NaN
        if count <= 0:
            return None
        first_ms, last_ms, last = bank.times[low + column.start], bank.times[high - 1 + column.start], values[high - 1]
        if tail and self.last_ms > last_ms:
            last_ms, last, count = self.last_ms, self.last, count + 1
        lost = self.lost(first_ms, last_ms) if self.resets else 0.0
        return Span(first_ms, values[low], last_ms, last, lost, count)

    def samples(self, bank: Bank, number: int, first: int, end: int, *, tail: bool) -> tuple[list[int], list[float]]:
        """Times and values of them all."""
        column = self.columns.get(number)
        if column is None:
            return [], []
        low, high = max(0, first - column.start), max(0, min(end - column.start, len(column.values)))
        values = column.values[low:high].tolist()
        times = bank.times[low + column.start : low + column.start + len(values)]
        if column.holes:
            kept = [(time, value) for time, value in zip(times, values, strict=True) if value == value]  # noqa: PLR0124
            times, values = [time for time, _ in kept], [value for _, value in kept]
        if tail and self.last_ms > (times[-1] if times else -1):
            return [*times, self.last_ms], [*values, self.last]
        return times, values

    def gathered(self, number: int, first: int, end: int, *, tail: bool) -> tuple[float, float]:
        """The sum and the number of all samples that these of a coarse bank stand for; tail: and of those since."""
        column = self.columns.get(number)
        if column is None or column.sums is None or column.counts is None:
            return 0.0, 0.0
        low, high = max(0, first - column.start), max(0, min(end - column.start, len(column.values)))
        since = (column.total, column.count) if tail else (0.0, 0.0)
        return sum(column.sums[low:high]) + since[0], sum(column.counts[low:high]) + since[1]
