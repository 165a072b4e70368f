"""Homes and services for the tests of the service: the real one in a process of its own, as people start it."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import homes

from levaithan.hot import paths, wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return paths.home_at(homes.make_home(tmp_path / "h", native=False))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A service that all tests of a module share; each must leave it well."""
    root = homes.make_home(tmp_path_factory.mktemp("s") / "h", native=False)
    with homes.serving(root):
        yield paths.home_at(root)


class Client:
    """A raw connection to a service."""

    def __init__(self, home: Home, timeout_s: float = 10.0) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(home.socket)
        self.rest = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, bytes, bytes]:
        """The next answer. Raises ConnectionError at the end."""
        head = self._take(16)
        assert head[:4] == wire.ANSWER
        code, out, err = (int.from_bytes(head[at : at + 4], "big") for at in (4, 8, 12))
        return code, self._take(out), self._take(err)

    def _take(self, size: int) -> bytes:
        while len(self.rest) < size:
            part = self.socket.recv(1 << 16)
            if not part:
                raise ConnectionError("closed")
            self.rest += part
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def closed(self, within_s: float) -> bool:
        """Whether the other side closes within that time."""
        self.socket.settimeout(within_s)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def event(payload: bytes | None = None, *, name: str = "PreToolUse", command: str = "echo x", **header: str) -> bytes:
    """A request frame."""
    body = payload
    if body is None:
        body = (
            b'{"session_id":"s-1","cwd":"/tmp","hook_event_name":"%s","tool_name":"Bash","tool_use_id":"t",'
            b'"tool_input":{"command":"%s"}}' % (name.encode(), command.encode())
        )
    head = {"id": wire.new_event_id(), "event": name, "path": "native", "started_ns": str(time.time_ns())} | header
    return wire.pack_request(head, body)


def control(operation: str, **header: str) -> bytes:
    """A control frame."""
    return wire.pack_request({"id": wire.new_event_id(), "op": operation} | header, b"")
