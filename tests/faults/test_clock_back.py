"""A wall clock that is set back, or was ahead and is put right: order, chain, checkpoints, halts and reads hold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support import calls, homes
from tests.support.clock import DAY_S, Clock

from levaithan.hot import contract, halts, hotconf, paths
from levaithan.hot.gate import Gate
from levaithan.hot.journal import Journal
from levaithan.journal.verify import verify

pytestmark = pytest.mark.faults
YEARS_S = 365 * DAY_S


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock(tmp_path)
    moved.rule(monkeypatch)
    return moved


def at_s(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["at"]).timestamp()


def checkpoints(root: str) -> int:
    return sum(one["kind"] == "checkpoint" for one in homes.journal_records(root))


class Follower:
    """`audit tail --follow` beside everything that happens."""

    def __init__(self, root: str, file: Path) -> None:
        self.file = file
        with file.open("wb") as out:
            words = [*homes.CLI, "--home", root, "audit", "tail", "--follow", "--json", "--limit", "1"]
            self.process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, env=homes.plain_environment())

    def seen(self) -> list[str]:
        return [json.loads(line)["tool_use_id"] for line in self.file.read_text().splitlines() if line[-1:] == "}"]

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def pages(root: str, size: int) -> list[dict[str, Any]]:
    """All events by pages of `audit list`."""
    rows: list[dict[str, Any]] = []
    following: list[str] = []
    while True:
        told = json.loads(homes.cli(root, "audit", "list", "--limit", str(size), "--json", *following).stdout)
        rows += told["rows"]
        if told["next"] is None:
            return rows
        following = ["--cursor", told["next"]]


def holds(root: str, sent: list[str]) -> None:
    """What must be true of journal, ledger and reads whatever the clock did."""
    records = list(homes.journal_records(root))
    assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
    events = [one for one in records if one["kind"] == "event" and not one.get("canary")]
    assert [one["tool_use_id"] for one in events] == sent
    assert len({one["id"] for one in events}) == len(events)
    assert all(0 <= one["duration_ms"] < 60_000 for one in events), [one["duration_ms"] for one in events]
    assert all(hook["ms"] >= 0 for one in events for hook in one["hooks"])
    found = homes.verify(root)
    assert found.ok, found.findings
    assert homes.ledger_column(root, "SELECT tool_use_id FROM events ORDER BY seq") == sent
    rows = pages(root, 5)
    assert sorted(row["tool_use_id"] for row in rows) == sorted(sent)
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)


def test_a_clock_that_jumps_under_a_running_service(tmp_path: Path, clock: Clock) -> None:
    root = homes.make_home(tmp_path / "h", checkpoint_interval_s=1, canary_interval_s=0)
    sent: list[str] = []
    with homes.serving(root), Follower(root, tmp_path / "followed") as follower:
        sent.append(calls.call(root, "native").id)
        homes.until(lambda: follower.seen() == sent, 20)
        for shift_s in (-DAY_S, 30 * DAY_S, -50 * YEARS_S, 0):
            clock.shift_s = shift_s
            signed = checkpoints(root)
            for way in calls.WAYS:
                one = calls.call(root, way)
                assert (one.said, one.words) == ({}, ""), (shift_s, way, one.said)
                sent.append(one.id)
                dangerous = calls.call(root, way, calls.tool_call(calls.DANGEROUS))
                assert dangerous.denied, (shift_s, way)
                sent.append(dangerous.id)
            homes.sync(root)
            last = [one for one in homes.journal_records(root) if one["kind"] == "event"][-1]
            assert abs(at_s(last) - clock.now_s()) < 60, last["at"]
            homes.until(lambda signed=signed: checkpoints(root) > signed, 20)
            told = homes.control(root, "status")
            assert told is not None
            assert 0 <= told["uptime_s"] < 600, told["uptime_s"]
            assert all(0 <= one["lag_seconds"] < 60 for one in told["projector"]["stores"].values()), told["projector"]
        homes.until(lambda: len(follower.seen()) >= len(sent), 20)
        assert follower.seen() == sent
        assert homes.cli(root, "status", check=False).returncode == 0
    holds(root, sent)


def test_what_is_asked_for_since_an_hour_is_there_after_the_clock_went_back(tmp_path: Path, clock: Clock) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    before = calls.call(root, "oneshot").id
    clock.shift_s = -DAY_S
    pre = calls.tool_call()
    after = [calls.call(root, "oneshot", pre).id, calls.call(root, "oneshot").id]
    recent = {row["tool_use_id"] for row in homes.rows(root, "audit", "list", "--since", "1h")}
    assert recent == {before, *after}, "what was recorded an hour ago by any clock is not hidden"
    until = {row["tool_use_id"] for row in homes.rows(root, "audit", "list", "--since", "1h", "--until", "now")}
    assert until == set(after)
    tail = [json.loads(line) for line in homes.cli(root, "audit", "tail", "--limit", "2", "--json").stdout.splitlines()]
    assert [row["tool_use_id"] for row in tail] == after, "the last two are those that came last"


def test_a_call_that_ends_before_it_begins_is_explained_whole(tmp_path: Path, clock: Clock) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    start = {"session_id": "s-calls", "hook_event_name": "SessionStart", "source": "startup", "cwd": "/tmp"}
    calls.call(root, "oneshot", start)
    pre = calls.tool_call("true")
    calls.call(root, "oneshot", pre)
    clock.shift_s = -2 * DAY_S
    calls.call(root, "oneshot", {**pre, "hook_event_name": "PostToolUse", "tool_response": {}, "duration_ms": 5})
    (call,) = homes.rows(root, "audit", "show", pre["tool_use_id"])
    assert sorted(one["event"] for one in call["events"]) == ["PostToolUse", "PreToolUse"]
    assert (call["bypassed"], call["outcome"], call["decision"]) == (False, "ok", "allow")
    status = {row["item"]: row for row in json.loads(homes.cli(root, "status", "--json", check=False).stdout)["rows"]}
    assert status["guard"]["status"] == "ok", "a set-back clock is no bypassed guard"


def test_a_home_that_was_written_in_the_future(tmp_path: Path, clock: Clock) -> None:
    """Records, checkpoints, halts and files of ten years ahead, then the clock is right again."""
    root = homes.make_home(tmp_path / "h", checkpoint_interval_s=1, canary_interval_s=0)
    clock.shift_s = 10 * YEARS_S
    sent = []
    with homes.serving(root):
        sent += [calls.call(root, way).id for way in calls.WAYS]
        homes.sync(root)
        homes.until(lambda: checkpoints(root) > 0, 20)
        homes.cli(root, "halt", "set", "--scope", "session", "--target", "s-9", "--reason", "look", "--expires", "1h")
    ahead = time.time() + 10 * YEARS_S
    for one in Path(root).rglob("*"):
        if one.is_file() and one.name != "gap":
            os.utime(one, (ahead, ahead))
    clock.shift_s = 0
    doctor = json.loads(homes.cli(root, "doctor", "--only", "clock", "--json").stdout)["rows"]
    assert [row["status"] for row in doctor] == ["warn"]
    assert "set back" in doctor[0]["message"]
    signed = checkpoints(root)
    with homes.serving(root):
        for way in calls.WAYS:
            sent.append(calls.call(root, way).id)
            halted = calls.call(root, way, calls.tool_call(session_id="s-9"))
            assert halted.denied, "it holds until its hour by the clock it was set by, or until it is released"
            assert "halt release" in halted.reason
            sent.append(halted.id)
        homes.sync(root)
        homes.until(lambda: checkpoints(root) > signed, 20)
        (halt,) = homes.rows(root, "halt", "list")
        homes.cli(root, "halt", "release", halt["id"], "--yes")
        free = calls.call(root, "native", calls.tool_call(session_id="s-9"))
        assert not free.denied
        sent.append(free.id)
        homes.sync(root)
    holds(root, sent)


def halted(root: str) -> bool:
    return calls.call(root, "oneshot").denied


def test_a_halt_outlives_a_clock_that_was_wrong_for_a_while(tmp_path: Path, clock: Clock) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    homes.cli(root, "halt", "set", "--scope", "all", "--reason", "look", "--expires", "1h")
    assert halted(root)
    clock.shift_s = -DAY_S
    assert halted(root)
    clock.shift_s = 3700
    assert not halted(root), "its hour is over"
    clock.shift_s = 5 * DAY_S  # wrong: and while it is, somebody sets another one, and releases it
    homes.cli(root, "halt", "set", "--scope", "session", "--target", "other", "--reason", "look")
    (other,) = homes.rows(root, "halt", "list")
    homes.cli(root, "halt", "release", other["id"], "--yes")
    clock.shift_s = 0
    assert halted(root), "the clock is right again, and the hour is not over"
    (left,) = homes.rows(root, "halt", "list")
    assert left["reason"] == "look"


@pytest.mark.parametrize("days", [3_000_000, 10**9])
def test_a_halt_that_would_end_after_the_year_9999_is_refused(tmp_path: Path, days: int) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    with pytest.raises(ValueError, match="9999"):
        halts.set_halt(home, "all", "", "look", "ann", lasts_s=days * DAY_S)
    done = homes.cli(home.root, "halt", "set", "--scope", "all", "--reason", "x", "--expires", f"{days}d", check=False)
    assert (done.returncode, "next:" in done.stderr) == (2, True), done.stderr
    assert halts.active(home) == []


def test_gate_and_journal_by_a_clock_that_only_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in this process, and each look at the clock is a second before the last one. On every system."""
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    now = [time.time_ns()]

    def back() -> int:
        now[0] -= 10**9
        return now[0]

    monkeypatch.setattr(time, "time_ns", back)
    monkeypatch.setattr(time, "time", lambda: back() / 1e9)
    gate, journal = Gate(home, hotconf.read(home.hot_conf)), Journal(home.journal, segment_bytes=20_000)
    ids = set()
    for number in range(60):
        started = now[0] + number * 10**9  # a client ahead of us
        event = contract.parse(
            {"event": "PreToolUse", "started_ns": str(started)}, json.dumps(calls.tool_call()).encode()
        )
        outcome, body = gate.decide(event)
        assert outcome.decision.verdict == "allow"
        assert json.loads(body)["duration_ms"] >= 0
        journal.append([(event.id, body)])
        ids.add(event.id)
    journal.close()
    records = [one for one in homes.journal_records(home.root) if one["kind"] == "event"]
    times = [one["at"] for one in records]
    assert times == sorted(times, reverse=True)
    assert times[0] != times[-1]
    assert len(ids) == len(records) == 60
    assert [one["seq"] for one in homes.journal_records(home.root)] == [
        *range(1, len(records) + segments(home.journal) + 1)
    ]
    report = verify(home.journal)
    assert report.ok, report.findings
    assert datetime.fromisoformat(times[-1]) < datetime.now(UTC)


def segments(folder: str) -> int:
    return len(list(Path(folder).glob("journal-*.log")))
