"""Homes damaged in a thousand ways: each is answered, served, told, mended, and has lost nothing that was whole.

What one damaged home must live up to is in damaged_home.py, what can be damaged in damages.py. LEVAITHAN_FAULT_HOMES
says how many (each is a seed, from 0 on); one in twenty-five is served by real processes, the others by forks.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from tests.faults import damages
from tests.support import homes

from levaithan.hot import halts, hotconf, paths, policy
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate

pytestmark = pytest.mark.faults
HOMES = int(os.environ.get("LEVAITHAN_FAULT_HOMES", "60"))
WORKERS = 2
PROGRAM = Path(__file__).with_name("damaged_home.py")
_CAPBSET_DROP, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2


def modes_count() -> None:
    """In a child of root, before its program: from then on a mode holds for root too, as it does for everybody."""
    if os.geteuid() == 0 and sys.platform == "linux":
        library = ctypes.CDLL(None)
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            library.prctl(_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_damaged_homes_answer_say_what_they_found_and_lose_nothing_whole(tmp_path: Path) -> None:
    if os.geteuid() == 0 and sys.platform != "linux":
        warnings.warn("ROOT: closed files and folders were NOT tested, for root may open them", stacklevel=1)
    share = [len(range(number, HOMES, WORKERS)) for number in range(WORKERS)]
    workers = []
    for number, count in enumerate(share):
        out = (tmp_path / f"homes-{number}.jsonl").open("wb")
        command = [sys.executable, str(PROGRAM), str(tmp_path / f"w{number}"), str(number), str(count)]
        command += ["--step", str(WORKERS), "--real", "25"]
        workers.append(
            subprocess.Popen(command, stdout=out, env=homes.plain_environment(), preexec_fn=modes_count)  # noqa: PLW1509
        )
        out.close()
    assert [worker.wait() for worker in workers] == [0] * WORKERS
    told: list[dict[str, Any]] = [
        json.loads(line) for number in range(WORKERS) for line in (tmp_path / f"homes-{number}.jsonl").open()
    ]
    assert {one["seed"] for one in told} == set(range(HOMES))
    wrong = [one for one in told if one["faults"]]
    shown = "\n".join(f"{one['seed']} {one['damages']}\n    " + "\n    ".join(one["faults"]) for one in wrong[:5])
    assert not wrong, f"{len(wrong)} of {HOMES}; `python {PROGRAM} FOLDER SEED 1` shows one again\n{shown}"
    assert sum(one["real"] for one in told) >= HOMES // 25


@pytest.mark.parametrize("seed", range(0, 40, 13))
def test_a_damage_is_the_same_every_time(tmp_path: Path, seed: int) -> None:
    """A seed that is told must show the same home again."""
    import random

    found = []
    for name in ("one", "two"):
        root = Path(homes.make_home(tmp_path / name / "home", native=False, compiled=False))
        (root / "logs" / "journal").mkdir()
        for number in (1, 5, 9):
            (root / "logs" / "journal" / f"journal-{number:020d}.log").write_text("x" * 500)
        (root / "state" / "sessions").mkdir()
        (root / "state" / "sessions" / "s-1.json").write_text("{}")
        chance = random.Random(seed)
        made = damages.choose(root, chance)
        found.append([str(one) for one in made])
    assert found[0] == found[1] != []


# --- cut off ---------------------------------------------------------------------------------------------------------

CUT = {
    "context/workflows.toml": 1,
    "hooks/policy_check.py": 3,
    "hooks/halt_check.py": 3,
    "hooks/restraint_check.py": 3,
    "context/policies/base.toml": 40,
}
"""A file of the gate, and every how many bytes it is cut; a cut at the end of each line comes with it."""


@pytest.mark.parametrize("name", CUT)
def test_a_gate_that_was_cut_off_anywhere_refuses(tmp_path: Path, name: str) -> None:
    """What is left may be valid, and must not be taken for a gate that has less to check."""
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False, deadline_ms=4000))
    halts.set_halt(home, "session", "halted", "r", "b")
    path = Path(home.root, name)
    whole = path.read_bytes()
    ends = {at + 1 for at, byte in enumerate(whole) if byte == 10} - {len(whole)}
    passed = []
    for length in sorted(ends.union(range(0, len(whole.rstrip()), CUT[name]))):
        path.write_bytes(whole[:length])
        if name.startswith("context/policies/"):  # what was made of the rules; of another file there is nothing in it
            shutil.rmtree(home.state + "/cache", ignore_errors=True)
            policy._loaded.clear()
        shutil.rmtree(home.hooks + "/__pycache__", ignore_errors=True)
        gate = Gate(home, hotconf.read(home.hot_conf))
        if _verdict(gate, "rm -rf /", "s") == "allow" or _verdict(gate, "echo x", "halted") == "allow":
            passed.append((length, whole[max(0, length - 60) : length]))
    assert passed == []


def _verdict(gate: Gate, command: str, session: str) -> str:
    payload = {
        "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": command}, "session_id": session,
        "cwd": "/",
    }  # fmt: skip
    verdict: str = gate.decide(parse({"event": "PreToolUse"}, json.dumps(payload).encode()))[0].decision.verdict
    return verdict
