"""An imitation of the Messages API on loopback, in this process: it says what a test's script says, turn by turn.

It proves nothing about the real API; it makes the real client do real work without one. The client calls only
`POST /v1/messages` (server-sent events when `stream`) and `HEAD /`. It keeps no state between requests: the script is
found by a `[[tag]]` in the conversation, the turn by counting the assistant's messages since. Standard library only.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from levaithan.install.standin import events_of

_TAG = re.compile(r"\[\[([a-z0-9-]+)\]\]")
_SIDE_ANSWER = '{"title": "imitation"}'


@dataclass
class Turn:
    """One answer of the model: its content blocks; `before` runs before the answer is sent (to set a halt, to kill);
    `output_tokens`: what it says that it used."""

    content: Sequence[dict[str, Any]]
    before: Callable[[], object] | None = None
    status: int = 200
    output_tokens: int = 20


@dataclass
class Asked:
    """One request as it came: `tag` and `turn` say what it was answered with (None: nothing scripted)."""

    body: dict[str, Any]
    tag: str | None
    turn: int
    at: float = field(default_factory=time.time)

    def texts(self) -> str:
        """Everything that the model got to read, as one text."""
        return json.dumps(self.body.get("messages", []), ensure_ascii=False)

    def tool_results(self) -> dict[str, str]:
        """tool_use_id -> what the model was told of that call."""
        found = {}
        for message in self.body.get("messages", []):
            for block in message["content"] if isinstance(message.get("content"), list) else []:
                if block.get("type") == "tool_result":
                    found[block["tool_use_id"]] = _plain(block.get("content"))
        return found


def say(text: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": text}


def use(tool: str, identifier: str, **given: Any) -> dict[str, Any]:
    """A tool call; `identifier` is its tool_use_id, so that a test can look it up in the audit."""
    return {"type": "tool_use", "id": identifier, "name": tool, "input": given}


def bash(identifier: str, command: str) -> dict[str, Any]:
    """A Bash call."""
    return use("Bash", identifier, command=command, description="a step of the test")


class MessagesApiImitation:
    """The server. `script` maps a tag to its turns; `asked` lists every request with tools, in order of arrival."""

    def __init__(self) -> None:
        self.script: dict[str, list[Turn]] = {}
        self.asked: list[Asked] = []
        self.side: list[Asked] = []
        self.unexpected: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening. Raises what a turn's `before` raised, so that a broken test cannot look like a quiet one."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        if self.unexpected:
            raise AssertionError("the imitation met what it does not know: " + "; ".join(self.unexpected))

    def play(self, tag: str, *turns: Turn | Sequence[dict[str, Any]]) -> None:
        """Script `tag`; a turn may be just its content blocks. After the last one the model says "done"."""
        self.script[tag] = [turn if isinstance(turn, Turn) else Turn(turn) for turn in turns]

    def of(self, tag: str) -> list[Asked]:
        """The requests that were answered from the script of `tag`."""
        return [asked for asked in self.asked if asked.tag == tag]

    def told(self, identifier: str) -> str | None:
        """What the model was told of the tool call `identifier`; None when it never was."""
        for asked in reversed(self.asked):
            result = asked.tool_results().get(identifier)
            if result is not None:
                return result
        return None

    def answer(self, body: dict[str, Any]) -> Turn:
        """The turn for a request, recorded. Requests without tools are the client's own side questions (titles)."""
        if not body.get("tools"):
            with self._lock:
                self.side.append(Asked(body, None, 0))
            return Turn([say(_SIDE_ANSWER)])
        tag, number = self._place(body.get("messages", []))
        with self._lock:
            self.asked.append(Asked(body, tag, number))
        turns = self.script.get(tag, []) if tag else []
        turn = turns[number] if number < len(turns) else Turn([say("done")])
        if turn.before is not None:
            try:
                turn.before()
            except Exception as error:  # the request's thread is no place for a test to fail in
                self.unexpected.append(f"before of [[{tag}]] turn {number}: {error!r}")
        return turn

    def _place(self, messages: list[dict[str, Any]]) -> tuple[str | None, int]:
        """(tag, turn): the last user message that holds a scripted tag, and the assistant's messages after it."""
        tag, place = None, -1
        for index, message in enumerate(messages):
            if message.get("role") == "user":
                for name in _TAG.findall(_spoken(message.get("content"))):
                    if name in self.script:
                        tag, place = name, index
        return tag, sum(message.get("role") == "assistant" for message in messages[place + 1 :])


def _spoken(content: Any) -> str:
    """The text blocks of a message: a tool's result is not something that was said, so a tag in it does not count."""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [] if block.get("type") == "text")


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else _spoken(content)


def message_of(body: dict[str, Any], turn: Turn) -> dict[str, Any]:
    """The whole answer as the API gives it when nobody asked for a stream."""
    uses = any(block["type"] == "tool_use" for block in turn.content)
    return {
        "id": "msg_imitation_" + uuid.uuid4().hex[:20],
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "imitation"),
        "content": list(turn.content),
        "stop_reason": "tool_use" if uses else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 100,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": turn.output_tokens,
        },
    }


def _handler(api: MessagesApiImitation) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing: pytest shows what a test prints."""

        def do_HEAD(self) -> None:
            self._send(200, "text/plain", b"")

        def do_GET(self) -> None:
            self._refuse()

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path.partition("?")[0] != "/v1/messages":
                self._refuse()
                return
            body = json.loads(raw)
            turn = api.answer(body)
            if turn.status != 200:
                error = {"type": "error", "error": {"type": "api_error", "message": "scripted"}}
                self._send(turn.status, "application/json", json.dumps(error).encode())
                return
            message = message_of(body, turn)
            if not body.get("stream"):
                self._send(200, "application/json", json.dumps(message).encode())
                return
            events = [{"type": name} | data for name, data in events_of(message)]
            text = "".join(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n" for data in events)
            self._send(200, "text/event-stream", text.encode())

        def _refuse(self) -> None:
            api.unexpected.append(f"{self.command} {self.path}")
            self._send(404, "application/json", b'{"type":"error","error":{"type":"not_found_error","message":"no"}}')

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
