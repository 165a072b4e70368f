"""A child of the service: a Python process of ours, nudged through its stdin, never an orphan (the pipe's end ends it).

Its memory, its drivers and its crashes are its own. The projector and the monitor are such children; what they tell is
a file in the run folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.service import turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home

NUDGE_EVERY_S = 0.1
"""News within this time are told at once: a batch is the better the larger it is."""
_LEAVE_S = 5.0
_LINES = 20


class ChildDied(Exception):  # noqa: N818 - said of the child, not raised at people
    """The child ended by itself."""


class Child:
    """`python -m levaithan.<name>` as a child; run/<name>.json is what it tells. `run` is a loop's body, which raises
    when the child ends."""

    def __init__(self, name: str, home: Home, say: Callable[..., None]) -> None:
        self.name = name
        self.home = home
        self.pid: int | None = None
        self._say = say
        self._pipe = -1
        self._nudged = 0.0
        self._later: asyncio.TimerHandle | None = None

    def nudge(self) -> None:
        """Tell the child of news, unless it was told just now. Never waits: a full pipe is news enough."""
        now = time.monotonic()
        if now - self._nudged >= NUDGE_EVERY_S:
            self._tell()
        elif self._later is None:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(self._nudged + NUDGE_EVERY_S - now, self._tell)

    def _tell(self) -> None:
        self._nudged = time.monotonic()
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.write(self._pipe, b"\n")

    async def run(self) -> None:
        """Start the child and stay with it."""
        theirs, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        command = (sys.executable, "-P", "-m", f"levaithan.{self.name}", "--home", self.home.root)
        try:
            try:
                child = await asyncio.create_subprocess_exec(
                    *command, stdin=theirs, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, cwd="/"
                )
            finally:
                os.close(theirs)
            await self._stay(child)
        finally:
            self._close()

    async def _stay(self, child: asyncio.subprocess.Process) -> None:
        self.pid = child.pid
        self._settle(child.pid)
        said: deque[str] = deque(maxlen=_LINES)
        listening = asyncio.ensure_future(self._listen(child, said))
        try:
            code = await child.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(listening, 1.0)
            raise ChildDied(f"the {self.name} ended with {code}: {' | '.join(said)[-600:] or 'it said nothing'}")
        except asyncio.CancelledError:
            await self._end(child)
            raise
        finally:
            self.pid = None
            listening.cancel()

    def _settle(self, pid: int) -> None:
        """Its turns are not ours: nobody waits for its answers."""
        turns.usual(pid)

    async def _listen(self, child: asyncio.subprocess.Process, said: deque[str]) -> None:
        """What it says on stderr goes to the log."""
        while child.stderr is not None:
            try:
                line = await child.stderr.readline()
            except ValueError:  # a line without an end
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()[:2000]
            said.append(text)
            self._say(f"{self.name} said", level="warning", component=self.name, text=text)

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        """The end of the pipe ends it; what does not end is killed."""
        self._close()
        for deed in (None, child.terminate, child.kill):
            if deed is not None:
                with contextlib.suppress(ProcessLookupError):
                    deed()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _LEAVE_S if deed is None else 1.0)
                return

    def _close(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def silent_s(self) -> float:
        """For how many seconds the one that runs has not written its status; 0 while none runs, or it has not yet."""
        if self.pid is None:
            return 0.0
        try:
            return max(0.0, time.time() - os.stat(f"{self.home.run}/{self.name}.json").st_mtime)  # noqa: PTH116 - cheap
        except OSError:
            return 0.0

    def kill(self) -> None:
        """End it by force; its loop starts it again."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def status(self) -> dict[str, Any]:
        """What the child wrote about itself, {} when it wrote nothing; `child` is the pid of the one that runs."""
        try:
            with open(f"{self.home.run}/{self.name}.json", "rb") as file:  # noqa: PTH123 - several times a second
                told = orjson.loads(file.read(1 << 20))
        except (OSError, ValueError):
            told = {}
        return (told if isinstance(told, dict) else {}) | {"child": self.pid}
