"""The socket's side of the service: all its connections together, bounds on what anybody may hold, answers in groups.

Events are decided as they come, in the loop's thread, and queued for the committer; answers are written when their
batch is on the disk. Knows what a control request is, not what it does. Imports no gate and no journal.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from levaithan.hot.flush import STEP_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from levaithan.hot.event import Event
    from levaithan.hot.journal import Appended
    from levaithan.service.committer import Committer
    from levaithan.service.connection import Connection
    from levaithan.service.deciding import Decider, Taken

    Control = Callable[[dict[str, str]], Coroutine[Any, Any, bytes]]

MOST_CONNECTIONS = 900
MOST_IN_FLIGHT = 4096
MOST_BYTES_IN_FLIGHT = 32 << 20
UNFINISHED_S = 10.0
"""How long a frame may take to arrive: a client waits 2 s in all."""
_FRAME_HEAD = 128 << 10
_LAST_WORDS_S = 0.5


class Server:
    """All connections of a service. `take` is told by them, `settle` by the committer through the loop."""

    def __init__(
        self, decider: Decider, committer: Committer, control: Control, say: Callable[..., None], max_payload: int
    ) -> None:
        self.decider = decider
        self.say = say
        self.committer = committer
        self.control = control
        self.max_payload = max_payload + _FRAME_HEAD
        self.connections: dict[Connection, None] = {}
        self.in_flight = 0
        self.bytes_in_flight = 0
        self.held = 0
        self.refused = dict.fromkeys(("uid", "protocol", "too many", "unfinished", "memory", "fault"), 0)
        self.loop = asyncio.get_running_loop()
        self.uid = os.getuid()
        self._stalled: dict[Connection, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether enough is on its way: nothing more is decided until some of it is answered."""
        return self.in_flight >= MOST_IN_FLIGHT or self.bytes_in_flight >= MOST_BYTES_IN_FLIGHT

    @property
    def crowded(self) -> bool:
        """Whether nobody more may come unless somebody leaves."""
        return len(self.connections) >= MOST_CONNECTIONS

    def make_room(self) -> bool:
        """Close the oldest connection that waits for nothing; False when all do."""
        for one in self.connections:
            if one.idle:
                self.refuse(one, "too many")
                return True
        return False

    def refuse(self, connection: Connection, why: str) -> None:
        """Close a connection that must not go on; its client decides by itself."""
        self.refused[why] += 1
        self.connections.pop(connection, None)
        connection.abort()

    def take(self, connection: Connection, header: dict[str, str], payload: bytes) -> None:
        """Decide an event and queue its record."""
        try:
            taken = self.decider.decide(connection, header, payload)
        except Exception as error:  # a fault of ours: the client's own one-shot decides, or refuses
            connection.outstanding -= 1
            self.say("deciding failed", level="error", error=f"{type(error).__name__}: {error}")
            self.refuse(connection, "fault")
            return
        self.in_flight += 1
        self.bytes_in_flight += len(taken.body)
        self.committer.put(taken)

    def early(self, connection: Connection, header: dict[str, str], payload: bytes) -> bool:
        """Whether this event is decided a moment later; nothing else of its connection is done meanwhile."""
        event = self.decider.early(header, payload)
        if event is not None:
            connection.blocked = True
            self.loop.call_later(STEP_S, self._look_again, connection, event)
        return event is not None

    def _look_again(self, connection: Connection, event: Event) -> None:
        if self.decider.still_early(event):
            self.loop.call_later(STEP_S, self._look_again, connection, event)
        else:
            connection.blocked = False
            connection.go_on()

    def stall(self, connection: Connection) -> None:
        """Wake `connection` when there is room again."""
        self._stalled[connection] = None

    def settled(self, batch: Sequence[Any], done: list[Appended] | None, error: BaseException | None) -> None:
        """A batch is on the disk, or could not be put there: answer all of it, one write a connection."""
        decider = self.decider
        answers: dict[Connection, list[bytes]] = {}
        for place, taken in enumerate(batch):
            self.bytes_in_flight -= len(taken.body)
            answer = taken.answer
            if done is None:
                answer = self._unrecorded(taken, error)
            elif (recorded := done[place].duplicate) is not None:
                answer = decider.again(taken, recorded)
            owner = taken.owner
            if owner in answers:
                answers[owner].append(answer)
            else:
                answers[owner] = [answer]
        self.in_flight -= len(batch)
        for owner, parts in answers.items():
            owner.outstanding -= len(parts)
            owner.answer(parts[0] if len(parts) == 1 else b"".join(parts))
            owner.go_on()
        if self._stalled and not self.full:
            stalled, self._stalled = self._stalled, {}
            for one in stalled:
                one.go_on()

    def _unrecorded(self, taken: Taken, error: BaseException | None) -> bytes:
        return self.decider.without_record(taken, error or RuntimeError("it was not written"))

    def ask(self, connection: Connection, header: dict[str, str]) -> None:
        """Do a control request beside the loop; nothing else of its connection is done until it is answered."""
        task = self.loop.create_task(self._ask(connection, header))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, connection: Connection, header: dict[str, str]) -> None:
        connection.answer(await self.control(header))
        connection.blocked = False
        connection.go_on()

    def reap(self) -> None:
        """Close what sends half a frame and then nothing."""
        now = time.monotonic()
        for one in list(self.connections):
            if one.unfinished_since and now - one.unfinished_since > UNFINISHED_S:
                self.refuse(one, "unfinished")

    async def drain(self, timeout_s: float) -> bool:
        """Decide and answer what has arrived, then close all connections. False when that took longer."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until and (self.in_flight or any(one.todo for one in self.connections)):
            await asyncio.sleep(0.005)
        done = not self.in_flight
        for one in list(self.connections):
            one.close()
        until = min(until, time.monotonic() + _LAST_WORDS_S)
        while self.connections and time.monotonic() < until:
            await asyncio.sleep(0.005)
        return done
