"""HelixDB's own engine in this process. Imports helixdb_uniffi.

A second opener of a folder would fence the first one off, whoever that is: so it is opened under a lock of ours, by one
process at a time, which answers the others (helix_owner). Objects of one process share the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from helixdb_uniffi import HelixDb, HelixDbSource, HelixError

from levaithan.hot.lockfile import open_lock
from levaithan.hot.paths import ensure_private
from levaithan.stores import full_disk
from levaithan.stores.helix_errors import RefusedError
from levaithan.stores.helix_owner import Asking, Listener, OwnerGoneError
from levaithan.stores.roles import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

DATABASE = "levaithan"
LOCK = "owner.lock"
_WRITE = b'{"request_type":"write"'
_ASKED_WRONGLY = (HelixError.InvalidRequest, HelixError.Planner)
_OPEN_S = 60.0
_LOOK_S = 0.02


class Engine:
    """The engine of `folder`, opened by this process, which holds its lock. Its loop runs in a thread of its own."""

    here: ClassVar[dict[str, Engine]] = {}
    guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, folder: str, lock: int) -> None:
        self.folder = folder
        self.users = 1
        self._lock = lock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="helix-engine", daemon=True)
        self._thread.start()
        self._listener = Listener(folder, self.answer)
        self._writing = asyncio.Lock()
        self._db: Any = None
        try:
            self._run(self._opened(), _OPEN_S)
        except BaseException:
            self._end()
            raise

    @classmethod
    def taken(cls, folder: str) -> Engine | None:
        """The engine of `folder`, which this process owns or now does; None when another process has it. `release` it.

        Raises OSError, RefusedError.
        """
        with cls.guard:
            engine = cls.here.get(folder)
            if engine is not None:
                engine.users += 1
                return engine
            ensure_private(folder)
            lock = open_lock(f"{folder}/{LOCK}")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return None
            os.truncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
            engine = cls.here[folder] = cls(folder, lock)
            return engine

    def release(self) -> None:
        """One user less; the last one closes it."""
        with self.guard:
            self.users -= 1
            if self.users:
                return
            self.here.pop(self.folder, None)
            self._end()

    async def _opened(self) -> None:
        try:
            self._db = await HelixDb.open(HelixDbSource.DISK(root=self.folder, database=DATABASE))
        except HelixError as error:
            raise RefusedError(str(error)) from error
        await self._listener.start()

    async def answer(self, body: bytes) -> bytes:
        """What the engine answers; writes one after the other, for two at once conflict. Raises RefusedError."""
        try:
            if body.startswith(_WRITE):
                async with self._writing:
                    return bytes(await self._db.query_json(body))
            return bytes(await self._db.query_json(body))
        except HelixError as error:
            raise RefusedError(str(error), 400 if isinstance(error, _ASKED_WRONGLY) else 0) from error

    def ask(self, body: bytes, timeout_s: float) -> bytes:
        """See answer. Raises TimeoutError too; what was asked may still happen then."""
        answer: bytes = self._run(self.answer(body), timeout_s)
        return answer

    def _run(self, work: Coroutine[Any, Any, Any], timeout_s: float) -> Any:
        doing = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return doing.result(timeout_s)
        except TimeoutError:
            doing.cancel()
            raise

    async def _closed(self) -> None:
        await self._listener.stop()
        if self._db is not None:
            with contextlib.suppress(HelixError):  # it was fenced off: nothing of ours is left in it
                await self._db.close()

    def _end(self) -> None:
        self.here.pop(self.folder, None)
        try:
            self._run(self._closed(), _OPEN_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_OPEN_S)
            os.close(self._lock)


class FolderLink:
    """Questions to the engine of a folder: in this process when nobody else has it, else to its owner."""

    encrypted = None

    def __init__(self, folder: str, timeout_s: float) -> None:
        self.folder = folder
        self.timeout_s = timeout_s
        self._engine: Engine | None = None
        self._asking: Asking | None = None
        self._guard = threading.RLock()

    @property
    def owner(self) -> bool:
        """Whether this process owns the engine."""
        return self._engine is not None

    @property
    def server(self) -> str:
        """The engine and its version."""
        return f"helix-db-embedded {version('helix-db-embedded')}"

    def ask(self, body: bytes, limit_s: float | None = None) -> bytes:
        """The answer to a question, within `limit_s` or what any may take. Raises RefusedError, TimeoutError, OSError,
        StoreBusyError.

        On a full disk the engine tries again and again and says nothing: here it can be seen why.
        """
        try:
            with self._guard:
                found = self._engine or self._asking or self._found()
                if isinstance(found, Asking):
                    return self._asked(found, body, limit_s or self.timeout_s)
            return found.ask(body, limit_s or self.timeout_s)
        except TimeoutError:
            if full_disk.is_full(self.folder):
                raise RefusedError(f"no space left on the disk of {self.folder}") from None
            raise

    def _asked(self, owner: Asking, body: bytes, limit_s: float) -> bytes:
        try:
            return owner.ask(body, limit_s)
        except (TimeoutError, OwnerGoneError):
            self.close()
            raise

    def _found(self) -> Engine | Asking:
        """Own the engine or find who does. An owner that is just opening or closing it is waited for."""
        until = time.monotonic() + self.timeout_s
        while True:
            self._engine = Engine.taken(self.folder)
            if self._engine is not None:
                return self._engine
            with contextlib.suppress(OwnerGoneError):
                self._asking = Asking(self.folder, self.timeout_s)
                return self._asking
            if time.monotonic() > until:
                raise StoreBusyError(store="graph", reason=f"{_holder(self.folder)} has the engine and does not answer")
            time.sleep(_LOOK_S)

    def bytes(self) -> int:
        """What the engine's files take."""
        return sum(one.stat().st_size for one in Path(self.folder, DATABASE).rglob("*") if one.is_file())

    def free(self) -> int | None:
        """Bytes free on the disk of its folder."""
        return full_disk.free(self.folder)

    def skew(self) -> tuple[float | None, float]:
        """Its clock is this machine's."""
        return 0.0, 0.0

    def close(self) -> None:
        """Let go; the next question begins anew."""
        with self._guard:
            engine, self._engine = self._engine, None
            asking, self._asking = self._asking, None
            if asking is not None:
                asking.close()
            if engine is not None:
                engine.release()


def _holder(folder: str) -> str:
    with contextlib.suppress(OSError):
        pid = Path(folder, LOCK).read_text(encoding="ascii", errors="replace").strip()
        if pid.isdigit():
            return f"process {pid}"
    return "another process"
