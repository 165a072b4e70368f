"""The time limit: it rings inside the guarded call, and leaves nothing behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from levaithan.hot.timelimit import Overrun, TimeLimit


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """The alarm as it was before the test: the test runner's own limit uses it too."""
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *timer)


def hang(limit: TimeLimit, seconds: float) -> None:
    limit.begin(seconds)
    try:
        limit.inside = True
        end = time.monotonic() + 10
        while time.monotonic() < end:
            pass
    finally:
        limit.end()


@pytest.mark.parametrize("resident", [False, True])
def test_it_rings_each_time(resident: bool) -> None:
    limit = TimeLimit(resident=resident)
    for _ in range(3):
        begun = time.monotonic()
        with pytest.raises(Overrun):
            hang(limit, 0.05)
        assert time.monotonic() - begun < 5


def test_what_was_set_before_is_put_back() -> None:
    rung: list[int] = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 60)
    limit = TimeLimit()
    with pytest.raises(Overrun):
        hang(limit, 0.05)
    assert 50 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
    signal.raise_signal(signal.SIGALRM)
    assert rung == [1]


def test_a_resident_one_stops_by_itself_and_raises_nowhere_else() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    limit = TimeLimit(resident=True)
    limit.begin(0.05)
    limit.end()
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    end = time.monotonic() + 10
    while signal.getitimer(signal.ITIMER_REAL)[0]:
        assert time.monotonic() < end
    with pytest.raises(Overrun):
        hang(limit, 0.05)


def test_a_resident_one_rings_on_between_two_guarded_calls() -> None:
    limit = TimeLimit(resident=True)
    limit.begin(0.05)
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    try:
        with pytest.raises(Overrun):
            limit.inside = True  # in here: it may ring at the next instruction
            while time.monotonic() < end + 10:
                pass
    finally:
        limit.end()
