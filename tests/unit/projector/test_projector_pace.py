"""How fast a store catches up: it rests while events flow, and never so that it would not catch up."""

from __future__ import annotations

from pathlib import Path

import pytest

from levaithan.projector import pace
from levaithan.stores.roles import Cursor


@pytest.mark.parametrize(
    ("delivered", "arrived", "rests_s"),
    [
        (1_000_000, 0, 0.0), (1_000_000, 10_000, 0.1), (800, 100, 0.1), (600, 100, 0.05), (400, 100, 0.0),
        (100, 100, 0.0), (50, 100, 0.0), (0, 100, 0.0),
    ],
)  # fmt: skip
def test_it_rests_as_far_as_it_still_gains(delivered: int, arrived: int, rests_s: float) -> None:
    assert pace.rest_s(0.1, delivered, arrived) == pytest.approx(rests_s)
    assert pace.rest_s(60.0, 1_000_000, 1) == pace.MOST_S


def test_it_goes_by_what_the_journal_has(tmp_path: Path) -> None:
    file = tmp_path / "journal-000001.log"
    file.write_bytes(b"x" * 100_000)
    one = pace.Pace(str(tmp_path))

    def at(offset: int) -> Cursor:
        return Cursor("j", file.name, offset, 1, "h")

    one.look(at(0))
    assert one.rest_s(at(50_000)) == 0.0, "nothing arrives: nobody is in the way"
    with file.open("ab") as more:
        more.write(b"x" * 100)
    assert one.rest_s(at(90_000)) > 0.0
    with file.open("ab") as more:
        more.write(b"x" * 100_000)
    assert one.rest_s(at(95_000)) == 0.0, "it cannot follow as it is"
    with file.open("ab") as more:
        more.write(b"x")
    assert one.rest_s(at(200_101)) == 0.0, "it is at the end"


def test_a_segment_that_ends_meanwhile_is_no_arrival_of_all_that_went_before(tmp_path: Path) -> None:
    first, second = tmp_path / "journal-000001.log", tmp_path / "journal-000002.log"
    first.write_bytes(b"x" * 100_000)
    one = pace.Pace(str(tmp_path))
    one.look(Cursor("j", first.name, 0, 1, "h"))
    second.write_bytes(b"x" * 100)
    assert one.rest_s(Cursor("j", first.name, 90_000, 2, "h")) > 0.0
    first.unlink()
    assert one.rest_s(Cursor("j", second.name, 100, 3, "h")) == 0.0
