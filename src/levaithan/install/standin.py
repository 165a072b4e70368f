"""A stand-in for the Messages API on loopback: it plays a script, so that the real client does real work without one.

It is no imitation of the real API and proves nothing about it: doctor needs a client that calls one tool, and sees
what the hooks do to that. Listens on 127.0.0.1 only. Imports the standard library only.
"""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StandIn:
    """The server. `calls`: the tool calls that the model makes, one a turn, as (tool, input); then it says "done".

    told: what the client reported of each call, in order. Use as a context manager.
    """

    def __init__(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        self.calls = calls
        self.told: dict[int, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        """Where the client must look for the API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The message for one request. One without tools is a side question of the client's (a title)."""
        messages = body.get("messages") or []
        turn = sum(1 for message in messages if message.get("role") == "assistant")
        self._listen(messages)
        if not body.get("tools"):
            content: list[dict[str, Any]] = [{"type": "text", "text": '{"title": "doctor"}'}]
        elif turn < len(self.calls):
            tool, given = self.calls[turn]
            content = [{"type": "tool_use", "id": f"toolu_standin_{turn}", "name": tool, "input": given}]
        else:
            content = [{"type": "text", "text": "done"}]
        return {
            "id": "msg_standin_" + uuid.uuid4().hex[:20], "type": "message", "role": "assistant",
            "model": str(body.get("model") or "standin"), "content": content, "stop_sequence": None,
            "stop_reason": "tool_use" if content[0]["type"] == "tool_use" else "end_turn",
            "usage": {
                "input_tokens": 10, "output_tokens": 10, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0
            },
        }  # fmt: skip

    def _listen(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            content = message.get("content")
            for block in content if isinstance(content, list) else []:
                number = str(block.get("tool_use_id", "")).removeprefix("toolu_standin_")
                if block.get("type") == "tool_result" and number.isdigit():
                    said = block.get("content")
                    self.told[int(number)] = said if isinstance(said, str) else json.dumps(said)


def events_of(message: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The message as the server-sent events of a stream."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": message | {"content": [], "stop_reason": None}})
    ]
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            opened, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            opened = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events.append(("content_block_start", {"index": index, "content_block": opened}))
        events.append(("content_block_delta", {"index": index, "delta": delta}))
        events.append(("content_block_stop", {"index": index}))
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append(("message_delta", {"delta": ended, "usage": message["usage"]}))
    return [*events, ("message_stop", {})]


def _handler(api: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing: stderr belongs to the person."""

        def do_HEAD(self) -> None:
            self._send(200, b"", "text/plain")

        def do_GET(self) -> None:
            self._send(404, b"{}", "application/json")

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if not self.path.partition("?")[0].endswith("/v1/messages"):
                self._send(404, b"{}", "application/json")
                return
            body = json.loads(raw or b"{}")
            message = api.answer(body)
            if not body.get("stream"):
                self._send(200, json.dumps(message).encode(), "application/json")
                return
            lines = [
                f"event: {name}\ndata: {json.dumps(data | {'type': name})}\n\n" for name, data in events_of(message)
            ]
            self._send(200, "".join(lines).encode(), "text/event-stream")

        def _send(self, code: int, data: bytes, kind: str) -> None:
            self.send_response(code)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    return Handler
