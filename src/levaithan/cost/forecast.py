"""What a period will have cost at its end, from its days so far: says how it was made, and in which range it lies.

Two ways: the pace so far, carried on to the end (from few days), and, with two weeks of days or more, the median of
each weekday with what days differed from it, drawn again a thousand times (a fixed seed: the same question, the same
answer). The range holds eight of ten draws. Money that is spent is never forecast away.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PERIODS = ("day", "week", "month")
DRAWS = 1000
WEEKDAYS_FROM = 14
RANGE_FROM = 3
LOOK_BACK = 56
"""Days that count at most: eight of each weekday."""


@dataclass(slots=True, frozen=True)
class Forecast:
    """Nano-USD at the end of the period; low and high: 10 and 90 % of the draws, None with too few days."""

    method: str
    spent: int
    forecast: int
    low: int | None
    high: int | None


def bounds(period: str, today: date) -> tuple[date, date]:
    """The first day of the period that `today` is in, and the first after it; weeks begin on Monday."""
    if period == "day":
        return today, today + timedelta(days=1)
    if period == "week":
        first = today - timedelta(days=today.weekday())
        return first, first + timedelta(days=7)
    first = today.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def forecast(days: Mapping[date, int], now: datetime, period: str) -> list[Forecast]:
    """The forecasts for the period of `now` (local), the better one last. days: nano-USD a day, without empty days.

    linear = spent / elapsed part of the period. Weekdays = spent + the rest of today + a draw for each day after it.
    """
    today = now.date()
    first, end = bounds(period, today)
    spent = sum(cost for day, cost in days.items() if first <= day <= today)
    begun = min(days, default=today)
    history = _filled(days, max(begun, today - timedelta(days=LOOK_BACK)), today)
    part = (now - datetime.combine(today, time.min)).total_seconds() / 86_400
    left = (end - today).days - 1
    since = max(first, begun)
    elapsed = (today - since).days + part
    pace = spent / elapsed if elapsed > 0 else 0.0
    low, high = (
        _range(_draws(history, today, left, part, spent, weekdays=False))
        if len(history) >= RANGE_FROM
        else (None, None)
    )
    linear = spent + round(pace * (left + 1 - part))
    made = [Forecast("linear: the pace of this period so far", spent, linear, _least(low, linear), _most(high, linear))]
    if len(history) >= WEEKDAYS_FROM:
        draws = _draws(history, today, left, part, spent, weekdays=True)
        low, high = _range(draws)
        words = f"weekdays: medians of {len(history)} days, with what days differed from them"
        made.append(Forecast(words, spent, round(median(draws)), low, high))
    return made


def _filled(days: Mapping[date, int], first: date, today: date) -> dict[date, int]:
    """Every whole day before today, those without a call included."""
    return {day: days.get(day, 0) for at in range((today - first).days) if (day := first + timedelta(days=at))}


def _draws(
    history: Mapping[date, int], today: date, left: int, part: float, spent: int, *, weekdays: bool
) -> list[float]:
    """What the period may come to: `spent`, the rest of today, and each day after it; sorted."""
    source = random.Random(0)  # noqa: S311 - no secret: the same every time
    middle = {
        weekday: median([cost for day, cost in history.items() if not weekdays or day.weekday() == weekday] or [0])
        for weekday in range(7)
    }
    differs = [cost - middle[day.weekday()] for day, cost in history.items()]

    def drawn(day: date) -> float:
        return max(0.0, middle[day.weekday()] + source.choice(differs))

    after = [today + timedelta(days=at + 1) for at in range(left)]
    return sorted(spent + (1 - part) * drawn(today) + sum(map(drawn, after)) for _ in range(DRAWS))


def _range(draws: list[float]) -> tuple[int, int]:
    return round(draws[len(draws) // 10]), round(draws[-len(draws) // 10])


def _least(low: int | None, value: int) -> int | None:
    return None if low is None else min(low, value)


def _most(high: int | None, value: int) -> int | None:
    return None if high is None else max(high, value)
