"""A monitor that says nothing any more is ended, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from levaithan.hot.paths import ensure_private, home_at
from levaithan.service.child import Child
from levaithan.service.chores import HUNG_S, Chores

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A child whose process sleeps, with a status that was written just now."""
    home = home_at(str(tmp_path / "home"))
    ensure_private(home.run)
    one = Child("monitor", home, lambda *_, **__: None)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    one.pid = process.pid
    Path(home.run, "monitor.json").write_text("{}")
    yield one
    process.kill()
    process.wait()


def chores(child: Child) -> Any:
    """The part of Chores that looks."""
    made = Chores.__new__(Chores)
    made.app = SimpleNamespace(monitor=child, say=lambda *_, **__: None)  # type: ignore[assignment]
    made._hung_pid = None
    return made


def silent(child: Child, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(Path(child.home.run, "monitor.json"), (then, then))


def alive(child: Child) -> bool:
    assert child.pid is not None
    os.kill(child.pid, 0)
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_it_is_ended_when_two_looks_find_it_silent_even_when_it_is_stopped(child: Child) -> None:
    looking = chores(child)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    silent(child, HUNG_S + 1)
    looking.end_hung()
    assert alive(child)
    looking.end_hung()
    time.sleep(0.2)
    assert not alive(child)


def test_one_that_speaks_or_spoke_again_is_left_alone(child: Child) -> None:
    looking = chores(child)
    for seconds in (HUNG_S - 5, HUNG_S + 5, 0, HUNG_S + 5, 0):
        silent(child, seconds)
        looking.end_hung()
    assert alive(child)
    silent(child, -7200)  # the clock was set back
    looking.end_hung()
    looking.end_hung()
    assert alive(child)


def test_one_that_has_just_begun_is_not_taken_for_the_one_before(child: Child) -> None:
    looking = chores(child)
    silent(child, HUNG_S + 5)
    looking.end_hung()
    before, child.pid = child.pid, os.getpid()  # another one: its predecessor's status is still there
    looking.end_hung()
    child.pid = before
    assert alive(child)
