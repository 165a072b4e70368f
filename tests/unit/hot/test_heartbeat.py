"""A session's heartbeat: the time of its file, and whether its process of Claude Code is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import client_process, hotconf, sessions
from levaithan.hot.event import Event
from levaithan.hot.paths import Home
from levaithan.hot.plain_json import dumps
from levaithan.hot.workflow import Context


@pytest.fixture
def context(scratch: Home) -> Context:
    made = Context(scratch, hotconf.HotConf(), json.loads, dumps)
    made.now_us = time.time_ns() // 1000
    return made


def heard(context: Context, *, later_s: float = 0, pid: str | None = None, name: str = "PreToolUse") -> None:
    event = Event("0" * 32, name, {"session_id": "s1"})
    event.env = {"pid": pid} if pid else {}
    context.now_us += int(later_s * 1e6)
    sessions.register(event, context)


def file(home: Home) -> Path:
    return Path(home.sessions, "s1.json")


def test_an_event_beats_once_in_a_while(context: Context, scratch: Home) -> None:
    heard(context)
    os.utime(file(scratch), (1000, 1000))
    heard(context)
    assert sessions.heartbeat(scratch, "s1")[0] > time.time() - 60, "its first event after it was written down"
    os.utime(file(scratch), (1000, 1000))
    heard(context, later_s=sessions.BEAT_S - 1)
    assert sessions.heartbeat(scratch, "s1")[0] == 1000, "one every few seconds is enough"
    heard(context, later_s=2)
    assert sessions.heartbeat(scratch, "s1")[0] > time.time() - 60


def test_a_clock_that_was_set_back_does_not_end_the_beats(context: Context, scratch: Home) -> None:
    heard(context)
    heard(context)
    os.utime(file(scratch), (1000, 1000))
    heard(context, later_s=-3600)
    assert sessions.heartbeat(scratch, "s1")[0] > time.time() - 60


def test_a_file_that_was_swept_away_is_made_again(context: Context, scratch: Home) -> None:
    heard(context)
    heard(context)
    file(scratch).unlink()
    heard(context, later_s=sessions.BEAT_S + 1)
    assert file(scratch).exists()


def test_the_process_is_known_until_it_ends(context: Context, scratch: Home) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        heard(context, pid=str(process.pid))
        assert sessions.heartbeat(scratch, "s1")[1] is True
    finally:
        process.communicate(b"\n", timeout=20)
    assert sessions.heartbeat(scratch, "s1")[1] is False


def test_a_session_that_goes_on_in_another_process_is_written_down_anew(context: Context, scratch: Home) -> None:
    heard(context, pid="999999999")
    heard(context, pid="999999999")
    assert sessions.heartbeat(scratch, "s1")[1] is None, "never seen from here: perhaps another container's"
    heard(context, later_s=sessions.BEAT_S + 1, pid=str(os.getpid()))
    assert sessions.heartbeat(scratch, "s1")[1] is True


@pytest.mark.parametrize("pid", [None, "", "0", "-1", "self", "1/../2", "9" * 30, "٣"])
def test_what_is_no_process_has_no_beginning(pid: str | None) -> None:
    assert client_process.began(pid) is None


@pytest.mark.parametrize(("pid", "since"), [(None, None), ("1", None), (1, 5), ("1", "5"), ("1", True)])
def test_what_was_not_written_down_cannot_be_told(pid: Any, since: Any) -> None:
    assert client_process.alive(pid, since) is None


def test_a_number_that_another_process_has_by_now_is_not_it() -> None:
    since = client_process.began(str(os.getpid()))
    assert since is not None
    assert client_process.alive(str(os.getpid()), since) is True
    assert client_process.alive(str(os.getpid()), since - 1) is False


def test_a_process_that_ended_and_was_not_waited_for_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    since = client_process.began(str(process.pid))
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert client_process.alive(str(process.pid), since) is False
    process.wait(10)


def test_a_session_file_of_no_sense_says_nothing_of_a_process(scratch: Home) -> None:
    Path(scratch.sessions).mkdir(parents=True, exist_ok=True)
    for text in ("", "[", "[]", '{"pid": 5, "pid_began": "x"}'):
        file(scratch).write_text(text)
        assert sessions.heartbeat(scratch, "s1")[1] is None
    assert sessions.heartbeat(scratch, "none") == (0.0, None)
