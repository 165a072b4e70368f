"""The socket's side of the service: connections, frames in order, bounds on what anybody may hold, answers in groups.

Events are decided as they come, in the loop's thread, and queued for the committer; answers are written when their
batch is on the disk. Knows what a control request is, not what it does. Imports no gate and no journal.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from levaithan.hot.wire import RequestParser, WireError, peer_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from levaithan.hot.journal import Appended
    from levaithan.service.committer import Committer
    from levaithan.service.deciding import Decider, Taken

    Control = Callable[[dict[str, str]], Coroutine[Any, Any, bytes]]

MOST_CONNECTIONS = 900
MOST_IN_FLIGHT = 4096
MOST_BYTES_IN_FLIGHT = 32 << 20
SLICE = 64
"""Events of one connection that are decided before others get a turn."""
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


class Connection(asyncio.Protocol):
    """One client. todo: frames that have arrived and wait; outstanding: events decided and not yet answered."""

    __slots__ = (
        "_ended", "_held", "_parser", "_paused", "_scheduled", "_server", "_slow", "_transport", "blocked",
        "outstanding", "todo", "unfinished_since",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: Any = None
        self._parser = RequestParser(server.max_payload)
        self.todo: deque[tuple[dict[str, str], bytes]] = deque()
        self.outstanding = 0
        self.blocked = False
        self.unfinished_since = 0.0
        self._held = 0
        self._paused = self._ended = self._scheduled = self._slow = False

    @property
    def idle(self) -> bool:
        """Whether nothing of it is on its way."""
        return not (self.outstanding or self.todo or self.blocked)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Only the same user may talk to us, and only so many at once."""
        server = self._server
        self._transport = transport
        peer = transport.get_extra_info("socket")
        if peer is None or peer_uid(peer) != server.uid:
            server.refuse(self, "uid")
        elif len(server.connections) >= MOST_CONNECTIONS and not server.make_room():
            server.refuse(self, "too many")
        else:
            server.connections[self] = None

    def data_received(self, data: bytes) -> None:
        """Cut it into frames and begin with them."""
        if self._transport is None:
            return
        try:
            frames = self._parser.feed(data)
        except WireError:
            self._server.refuse(self, "protocol")
            return
        held = self._parser.waiting
        if held or self._held:
            self._hold(held, fresh=bool(frames))
        if frames:
            self.todo.extend(frames)
            self._work()

    def _hold(self, held: int, *, fresh: bool) -> None:
        """Half a frame is here: it has its time, and all halves together a bound."""
        server = self._server
        server.held += held - self._held
        self._held = held
        if not held:
            self.unfinished_since = 0.0
        elif fresh or not self.unfinished_since:
            self.unfinished_since = time.monotonic()
        if server.held > 2 * server.max_payload:
            server.refuse(self, "memory")

    def _work(self) -> None:
        server, todo, left = self._server, self.todo, SLICE
        while todo and not self.blocked:
            if server.full:
                server.stall(self)
                break
            if not left:
                self._later()
                break
            header, payload = todo[0]
            if "op" in header:
                if self.outstanding:
                    break  # answers go out in order: it has its turn when these are answered
                todo.popleft()
                self.blocked = True
                server.ask(self, header)
                break
            todo.popleft()
            self.outstanding += 1
            server.take(self, header, payload)
            left -= 1
        server.committer.ring()
        self._flow()

    def _later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._server.loop.call_soon(self._next)

    def _next(self) -> None:
        self._scheduled = False
        self._work()

    def go_on(self) -> None:
        """Something that was in the way is gone."""
        if self.todo:
            self._work()
        elif self._ended and not self.outstanding and not self.blocked:
            self.close()
        elif self._paused:
            self._flow()

    def _flow(self) -> None:
        """Read only as fast as what was read is done, and as answers are taken."""
        if self._transport is None or self._ended:
            return
        wanted = bool(self.todo) or self._slow or self.blocked
        if wanted and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        elif self._paused and not wanted:
            self._paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """It does not take its answers: then it may not ask more."""
        self._slow = True
        self._flow()

    def resume_writing(self) -> None:
        """It takes them again."""
        self._slow = False
        self._flow()

    def answer(self, data: bytes) -> None:
        """Send answers, if anybody is there."""
        if self._transport is not None:
            self._transport.write(data)

    def eof_received(self) -> bool:
        """It will ask no more; what it asked is still answered."""
        self._ended = True
        return not self.idle

    def close(self) -> None:
        """Close when what is written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whole frames that had arrived are still decided and recorded: nobody else may do it."""
        self._server.connections.pop(self, None)
        self._server.held -= self._held
        self._held = 0
        self.unfinished_since = 0.0
        self._transport = None
        if self.todo:
            self._work()
