"""An imitation of the service for the clients' tests: it keeps what it is sent and answers as it is told. It decides
nothing and proves the wire only; the real service has tests of its own."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

from levaithan.hot import paths, wire

HANG = b"hang"
"""Instead of an answer: say nothing."""


class ImitationService:
    """Listens on a home's socket. answer: the bytes sent back for each request (HANG: none); got: (header, payload).

    listen_as: another user, as whom it listens (only root can).
    """

    def __init__(self, home: Path, answer: bytes, listen_as: int | None = None) -> None:
        self.answer = answer
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._path = paths.home_at(str(home)).socket
        paths.ensure_private(os.path.dirname(self._path))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        try:
            if listen_as is not None:
                os.seteuid(listen_as)
            self._listener.listen(16)
        finally:
            os.seteuid(os.getuid())
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ImitationService:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)
        os.unlink(self._path)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            try:
                self._one(connection)
            except OSError:
                continue

    def _one(self, connection: socket.socket) -> None:
        parser = wire.RequestParser()
        while data := connection.recv(1 << 16):
            frames = parser.feed(data)
            if frames:
                self.got += frames
                if self.answer == HANG:
                    return
                connection.sendall(self.answer)
                connection.close()
                return
