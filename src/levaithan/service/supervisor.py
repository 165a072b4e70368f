"""Runs the service's loops: one that fails is started again, later and later, and never takes the rest along.

A loop is a coroutine function that runs until it is cancelled. Knows nothing of what the loops do.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    Body = Callable[[], Coroutine[Any, Any, None]]

T = TypeVar("T")
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0
"""A loop that ran for so long begins again at the first pause when it fails."""


class Loop:
    """One loop and how it fares."""

    def __init__(self, name: str, body: Body, say: Callable[..., None], first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.name = name
        self.body = body
        self.running = False
        self.restarts = 0
        self.last_error: str | None = None
        self.last_error_at: float | None = None
        self.next_try: float | None = None
        self._say = say
        self._first = first_pause_s
        self._pause = first_pause_s

    async def run(self) -> None:
        """Run the body for ever, with pauses after failures that double up to LONGEST_PAUSE_S, give or take a fifth."""
        while True:
            began = time.monotonic()
            self.running, self.next_try = True, None
            try:
                await self.body()
                error = "it ended by itself"
            except Exception as problem:
                error = f"{type(problem).__name__}: {problem}"[:1000]
            finally:
                self.running = False
            if time.monotonic() - began >= STEADY_S:
                self._pause = self._first
            pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311 - not for secrets
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
            self.restarts += 1
            self.last_error, self.last_error_at, self.next_try = error, time.time(), time.time() + pause
            self._say("loop failed", level="error", loop=self.name, error=error, again_in_s=round(pause, 2))
            await asyncio.sleep(pause)

    def state(self) -> dict[str, Any]:
        """For status; times are ISO 8601."""
        return {
            "running": self.running, "restarts": self.restarts, "last_error": self.last_error,
            "last_error_at": stamp(self.last_error_at), "next_try": stamp(self.next_try),
        }  # fmt: skip


class Supervisor:
    """All loops of a service."""

    def __init__(self, say: Callable[..., None]) -> None:
        self.loops: dict[str, Loop] = {}
        self._say = say
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, body: Body) -> Loop:
        """Run `body` under supervision from now on."""
        loop = self.loops[name] = Loop(name, body, self._say)
        self._tasks[name] = asyncio.get_running_loop().create_task(loop.run(), name=name)
        return loop

    async def restart(self, name: str, timeout_s: float) -> bool:
        """End the loop `name` and start it again at once; False for one that there is not, or that does not end."""
        task = self._tasks.get(name)
        if task is None:
            return False
        task.cancel()
        await asyncio.wait([task], timeout=timeout_s)
        if not task.done():
            return False
        self._tasks[name] = asyncio.get_running_loop().create_task(self.loops[name].run(), name=name)
        return True

    async def stop(self, timeout_s: float) -> None:
        """Cancel all loops and wait for their ends."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)

    def states(self) -> dict[str, dict[str, Any]]:
        """The state of each loop by its name."""
        return {name: loop.state() for name, loop in self.loops.items()}


def every(seconds: float, work: Callable[[], Awaitable[object] | object], *, first_s: float | None = None) -> Body:
    """A loop's body that does `work` every `seconds`, the first time after `first_s` (default: the same)."""

    async def body() -> None:
        await asyncio.sleep(seconds if first_s is None else first_s)
        while True:
            done = work()
            if asyncio.iscoroutine(done) or asyncio.isfuture(done):
                await done
            await asyncio.sleep(seconds)

    return body


async def in_thread(work: Callable[[], T]) -> T:
    """`work` in a thread of its own, for what may wait long. The thread never keeps the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(give: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            give(value)

    def run() -> None:
        give: Callable[[Any], None]
        value: Any
        try:
            give, value = future.set_result, work()
        except BaseException as error:
            give, value = future.set_exception, error
        try:
            loop.call_soon_threadsafe(settle, give, value)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=run, daemon=True).start()
    return await future


def stamp(at: float | None) -> str | None:
    """Unix seconds as ISO 8601 UTC."""
    if at is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
