"""A light load generator: `python -I -S load.py SOCKET EVENTS CONNECTIONS WINDOW SESSION.jsonl`, JSON on stdout.

It repeats a recorded session under new names, on CONNECTIONS connections with at most WINDOW events each on their way,
and reads every answer. Standard library only: it shares the machine with what it measures.
"""

from __future__ import annotations

import json
import os
import random
import re
import selectors
import socket
import sys
import time

_SESSION, _CALL, _TEXT = b"@SESSION@", b"@CALL@", b"@TEXT@"
_PROMPTS_A_SESSION = 40
_SPOKEN = ("prompt", "last_assistant_message")
WORDS_A_TEXT = 30
_SENTENCE = (
    "please look at why the login test fails on main after we changed how sessions are stored and make it pass without "
    "touching public names of the module then write down what you found in changelog migration database startup error"
)
_WORDS = _SENTENCE.split()
"""Of which a text is drawn, so that no two are equal: what people ask is about the same things again and again."""
_TOOL_USE = re.compile(rb"toolu_[A-Za-z0-9_]+")


def text(chance: random.Random) -> str:
    """WORDS_A_TEXT words."""
    return " ".join(chance.choices(_WORDS, k=WORDS_A_TEXT))


def templates(file: str, *, texts: bool = False) -> list[tuple[bytes, bytes]]:
    """(event name, payload) of a recorded session, with marks where its ids were, and with `texts` where people and
    models spoke too."""
    made = []
    with open(file, "rb") as lines:
        for line in lines:
            payload = json.loads(line)["payload"]
            payload["session_id"] = _SESSION.decode()
            for name in _SPOKEN if texts else ():
                if payload.get(name):
                    payload[name] = _TEXT.decode()
            text = json.dumps(payload, separators=(",", ":")).encode()
            seen: dict[bytes, bytes] = {}
            for call in _TOOL_USE.findall(text):
                seen.setdefault(call, _CALL + b"_" + call[-4:])
            for call, mark in seen.items():
                text = text.replace(call, mark)
            made.append((payload["hook_event_name"].encode(), text))
    return made


class Frames:
    """The frames to be sent, made when they are needed; `made` counts them.

    A session is begun once, has _PROMPTS_A_SESSION prompts with all that follows each, and is ended once.
    """

    def __init__(self, session: list[tuple[bytes, bytes]], count: int) -> None:
        begin, *middle, end = session
        prompts = [(event, body, prompt) for prompt in range(_PROMPTS_A_SESSION) for event, body in middle]
        self._session = [(*begin, 0), *prompts, (*end, 0)]
        self._count = count
        self._run = os.urandom(4).hex()
        self._chance = random.Random(20261128)
        self.made = 0

    def take(self, most: int) -> bytes:
        """At most `most` frames; empty when all were made."""
        parts = []
        size = len(self._session)
        for number in range(self.made, min(self.made + most, self._count)):
            turn, place = divmod(number, size)
            event, template, prompt = self._session[place]
            payload = template.replace(_SESSION, b"bench-%s-%d" % (self._run.encode(), turn))
            payload = payload.replace(_CALL, b"toolu_%s_%d_%d" % (self._run.encode(), turn, prompt))
            if _TEXT in payload:
                payload = payload.replace(_TEXT, text(self._chance).encode())
            now = time.time_ns()
            head = b"id=%012x%s%012x\nevent=%s\npath=native\nstarted_ns=%d\nproject=/bench\npid=1\n" % (
                now // 1_000_000, self._run.encode(), number, event, now,
            ) + b"agent=claude-code_2-1-330_harness\n"  # fmt: skip
            parts += [b"LVH1", len(head).to_bytes(4, "big"), len(payload).to_bytes(4, "big"), head, payload]
        self.made = min(self.made + most, self._count)
        return b"".join(parts)

    @property
    def left(self) -> bool:
        return self.made < self._count


class Connection:
    """One connection: what is still to be written, what came, how many answers are awaited."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self.waiting = 0
        self.out = b""
        self.buffer = b""
        self.refused = 0

    def write(self) -> None:
        if self.out:
            try:
                self.out = self.out[self.socket.send(self.out) :]
            except BlockingIOError:
                return

    def read(self) -> int:
        """The number of whole answers that came. Raises ConnectionError at the end of the stream."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the service closed a connection with events on their way")
        data = self.buffer + part
        at, answers = 0, 0
        while len(data) - at >= 16:
            if data[at : at + 4] != b"LVA1":
                raise ConnectionError("not an answer of the service")
            end = (
                at + 16 + int.from_bytes(data[at + 8 : at + 12], "big") + int.from_bytes(data[at + 12 : at + 16], "big")
            )
            if end > len(data):
                break
            self.refused += int.from_bytes(data[at + 4 : at + 8], "big") != 0
            at, answers = end, answers + 1
        self.buffer = data[at:]
        self.waiting -= answers
        return answers


def run(path: str, count: int, connections: int, window: int, file: str) -> dict[str, float]:
    """Send `count` events and wait for all answers; how long that took (seconds) and how many were refused."""
    frames = Frames(templates(file), count)
    every = [Connection(path) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for one in every:
        selector.register(one.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, one)
    begun, answered = time.monotonic(), 0
    while answered < count:
        for key, ready in selector.select(30):
            one = key.data
            if ready & selectors.EVENT_READ:
                answered += one.read()
            room = window - one.waiting
            if frames.left and not one.out and room > window // 2:
                before = frames.made
                one.out = frames.take(room)
                one.waiting += frames.made - before
            one.write()
            wants = selectors.EVENT_READ | (selectors.EVENT_WRITE if one.out else 0)
            if key.events != wants:
                selector.modify(one.socket, wants, one)
    return {"seconds": time.monotonic() - begun, "answers": answered, "refused": sum(one.refused for one in every)}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])))
