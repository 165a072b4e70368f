"""The product's processes as forks of this one, which has loaded all of it: a tenth of the time that a start of Python
takes, and still a process of its own each, whose crash or hang is seen.

`preload` first. What a fork does is what the real process does from its first own line on; tests that use this run a
sample with the real processes too (`real=True`).
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import levaithan
from levaithan.errors import LevaithanError
from levaithan.hot import paths, shot, wire
from levaithan.install import answers
from levaithan.service import chores, projection, run

from . import homes

HANG_S = 20.0


def preload() -> None:
    """Load everything that any process of the product loads, and keep the collector off it."""
    for module in pkgutil.walk_packages(levaithan.__path__, "levaithan."):
        if not module.name.endswith(("__main__", "wheel_hook")) and ".migrations" not in module.name:
            importlib.import_module(module.name)
    importlib.import_module("uvloop")
    gc.collect()
    gc.freeze()


def in_fork(work: Callable[[], Any], limit_s: float = HANG_S) -> dict[str, Any]:
    """{"value": what `work` gives, as JSON}, {"crash": a traceback} or {"hang": ...} when it took over `limit_s`."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        signal.alarm(int(limit_s))
        try:
            told = {"value": work()}
        except BaseException:
            told = {"crash": traceback.format_exc()}
        with os.fdopen(theirs, "wb") as pipe:
            pipe.write(json.dumps(told, default=str).encode())
        os._exit(0)
    os.close(theirs)
    said = _drained(ours)
    _, status = os.waitpid(child, 0)
    if said:
        told = json.loads(said)
        return dict(told)
    hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    return {"hang" if hung else "crash": f"it ended with {status}"}


def payload(event: str, command: str, call: str) -> bytes:
    """A tool call as the client sends it."""
    told: dict[str, Any] = {
        "session_id": f"s-{call[:2]}", "transcript_path": "/t", "cwd": "/tmp", "hook_event_name": event,
        "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": call,
    }  # fmt: skip
    if event == "PostToolUse":
        told["tool_response"] = {"stdout": "x" * 200}
    return json.dumps(told).encode()


class Answer:
    """What a hook process, or the service in its stead (`how`), said to an event, and how Claude Code reads it."""

    def __init__(
        self, event: str, command: str, call: str, how: str, done: subprocess.CompletedProcess[bytes], begun: float
    ) -> None:
        self.event, self.command, self.call, self.how = event, command, call, how
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.took_s = time.monotonic() - begun
        self.read = answers.read(event, done)

    @property
    def recorded(self) -> bool:
        """Whether it did not say that the event could not be recorded."""
        return b"could not record" not in self.out + self.err

    @property
    def words(self) -> str:
        """All that it said."""
        return (self.out + self.err).decode("utf-8", "replace")

    def __str__(self) -> str:
        return f"{self.how} {self.event} {self.command!r}: exit {self.code}, {self.words[:600]!r}"


def one_shot(root: str, event: str, command: str, call: str, *, real: bool = False) -> Answer:
    """One event without a service: as a client starts it (`real`), or a fork that does the same."""
    data, begun = payload(event, command, call), time.monotonic()
    if real:
        bare = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        done = subprocess.run(
            homes.oneshot(root, event), input=data, capture_output=True, env=bare, timeout=HANG_S, check=False
        )
        return Answer(event, command, call, "process", done, begun)
    pipes = [os.pipe() for _ in range(3)]
    child = os.fork()
    if child == 0:
        signal.alarm(int(HANG_S))
        for number, end in enumerate((0, 1, 1)):
            os.dup2(pipes[number][end], number)
        for pair in pipes:
            os.close(pair[0])
            os.close(pair[1])
        os.environ.clear()
        code = 1
        try:
            code = shot.main([event, "--home", root])
        finally:
            os._exit(code)
    for number, end in enumerate((0, 1, 1)):
        os.close(pipes[number][end])
    os.write(pipes[0][1], data)
    os.close(pipes[0][1])
    said = [_drained(pipes[number][0]) for number in (1, 2)]
    _, status = os.waitpid(child, 0)
    done = subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), *said)
    return Answer(event, command, call, "one-shot", done, begun)


def _drained(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()


class Served:
    """A service in a fork, without a projector (run that by hand), or a real one. said: what it said on stderr."""

    def __init__(self, root: str, *, real: bool = False) -> None:
        self.root, self.real, self.home = root, real, paths.home_at(root)
        self.code: int | None = None
        self._out = Path(root).parent / "serve.out"
        self._out.write_bytes(b"")
        if real:
            command = [*homes.CLI, "--home", root, "serve"]
            with self._out.open("ab") as said:
                self._process = subprocess.Popen(
                    command, env=homes.plain_environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
                )
            return
        self._ready, theirs = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._ready)
            _serve(self.home, theirs, self._out)
        os.close(theirs)

    @property
    def said(self) -> str:
        return self._out.read_text(errors="replace")

    def ready(self) -> bool:
        """Wait until it answers; False when it ended by itself instead."""
        if not self.real:
            up = os.read(self._ready, 1) != b""
            os.close(self._ready)
        else:
            up = self._answers()
        if not up:
            self.end()
        return up

    def _answers(self) -> bool:
        until = time.monotonic() + HANG_S
        while time.monotonic() < until and self._process.poll() is None:
            if homes.control(self.root, "ping", timeout_s=1.0):
                return True
            time.sleep(0.02)
        return False

    def ask(self, event: str, command: str, call: str) -> Answer:
        """Its answer to one event. Raises OSError."""
        begun = time.monotonic()
        header = {"id": wire.new_event_id(), "event": event, "path": "native", "started_ns": str(time.time_ns())}
        frame = wire.pack_request(header, payload(event, command, call))
        done = subprocess.CompletedProcess([], *wire.request(self.home.socket, frame, 5.0))
        return Answer(event, command, call, "service", done, begun)

    def end(self) -> None:
        """SIGTERM unless it is over, and its exit code."""
        if self.real:
            self.code = homes.stop_service(self._process)
            return
        done, status = os.waitpid(self._pid, os.WNOHANG)
        if not done:
            os.kill(self._pid, signal.SIGTERM)
            _, status = os.waitpid(self._pid, 0)
        self.code = os.waitstatus_to_exitcode(status)


def _serve(home: paths.Home, ready: int, out: Path) -> None:
    """The service, in this process, which ends here."""
    signal.alarm(int(HANG_S))
    code = 70
    try:
        said = os.open(out, os.O_WRONLY | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)

        async def nothing(_self: Any) -> None:
            await asyncio.Event().wait()

        def up(_app: Any) -> None:
            os.write(ready, b"r")

        chores.WATCH_S = 0.03
        projection.Projection.run = nothing  # type: ignore[method-assign,assignment]
        os.environ.clear()
        code = run.run(home, on_ready=up)
    except LevaithanError as problem:
        os.write(2, f"{problem.message}\n{problem.fix}\n".encode())
        code = problem.exit_code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)
