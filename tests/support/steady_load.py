"""Hook events at a steady rate, whatever the answers do: `python -I -S steady_load.py SOCKET RATE SESSION.jsonl OUT`,
with `texts` behind it where no two prompts and outcomes shall be equal (load.py).

Sends real frames on a few connections, RATE a second by the clock and not by the answers (an open loop: a service that
hangs shows in every event that is due meanwhile), and notes for each answer when its frame was sent and how long the
answer took. "h" on stdin holds it: all answers are waited for, the connections closed and "held" said; "g" lets it go
on. Ends when stdin ends and every answer came. A connection that breaks is made again; what was unanswered on it is
counted as `broken`, not sent again: nobody knows whether it was recorded.

OUT gets 24 bytes an answer: sent (monotonic ns), taken (ns), code. Standard library only, as a script; imported, it
has `Load`, which runs the script.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

ANSWER = struct.Struct("<qqq")
_CONNECTIONS = 6
_MANY = 1 << 40
_GIVE_UP_S = 150.0
BENCH = Path(__file__).resolve().parents[1] / "bench"


class Line:
    """One connection, and when the frames were sent whose answers are awaited."""

    def __init__(self, path: str) -> None:
        from load import Connection  # type: ignore[import-not-found]  # tests/bench/load.py, beside no package

        self.connection = Connection(path)
        self.sent: deque[int] = deque()

    def send(self, frame: bytes) -> None:
        self.connection.out += frame
        self.sent.append(time.monotonic_ns())
        self.connection.write()

    def read(self) -> list[tuple[int, int, int]]:
        """(sent, taken, code) of the answers that came. Raises ConnectionError."""
        before = self.connection.refused
        count = self.connection.read()
        now, refused = time.monotonic_ns(), self.connection.refused - before
        made = []
        for number in range(count):
            sent = self.sent.popleft()
            made.append((sent, now - sent, int(number < refused)))
        return made


class Sender:
    """The loop. `broken`: answers that will never come."""

    def __init__(self, path: str, rate: float, session: str, out: str, *, texts: bool = False) -> None:
        from load import Frames, templates

        self.path, self.rate = path, rate
        self.frames = Frames(templates(session, texts=texts), _MANY)
        self.out = open(out, "ab", buffering=0)  # noqa: SIM115 - for as long as the process lives
        self.lines: list[Line | None] = [None] * _CONNECTIONS
        self.selector = selectors.DefaultSelector()
        self.sent = self.broken = 0

    def run(self) -> dict[str, int]:
        """Send until stdin ends, then wait for what is on its way; how many were sent, and broken."""
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        due, order = time.monotonic(), "g"
        while order != "" or self._waiting():
            now = time.monotonic()
            if order != "g":
                due = now
                if order == "h" and not self._waiting():
                    order, due = self._hold(), time.monotonic()
                    continue
            while due <= now and order == "g":
                self._send()
                due += 1 / self.rate
            for key, ready in self.selector.select(max(0.0, due - time.monotonic()) if order == "g" else 0.1):
                if key.data is None:
                    order = os.read(0, 1).decode()
                else:
                    self._serve(key.data, ready)
        return {"sent": self.sent, "broken": self.broken}

    def _waiting(self) -> bool:
        return any(one and one.sent for one in self.lines)

    def _hold(self) -> str:
        """Close what is open, say so, and wait for the next order."""
        for number in range(_CONNECTIONS):
            self._drop(number)
        sys.stdout.write("held\n")
        sys.stdout.flush()
        order = os.read(0, 1).decode()
        if not order:
            self.selector.unregister(sys.stdin)
        return order

    def _send(self) -> None:
        number = self.sent % _CONNECTIONS
        self.sent += 1
        frame = self.frames.take(1)
        try:
            line = self.lines[number]
            if line is None:
                line = self.lines[number] = Line(self.path)
                self.selector.register(line.connection.socket, selectors.EVENT_READ, number)
            line.send(frame)
            if line.connection.out:
                self.selector.modify(line.connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, number)
        except OSError:  # no service just now
            self.broken += 1
            self._drop(number, but=1)

    def _serve(self, number: int, ready: int) -> None:
        line = self.lines[number]
        assert line is not None, number
        try:
            if ready & selectors.EVENT_WRITE:
                line.connection.write()
                if not line.connection.out:
                    self.selector.modify(line.connection.socket, selectors.EVENT_READ, number)
            if ready & selectors.EVENT_READ:
                self.out.write(b"".join(ANSWER.pack(*one) for one in line.read()))
        except OSError:
            self._drop(number)

    def _drop(self, number: int, but: int = 0) -> None:
        line = self.lines[number]
        if line is not None:
            self.broken += max(0, len(line.sent) - but)
            self.selector.unregister(line.connection.socket)
            line.connection.socket.close()
            self.lines[number] = None


class Load:
    """The script as a process of its own, from `start` to `finish`; the answers so far at any time."""

    def __init__(self, socket: str, rate: float, session: Path, out: Path, *, texts: bool = False) -> None:
        self.rate = rate
        self._out = out
        out.touch()
        command = [sys.executable, "-I", "-S", __file__, socket, str(rate), str(session), str(out)]
        command += ["texts"] if texts else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answered(self) -> int:
        """How many answers came."""
        return self._out.stat().st_size // ANSWER.size

    def answers(self, since: int = 0) -> list[tuple[int, int, int]]:
        """(sent, taken, code), in nanoseconds of time.monotonic, in the order of coming, from number `since` on."""
        with self._out.open("rb") as file:
            file.seek(since * ANSWER.size)
            data = file.read()
        return list(ANSWER.iter_unpack(data[: len(data) // ANSWER.size * ANSWER.size]))

    def answered_since(self, begun_ns: int, since: int = 0) -> int:
        """How many of the answers from number `since` on are to frames that were sent at `begun_ns` or later."""
        return sum(sent >= begun_ns for sent, _, _ in self.answers(since))

    def hold(self) -> None:
        """Send nothing and have no connection, until `go`; every answer has come then. Raises TimeoutError."""
        assert self._process.stdin, "a pipe"
        assert self._process.stdout, "a pipe"
        self._process.stdin.write("h")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], _GIVE_UP_S)[0]:
            raise TimeoutError(f"some events were not answered within {_GIVE_UP_S:.0f} s")
        assert self._process.stdout.readline() == "held\n", "it has ended"

    def go(self) -> None:
        """After `hold`."""
        assert self._process.stdin, "a pipe"
        self._process.stdin.write("g")
        self._process.stdin.flush()

    def finish(self) -> dict[str, int]:
        """Send no more and wait for all answers; what was `sent`, and how many answers were lost with their service."""
        said, _ = self._process.communicate(timeout=_GIVE_UP_S)
        assert self._process.returncode == 0, f"the load generator ended with {self._process.returncode}"
        told: dict[str, int] = json.loads(said)
        return told

    def kill(self) -> None:
        """End it at once, when a test has failed."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


if __name__ == "__main__":
    sys.path.insert(0, str(BENCH))
    path, rate, session, out, *texts = sys.argv[1:]
    sys.stdout.write(json.dumps(Sender(path, float(rate), session, out, texts=bool(texts)).run()))
