"""Pieces of work at a time: all are done, in order, by as many threads as were said, and the first failure ends it."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from levaithan.stores.side_by_side import side_by_side


def test_each_is_made_once_and_in_its_place() -> None:
    asked: list[int] = []

    def work(number: int) -> int:
        asked.append(number)
        return number * number

    assert side_by_side(work, range(500), 3) == [number * number for number in range(500)]
    assert sorted(asked) == list(range(500))
    assert side_by_side(work, [], 2) == []


def test_two_are_worked_on_at_the_same_time_and_they_give_way() -> None:
    together = threading.Barrier(2, timeout=20)

    def work(_: int) -> tuple[int, int]:
        together.wait()
        told = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) if sys.platform == "linux" else 10
        return threading.get_ident(), told

    made = side_by_side(work, [1, 2], 2)
    assert len({ident for ident, _ in made} - {threading.get_ident()}) == 2
    assert min(told for _, told in made) >= 10


def test_one_alone_is_made_by_who_asks() -> None:
    assert side_by_side(lambda _: threading.get_ident(), [1], 2) == [threading.get_ident()]
    assert side_by_side(lambda _: threading.get_ident(), [1, 2], 1) == [threading.get_ident()] * 2


def test_a_failure_is_raised_and_nothing_is_begun_after_it() -> None:
    asked: list[int] = []

    def work(number: int) -> int:
        asked.append(number)
        if number == 3:
            raise ValueError("the third")
        return number

    with pytest.raises(ValueError, match="the third"):
        side_by_side(work, range(10_000), 2)
    assert len(asked) < 10_000


def test_an_interrupt_of_who_waits_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    begun, go_on = threading.Event(), threading.Event()
    join = threading.Thread.join

    def interrupted(_: threading.Thread, timeout: float | None = None) -> None:
        begun.wait(20)
        raise KeyboardInterrupt

    def work(number: int) -> None:
        asked.append(number)
        begun.set()
        go_on.wait(20)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, range(1_000), 2)
    monkeypatch.setattr(threading.Thread, "join", join)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("side-"):
            thread.join(20)
    assert len(asked) <= 2
