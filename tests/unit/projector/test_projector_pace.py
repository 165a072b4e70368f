"""How fast a store catches up: it rests while events flow, and never so that it would not catch up."""

from __future__ import annotations

from pathlib import Path

import pytest

from levaithan.projector import pace
from levaithan.stores.roles import Cursor


@pytest.mark.parametrize(
    ("delivered", "arriving", "left", "rests_s"),
    [
        (1_000_000, 0.0, 1, 0.0),
        (1_000_000, 500_000.0, 1, 0.9),  # 2 x 500,000 a second: the batch may have a second
        (1_000_000, 4_000_000.0, 1, 0.025),
        (1_000_000, 5_000_000.0, 1, 0.0),  # twice what arrives, and no more than that
        (1_000_000, 9_000_000.0, 1, 0.0),
        (0, 500_000.0, 1, 0.0),
        (1_000_000, 10.0, 1, pace.MOST_S),
        (1_000_000, 10.0, 100_000_000, 0.1),  # at the end in a third of a minute
        (1_000_000, 10.0, 900_000_000, 0.0),
    ],
)
def test_it_rests_as_far_as_it_still_gains(delivered: int, arriving: float, left: int, rests_s: float) -> None:
    assert pace.rest_s(0.1, delivered, arriving, left) == pytest.approx(rests_s)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Written:
    """A journal of bytes, and a store's pace along it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "journal-000001.log"
        self.file.write_bytes(b"x" * 10_000_000)
        self.clock = Clock()
        self.at: Cursor | None = None
        self.pace = pace.Pace(str(folder), self.clock)

    def arrive(self, count: int) -> None:
        with self.file.open("ab") as more:
            more.truncate(more.tell() + count)

    def batch(self, to: int, arrive: int = 0, file: Path | None = None) -> float:
        """A batch up to `to`, which takes 10 ms, in which `arrive` bytes come."""
        self.pace.begin(self.at)
        self.clock.now += 0.01
        if arrive:
            self.arrive(arrive)
        self.at = Cursor("j", (file or self.file).name, to, 1, "h")
        return self.pace.rest_s(self.at)


def test_it_goes_by_what_the_journal_has(tmp_path: Path) -> None:
    one = Written(tmp_path)
    assert one.batch(1_000_000, 100_000) == 0.0, "where it was is not known yet"
    assert one.batch(5_000_000) == 0.0, "nothing arrives: nobody is in the way"
    enough = 2 * 10_000_000  # bytes a second: 100,000 come in 10 ms
    assert one.batch(7_000_000, 100_000) == pytest.approx(2_000_000 / enough - 0.01)
    one.clock.now += 0.04
    assert one.batch(9_000_000, 100_000) == pytest.approx(2_000_000 / (enough / 5) - 0.01), "the rest counts: 50 ms"
    assert one.batch(9_500_000, 10_000_000) == 0.0, "it cannot follow as it is"
    assert one.batch(19_900_000, 1) == 0.0, "what is left is not worth a rest"
    assert one.batch(20_300_001) == 0.0, "it is at the end"


def test_it_is_gentle_where_events_flow_and_it_gains_on_them(tmp_path: Path) -> None:
    one = Written(tmp_path)
    one.batch(100_000, 10)
    one.batch(200_000)
    assert not one.pace.gentle, "nothing arrives"
    one.batch(400_000, 99_000)
    assert one.pace.gentle, "twice what arrives, and a little more"
    one.batch(600_000, 101_000)
    assert not one.pace.gentle, "no more than twice"
    one.arrive(900_000_000)
    one.batch(9_000_000, 10)
    assert one.batch(9_100_000, 10) == 0.0
    assert one.pace.gentle, "much waits: it does not rest, and does a little at once"
    one.file.unlink()
    one.batch(9_200_000)
    assert not one.pace.gentle


def test_the_first_batch_of_one_that_falls_behind_is_followed_by_a_rest(tmp_path: Path) -> None:
    one = Written(tmp_path)
    one.at = Cursor("j", one.file.name, 1_000_000, 1, "h")
    assert one.batch(3_000_000, 100_000) == pytest.approx(2_000_000 / 20_000_000 - 0.01)


def test_what_was_seen_before_it_was_at_the_end_is_forgotten(tmp_path: Path) -> None:
    one = Written(tmp_path)
    one.batch(1_000_000)
    one.pace.forget()
    one.clock.now += 3600
    one.arrive(1_000)
    assert one.batch(2_000_000) == 0.0, "it came in an hour, or all at once"
    one.pace.forget()
    assert one.batch(4_000_000, 1_000) > 0.0


def test_a_segment_that_ends_meanwhile_is_no_arrival_of_all_that_went_before(tmp_path: Path) -> None:
    one, second = Written(tmp_path), tmp_path / "journal-000002.log"
    one.batch(0)
    second.write_bytes(b"x" * 100)
    assert one.batch(9_000_000) > 0.0
    one.file.unlink()
    one.file = second
    assert one.batch(100) == 0.0


def test_a_journal_that_cannot_be_read_is_no_reason_to_rest(tmp_path: Path) -> None:
    one = Written(tmp_path)
    one.batch(0)
    one.file.unlink()
    assert one.pace.rest_s(one.at) == 0.0
