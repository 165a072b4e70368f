"""Signed checkpoints on time: every interval of activity, at each segment's end, at the stop; then off the machine.

Signing and writing happen in the committer's thread, which alone appends; what may wait (reading the key, an export
over the network) happens in threads of its own. An export that fails is tried again, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.hot import segments
from levaithan.journal import read
from levaithan.service.supervisor import in_thread, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.config.settings import Settings
    from levaithan.hot.paths import Home
    from levaithan.journal.checkpoints import Sealer
    from levaithan.journal.seal import Checkpoint
    from levaithan.service.committer import Committer

LOOK_S = 1.0
_MOST_DUE = 1000
_LAST_EXPORT_S = 3.0
_NOW = float("-inf")


class Sealing:
    """`run` and `export` are loops' bodies; `last` is called once at the stop."""

    def __init__(self, home: Home, settings: Settings, committer: Committer, say: Callable[..., None]) -> None:
        self.home = home
        self.settings = settings
        self.committer = committer
        self.at: float | None = None
        self.size = 0
        self.due: deque[Checkpoint] = deque(maxlen=_MOST_DUE)
        self._say = say
        self._sealer: Sealer | None = None
        self._next = _NOW

    async def run(self) -> None:
        """Sign whenever it is time. Raises KeyUnusable and OSError: then it is tried again later."""
        if self._sealer is None:
            self._sealer = await in_thread(self._make)
        while True:
            if time.monotonic() >= self._next and not ends_signed(self.home.journal):
                await self.sign()
                self._next = time.monotonic() + self.settings.checkpoint_interval_s
            elif self.committer.head[0]:
                await self.committer.job(self._delivered)
            await asyncio.sleep(LOOK_S)

    def _make(self) -> Sealer:
        from levaithan.journal import checkpoints, seal  # noqa: PLC0415 - cryptography is slow to load

        key = seal.ensure_key(self.settings.signing_key_path, self.home.keys + "/journal.pub")
        return checkpoints.Sealer(self.committer.journal, key, [self._due])

    def _due(self, made: Checkpoint) -> None:
        self.at, self.size = time.time(), made.size
        if self.settings.checkpoint_export:
            self.due.append(made)

    async def sign(self) -> None:
        """A checkpoint of now, unless the journal ends with one."""
        if self._sealer is not None:
            await self.committer.job(self._signed)

    def _signed(self) -> None:
        if self._sealer is not None and not ends_signed(self.home.journal):
            self._sealer.checkpoint()
            self._delivered()

    def _delivered(self) -> None:
        """What was signed at a segment's end in between is noted too."""
        if self._sealer is not None:
            for problem in self._sealer.deliver():
                self._say("checkpoint", level="warning", problem=problem)

    async def export(self) -> None:
        """Bring what is due to the place that the settings name, one after the other."""
        target = self.settings.checkpoint_export
        while True:
            while target and self.due:
                await self._send(target)
            await asyncio.sleep(LOOK_S)

    async def _send(self, target: str) -> None:
        from levaithan.journal import checkpoints  # noqa: PLC0415

        made, sink = self.due[0], checkpoints.export_to(target)
        problem = await in_thread(lambda: sink(made))
        if problem:
            raise RuntimeError(problem)
        if self.due and self.due[0] is made:
            self.due.popleft()

    async def last(self) -> None:
        """The checkpoint of the stop, and one try to bring it away. Raises what signing raises."""
        if self._sealer is None and not ends_signed(self.home.journal):  # stopped before the key was loaded
            self._sealer = await in_thread(self._make)
        await self.sign()
        target = self.settings.checkpoint_export
        with contextlib.suppress(TimeoutError, RuntimeError):
            while target and self.due:
                await asyncio.wait_for(self._send(target), _LAST_EXPORT_S)

    def status(self) -> dict[str, Any]:
        """The last checkpoint and how many wait for their export."""
        return {"at": stamp(self.at), "size": self.size, "export_due": len(self.due)}


def ends_signed(directory: str) -> bool:
    """Whether the journal is empty or its last record is a checkpoint: then there is nothing to sign."""
    end = read.tail(directory)
    if end is None:
        return True
    with Path(directory, end.segment).open("rb") as file:
        _, line, _ = segments.last_line(file.fileno(), end.offset)
    record = segments.decode(line[segments.HASH + 1 :]) if b'"kind":"checkpoint"' in line[:256] else None
    return bool(record and record.get("kind") == "checkpoint")
