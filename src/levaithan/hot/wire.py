"""The frames that hook clients and the service exchange over the Unix socket (docs/reference/socket-protocol.md).

Standard library only and lean: the Python client imports this while Claude Code waits (`_socket`, not `socket`).
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_BYTE_ORDER = sys.byteorder
REQUEST = b"LVH1"
ANSWER = b"LVA1"
MAX_HEADER = 64 << 10
MAX_PAYLOAD = 1 << 30
MAX_ANSWER = 16 << 20
TRUNCATED_PAYLOAD = 1 << 20
"""Bytes of an over-long stdin that a client sends on, with its whole length in the header `truncated`."""

ENVIRONMENT = {
    "project": "CLAUDE_PROJECT_DIR",
    "pid": "CLAUDE_PID",
    "agent": "AI_AGENT",
    "effort": "CLAUDE_EFFORT",
    "attended": "CLAUDE_CODE_SESSION_ATTENDED",
}
"""Header key -> variable of the hook's environment. Nothing else of the environment is ever read: keys are in it."""


class WireError(Exception):
    """The other side does not speak this protocol, or a frame is over its limit."""


def new_event_id() -> str:
    """32 lowercase hex digits: 48 bits of unix milliseconds, then 80 random bits, so that ids sort by time."""
    milliseconds = time.time_ns() // 1_000_000
    return (milliseconds & 0xFFFFFFFFFFFF).to_bytes(6, "big").hex() + os.urandom(10).hex()


def pack_request(header: Mapping[str, str], payload: bytes) -> bytes:
    """One request frame. Line breaks in values become spaces; raises WireError over the limits."""
    lines = [f"{key}={_one_line(value)}\n" for key, value in header.items()]
    head = "".join(lines).encode("utf-8", "surrogateescape")
    if len(head) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise WireError(f"a frame of {len(head)} + {len(payload)} bytes is over the limit")
    return b"".join((REQUEST, len(head).to_bytes(4, "big"), len(payload).to_bytes(4, "big"), head, payload))


def pack_answer(exit_code: int, stdout: bytes, stderr: bytes) -> bytes:
    """One answer frame."""
    sizes = exit_code.to_bytes(4, "big") + len(stdout).to_bytes(4, "big") + len(stderr).to_bytes(4, "big")
    return b"".join((ANSWER, sizes, stdout, stderr))


def _one_line(value: str) -> str:
    return value.replace("\n", " ").replace("\r", " ") if "\n" in value or "\r" in value else value


class RequestParser:
    """Cuts a stream of bytes into requests; a connection has one."""

    __slots__ = ("_buffer", "_limit", "_need")

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._buffer = bytearray()
        self._need = 12
        self._limit = max_payload

    @property
    def waiting(self) -> int:
        """Bytes of an unfinished frame held now."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[dict[str, str], bytes]]:
        """The whole requests that `data` completes, in order, each as (header, payload).

        Raises WireError on a wrong magic or a frame over the limit; the connection is then of no more use.
        """
        buffer = self._buffer
        buffer += data
        if len(buffer) < self._need:
            return []
        frames = []
        at = 0
        size = len(buffer)
        while size - at >= 12:
            if buffer[at : at + 4] != REQUEST:
                raise WireError("not a LevAIthan frame")
            head_len = int.from_bytes(buffer[at + 4 : at + 8], "big")
            body_len = int.from_bytes(buffer[at + 8 : at + 12], "big")
            if head_len > MAX_HEADER or body_len > self._limit:
                raise WireError(f"a frame of {head_len} + {body_len} bytes is over the limit")
            end = at + 12 + head_len + body_len
            if end > size:
                self._need = end - at
                break
            middle = at + 12 + head_len
            frames.append((parse_header(bytes(buffer[at + 12 : middle])), bytes(buffer[middle:end])))
            at = end
        else:
            self._need = 12
        if at:
            del buffer[:at]
        return frames


def parse_header(head: bytes) -> dict[str, str]:
    """The `key=value` lines of a request's header."""
    header = {}
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        key, found, value = line.partition("=")
        if found:
            header[key] = value
    return header


def request(sock_path: str, frame: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
    """Send one frame to the service at `sock_path` and wait at most `timeout_s` for its whole answer.

    Gives (exit code, stdout, stderr). Raises ConnectionError (subclass of OSError) when nothing was sent
    (no service, or a peer of another user), TimeoutError when no whole answer came in time, WireError or another
    OSError when the connection broke after sending: in the last two cases the frame may have been taken.
    """
    try:
        import _socket  # the C module alone: `socket` costs 5 ms of imports
    except ImportError:  # a Python without the private module
        import socket as _socket  # type: ignore[no-redef]
    deadline = time.monotonic() + timeout_s
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        try:
            connection.connect(sock_path)
        except OSError as error:
            raise ConnectionRefusedError(error.errno, f"no service at {sock_path}") from None
        if peer_uid(connection) != os.getuid():
            raise ConnectionRefusedError(f"{sock_path} belongs to another user")
        connection.sendall(frame)
        head = _receive(connection, 16, deadline)
        if head[:4] != ANSWER:
            raise WireError("not a LevAIthan answer")
        code, out_len, err_len = (int.from_bytes(head[at : at + 4], "big") for at in (4, 8, 12))
        if out_len + err_len > MAX_ANSWER:
            raise WireError("an answer over the limit")
        rest = _receive(connection, out_len + err_len, deadline)
        return code, rest[:out_len], rest[out_len:]
    finally:
        connection.close()


def peer_uid(connection: object) -> int:
    """The user id at the other end of a connected Unix socket (SO_PEERCRED on Linux, LOCAL_PEERCRED on macOS)."""
    get = connection.getsockopt  # type: ignore[attr-defined]
    if sys.platform == "linux":
        return int.from_bytes(get(1, 17, 12)[4:8], _BYTE_ORDER)  # struct ucred {pid, uid, gid}
    return int.from_bytes(get(0, 1, 76)[4:8], _BYTE_ORDER)  # struct xucred {version, uid, ...}


def _receive(connection: object, size: int, deadline: float) -> bytes:
    """Exactly `size` bytes, or TimeoutError past `deadline` (monotonic seconds), or WireError at a closed end."""
    parts = []
    while size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        connection.settimeout(left)  # type: ignore[attr-defined]
        part = connection.recv(min(size, 1 << 18))  # type: ignore[attr-defined]
        if not part:
            raise WireError("the service closed the connection before its answer was whole")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
