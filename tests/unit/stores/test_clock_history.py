"""Which records a measured skew speaks for: clocks that were set, records that waited, a history that stays small."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.stores.clock_history import LEAST_US, MOST_KEPT, NEAR_US, Measured, Stretch, after

SECOND = 1_000_000
NOON = 1_795_424_400 * SECOND
Event = tuple[int, int]


class Clock:
    """A machine's clock and journal over true seconds, its batches delivered to a history."""

    def __init__(self, ahead_s: float = 0) -> None:
        self.ahead_us = round(ahead_s * SECOND)
        self.history: list[Stretch] = []
        self.events: list[Event] = []
        self.true: dict[int, int] = {}
        self.delivered = 0

    def record(self, true_s: float) -> None:
        """An event at this true second."""
        true_us = NOON + round(true_s * SECOND)
        self.events.append((len(self.events) + 1, true_us + self.ahead_us))
        self.true[len(self.events)] = true_us

    def deliver(self, true_s: float, most: int = 1 << 30, error_us: int = 0) -> None:
        """What is not delivered yet, in batches of so many at most, at this true second."""
        now = Measured(NOON + round(true_s * SECOND) + self.ahead_us, self.ahead_us, error_us)
        while batch := self.events[self.delivered : self.delivered + most]:
            self.history = after(self.history, batch, now, self.delivered)
            self.delivered += len(batch)

    def skews(self) -> list[tuple[int, float]]:
        """(number of the first record, seconds ahead) of each stretch."""
        return [(one.first, one.skew_us / SECOND) for one in self.history]

    def wrong(self) -> set[int]:
        """The numbers of the records whose corrected time is not the true one."""
        found = set()
        for number, at in self.events:
            (stretch,) = [one for one in self.history if one.first <= number][-1:]
            assert stretch.oldest_us <= at <= stretch.newest_us
            found |= {number} if abs(at - stretch.skew_us - self.true[number]) >= LEAST_US else set()
        return found


def live(clock: Clock, seconds: range, a_batch: int = 5) -> None:
    """An event each second, delivered every few seconds."""
    for true_s in seconds:
        clock.record(true_s)
        if true_s % a_batch == 0:
            clock.deliver(true_s + 0.2)
    clock.deliver(seconds[-1] + 0.2)


@pytest.mark.parametrize("ahead", [300, -300, 2, -2, 0.3])
def test_a_clock_that_was_set_right_keeps_what_was_true_of_it_before(ahead: float) -> None:
    clock = Clock(ahead)
    live(clock, range(1, 100))
    clock.ahead_us = 0
    live(clock, range(100, 200))
    assert clock.skews() == [(0, ahead), (100, 0)]
    assert clock.wrong() == set()


def test_a_clock_that_jumps_back_into_times_it_had_already_is_told_apart_by_the_order_of_records() -> None:
    clock = Clock(60)
    live(clock, range(1, 51))
    for true_s in (51, 52):
        clock.record(true_s)
    clock.ahead_us = 0
    live(clock, range(53, 120))
    assert clock.skews() == [(0, 60), (53, 0)], "in the middle of a batch, where the time falls"
    assert clock.wrong() == set()


def test_a_clock_that_jumps_ahead_amid_a_batch_is_seen_by_the_gap() -> None:
    clock = Clock(-20)
    live(clock, range(1, 51))
    for true_s in (51, 52):
        clock.record(true_s)
    clock.ahead_us = 0
    live(clock, range(53, 120))
    assert clock.skews() == [(0, -20), (53, 0)]
    assert clock.wrong() == set()


