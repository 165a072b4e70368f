"""Moments as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from levaithan.cli.times import iso, moment, span, window
from levaithan.errors import UsageProblem

NOW = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # +05:30, never daylight saving
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5H", NOW - timedelta(minutes=90)),
        ("1d12h", NOW - timedelta(hours=36)),
        ("2w", NOW - timedelta(days=14)),
        ("now", NOW),
        ("today", datetime(2026, 11, 22, 18, 30, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 21, 18, 30, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 22, 18, 30, tzinfo=UTC)),
        ("2026-11-23T10:00", datetime(2026, 11, 23, 4, 30, tzinfo=UTC)),
        ("2026-11-23 10:00:00", datetime(2026, 11, 23, 4, 30, tzinfo=UTC)),
        ("2026-11-23t10:00:00z", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ("2026-11-23T10:00:00.5+02:00", datetime(2026, 11, 23, 8, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_the_forms(text: str, expected: datetime) -> None:
    assert moment(text, NOW, "--since") == expected


@pytest.mark.parametrize("text", ["soon", "2", "h", "2 x", "2026-13-01", "", "99999999999w", "-2h", "1e9d", "²h"])
def test_what_is_no_moment_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        moment(text, NOW, "--since")
    assert "--since" in caught.value.message and caught.value.exit_code == 2 and caught.value.fix


def test_a_window_is_said_in_utc() -> None:
    found = window("2h", "10m", NOW)
    assert str(found) == "2026-11-23T13:04:05.000000Z to 2026-11-23T14:54:05.000000Z (UTC)"
    assert str(window(None, None, NOW)) == "the beginning to now (UTC)"
    assert found.since_us is not None and iso(found.since_us) == "2026-11-23T13:04:05.000000Z"


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageProblem, match="ends"):
        window("10m", "2h", NOW)


def test_spans() -> None:
    assert span("30m", "--expires") == timedelta(minutes=30)
    with pytest.raises(UsageProblem, match="--expires"):
        span("half an hour", "--expires")


def test_microseconds_are_exact_also_before_1970() -> None:
    assert iso(-1) == "1969-12-31T23:59:59.999999Z" and iso(1_763_910_245_123_457) == "2025-11-23T15:04:05.123457Z"
