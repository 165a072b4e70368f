"""An imitation of the Claude API's Messages endpoint, streaming, on loopback.

It proves how the official SDK is used and how we take what goes wrong, nothing about the real service. It answers as it
is told, and keeps what it was sent.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = {"input_tokens": 1200, "output_tokens": 1, "cache_creation_input_tokens": 800, "cache_read_input_tokens": 0}


class Imitation:
    """plan: what to answer, one entry a request, the last one again and again. asked: (headers, body) of each."""

    def __init__(self, plan: list[dict[str, Any]]) -> None:
        self.plan = plan
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.ends = threading.Event()
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        size = int(handler.headers.get("content-length") or 0)
        self.asked.append((dict(handler.headers), json.loads(handler.rfile.read(size))))
        step = self.plan[min(len(self.asked), len(self.plan)) - 1]
        if step.get("hang"):
            self.ends.wait(120)
            return
        if "status" in step:
            _failed(handler, step)
            return
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        for event in _events(step):
            handler.wfile.write(event)
            handler.wfile.flush()
            if step.get("drip"):
                time.sleep(0.05)
                if self.ends.is_set():
                    return


def _failed(handler: BaseHTTPRequestHandler, step: dict[str, Any]) -> None:
    error = {"type": "error", "error": {"type": step["kind"], "message": "made up for a test"}}
    body = json.dumps(error).encode()
    handler.send_response(step["status"])
    for name, value in {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **step.get("headers", {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _events(step: dict[str, Any]) -> Iterator[bytes]:
    """The stream of one message: as the API's reference has it."""
    message = {
        "id": "msg_imitation", "type": "message", "role": "assistant", "model": step.get("model", "claude-opus-5-5"),
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip
    yield _event("message_start", {"message": message})
    if step.get("drip"):
        while True:
            yield _event("ping", {})
    yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    text = step.get("text", "")
    for at in range(0, len(text), 400):
        yield _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text[at : at + 400]}})
        if step.get("breaks"):
            return
    yield _event("content_block_stop", {"index": 0})
    stop = {"stop_reason": step.get("stop", "end_turn"), "stop_sequence": None}
    yield _event("message_delta", {"delta": stop, "usage": {**USAGE, "output_tokens": 900}})
    yield _event("message_stop", {})


def _event(name: str, body: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **body})}\n\n".encode()


@contextlib.contextmanager
def imitation(*plan: dict[str, Any]) -> Iterator[Imitation]:
    """The imitation, listening on loopback for the length of a block."""
    made = Imitation(list(plan))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with contextlib.suppress(OSError):  # a client that gave up
                made.answer(self)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.ends.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
