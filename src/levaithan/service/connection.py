"""One client of the service: its frames in order, its answers in order, and no more of either than it may hold.

Told by the loop what arrives, it tells the server what to decide. Imports no gate and no journal.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from levaithan.hot.wire import RequestParser, WireError, peer_uid

if TYPE_CHECKING:
    from levaithan.service.server import Server

SLICE = 64
"""Events of one connection that are decided before others get a turn."""


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
        elif server.crowded and not server.make_room():
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
            if server.early(self, header, payload):
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
