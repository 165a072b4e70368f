"""10,000 leases taken by 16 processes at once, some of them killed: never two holders, none stuck past its expiry.

The processes run the gate's own functions on one home; each checks with a marker file that it holds the lease alone.
A killed one's marker names the moment when its lease ends, and nobody may get the file before.
"""

from __future__ import annotations

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

from levaithan.hot import leases
from levaithan.hot.lease_book import Book
from levaithan.hot.paths import home_at

PROCESSES = 16
TAKEN = int(os.environ.get("LEVAITHAN_LEASE_RACE", "10000"))
KILLS = 12
EXPIRES_S = 2
FILES = 5

WORKER = """
import json, os, random, sys, time
from levaithan.hot import hotconf, leases, paths
from levaithan.hot.event import parse
from levaithan.hot.workflow import Context

root, project, name, wanted = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
context = Context(paths.home_at(root), hotconf.HotConf(), json.loads, json.dumps)
chance = random.Random(name)
taken = 0

def event(kind, **given):
    payload = {"session_id": name, "hook_event_name": kind, "cwd": project, "tool_name": "Edit", "tool_input": given}
    made = parse({"event": kind, "project": project}, json.dumps(payload).encode())
    context.now_us = time.time_ns() // 1000
    return made

print("up", flush=True)
while taken < wanted:
    path = os.path.join(project, f"f{chance.randrange(int(sys.argv[5]))}")
    said = leases.reserve(event("PreToolUse", file_path=path), context)
    if said is not None and said.verdict == "deny":
        assert said.rule == "lease.held", said
        continue
    until = leases._book(context).of(path)["until_us"]
    marker = path + ".held"
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        with open(marker) as file:
            other, ends = (file.read() or " 0").split(" ")
        if other == name or (ends and time.time_ns() // 1000 >= int(ends)):
            os.unlink(marker)  # a killed one's, and its lease is over
            continue
        print(json.dumps({"two holders": [name, other], "path": path}), flush=True)
        sys.exit(3)
    with open(marker, "w") as file:
        file.write(f"{name} {until}")
    taken += 1
    if chance.random() < 0.5:
        time.sleep(0.0005)
    os.unlink(marker)
    leases.keep(event("Stop"), context)
print(json.dumps({"taken": taken}), flush=True)
"""


def _start(root: str, project: Path, name: str, wanted: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, root, str(project), name, str(wanted), str(FILES)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_file_never_has_two_holders_and_none_is_stuck(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    charter = Path(root, "context", "charter.toml")
    charter.write_text(f'[leases]\nexpires = "{EXPIRES_S}s"\n')
    project = tmp_path / "project"
    project.mkdir()
    chance, share = random.Random(5), TAKEN // PROCESSES
    workers = [_start(root, project, f"p{n}", share) for n in range(PROCESSES)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "up\n", worker.stderr and worker.stderr.read()
        for number in range(KILLS):
            time.sleep(chance.uniform(0.02, 0.15))  # a moment somewhere in its work
            victim = chance.randrange(PROCESSES)
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].communicate()
            workers[victim] = _start(root, project, f"k{number}", share)
        ends = [worker.communicate(timeout=500) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for worker, (out, err) in zip(workers, ends, strict=True):
        assert worker.returncode == 0, (out, err[-2000:])
        assert json.loads(out.splitlines()[-1]) == {"taken": share}
    home = home_at(root)
    left = leases.every(home)
    assert all(lease["until_us"] <= time.time_ns() // 1000 + EXPIRES_S * 1_000_000 for lease in left)
    book = Book(home)
    fence = book.take("/the/last", {"session": "x", "agent": None, "project": None, "since_us": 0}, 0)
    book.close()
    assert fence > share * PROCESSES, "each taking had a token of its own"
