"""The monitor's HTTP listener, on loopback: `GET /metrics`, `GET /-/healthy`, `POST /api/v1/alertmanager`.

Metrics are open to this machine, as node_exporter's are: no label holds more than names and numbers. Alerts are taken
with the bearer token of `keys/alertmanager.token` only: whoever could send them could open incidents and have agents
stopped. The standard library's server: one endpoint to read and one to post to, on loopback, need no framework.
"""

from __future__ import annotations

import contextlib
import hmac
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.incidents import alertmanager

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = tuple[HTTPStatus, str]

MOST_BYTES = alertmanager.MOST_BYTES
MOST_AT_ONCE = 32
TIMEOUT_S = 10.0
_TEXT = "text/plain; charset=utf-8"


class Listener(ThreadingHTTPServer):
    """Answers on `address` (host, port; port 0 = any). exposition(User-Agent) gives /metrics (bytes, content type);
    take(payload) gives what is answered to an alert. Both are called in the listener's threads. Raises OSError when the
    port is taken."""

    daemon_threads = True
    request_queue_size = 64
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        exposition: Callable[[str], tuple[bytes, str]],
        take: Callable[[bytes], Answer],
        token: Callable[[], str],
    ) -> None:
        self.exposition = exposition
        self.take = take
        self.token = token
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._until: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)

    def start(self) -> None:
        """Answer from now on, in threads."""
        threading.Thread(target=self.serve_forever, args=(0.5,), name="listener", daemon=True).start()

    def stop(self) -> None:
        """End; the port is free afterwards."""
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """As the base class does, with a bound: who comes when all are busy is hung up on and comes again."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection; gives its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def begin(self, connection: socket.socket) -> None:
        """A request may come on `connection` from now on: it has TIMEOUT_S in all, waiting included, however slowly it
        is sent."""
        self._until[connection] = time.monotonic() + TIMEOUT_S

    def end(self, connection: socket.socket) -> None:
        """No more is awaited on it."""
        self._until.pop(connection, None)

    def service_actions(self) -> None:
        """Twice a second, by the thread that accepts: hang up on who is too slow."""
        now = time.monotonic()
        for connection, until in list(self._until.items()):
            if now > until:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    server: Listener

    def handle_one_request(self) -> None:
        self.server.begin(self.connection)
        try:
            super().handle_one_request()
        finally:
            self.server.end(self.connection)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            body, kind = self.server.exposition(self.headers.get("User-Agent", ""))
            self._answer(HTTPStatus.OK, body, kind)
        elif path == "/-/healthy":
            self._answer(HTTPStatus.OK, b"ok\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there are /metrics, /-/healthy and /api/v1/alertmanager\n")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 12):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        elif int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes")
        elif self.path.partition("?")[0] != "/api/v1/alertmanager":
            self._refuse(HTTPStatus.NOT_FOUND, "alerts go to /api/v1/alertmanager")
        elif not self._known():
            self._refuse(HTTPStatus.UNAUTHORIZED, "the bearer token of keys/alertmanager.token is needed")
        else:
            code, words = self.server.take(self.rfile.read(int(length)))
            self._answer(
                code, orjson.dumps({"ok": code < HTTPStatus.BAD_REQUEST, "message": words}), "application/json"
            )

    def _known(self) -> bool:
        wanted = self.server.token()
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())

    def _refuse(self, code: HTTPStatus, words: str) -> None:
        """Without having read what was sent: the connection ends."""
        self.close_connection = True
        self._said(code, words)

    def _said(self, code: HTTPStatus, words: str) -> None:
        told = {"ok": code < HTTPStatus.BAD_REQUEST, "message": words}
        self._answer(code, orjson.dumps(told), "application/json")

    def _answer(self, code: HTTPStatus, body: bytes, kind: str = _TEXT) -> None:
        with contextlib.suppress(OSError):
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    def version_string(self) -> str:
        return "levaithan"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""
