"""10,000 leases taken by 16 processes at once, some of them killed: never two holders, none stuck past its expiry.

The processes run the gate's own functions on one home. Who was let in locks a witness file, so that the kernel says
whether somebody else is in there, and writes down until when it holds the lease, so that nobody gets the file of a
killed one before. A process that stood still for longer than its lease lasts is no holder any more: it counts as late.
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
EXPIRES_US = EXPIRES_S * 1_000_000
FILES = 5

WORKER = """
import fcntl, json, os, random, re, sys, time
from levaithan.hot import hotconf, leases, paths
from levaithan.hot.event import parse
from levaithan.hot.workflow import Context

root, project, name, wanted, files, expires_us = *sys.argv[1:4], *map(int, sys.argv[4:])
context = Context(paths.home_at(root), hotconf.HotConf(), json.loads, json.dumps)
chance = random.Random(name)
taken = late = 0
ends = {}  # by path and fence: nobody renews a lease here, so its end must stay what it was

def now():
    return time.time_ns() // 1000

def event(kind, **given):
    payload = {"session_id": name, "hook_event_name": kind, "cwd": project, "tool_name": "Edit", "tool_input": given}
    made = parse({"event": kind, "project": project}, json.dumps(payload).encode())
    context.now_us = now()
    return made

def wrong(what, *more):
    print(json.dumps({what: more, "by": name, "now": now()}), flush=True)
    sys.exit(3)

def row_of(path):
    row = leases._book(context).of(path)
    if row is not None and ends.setdefault((path, row["fence"]), row["until_us"]) != row["until_us"]:
        wrong("its end was changed", row, ends[path, row["fence"]])
    return row

def inside(path, until, fence):
    "Whether this process was in there, as one that holds the lease."
    witness = os.open(path + ".held", os.O_RDWR | os.O_CREAT)
    try:
        while True:
            try:
                fcntl.flock(witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                other = os.pread(witness, 200, 0).split()
                if other and now() < min(until, int(other[1])):
                    wrong("two holders", other[0].decode(), path)
                if now() >= until:
                    return False
        other = os.pread(witness, 200, 0).split()
        if other and now() < min(until, int(other[1])):
            wrong("a killed one's lease had not ended", other[0].decode(), path)
        if other and int(other[2]) >= fence and now() < until:
            wrong("no higher fence", int(other[2]), fence)
        os.pwrite(witness, f"{name} {until} {fence:<20}".encode(), 0)
        if chance.random() < 0.5:
            time.sleep(0.0005)
        os.pwrite(witness, f"{name} 0 {fence:<20}".ljust(60).encode(), 0)
        return True
    finally:
        os.close(witness)

print("up", flush=True)
while taken < wanted:
    path = os.path.join(project, f"f{chance.randrange(files)}")
    asked = now()
    said = leases.reserve(event("PreToolUse", file_path=path), context)
    row = row_of(path)
    if said is not None and said.rule == "lease.late":
        late += 1
        continue
    if said is not None and said.verdict == "deny":
        if said.rule != "lease.held" or (row and asked >= row["until_us"]):
            wrong("stuck", said.reason, row)
        continue
    fence = int(re.search("fence ([0-9]+)", said.reason)[1])
    if row is None or row["fence"] != fence:
        if now() < asked + expires_us:
            wrong("it ended before its time", said.reason, row)
        late += 1
        continue
    if row["until_us"] < asked + expires_us:
        wrong("it was let in for too short", row)
    if inside(path, row["until_us"], fence):
        taken += 1
    else:
        late += 1
    leases.keep(event("Stop"), context)
print(json.dumps({"taken": taken, "late": late}), flush=True)
"""


def _start(root: str, project: Path, name: str, wanted: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, root, str(project), name, str(wanted), str(FILES), str(EXPIRES_US)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _stall(worker: subprocess.Popen[str], seconds: float) -> None:
    """Lets a process stand still, wherever it is: also with the book's lock in its hand, so that all others wait."""
    worker.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    worker.send_signal(signal.SIGCONT)


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
            if number % 2:
                _stall(workers[chance.randrange(PROCESSES)], chance.uniform(0.3, EXPIRES_S + 0.5))
        ends = [worker.communicate(timeout=500) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for worker, (out, err) in zip(workers, ends, strict=True):
        assert worker.returncode == 0, (out, err[-2000:])
        assert json.loads(out.splitlines()[-1])["taken"] == share
    home = home_at(root)
    left = leases.every(home)
    assert all(lease["until_us"] <= time.time_ns() // 1000 + EXPIRES_US for lease in left)
    book = Book(home)
    fence = book.take("/the/last", {"session": "x", "agent": None, "project": None, "since_us": 0}, 0)
    book.close()
    assert fence > share * PROCESSES, "each taking had a token of its own"
