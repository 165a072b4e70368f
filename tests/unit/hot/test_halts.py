"""The emergency stop: scopes, expiry, two setters at once, broken files."""

from __future__ import annotations

import json
import multiprocessing
import os
import time

import pytest

from levaithan.hot import halts, hotconf, sessions
from levaithan.hot.event import Event
from levaithan.hot.paths import home_at
from levaithan.hot.workflow import Context

NOW = time.time_ns() // 1000


@pytest.fixture
def home(tmp_path):
    return home_at(str(tmp_path))


def event(name: str = "PreToolUse", **payload: object) -> Event:
    made = Event("", name, {"session_id": "s1", "cwd": "/p/demo/sub", **payload})
    made.project = "/p/demo"
    return made


def test_without_a_file_nothing_is_halted(home):
    assert halts.active(home) == []
    assert halts.halt_for(event(), home, NOW) is None


def test_all_stops_every_session_and_says_who_why_and_how_it_ends(home):
    halt = halts.set_halt(home, "all", "", "costs run away", "anna", now_us=NOW)
    opinion = halts.halt_for(event(), home, NOW + 1)
    assert opinion.verdict == "halt" and opinion.rule == "halt.all"
    for part in ("anna", "costs run away", f"levaithan halt release {halt.id}"):
        assert part in opinion.reason


@pytest.mark.parametrize("name", sorted(halts.STOPS))
def test_it_bites_where_something_would_go_on(home, name):
    halts.set_halt(home, "all", "", "r", "b")
    assert halts.halt_for(event(name), home, NOW).verdict == "halt"


@pytest.mark.parametrize("name", ["Stop", "SessionEnd", "PostToolUse", "Notification", "ConfigChange", "Unknown"])
def test_it_does_not_bite_elsewhere(home, name):
    halts.set_halt(home, "all", "", "r", "b")
    assert halts.halt_for(event(name), home, NOW) is None


@pytest.mark.parametrize(
    ("scope", "target", "hits", "misses"),
    [
        ("session", "s1", {}, {"session_id": "s2"}),
        ("agent", "a7", {"agent_id": "a7"}, {"agent_id": "a8"}),
        ("agent", "Explore", {"agent_type": "Explore"}, {}),
        ("project", "/p/demo", {}, None),
        ("project", "/p/demo/sub", {}, None),
        ("project", "/p", {}, None),
    ],
)
def test_scopes(home, scope, target, hits, misses):
    halts.set_halt(home, scope, target, "r", "b")
    assert halts.halt_for(event(**hits), home, NOW).rule == f"halt.{scope}"
    if misses is not None:
        assert halts.halt_for(event(**misses), home, NOW) is None


@pytest.mark.parametrize(
    "payload",
    [
        {"task_id": "t1"},
        {"tool_name": "TaskUpdate", "tool_input": {"taskId": "t1"}},
        {"tool_name": "TaskOutput", "tool_input": {"task_id": "t1"}},
        {"agent_id": "t1"},
    ],
)
def test_a_task_is_stopped_by_its_id(home, payload):
    halts.set_halt(home, "task", "t1", "wrong plan", "anna", now_us=NOW)
    assert halts.halt_for(event(**payload), home, NOW + 1).rule == "halt.task"
    assert halts.halt_for(event(task_id="t2", tool_input={"taskId": "t11"}), home, NOW + 1) is None


def _task_update(home, task: str, status: str, session: str = "s1") -> None:
    """What the gate's observers hear when a session says what it works on."""
    context = Context(home, hotconf.HotConf(), json.loads, json.dumps)
    given = {"taskId": task, "status": status}
    sessions.register(event("PostToolUse", session_id=session, tool_name="TaskUpdate", tool_input=given), context)


@pytest.mark.parametrize("target", ["7", "s1/7"])
@pytest.mark.parametrize("name", ["PreToolUse", "UserPromptSubmit", "PostToolBatch"])
def test_a_task_is_stopped_in_whatever_its_session_does_next(home, target, name):
    halts.set_halt(home, "task", target, "wrong plan", "anna", now_us=NOW)
    _task_update(home, "7", "in_progress", session="s2")

    def stopped(session: str = "s1") -> bool:
        return halts.halt_for(event(name, session_id=session, tool_name="Bash"), home, NOW + 1) is not None

    assert not stopped()
    _task_update(home, "7", "in_progress")
    assert stopped() and stopped("s2") == (target == "7")
    _task_update(home, "8", "completed")
    assert stopped()
    sessions.register(event("SessionStart", source="compact"), Context(home, hotconf.HotConf(), json.loads, json.dumps))
    assert stopped(), "it still works on that"
    _task_update(home, "7", "completed")
    assert not stopped()
    _task_update(home, "9", "in_progress")
    assert not stopped()


def test_a_project_with_a_longer_name_is_another(home):
    halts.set_halt(home, "project", "/p/dem", "r", "b")
    assert halts.halt_for(event(), home, NOW) is None


def test_it_expires(home):
    now = time.time_ns() // 1000  # not the moment of import: writing drops what is over by the wall clock
    halt = halts.set_halt(home, "all", "", "r", "b", lasts_s=60, now_us=now)
    assert halt.expires_at == halts.stamp(now + 60_000_000)
    assert halts.halt_for(event(), home, now + 59_000_000)
    assert halts.halt_for(event(), home, now + 60_000_000) is None


