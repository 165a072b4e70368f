"""The Watchdog's silence, and the beat to a dead man's switch."""

from __future__ import annotations

import threading

import pytest

from levaithan.detectors.signal import Signal
from levaithan.monitor.watchdog import BEAT_S, SILENT_S, Beat, Listening


def watchdog(source: str = "alertmanager", *, firing: bool = True) -> Signal:
    return Signal("f", "Watchdog", "meta", "none", firing, 0.0, 0.0, source=source)


def test_what_was_never_heard_is_not_missed() -> None:
    one = Listening()
    one.passed(10 * SILENT_S)
    one.hear([watchdog("evaluator")])  # our own says nothing about the way to here
    one.passed(10 * SILENT_S)
    assert one.signals(1e9) == []


def test_silence_is_an_alarm_until_it_is_heard_again() -> None:
    one = Listening()
    one.hear([watchdog()])
    one.passed(SILENT_S - 1)
    assert one.signals(1000.0) == []
    one.passed(1)
    (alarm,) = one.signals(2000.0)
    assert (alarm.firing, alarm.severity, alarm.started_s) == (True, "P1", 2000.0 - SILENT_S)
    assert one.signals(2001.0)[0].firing
    one.hear([watchdog()])
    (over,) = one.signals(2002.0)
    assert not over.firing
    assert over.fingerprint == alarm.fingerprint
    assert one.signals(2003.0) == []


def test_one_that_was_taken_down_is_not_missed() -> None:
    one = Listening(heard=True)
    one.hear([watchdog(firing=False)])
    one.passed(10 * SILENT_S)
    assert one.signals(1e9) == []


def test_a_clock_that_goes_back_counts_for_nothing() -> None:
    one = Listening(heard=True)
    one.passed(SILENT_S - 1)
    one.passed(-1e6)
    one.passed(1)
    assert len(one.signals(0.0)) == 1


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
