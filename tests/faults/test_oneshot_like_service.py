"""Every case of the exam through the service and through the one-shot: where the one stops a call, so does the other.

The one-shots are forks of a bare Python that has loaded `hot/` and nothing else, a process each; every fiftieth is
started as a client starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.unit.policy.test_cases import ALL

from levaithan.hot import paths, wire
from levaithan.hot.policy_pack import example_event
from levaithan.install import answers

SOURCES = Path(__file__).parents[2] / "src"
_REAL = 50
_FORKS = """
import importlib, json, os, sys
sys.path.insert(0, sys.argv[1])
for name in sorted(os.listdir(sys.argv[1] + "/levaithan/hot")):
    if name.endswith(".py") and not name.startswith("__"):
        importlib.import_module("levaithan.hot." + name[:-3])
from levaithan.hot import shot
for line in sys.stdin.buffer:
    (in_, to), (out, from_) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        for number, end in enumerate((in_, from_, from_)):
            os.dup2(end, number)
        os.closerange(3, 64)
        os.environ.clear()
        code = 1
        try:
            code = shot.main(["PreToolUse", "--home", sys.argv[2]])
        finally:
            os._exit(code)
    os.close(in_)
    os.close(from_)
    with os.fdopen(to, "wb") as pipe:
        pipe.write(line)
    with os.fdopen(out, "rb") as pipe:
        said = pipe.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([code, said]), flush=True)
"""


def _payload(number: int, case: Any) -> bytes:
    """The call of a case, all of one session: what it changes it may change again."""
    event = example_event("the case", case)
    more = {"session_id": "s-exam", "hook_event_name": "PreToolUse", "tool_use_id": f"toolu_{number}"}
    return json.dumps(event.payload | more).encode()


def _read(code: int, out: bytes, err: bytes = b"") -> answers.Read:
    return answers.read("PreToolUse", subprocess.CompletedProcess([], code, out, err))


def _served(root: str, calls: list[bytes]) -> list[answers.Read]:
    socket = paths.home_at(root).socket
    header = {"event": "PreToolUse", "path": "native"}
    with homes.serving(root):
        frames = [wire.pack_request(header | {"id": wire.new_event_id()}, call) for call in calls]
        return [_read(*wire.request(socket, frame, 20.0)) for frame in frames]


def _forked(root: str, calls: list[bytes]) -> list[answers.Read]:
    command = [sys.executable, "-I", "-S", "-c", _FORKS, str(SOURCES), root]
    done = subprocess.run(
        command, input=b"\n".join(calls), capture_output=True, env={"PATH": "/usr/bin:/bin"}, timeout=500, check=True
    )
    return [_read(code, said.encode()) for code, said in map(json.loads, done.stdout.splitlines())]


def _started(root: str, call: bytes) -> answers.Read:
    environ = {"PATH": "/usr/bin:/bin"}
    command = homes.oneshot(root, "PreToolUse")
    done = subprocess.run(command, input=call, capture_output=True, env=environ, timeout=30, check=False)
    return _read(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_one_shot_stops_every_case_that_the_service_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")  # the user is the same one for all of them
    calls = [_payload(number, case.values[0]) for number, case in enumerate(ALL)]
    served = _served(homes.make_home(tmp_path / "served", native=False), calls)
    alone = homes.make_home(tmp_path / "alone", native=False)
    forked = _forked(alone, calls)
    assert len(served) == len(forked) == len(calls)
    assert sum(one.stops for one in served) > 500, "the exam is asked"
    looser = [case.id for case, one, other in zip(ALL, served, forked, strict=True) if one.stops and not other.stops]
    assert looser == []
    assert [one.verdict for one in forked] == [one.verdict for one in served]
    started = {number: _started(alone, calls[number]) for number in range(0, len(calls), _REAL)}
    assert {number: one.verdict for number, one in started.items()} == {
        number: served[number].verdict for number in started
    }
