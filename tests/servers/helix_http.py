"""HTTP in front of HelixDB's own engine: `python -m tests.servers.helix_http FOLDER PORT`, the key in HELIX_API_KEY.

An empty key: none is asked for, as HelixDB's own image does not. `POST /v2/query` hands its body to the engine as it is
and gives its answer back as it is; `GET /readyz` says that it is ready. The wheel `helix-db-embedded` has the engine
and no server; the statuses of errors are ours (400 what was asked, 409 a conflict, 500 the rest), and so no adapter may
lean on more than "not 200, and the body says why". HELIX_AHEAD_S: how many seconds its `Date` is before the true time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from helixdb_uniffi import HelixDb, HelixDbSource, HelixError

_ASKED_WRONGLY = (HelixError.InvalidRequest, HelixError.Planner)


class _Answers(BaseHTTPRequestHandler):
    """Everything but the question."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        return self.tell(200, b'{"ready":true}') if self.path == "/readyz" else self.tell(404, b"not found")

    def tell(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == 200 else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(folder: str, port: int, key: str, ahead_s: float = 0.0) -> None:
    """Answer until SIGTERM, then close the engine."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def opened() -> HelixDb:
        return await HelixDb.open(HelixDbSource.DISK(root=folder, database="levaithan"))

    engine = asyncio.run_coroutine_threadsafe(opened(), loop).result()

    async def asked(body: bytes) -> bytes:
        return bytes(await engine.query_json(body))

    class Handler(_Answers):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if key and self.headers.get("Authorization") != f"Bearer {key}":
                return self.tell(401, b"unauthorized")
            if self.path != "/v2/query":
                return self.tell(404, b"not found")
            try:
                return self.tell(200, asyncio.run_coroutine_threadsafe(asked(body), loop).result())
            except HelixError as error:
                return self.tell(_status(error), str(error).encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string((timestamp or time.time()) + ahead_s)

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # five, the standard library's, resets the connections of a busy client

    server = Server(("127.0.0.1", port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
    asyncio.run_coroutine_threadsafe(engine.close(), loop).result()


def _status(error: HelixError) -> int:
    conflict = 409 if "transaction conflict" in str(error) else 500
    return 400 if isinstance(error, _ASKED_WRONGLY) else conflict


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), os.environ["HELIX_API_KEY"], float(os.environ.get("HELIX_AHEAD_S", "0")))