def test_release_one_and_all(home):
    first = halts.set_halt(home, "all", "", "r", "b")
    second = halts.set_halt(home, "session", "s9", "r", "b")
    assert [halt.id for halt in halts.release_halt(home, first.id)] == [first.id]
    assert [halt.id for halt in halts.active(home)] == [second.id]
    assert halts.release_halt(home, "h-unknown") == []
    assert len(halts.release_halt(home, "all")) == 1
    assert halts.active(home) == []


def test_a_set_halt_is_seen_at_once_although_the_file_is_cached(home):
    for n in range(30):
        halts.set_halt(home, "session", f"s{n}", "r", "b")
        assert len(halts.active(home)) == n + 1


def test_a_change_by_another_process_is_seen(home):
    halts.set_halt(home, "all", "", "r", "b")
    assert halts.active(home)
    with open(home.halts + ".new", "w") as file:
        json.dump({"version": 1, "halts": []}, file)
    os.rename(home.halts + ".new", home.halts)
    assert halts.active(home) == []


def _setter(root: str, number: int) -> None:
    for n in range(10):
        halts.set_halt(home_at(root), "session", f"{number}-{n}", "r", "b")


def test_setters_at_once_all_count(home):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(_setter, [(home.root, n) for n in range(4)])
    assert len(halts.active(home)) == 40
    assert sorted(os.listdir(home.state)) == ["halts.json", "halts.lock"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version":2,"halts":[]}',
        b'{"version":1}',
        b'{"version":1,"halts":[1]}',
        b'{"version":1,"halts":[{"id":"x","scope":"some","target":"","reason":"","by":"","set_at":""}]}',
        b'{"version":1,"halts":[{"id":"x","scope":"all","target":"","reason":"r","by":"b","set_at":"t","expires_at":"soon"}]}',
        b"[" * 100_000,
        b"\xff\x00",
    ],
)
def test_a_broken_file_halts_guards_and_says_how_to_mend_it(home, content):
    os.makedirs(home.state)
    with open(home.halts, "wb") as file:
        file.write(content)
    opinion = halts.halt_for(event(), home, NOW)
    assert opinion.verdict == "halt" and opinion.rule == "halt.unreadable"
    assert home.halts in opinion.reason and "levaithan doctor --fix" in opinion.reason
    assert halts.halt_for(event("ConfigChange"), home, NOW).verdict == "halt"
    assert halts.halt_for(event("PostToolBatch"), home, NOW) is None
    with pytest.raises(halts.HaltError):
        halts.set_halt(home, "all", "", "r", "b")


@pytest.mark.parametrize("what", ["halts.json", "state"])
def test_a_link_to_nowhere_is_a_lost_emergency_stop_and_none_that_is_missing(home, what):
    if what == "halts.json":
        os.mkdir(home.state)
    os.symlink("/nonexistent/place", home.halts if what == "halts.json" else home.state)
    opinion = halts.halt_for(event(), home, NOW)
    assert opinion.verdict == "halt" and opinion.rule == "halt.unreadable"


def test_a_folder_in_place_of_the_file_halts_too(home):
    os.makedirs(home.halts)
    assert halts.halt_for(event(), home, NOW).verdict == "halt"


@pytest.mark.parametrize(
    ("scope", "target", "reason", "lasts"),
    [
        ("team", "x", "r", None),
        ("all", "x", "r", None),
        ("session", "", "r", None),
        ("all", "", " ", None),
        ("all", "", "r", 0),
    ],
)
def test_what_makes_no_sense_is_refused(home, scope, target, reason, lasts):
    with pytest.raises(ValueError):
        halts.set_halt(home, scope, target, reason, "b", lasts_s=lasts)
    assert not os.path.exists(home.halts)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(halts.HaltError, match="try again"):
        halts.set_halt(home_at(str(tmp_path)), "all", "", "r", "b")


def test_more_halts_than_the_file_may_hold_are_refused_and_those_there_stay(home):
    """A file over the bound cannot be read, which halts everything, and then no release could read it either."""
    many = [halts.set_halt(home, "session", "s1", "first", "b").as_dict()]
    many += [many[0] | {"id": f"h-{n}", "target": "x" * 4000} for n in range(1000)]
    with open(home.halts, "w") as file:
        json.dump({"version": 1, "halts": many}, file)
    with pytest.raises(halts.HaltError, match="release some"):
        for _ in range(100):
            halts.set_halt(home, "session", "y" * 4000, "more", "b")
    assert halts.halt_for(event(), home, NOW).rule == "halt.session"
    assert len(halts.release_halt(home, "all")) > 1000
    assert halts.halt_for(event(), home, NOW) is None


def test_a_reason_is_bounded(home):
    assert len(halts.set_halt(home, "all", "", "why " * 100_000, "b").reason) <= 4000


def test_many_project_halts_cost_one_look_at_the_disk(home, monkeypatch):
    entry = halts.set_halt(home, "project", "/elsewhere", "r", "b").as_dict()
    with open(home.halts, "w") as file:
        json.dump({"version": 1, "halts": [entry] * 10_000}, file)
    assert halts.halt_for(event(), home, NOW) is None
    looks, real = [], os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: looks.append(path) or real(path))
    assert halts.halt_for(event(), home, NOW) is None
    assert len(looks) <= 2


def test_a_folder_with_a_nul_is_held_against_halts_all_the_same(home):
    halts.set_halt(home, "project", "/elsewhere", "r", "b")
    assert halts.halt_for(event(cwd="/p/\x00x"), home, NOW) is None
