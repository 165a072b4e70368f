"""How processes of one user share an embedded engine that only one of them may open: the owner answers the others.

Over a Unix socket in the engine's folder, a frame each way: 4 bytes of length (big-endian), then the body; an answer
has one byte before it, 1 for an answer and 0 for a refusal, whose body is `status` + LF + text.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.hot import paths
from levaithan.stores.helix_errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Answer = Callable[[bytes], Awaitable[bytes]]

LONGEST = 256 << 20
_NAME = "/owner.sock"


def socket_path(folder: str) -> str:
    """Where the owner of the engine in `folder` listens: in it, or in a short folder of this user's. Raises OSError."""
    inside = folder + _NAME
    if len(os.fsencode(inside)) <= paths.SOCKET_PATH_LIMIT:
        return inside
    outside = paths.outside(folder)
    paths.ensure_private(outside)
    return outside + _NAME


class Listener:
    """Answers other processes in the owner's loop. `answer` takes a question's body; what it raises is refused."""

    def __init__(self, folder: str, answer: Answer) -> None:
        self._path = socket_path(folder)
        self._answer = answer
        self._server: asyncio.AbstractServer | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. The lock is held, so a socket that is there was left behind."""
        Path(self._path).unlink(missing_ok=True)
        mask = os.umask(0o177)  # the socket is this user's alone from its first moment
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Take no more questions; who is connected notices."""
        if self._server is not None:
            self._server.close()
            for one in list(self._open):
                one.close()
            Path(self._path).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                if size > LONGEST:
                    break
                writer.write(await self._told(await reader.readexactly(size)))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):  # it went
            return
        finally:
            self._open.discard(writer)
            writer.close()

    async def _told(self, body: bytes) -> bytes:
        try:
            flag, told = b"\x01", await self._answer(body)
        except RefusedError as error:
            flag, told = b"\x00", f"{error.status}\n{error}".encode("utf-8", "replace")
        return flag + len(told).to_bytes(4, "big") + told


class OwnerGoneError(ConnectionError):
    """The owner of the engine has ended, or is about to."""


class Asking:
    """Questions to the owner of the engine in `folder`, one at a time. Raises OwnerGoneError when nobody listens."""

    def __init__(self, folder: str, timeout_s: float) -> None:
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._link.settimeout(timeout_s)
        try:
            self._link.connect(socket_path(folder))
        except (FileNotFoundError, ConnectionError) as error:
            self._link.close()
            raise OwnerGoneError(str(error)) from error

    def ask(self, body: bytes, limit_s: float) -> bytes:
        """The answer. Raises RefusedError, TimeoutError, OwnerGoneError; after these two it must be closed."""
        self._link.settimeout(limit_s)
        try:
            self._link.sendall(len(body).to_bytes(4, "big") + body)
            head = self._exactly(5)
            told = self._exactly(int.from_bytes(head[1:], "big"))
        except TimeoutError:
            raise
        except OSError as error:
            raise OwnerGoneError(str(error)) from error
        if head[0]:
            return told
        status, _, text = told.decode("utf-8", "replace").partition("\n")
        raise RefusedError(text, int(status))

    def _exactly(self, size: int) -> bytes:
        parts, left = [], size
        while left:
            part = self._link.recv(min(left, 1 << 20))
            if not part:
                raise OwnerGoneError("it closed the connection")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Hang up."""
        self._link.close()
