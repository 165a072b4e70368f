"""The beat to a dead man's switch."""

from __future__ import annotations

import threading

import pytest

from levaithan.monitor.beat import BEAT_S, Beat


def test_the_beat_goes_out_once_a_minute_and_never_twice_at_once() -> None:
    sent: list[str] = []
    gate, arrived = threading.Event(), threading.Semaphore(0)

    def get(url: str) -> None:
        sent.append(url)
        arrived.release()
        gate.wait(5)

    one = Beat("http://127.0.0.1:1/beat", get)
    one.passed(1)
    assert arrived.acquire(timeout=5)
    one.passed(2 * BEAT_S)  # the first one hangs
    assert len(sent) == 1
    gate.set()
    assert one._thread is not None
    one._thread.join(5)
    one.passed(1)
    assert arrived.acquire(timeout=5)
    assert len(sent) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "file:///etc/hostname", "nonsense"])
def test_a_beat_that_does_not_arrive_is_told_without_its_url(url: str) -> None:
    one = Beat(url)
    one.passed(1)
    assert one._thread is not None
    one._thread.join(15)
    assert one.error
    assert "127.0.0.1" not in one.error


def test_without_a_url_there_is_no_beat() -> None:
    one = Beat(None)
    one.passed(1e6)
    assert one._thread is None
