"""50 sessions in 50 processes spend one shared budget at once: together no more than one call each above it.

Each runs the gate's own functions as the hooks do: it reserves before a call to the model, says when the call is under
way, and only a while later its transcript tells what it cost. Where calls cost what they are taken to, all sessions
together stay within one call; where they may cost eight times as much, within one of the dearest each.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support import homes

SESSIONS = 50
LIMIT_USD = 20.0
KILLS = 5

WORKER = """
import json, random, sys, time
from pathlib import Path
from levaithan.hot import budgets, hotconf, paths
from levaithan.hot.event import parse
from levaithan.hot.workflow import Context
from tests.support.transcripts import USD_OUT, Transcript

root, folder, name, prices = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
context = Context(paths.home_at(root), hotconf.HotConf(), json.loads, json.dumps)
chance, transcript = random.Random(name), Transcript(Path(folder), name)

def event(kind):
    payload = {"session_id": name, "hook_event_name": kind, "cwd": "/srv/demo", "transcript_path": str(transcript.path),
               "tool_name": "Bash" if kind == "PreToolUse" else None, "tool_input": {"command": "true"}}
    made = parse({"event": kind, "project": "/srv/demo"}, json.dumps(payload).encode())
    context.now_us = time.time_ns() // 1000
    return made

print("up", flush=True)
sys.stdin.readline()
kind, number = "UserPromptSubmit", 0
while True:
    said = budgets.reserve(event(kind), context)
    if said is not None and said.verdict != "allow":
        break
    if kind == "PreToolUse":
        budgets.watch(event("PostToolBatch"), context)
    usd = chance.choice(prices)
    print(usd, flush=True)  # from here on the call is made, whatever becomes of this process
    time.sleep(chance.uniform(0, 0.02))
    number += 1
    used = {"input_tokens": 0, "output_tokens": round(usd / USD_OUT)}
    transcript.line(f"msg_{name}_{number}", used, at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    kind = "PreToolUse"
print(said.verdict, said.rule, flush=True)
"""


def _start(root: str, folder: Path, number: int, prices: list[float]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, root, str(folder), f"s-{number}", json.dumps(prices)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[2], env=_environment()
    )


def _environment() -> dict[str, str]:
    here = Path(__file__).parents[2]
    return {**homes.plain_environment(), "PYTHONPATH": f"{here}:{here / 'src'}"}


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("prices", "over"), [([0.05], 0.05), ([0.05, 0.1, 0.4], SESSIONS * 0.4)])
def test_fifty_processes_overspend_by_no_more_than_a_call_each(
    tmp_path: Path, prices: list[float], over: float
) -> None:
    root = homes.make_home(tmp_path / "home", native=False)
    charter = f'[budgets]\nreserve_usd = 0.05\n[[budgets.limit]]\nscope = "day"\nusd = {LIMIT_USD}\n'
    Path(root, "context", "charter.toml").write_text(charter)
    chance = random.Random(7)
    workers = [_start(root, tmp_path, number, prices) for number in range(SESSIONS)]
    try:
        for worker in workers:
            assert worker.stdout is not None and worker.stdin is not None
            assert worker.stdout.readline() == "up\n", worker.stderr and worker.stderr.read()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        killed = chance.sample(workers, KILLS)
        for worker in killed:
            time.sleep(chance.uniform(0.01, 0.1))
            worker.send_signal(signal.SIGKILL)
        ends = [worker.communicate(timeout=500) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    total = 0.0
    for worker, (out, err) in zip(workers, ends, strict=True):
        lines = out.split("\n")
        if worker not in killed:
            assert worker.returncode == 0, (out, err[-2000:])
            assert lines[-2] == "deny budget.day"
        total += sum(float(line) for line in lines if line[:1].isdigit())
    assert LIMIT_USD - (SESSIONS + 1) * max(prices) < total <= LIMIT_USD + over + 1e-9
