"""10,000 events and more from 8 processes while the service is killed 50 times: every answered one is recorded once.

The clients are the real native one (or the Python one where no compiler is), the service is the real one, the kill is
SIGKILL.
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support import homes

from levaithan.hot.paths import home_at

EVENTS = int(os.environ.get("LEVAITHAN_STORM_EVENTS", "10000"))
KILLS = int(os.environ.get("LEVAITHAN_STORM_KILLS", "50"))
WORKERS = 8

WORKER = """
import itertools, json, os, random, socket, subprocess, sys, time
command, out, worker, count = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def it_listens():
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(sys.argv[5]) == 0

with open(out, "w", buffering=1) as answered:
    for number in itertools.count():
        if number >= count and os.path.exists(out + ".enough"):
            break
        name = f"toolu_storm_{worker}_{number:06d}"
        said = "rm -rf /" if number % 50 == 0 else f"echo {number}"
        payload = {"session_id": f"storm-{worker}", "transcript_path": "/t", "cwd": "/tmp",
                   "hook_event_name": "PreToolUse", "permission_mode": "default", "tool_name": "Bash",
                   "tool_input": {"command": said}, "tool_use_id": name}
        begun = time.monotonic()
        done = subprocess.run(command, input=json.dumps(payload).encode(), capture_output=True)
        answer = {"name": name, "code": done.returncode, "out": done.stdout.decode(), "err": done.stderr.decode()}
        answered.write(json.dumps(answer) + "\\n")
        if time.monotonic() - begun > 0.025:
            end = time.monotonic() + random.uniform(0, 1)
            while time.monotonic() < end and not it_listens():
                time.sleep(0.02)
"""
"""After an event that was decided alone, as its time says, a worker waits for up to a second whether the service comes:
eight that go on alone take the processors from the service that is to come."""


def _workers(root: str, command: list[str], folder: Path) -> list[subprocess.Popen[bytes]]:
    share = EVENTS // WORKERS
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "CLAUDE_PROJECT_DIR": str(folder)}
    files, place = [str(folder / f"answers-{n}.jsonl") for n in range(WORKERS)], home_at(root).socket
    words = [[json.dumps(command), file, str(n), str(share), place] for n, file in enumerate(files)]
    return [subprocess.Popen([sys.executable, "-c", WORKER, *each], env=environ) for each in words]


def _kill_again_and_again(root: str) -> None:
    """Start and SIGKILL the service KILLS times."""
    chance = random.Random(7)
    for _ in range(KILLS):
        service = homes.start_service(root)
        time.sleep(chance.uniform(0.0, 0.4))
        os.kill(service.pid, signal.SIGKILL)
        service.wait()


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_answered_event_is_recorded_exactly_once(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home")
    command = homes.client_command(root, "PreToolUse")
    workers = _workers(root, command, tmp_path)
    try:
        _kill_again_and_again(root)
        assert [worker.poll() for worker in workers] == [None] * WORKERS, "every kill fell among busy workers"
        for n in range(WORKERS):
            (tmp_path / f"answers-{n}.jsonl.enough").touch()
        service = homes.start_service(root)
        for worker in workers:
            assert worker.wait(600) == 0
    finally:
        for worker in workers:
            worker.kill()
    answers = [json.loads(line) for n in range(WORKERS) for line in (tmp_path / f"answers-{n}.jsonl").open()]
    assert len(answers) >= EVENTS
    for answer in answers:
        assert answer["code"] == 0, answer
        denied = "deny" in answer["out"]
        assert denied == (int(answer["name"][-6:]) % 50 == 0), answer
        assert "Traceback" not in answer["out"] + answer["err"]

    homes.sync(root, timeout_s=120)
    events = [record for record in homes.journal_records(root) if record.get("kind") == "event"]
    recorded = collections.Counter(event["tool_use_id"] for event in events if event.get("tool_use_id"))
    names = {answer["name"] for answer in answers}
    assert {name: count for name, count in recorded.items() if name in names and count != 1} == {}
    assert names - set(recorded) == set()
    kept = homes.ledger_column(root, "SELECT tool_use_id FROM events WHERE tool_use_id LIKE 'toolu_storm_%'")
    assert collections.Counter(kept) == dict.fromkeys(names, 1)
    ways = collections.Counter("alone" if event["path"] == "oneshot" else "served" for event in events)
    assert min(ways["alone"], ways["served"]) >= KILLS * WORKERS, "both ways of deciding, at each kill by each worker"
    service.send_signal(signal.SIGTERM)
    assert service.wait(20) == 0
    report = homes.verify(root)
    assert report.ok, report.findings
    assert not os.path.exists(home_at(root).socket)
