"""A relay on loopback between an adapter and its server: it loses connections and answers when a test says so."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

Address = tuple[str, int] | str
"""(host, port), or the path of a Unix socket."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: what is closed is reset, as by a server that died."""
_LIMIT_S = 20.0


class Relay:
    """Passes on to `servers` what comes to `addresses` (free ports of 127.0.0.1, unless `at` names others), in a thread
    of its own until `stop`. lost: how many answers it kept to itself."""

    def __init__(self, servers: Sequence[Address], at: Sequence[Address] = ()) -> None:
        self.addresses: list[Address] = list(at) or [("127.0.0.1", 0)] * len(servers)
        self.answers = self.lost = 0
        self._servers = servers
        self._left, self._leaves = 0, False
        self._open: set[asyncio.StreamWriter] = set()
        self._listening: list[asyncio.AbstractServer] = []
        self._held: list[socket.socket] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self._run(self._listen())

    def cut(self, *, reset: bool) -> None:
        """Every connection that is open is lost: in order, or reset."""
        self._run(self._cut(reset))

    def lose_answer(self, number: int, *, and_leave: bool = False) -> None:
        """Of the answers from now on, on whatever connection, the one of this number (1 is the next) never arrives: the
        server has done what it was asked, and every connection is lost. 0: none is. and_leave: see `leave`."""
        self._left, self._leaves = number, and_leave

    def leave(self) -> None:
        """Every connection is lost, and nobody is let in until `back`."""
        self._run(self._alone())

    def back(self) -> None:
        """Let them in again, at the same addresses."""
        self._run(self._listen())

    def stop(self) -> None:
        """Lose every connection and end."""
        self._run(self._alone())
        self._run(self._ended())
        self._let_go()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIMIT_S)

    async def _listen(self) -> None:
        self._let_go()
        if self._listening:
            return
        for number, server in enumerate(self._servers):
            here, serve = self.addresses[number], partial(self._serve, server)
            if isinstance(here, str):
                self._listening.append(await asyncio.start_unix_server(serve, here))
                continue
            made = await asyncio.start_server(serve, *here)
            self.addresses[number] = made.sockets[0].getsockname()[:2]
            self._listening.append(made)

    def _let_go(self) -> None:
        for one in self._held:
            one.close()
        self._held = []

    async def _alone(self) -> None:
        self._leave()

    def _leave(self) -> None:
        """A port that is bound and not listened at refuses everybody, and nobody else can be given it meanwhile."""
        listening, self._listening = self._listening, []
        for one in listening:
            one.close()
        for here in self.addresses if listening else ():
            if isinstance(here, str):
                os.unlink(here)
                continue
            held = socket.socket()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(here)
            self._held.append(held)
        self._lose(reset=True)

    async def _ended(self) -> None:
        mine = {one for one in asyncio.all_tasks() if one is not asyncio.current_task()}
        for one in mine:
            one.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def _cut(self, reset: bool) -> None:
        self._lose(reset)

    def _lose(self, reset: bool) -> None:
        links, self._open = self._open, set()
        for one in links:
            if reset and (link := one.get_extra_info("socket")) is not None:
                if link.family != socket.AF_UNIX:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                one.transport.abort()
            else:
                one.close()

    async def _serve(self, server: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(server, str):
                answers, asks = await asyncio.open_unix_connection(server)
            else:
                answers, asks = await asyncio.open_connection(*server)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, asks}
        under_way = [False]

        def asked() -> bool:
            under_way[0] = True
            return False

        there = asyncio.ensure_future(_passed_on(reader, asks, asked))
        here = asyncio.ensure_future(_passed_on(answers, writer, lambda: self._is_lost(under_way)))
        try:
            _, left = await asyncio.wait((there, here), return_when=asyncio.FIRST_COMPLETED)
            for one in left:
                one.cancel()
        finally:
            self._open -= {writer, asks}
            for end in (writer, asks):
                end.close()

    def _is_lost(self, under_way: list[bool]) -> bool:
        """Whether what comes back now is not passed on: the first part of the answer that it counted down to."""
        answer, under_way[0] = under_way[0], False
        self.answers += answer
        if not answer or self._left < 1:
            return False
        self._left -= 1
        if self._left:
            return False
        self.lost += 1
        if self._leaves:
            self._leave()
        self._lose(reset=True)
        return True


async def _passed_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, stops: Callable[[], bool]) -> None:
    try:
        while data := await source.read(1 << 16):
            if stops():
                return
            target.write(data)
            await target.drain()
    except OSError:
        return
