"""Leases that are stale, and sessions that wait in a circle: whose lease is ended or handed on, and whose never is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support import calls
from tests.unit.actions.test_each_action import circle, done, holders, lease

from levaithan.actions import order_waiters, registry, release_stale_lease
from levaithan.hot import leases
from levaithan.hot.client_process import began
from levaithan.hot.lease_book import Book
from levaithan.hot.sessions import BEAT_LIVES_S, file_name


def test_the_lease_of_a_live_owner_is_not_released(place: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    lease(place, path, "live", heard_s=10)
    _, run = done(place, "release_stale_lease", {"lease": path})
    assert run.phase == "refused" and "was heard of" in run.why and len(leases.every(place.home)) == 1


def test_a_lease_that_somebody_took_meanwhile_is_not_released(place: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    lease(place, path, "dead", heard_s=90_000)
    runner = place.runner()
    action = registry.ACTIONS["release_stale_lease"]
    run = runner._made(action, {"lease": path}, by="ann", reason="x", incident="", now_s=place.now)
    run.undo = action.plan(runner.world, run)
    newer = lease(place, path, "quick", heard_s=0)
    action.do(runner.world, run)
    (held,) = leases.every(place.home)
    assert (held["session"], held["fence"]) == ("quick", newer)
    assert "holds the file by now" in action.undo(runner.world, run)


def test_the_stale_lease_that_others_wait_for_comes_first(place: Any, tmp_path: Path) -> None:
    for name, heard_s in (("a", 200_000), ("b", 100_000), ("c", 5)):
        lease(place, str(tmp_path / name), name, heard_s=heard_s)
    world = place.runner().world
    assert release_stale_lease.stale(world) == str(tmp_path / "a")
    book = Book(place.home)
    book.one_step(lambda: book.wait(str(tmp_path / "b"), "waiter", time.time_ns() // 1000))
    book.close()
    assert release_stale_lease.stale(world) == str(tmp_path / "b")


def written_down(place: Any, session: str, pid: int, heard_s: float) -> None:
    """The session as its first event is kept, by the process `pid`, and when it was last heard of."""
    file = Path(place.home.sessions, file_name(session))
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"pid": str(pid), "pid_began": began(str(pid))}))
    os.utime(file, (time.time() - heard_s,) * 2)


def test_a_lease_is_stale_long_before_its_end_once_its_process_is_gone(place: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        lease(place, path, "s1", heard_s=300, lasts_s=300)
        written_down(place, "s1", process.pid, heard_s=299)
        assert release_stale_lease.stale(place.runner().world) == "", "it runs a long command: its process is there"
        _, run = done(place, "release_stale_lease", {"lease": path})
        assert run.phase == "refused" and "its process is there" in run.why
    finally:
        process.communicate(b"\n", timeout=20)
    assert release_stale_lease.stale(place.runner().world) == path
    _, run = done(place, "release_stale_lease", {"lease": path})
    assert run.phase == "verified" and leases.every(place.home) == []


def test_a_session_that_was_heard_of_a_moment_ago_keeps_its_lease(place: Any, tmp_path: Path) -> None:
    """Its process may have gone on as another one: the next event will say so."""
    lease(place, str(tmp_path / "a.py"), "s1", heard_s=300, lasts_s=300)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    written_down(place, "s1", process.pid, heard_s=2 * BEAT_LIVES_S - 5)
    process.communicate(b"\n", timeout=20)
    assert release_stale_lease.stale(place.runner().world) == ""
    written_down_at = time.time() - 2 * BEAT_LIVES_S - 1
    os.utime(Path(place.home.sessions, file_name("s1")), (written_down_at,) * 2)
    assert release_stale_lease.stale(place.runner().world) == str(tmp_path / "a.py")


def test_circles_that_share_a_session_are_broken_by_as_many_leases_as_it_takes(place: Any, tmp_path: Path) -> None:
    files = circle(place, tmp_path, "a", "b")
    (other,) = circle(place, tmp_path, "c")
    book = Book(place.home)
    now = time.time_ns() // 1000
    book.one_step(lambda: (book.wait(other, "a", now), book.wait(files[0], "c", now)))
    book.close()
    _, run = done(place, "order_waiters", {"lease": order_waiters.first(place.runner().world)})
    assert run.phase == "verified", run.why
    assert [one["to"] for one in run.facts["handed"]] == ["a", "a"]


@pytest.mark.parametrize(
    ("how", "ended", "done_by"),
    [("stopping", False, {"order_waiters": "dry_run"}), ("off", False, {"order_waiters": "verified"}),
     ("stopping", True, {"release_stale_lease": "verified"})],
)  # fmt: skip
def test_what_a_deadlock_is_answered_by(
    place: Any, tmp_path: Path, how: str, *, ended: bool, done_by: dict[str, str]
) -> None:
    """An owner that has ended is no reason to stop anybody; where all live it is, so it is a dry run by default."""
    files = circle(place, tmp_path, "a", "b")
    if ended:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        written_down(place, "a", process.pid, heard_s=300)
        process.communicate(b"\n", timeout=20)
    place.opened(place.runner(action_dry_run=how), place.incident("P1", "resource_conflicts", "LeaseDeadlock"))
    assert {one["action"]: one["phase"] for one in place.records()} == done_by
    told = place.told[-1]
    if done_by == {"order_waiters": "dry_run"}:
        assert holders(place) == {"a": "a", "b": "b"}
        assert any(f"levaithan action run order_waiters --lease {files[1]}" in line for line in told.done), told.done


def test_waiters_in_no_circle_and_older_leases_are_left_alone(place: Any, tmp_path: Path) -> None:
    files = circle(place, tmp_path, "a", "b")
    _, run = done(place, "order_waiters", {"lease": files[0]})
    assert run.phase == "refused" and files[1] in run.why
    leases.release(place.home, files[:1])
    _, run = done(place, "order_waiters", {"lease": files[1]})
    assert run.phase == "refused" and holders(place) == {"b": "b"}


def test_what_was_taken_meanwhile_is_not_handed_on_nor_given_back(place: Any, tmp_path: Path) -> None:
    files = circle(place, tmp_path, "a", "b")
    runner = place.runner()
    action = registry.ACTIONS["order_waiters"]
    run = runner._made(action, {"lease": files[1]}, by="ann", reason="x", incident="", now_s=place.now)
    run.undo = action.plan(runner.world, run)
    newer = lease(place, files[1], "quick", heard_s=0)
    assert action.do(runner.world, run)["handed"][0]["fence"] is None
    assert {one["path"]: one["fence"] for one in leases.every(place.home)}[files[1]] == newer
    assert "it stays so" in action.undo(runner.world, run)


def test_nothing_is_given_back_to_a_session_that_is_over(place: Any, tmp_path: Path) -> None:
    files = circle(place, tmp_path, "a", "b")
    runner, run = done(place, "order_waiters", {"lease": files[1]})
    leases.release(place.home, files[1:])
    book = Book(place.home)
    book.one_step(lambda: book.leave("b"))
    book.close()
    runner.undo(run.id, "bob", "over")
    assert holders(place) == {"a": "a"} and "is over" in place.records()[-1]["why"]


def test_the_session_that_gave_up_hears_why(place: Any, tmp_path: Path) -> None:
    files = circle(place, tmp_path, "a", "b")
    _, run = done(place, "order_waiters", {"lease": files[1]})

    def write(session: str) -> calls.Answered:
        asked = {"tool_name": "Write", "tool_input": {"file_path": files[1], "content": "x"}, "session_id": session}
        return calls.call(place.home.root, "oneshot", calls.tool_call(**asked, cwd=str(tmp_path)))

    said = write("b").reason
    assert "lease.held" in said and "was yours" in said and "circle" in said and f"action undo {run.id}" in said
    other = write("z").reason
    assert "lease.held" in other and "was yours" not in other
    assert not write("a").denied
