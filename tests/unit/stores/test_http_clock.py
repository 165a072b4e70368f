"""A server's clock by the date of its HTTP answers: as near as a date without parts of a second can say."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from levaithan.stores import http_clock

NOON = 1_795_867_200.0


@pytest.mark.parametrize("ahead", [0.0, 0.3, 0.999, -0.001, 90.0, -3600.4])
@pytest.mark.parametrize("took", [0.0, 0.2])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_the_true_clock_is_within_what_is_said(ahead: float, took: float, part: float) -> None:
    before = NOON + part
    for answered in (before, before + took):
        date = formatdate(answered + ahead, usegmt=True)
        told, error = http_clock.skew(date, before, before + took)
        assert told is not None
        assert abs(told - ahead * 1000) <= error + 1e-3
        assert error == pytest.approx(500 + took * 500)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sat, 99 Nov 2026 12:00:00 GMT", "x" * 9000])
def test_what_is_no_date_tells_no_clock(date: str | None) -> None:
    assert http_clock.skew(date, NOON, NOON) == (None, 0.0)
