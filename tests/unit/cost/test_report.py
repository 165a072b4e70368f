"""Reports and forecasts: sums that can be checked by hand, and what is not known is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.cost import forecast as forecasting
from levaithan.cost import plot, report
from levaithan.cost.calls import Known, at_us
from levaithan.hot import prices
from levaithan.hot.usage import SYNTHETIC, Call

PRICES = prices.built_in()


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """zone(name): local time is that of `name`."""
    import time

    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def known(message_id: str, model: str = "claude-opus-5-5", at: str = "2026-11-23T12:00:00Z", **more: Any) -> Known:
    project, kind = more.pop("project", "/p"), more.pop("agent_type", None)
    call = Call(message_id, model, more.pop("session", "s1"), more.pop("agent", ""), at, **{"input": 1000, **more})
    return Known(call, at_us(at), project, kind)


FOUND = [
    known("1"), known("2", output=1000, session="s2", project="/q"),
    known("3", "claude-sonnet-5-5", agent="a1", agent_type="Plan"),
    known("4", "claude-unknown-9", project=None), known("5", "claude-haiku-4-5", mode="fast"), known("6", SYNTHETIC),
    known("7", at="never"), known("8", at="2026-11-24T12:00:00Z"),
]  # fmt: skip
"""In USD: 0.004, 0.024, 0.002, unknown, unknown, nothing, 0.004, 0.004."""


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("day", [("2026-11-23", 3, 0.03), ("2026-11-24", 1, 0.004), ("(unknown)", 1, 0.004)]),
        ("model", [("claude-opus-5-5", 4, 0.036), ("claude-sonnet-5-5", 1, 0.002)]),
        ("session", [("s1", 4, 0.014), ("s2", 1, 0.024)]),
        ("project", [("/p", 4, 0.014), ("/q", 1, 0.024)]),
        ("agent", [("main", 4, 0.036), ("a1", 1, 0.002)]),
    ],
)
def test_sums_by_each(by: str, expected: list[tuple[str, int, float]], zone: Any) -> None:
    zone("UTC")
    rows = report.report(FOUND, PRICES, by)
    assert sorted((row[by], row["calls"], row["usd"]) for row in rows if row["kind"] == "usage") == sorted(expected)
    assert sum(row["nano_usd"] for row in rows if row["kind"] == "usage") == 38_000_000
    unknown = {row["model"]: row for row in rows if row["kind"] == report.UNKNOWN}
    assert set(unknown) == {"claude-unknown-9", "claude-haiku-4-5 (fast)"}
    assert all((row["usd"], row["nano_usd"], row["input"]) == (None, None, 1000) for row in unknown.values())


def test_tokens_are_kept_by_class() -> None:
    [row] = report.report(
        [known(str(at), output=1, cache_read=2, cache_write_5m=3, cache_write_1h=4, web_search=5) for at in range(3)],
        PRICES, "model",
    )  # fmt: skip
    assert [row[name] for name in report.COUNTS] == [3000, 3, 6, 9, 12, 15]


def test_a_day_is_a_local_one(zone: Any) -> None:
    late = known("1", at="2026-11-23T23:30:00Z")
    for name, day in (("UTC", "2026-11-23"), ("Europe/Berlin", "2026-11-24"), ("America/Los_Angeles", "2026-11-23")):
        zone(name)
        assert report.by_day([late], PRICES) == {day: 4_000_000}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**7), st.integers(0, 3)), max_size=30))
def test_the_sum_of_the_rows_is_the_sum_of_the_calls(given_calls: list[tuple[str, int, int]]) -> None:
    made = [
        known(str(number), input=tokens, session=session, agent="x" * agent, project=session)
        for number, (session, tokens, agent) in enumerate(given_calls)
    ]
    whole = sum(PRICES.price(one.call) or 0 for one in made)
    for by in report.BY:
        rows = report.report(made, PRICES, by)
        assert sum(row["nano_usd"] for row in rows) == whole
        assert sum(row["calls"] for row in rows) == len(made)


MONDAY = date(2026, 11, 2)


def days(costs: list[int], first: date = MONDAY) -> dict[date, int]:
    return {first + timedelta(days=at): cost for at, cost in enumerate(costs) if cost}


def test_a_steady_pace_goes_on() -> None:
    noon = datetime(2026, 11, 11, 12)
    [one] = forecasting.forecast(days([100] * 9 + [50], date(2026, 11, 2)), noon, "month")
    assert (one.spent, one.forecast) == (950, 950 + 100 * 19 + 50)
    assert one.low == one.high == one.forecast


def test_with_two_weeks_each_weekday_counts_for_itself() -> None:
    week = [100, 100, 100, 100, 100, 0, 0]
    now = datetime(2026, 11, 28)  # a Saturday, at its beginning: nothing but a weekend and a Monday is left
    linear, weekdays = forecasting.forecast(days(week * 3 + week[:5]), now, "month")
    assert weekdays.forecast == weekdays.low == weekdays.high == 2000 + 100
    assert linear.forecast > weekdays.forecast
    assert "weekdays" in weekdays.method and "26 days" in weekdays.method


def test_what_differs_makes_the_range_and_is_drawn_the_same_each_time() -> None:
    uneven = days([10, 200, 30, 90, 500, 0, 40, 300, 20, 60, 0, 80, 700, 10])
    now = datetime(2026, 11, 16, 6)
    made = forecasting.forecast(uneven, now, "month")
    assert made == forecasting.forecast(uneven, now, "month")
    for one in made:
        assert one.low is not None and one.high is not None
        assert one.spent <= one.low <= one.forecast <= one.high and one.low < one.high


def test_few_days_have_no_range() -> None:
    now = datetime(2026, 11, 3, 12)
    [one] = forecasting.forecast(days([100, 50]), now, "week")
    assert (one.low, one.high, one.spent, one.forecast) == (None, None, 150, 150 + 550)
    assert forecasting.forecast({}, now, "month") == [forecasting.Forecast(one.method, 0, 0, None, None)]


def test_days_without_use_before_the_first_do_not_count_and_those_after_do() -> None:
    now = datetime(2026, 11, 21)
    [one] = forecasting.forecast(days([700, 0, 0, 0, 0, 0, 0], date(2026, 11, 14)), now, "month")
    assert one.forecast == 700 + 100 * 10


@given(
    costs=st.lists(st.integers(0, 10**12), min_size=1, max_size=80), second=st.integers(0, 86_399),
    period=st.sampled_from(forecasting.PERIODS),
)  # fmt: skip
def test_no_forecast_is_below_what_is_spent(costs: list[int], second: int, period: str) -> None:
    today = MONDAY + timedelta(days=len(costs) - 1)
    now = datetime(today.year, today.month, today.day) + timedelta(seconds=second)
    for one in forecasting.forecast(days(costs), now, period):
        assert one.forecast >= one.spent
        if one.low is not None and one.high is not None:
            assert one.spent <= one.low <= one.forecast <= one.high


@pytest.mark.parametrize(
    ("period", "today", "first", "end"),
    [
        ("day", "2026-12-31", "2026-12-31", "2027-01-01"),
        ("week", "2026-11-23", "2026-11-23", "2026-11-30"),
        ("week", "2026-11-29", "2026-11-23", "2026-11-30"),
        ("month", "2026-12-31", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29", "2028-02-01", "2028-03-01"),
    ],
)
def test_periods(period: str, today: str, first: str, end: str) -> None:
    assert forecasting.bounds(period, date.fromisoformat(today)) == (date.fromisoformat(first), date.fromisoformat(end))


def test_bars_are_as_wide_as_there_is_room_and_plain_without_colour() -> None:
    values = {f"2026-11-{day:02}": float(day) for day in range(1, 31)}
    drawn = plot.bars(values, "USD by day", 70, color=False)
    assert "\x1b" not in drawn and "USD by day" in drawn and "█" in drawn and "2026-11-" in drawn
    assert max(map(len, drawn.splitlines())) <= 70
    assert plot.bars({"x": 0.0}, "t", 10, color=False)