def test_of_records_that_waited_the_last_skew_known_before_is_the_better_guess() -> None:
    clock = Clock(-300)
    live(clock, range(1, 51))
    for true_s in range(51, 400):
        clock.record(true_s)
        clock.ahead_us = 0 if true_s >= 200 else clock.ahead_us
    clock.deliver(400, most=100)
    assert clock.skews() == [(0, -300), (400 - NEAR_US // SECOND, 0)], (
        "what was recorded about now is by the clock of now"
    )
    assert clock.wrong() == set(range(201, 400 - NEAR_US // SECOND)), "nobody knows when it was set ahead"


def test_among_records_that_waited_a_clock_that_was_set_back_is_found() -> None:
    clock = Clock(300)
    live(clock, range(1, 51))
    for true_s in range(51, 1000):
        clock.record(true_s)
        clock.ahead_us = 0 if true_s >= 200 else clock.ahead_us
    clock.deliver(1000, most=100)
    assert clock.skews() == [(0, 300), (201, 0)]
    assert clock.wrong() == set()


def test_records_that_waited_alone_change_nothing_and_the_next_one_does() -> None:
    clock = Clock(-5)
    live(clock, range(1, 51))
    for true_s in range(51, 100):
        clock.record(true_s)
    clock.ahead_us = 0
    clock.deliver(500)
    assert clock.skews() == [(0, -5)]
    clock.record(600)
    clock.deliver(600.1)
    assert clock.skews() == [(0, -5), (100, 0)]
    assert clock.wrong() == set()


def test_what_measuring_may_be_wrong_by_is_no_change() -> None:
    clock = Clock(0)
    live(clock, range(1, 20))
    clock.ahead_us = LEAST_US - 1
    live(clock, range(20, 30))
    clock.ahead_us = 2 * SECOND
    clock.record(31)
    clock.deliver(31, error_us=2 * SECOND)
    assert clock.skews() == [(0, 0)], "a measurement that took four seconds may be wrong by two"
    live(clock, range(32, 40))
    assert clock.skews() == [(0, 0), (31, 2)]


def test_the_first_measurement_is_of_all_before_it_and_an_uncertain_one_of_nothing() -> None:
    events = [(5, NOON), (6, NOON + 1)]
    sure, unsure = Measured(NOON, 7 * SECOND), Measured(NOON, 7 * SECOND, 8 * SECOND)
    assert after([], events, sure, 0) == [Stretch(0, 7 * SECOND, NOON, NOON + 1)]
    assert after([], events, unsure, None) == [Stretch(0, 0, NOON, NOON + 1)]


def test_old_records_delivered_again_begin_nothing_and_are_within_their_own_stretch() -> None:
    clock = Clock(300)
    live(clock, range(1, 50))
    clock.ahead_us = 0
    live(clock, range(50, 100))
    kept = clock.history
    again = Measured(NOON + 99 * SECOND, -9 * SECOND)
    assert after(kept, clock.events[10:80], again, None) == kept
    assert after(kept, clock.events[10:80], again, 98) == kept, "their numbers were there"
    late = after(kept, [(20, NOON - SECOND), (70, NOON - 2 * SECOND)], again, None)
    assert [(one.first, one.oldest_us) for one in late] == [(0, NOON - SECOND), (50, NOON - 2 * SECOND)]


def test_a_place_that_was_lost_begins_no_stretch_before_the_last() -> None:
    kept = [Stretch(0, 0, 1, 2), Stretch(50, SECOND, 3, 4)]
    events = [(number, NOON + number) for number in range(1, 60)]
    found = after(kept, events, Measured(NOON + 60, 0), 0)
    assert [one.first for one in found] == [0, 50, 51]


def test_a_clock_that_drifts_has_few_stretches_and_a_wide_jump_outlives_small_ones() -> None:
    clock = Clock(0)
    live(clock, range(1, 11))
    clock.ahead_us = 3600 * SECOND
    live(clock, range(11, 21))
    for step in range(200):
        clock.ahead_us = step * SECOND
        live(clock, range(21 + 10 * step, 31 + 10 * step))
    assert len(clock.history) == MOST_KEPT
    assert (11, 3600) in clock.skews()
    assert clock.skews()[-1][1] == 199
    late = [one for one in clock.skews() if one[0] > 20]
    assert max(skew - before for (_, before), (_, skew) in pairwise(late)) < 40, "coarse, and no part of it lost"


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([-400, -30, -3, 0, 2, 25, 500])), min_size=1, max_size=14),
    st.integers(1, 7),
)
def test_of_live_records_only_those_of_the_batch_in_which_a_clock_was_set_may_be_wrong(
    plan: list[tuple[int, float]], a_batch: int
) -> None:
    clock, second, doubtful = Clock(plan[0][1]), 0, set[int]()
    for length, ahead in plan:
        clock.ahead_us = ahead * SECOND
        doubtful |= set(range(len(clock.events) + 1 - a_batch, len(clock.events) + 1 + a_batch))
        for _ in range(length):
            second += 1
            clock.record(second)
            if second % a_batch == 0:
                clock.deliver(second + 0.01)
    clock.deliver(second + 0.01)
    assert clock.wrong() <= doubtful
    firsts = [one.first for one in clock.history]
    assert firsts == sorted(set(firsts))
    assert firsts[0] == 0
    assert len(firsts) <= MOST_KEPT
