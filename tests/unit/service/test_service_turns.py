"""Who waits for whom: the service may interrupt, the projector lets everybody by."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from tests.support import homes

from levaithan.service import turns

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    root = homes.make_home(tmp_path / "home", native=False)
    service = homes.start_service(root)
    try:
        homes.sync(root)
        tasks = [int(one) for one in os.listdir(f"/proc/{service.pid}/task")]
        (projector,) = (int(one) for one in _children(service.pid))
        slices = {turns.slice_ns(one) for one in tasks} - {0}  # a thread that has ended meanwhile
        assert slices == {turns.SHORT_NS}, "every thread"
        homes.until(lambda: turns.slice_ns(projector) > turns.SHORT_NS, 10)  # it is made nicer once it runs
        assert os.getpriority(os.PRIO_PROCESS, projector) - os.getpriority(os.PRIO_PROCESS, service.pid) == turns.NICER
    finally:
        homes.stop_service(service)


def _children(pid: int) -> list[str]:
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            found += file.read().split()
    return found
