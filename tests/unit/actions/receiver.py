"""A receiver of messages on loopback, for tests: takes them, answers 500, hangs, redirects or drips."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Receiver:
    """how: "takes", "fails", "hangs" or "redirects". taken: the JSON bodies; asked: how often somebody came."""

    def __init__(self) -> None:
        self.how = "takes"
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self.paths: list[str] = []
        self.elsewhere = ""
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.asked += 1
                receiver.paths.append(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if receiver.how == "hangs":
                    receiver.over.wait(30)
                    return
                if receiver.how == "redirects":
                    self.send_response(307)
                    self.send_header("location", receiver.elsewhere)
                    self.end_headers()
                    return
                if receiver.how == "takes":
                    receiver.taken.append(json.loads(body))
                self.send_response(200 if receiver.how == "takes" else 500)
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - http.server's own name

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        """As apprise takes it, with a password and a path that nobody may see."""
        return f"json://person:hunter2hunter2@127.0.0.1:{self.server.server_port}/secret-path-4711"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for the length of a block."""
    one = Receiver()
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.over.set()
        one.server.shutdown()
        one.server.server_close()
