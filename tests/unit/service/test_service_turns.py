"""Who waits for whom: the service may interrupt, the projector lets everybody by."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.support import homes

from levaithan.service import turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NO_CALL = "this system tells nothing of slices"


@pytest.fixture
def other() -> Iterator[int]:
    """A process that waits."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE)
    yield child.pid
    child.communicate(b"\n", timeout=30)


def needs_slices() -> None:
    if not turns.slice_ns():
        pytest.skip(NO_CALL)


def test_a_thread_that_asked_has_short_slices_and_so_has_what_it_starts() -> None:
    needs_slices()
    seen: list[object] = []

    def asks() -> None:
        seen.append(turns.short())
        seen.append(turns.slice_ns())
        child = threading.Thread(target=lambda: seen.append(turns.slice_ns()))
        child.start()
        child.join()

    thread = threading.Thread(target=asks)
    thread.start()
    thread.join()
    assert seen == [True, turns.SHORT_NS, turns.SHORT_NS]
    assert turns.slice_ns() > turns.SHORT_NS, "another thread is as it was"


def _in_a_thread(work: Callable[[], object]) -> object:
    """What `work` gives; a thread has a niceness of its own, and keeps the test's as it is."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def may_be_first() -> bool:
    """Whether this user may have a larger share."""

    def tries() -> bool:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -1)
        except OSError:
            return False
        return True

    return bool(_in_a_thread(tries))


def test_the_share_is_as_large_as_the_system_lets_it_be() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    got = _in_a_thread(lambda: turns.first(-10))
    assert got == (-10 if may_be_first() and before == 0 else before)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before, "another thread is as it was"
    assert _in_a_thread(lambda: turns.first(0)) == before


def test_a_limit_is_used_up_to_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def takes(_which: int, _who: int, nice: int) -> None:
        asked.append(nice)
        if nice < -3:
            raise PermissionError

    monkeypatch.setattr(os, "setpriority", takes)
    monkeypatch.setattr(os, "getpriority", lambda *_: ([0, *(one for one in asked if one >= -3)])[-1])
    monkeypatch.setattr(turns.resource, "getrlimit", lambda _: (23, 40))
    assert turns.first(-10) == -3
    assert asked == [-10, -3]


def test_who_was_given_a_niceness_on_purpose_keeps_it() -> None:
    def nicer() -> int:
        os.setpriority(os.PRIO_PROCESS, 0, 7)
        return turns.first(-10)

    assert _in_a_thread(nicer) == 7


def test_a_child_has_no_larger_share(other: int) -> None:
    if not may_be_first():
        pytest.skip("this user may have no larger share than others")
    needs_slices()
    os.setpriority(os.PRIO_PROCESS, other, -10)
    assert turns.usual(other)
    assert os.getpriority(os.PRIO_PROCESS, other) == 0
    os.setpriority(os.PRIO_PROCESS, other, -10)
    assert turns.background(other)
    assert os.getpriority(os.PRIO_PROCESS, other) == turns.NICER


def test_a_child_in_the_background_is_nicer_and_has_the_usual_slices(other: int) -> None:
    needs_slices()
    usual, before = turns.slice_ns(), os.getpriority(os.PRIO_PROCESS, other)
    assert turns.short(other)
    assert turns.slice_ns(other) == turns.SHORT_NS
    assert turns.background(other)
    assert (turns.slice_ns(other), os.getpriority(os.PRIO_PROCESS, other)) == (usual, min(19, before + turns.NICER))


def test_a_process_of_another_policy_keeps_it(other: int) -> None:
    needs_slices()
    os.sched_setscheduler(other, os.SCHED_IDLE, os.sched_param(0))
    assert not turns.short(other)
    assert os.sched_getscheduler(other) == os.SCHED_IDLE


def test_what_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    gone.wait()
    assert not turns.short(gone.pid)
    assert not turns.background(gone.pid)
    monkeypatch.setattr(turns, "_CALLS", {})
    assert not turns.short()
    assert turns.slice_ns() == 0


def test_the_service_interrupts_its_projector(tmp_path: Path) -> None:
    needs_slices()
    root = homes.make_home(tmp_path / "home", native=False, service_nice=-3)
    service = homes.start_service(root)
    try:
        homes.sync(root)
        tasks = [int(one) for one in os.listdir(f"/proc/{service.pid}/task")]
        (projector,) = (int(one) for one in _children(service.pid))
        slices = {turns.slice_ns(one) for one in tasks} - {0}  # a thread that has ended meanwhile
        assert slices == {turns.SHORT_NS}, "every thread"
        homes.until(lambda: turns.slice_ns(projector) > turns.SHORT_NS, 10)  # it is made nicer once it runs
        assert os.getpriority(os.PRIO_PROCESS, projector) == turns.NICER
        assert os.getpriority(os.PRIO_PROCESS, service.pid) == (-3 if may_be_first() else 0)
    finally:
        homes.stop_service(service)


def _children(pid: int) -> list[str]:
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            found += file.read().split()
    return found
