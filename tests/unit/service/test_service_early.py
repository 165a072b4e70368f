"""A call that is better decided a moment later, for its session is near a limit: nobody else waits for it."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.transcripts import Transcript
from tests.unit.service.conftest import event

from levaithan.hot import flush, hotconf
from levaithan.hot.gate import Gate
from levaithan.service.connection import Connection
from levaithan.service.deciding import Decider, Taken
from levaithan.service.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from levaithan.hot.paths import Home

USED = 0.995


class Transport:
    """As much of a connection's other side as the server looks at."""

    def __init__(self) -> None:
        self.pair = socket.socketpair()

    def get_extra_info(self, _name: str) -> socket.socket:
        return self.pair[0]

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Queue:
    """The committer's place: what was decided, in order."""

    def __init__(self) -> None:
        self.put_in: list[Taken] = []

    def put(self, taken: Taken) -> None:
        self.put_in.append(taken)

    def ring(self) -> None: ...


def test_others_are_decided_while_a_call_near_a_limit_waits(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, other = Transcript(tmp_path, "s-near"), Transcript(tmp_path, "s-other")
    near.spend(USED)
    with open(f"{home.context}/charter.toml", "w", encoding="utf-8") as charter:
        charter.write('[[budgets.limit]]\nscope = "session"\nusd = 1\n')
    gate = Gate(home, hotconf.HotConf(), json.loads)
    asyncio.run(_scene(Decider(gate), near, other, monkeypatch))
    gate._context.memory["spend"].close()


async def _scene(decider: Decider, near: Transcript, other: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    committer: Any = queue
    server = Server(decider, committer, lambda _: pytest.fail("no control request"), lambda *_, **__: None, 1 << 20)
    one, two = _connected(server), _connected(server)
    one.data_received(_call(near, "toolu_first"))  # in the gate, in vain: from now on it is known to be near
    assert [json.loads(taken.body)["session_id"] for taken in queue.put_in] == ["s-near"]

    monkeypatch.setattr(flush, "LONGEST_S", 60.0)
    one.data_received(_call(near, "toolu_late") + _call(near, "toolu_after"))
    two.data_received(_call(other, "toolu_other"))
    await asyncio.sleep(0.05)
    assert [b"toolu_other" in taken.body for taken in queue.put_in[1:]] == [True], "the other one is decided, alone"
    assert not one.idle
    near.spend(1 - USED + 0.01, toolUseID="toolu_late and toolu_after")
    await _until(lambda: len(queue.put_in) == 4)
    late, after = queue.put_in[2:]
    assert (b"toolu_late" in late.body, b"toolu_after" in after.body) == (True, True), "in the order of asking"
    assert late.outcome.decision.rule == "budget.session", "it was decided by what the transcript told at last"


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never was")


def _connected(server: Server) -> Connection:
    made = Connection(server)
    transport: Any = Transport()
    made.connection_made(transport)
    return made


def _call(transcript: Transcript, name: str) -> bytes:
    payload = {
        "session_id": transcript.session, "hook_event_name": "PreToolUse", "cwd": "/tmp", "tool_use_id": name,
        "transcript_path": str(transcript.path), "tool_name": "Bash", "tool_input": {"command": f"echo {name}"},
    }  # fmt: skip
    return event(json.dumps(payload).encode())
