"""The functions over ranges of samples: rate and increase, deriv and predict_linear, and the *_over_time.

Each is made once for a place in a rule and then run at each evaluation, over all series that its selector finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.detectors.extrapolation import increase, regression

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.detectors.banks import Labels
    from levaithan.detectors.computing import Moment
    from levaithan.detectors.expression import Over


def over(node: Over) -> Callable[[Moment], dict[Labels, float]]:
    """What computes this function over this range."""
    if node.function in ("rate", "increase"):
        return _counted(node)
    if node.function in ("deriv", "predict_linear"):
        return _fitted(node)
    return _gathered(node)


def _window(node: Over, moment: Moment) -> tuple[int, int, int, int, int, bool]:
    """Start and end in ms, the bank's number, the indices of the samples, and whether the newest sample is added.

    Coarse banks have no sample of the last minutes: the newest one stands for them when the range ends now.
    """
    end = moment.at_ms - round(node.offset * 1000)
    start = end - round(node.window * 1000)
    number = moment.samples.bank_for(round((node.window + node.offset) * 1000))
    first, last = moment.samples.banks[number].within(start, end, left_open=moment.dialect.left_open)
    newest = moment.samples.newest_ms
    tail = number > 0 and start < newest <= end
    return start, end, number, first, last, tail


def _counted(node: Over) -> Callable[[Moment], dict[Labels, float]]:
    divisor = node.window if node.function == "rate" else 1.0

    def run(moment: Moment) -> dict[Labels, float]:
        start, end, number, first, last, tail = _window(node, moment)
        bank, dialect = moment.samples.banks[number], moment.dialect
        found = {}
        for track in moment.samples.found[node.of]:
            span = track.span(bank, number, first, last, tail=tail)
            if span is not None:
                risen = increase(span, start, end, dialect)
                if risen is not None:
                    found[track.labels] = risen / divisor
        return found

    return run


def _fitted(node: Over) -> Callable[[Moment], dict[Labels, float]]:
    def run(moment: Moment) -> dict[Labels, float]:
        _start, _end, number, first, last, tail = _window(node, moment)
        bank = moment.samples.banks[number]
        found = {}
        for track in moment.samples.found[node.of]:
            times, values = track.samples(bank, number, first, last, tail=tail)
            line = regression(times, values, moment.at_ms)
            if line is not None:
                slope, now = line
                found[track.labels] = slope if node.function == "deriv" else now + slope * node.ahead
        return found

    return run


def _gathered(node: Over) -> Callable[[Moment], dict[Labels, float]]:
    def run(moment: Moment) -> dict[Labels, float]:
        _start, _end, number, first, last, tail = _window(node, moment)
        bank = moment.samples.banks[number]
        found = {}
        for track in moment.samples.found[node.of]:
            if number and node.function != "max_over_time":
                total, count = track.gathered(number, first, last, tail=tail)
                most = 0.0
            else:
                _times, values = track.samples(bank, number, first, last, tail=tail)
                total, count, most = sum(values), float(len(values)), max(values, default=0.0)
            if count:
                found[track.labels] = {"avg": total / count, "max": most, "sum": total, "count": count}[
                    node.function.partition("_")[0]
                ]
        return found

    return run
