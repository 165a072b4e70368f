"""Two servers on loopback for tests of monitoring: one that records what is sent to it, one that is scraped.

`Receiver` is what an alert ends at (a webhook, Slack's API, a dead man's switch): it keeps every call, and can answer
any status or nothing at all. `Exporter` serves a text as /metrics.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Call:
    """One request: when (monotonic seconds), how, where, with what. Header names are in small letters."""

    at_s: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class _Loopback:
    """An HTTP server on a free port of 127.0.0.1 that runs in threads of this process while the `with` lasts."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """http://host:port"""
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, call: Call) -> tuple[int, bytes]:
        raise NotImplementedError


class Receiver(_Loopback):
    """Records every call. `status`: what it answers; `hang` makes it keep callers waiting, `release` lets them go."""

    def __init__(self, status: int = 200) -> None:
        super().__init__()
        self.status = status
        self.calls: list[Call] = []
        self._news = threading.Condition()
        self._open = threading.Event()
        self._open.set()

    def hang(self) -> None:
        """Answer nobody until `release`. What is sent meanwhile is recorded."""
        self._open.clear()

    def release(self) -> None:
        """Answer those who wait, and everybody after them."""
        self._open.set()

    def __exit__(self, *more: object) -> None:
        self.release()
        super().__exit__(*more)

    def wait(self, enough: Callable[[list[Call]], bool], limit_s: float = 15.0) -> list[Call]:
        """The calls, once they are `enough`. Raises AssertionError with what there was when that takes too long."""
        limit = time.monotonic() + limit_s
        with self._news:
            while not enough(self.calls):
                left = limit - time.monotonic()
                assert left > 0, f"{len(self.calls)} calls in {limit_s} s: {[one.body[:300] for one in self.calls]}"
                self._news.wait(left)
            return list(self.calls)

    def alerts(self, path: str | None = None) -> list[dict[str, Any]]:
        """Every alert that Alertmanager's webhook brought so far (to `path`), in order."""
        posted = [one.json() for one in self.calls if path in (None, one.path)]
        return [alert for body in posted for alert in body["alerts"]]

    def _answer(self, call: Call) -> tuple[int, bytes]:
        with self._news:
            self.calls.append(call)
            self._news.notify_all()
        self._open.wait(60)
        return self.status, b"ok"


class Exporter(_Loopback):
    """Serves `text` as /metrics, in Prometheus' text format, to whoever asks. None: it answers 503."""

    def __init__(self, text: str | None = "") -> None:
        super().__init__()
        self.text = text

    def _answer(self, call: Call) -> tuple[int, bytes]:
        return (503, b"") if self.text is None else (200, self.text.encode())


def _handler(answer: Callable[[Call], tuple[int, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            names = {name.lower(): value for name, value in self.headers.items()}
            status, text = answer(Call(time.monotonic(), self.command, self.path, names, body))
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Connection", "close")  # else a caller would still be answered when the server is gone
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Tests say what they saw themselves."""

    return Handler
