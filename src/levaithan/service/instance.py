"""One service a home: the lock, the socket and service.json in the run folder, and whether they are still ours.

The lock is flock on run/service.lock: the kernel lets it go however its holder dies, so nothing stale can lock out the
next start; what is left over or put in the way of the files is moved aside. Loads neither asyncio nor settings: this
comes before everything that is slow.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan import __version__
from levaithan.hot.lockfile import open_lock
from levaithan.hot.paths import ensure_private
from levaithan.service.problems import AlreadyRunning, RunFolderUnusable

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

BACKLOG = 1024
_LOCK = "service.lock"
_TOLD = "service.json"
_CLAIM_S = 1.0


def lock_path(home: Home) -> Path:
    """The file whose lock the running service holds."""
    return Path(home.run, _LOCK)


class Instance:
    """The run folder as one service holds it. `claim` first, then `listen`, `tell`; at the end `leave`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.started_ns = time.time_ns()
        self.began_s = time.monotonic()
        self.unclean: int | None = None
        """The pid of the service before this one where it ended without leaving: killed, or with the machine."""
        self._lock = -1
        self._held: list[int] = []  # while they are open no other file can get their numbers
        self._seen: dict[str, tuple[int, int]] = {}

    def claim(self) -> None:
        """Become the one service of the home. Raises AlreadyRunning, RunFolderUnusable."""
        try:
            ensure_private(self.home.run)
            self._lock = _locked(lock_path(self.home))
        except BlockingIOError:
            raise AlreadyRunning(self.home.root, named_pid(self.home)) from None
        except OSError as error:
            raise RunFolderUnusable(path=self.home.run, reason=error.strerror or error) from None
        self.unclean = left_by(self.home)
        said = f"{os.getpid()}\n".encode()
        with contextlib.suppress(OSError):  # on a full disk the name is missing; the lock holds all the same
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, said, 0)
        for path in (self.home.root, self.home.run):
            self._held.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for path in (self.home.root, self.home.run, str(lock_path(self.home))):
            self._seen[path] = _identity(path)

    def listen(self) -> socket.socket:
        """The listening socket, 0600; whatever was left in its place goes. Raises RunFolderUnusable."""
        path = Path(self.home.socket)
        try:
            _clear(path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError as error:
            raise RunFolderUnusable(path=self.home.run, reason=f"no socket there: {error.strerror or error}") from None
        self._seen[str(path)] = _identity(str(path))
        return listener

    def tell(self) -> None:
        """Write service.json: pid, when it started, version. What cannot be written is no reason not to serve."""
        path = Path(self.home.run, _TOLD)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started_ns // 1_000_000_000))
        text = json.dumps({"pid": os.getpid(), "started_at": at, "version": __version__})
        fresh = path.with_name(f".{_TOLD}.{os.getpid()}")
        try:
            if path.is_dir() and not path.is_symlink():
                _clear(path)
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()

    def lost(self) -> str:
        """What of it went away or was replaced, in words; "" while all is ours."""
        for path, mine in self._seen.items():
            try:
                now = _identity(path)
            except OSError:
                return f"{path} is gone"
            if now != mine:
                return f"{path} was replaced"
        return ""

    def close_socket(self) -> None:
        """Take the socket away, when it is still ours: clients then decide by themselves at once."""
        self._remove(self.home.socket)

    def leave(self) -> None:
        """Remove what is ours and let the lock go. The lock file stays: removing it would let two hold one each."""
        if self._lock < 0:
            return
        self.close_socket()
        if not self.lost():
            with contextlib.suppress(OSError):
                Path(self.home.run, _TOLD).unlink()
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
        for descriptor in (*self._held, self._lock):
            os.close(descriptor)
        self._held, self._lock = [], -1

    def _remove(self, path: str) -> None:
        with contextlib.suppress(OSError):
            if self._seen.pop(path, None) == _identity(path):
                Path(path).unlink()


def running(home: Home) -> bool:
    """Whether a process holds the home's lock. Changes nothing."""
    try:
        descriptor = os.open(lock_path(home), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def left_by(home: Home) -> int | None:
    """The pid in the lock that nobody holds (who leaves empties it): of a service that was killed, or went down with
    the machine. None where the last one stopped, or nobody knows."""
    try:
        descriptor = os.open(lock_path(home), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _sane(int(os.read(descriptor, 20)))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def named_pid(home: Home) -> int | None:
    """The pid written into the lock, else the one in service.json; to be checked before anything is done to it."""
    written = left_by(home)
    if written is not None:
        return written
    with contextlib.suppress(OSError, ValueError):
        told: Any = json.loads(Path(home.run, _TOLD).read_bytes()[:4096])
        return _sane(told["pid"]) if isinstance(told, dict) and isinstance(told.get("pid"), int) else None
    return None


def _sane(pid: int) -> int | None:
    return pid if 1 < pid < 1 << 31 else None


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of the file that stands at `path` now. BlockingIOError when another has it.

    Somebody who only looks (`running`) holds it for a moment too, so it is tried again for a while.
    """
    until = time.monotonic() + _CLAIM_S
    while True:
        descriptor = open_lock(str(path))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seen = os.fstat(descriptor)
            if _identity(str(path)) == (seen.st_dev, seen.st_ino):
                return descriptor
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(descriptor)
                raise
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        time.sleep(0.01)


def _clear(path: Path) -> None:
    """Make room at `path`: a socket or file of a dead service is removed, anything else is moved aside."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(mode) or stat.S_ISLNK(mode) or stat.S_ISFIFO(mode) or stat.S_ISREG(mode):
        path.unlink()
    else:
        path.rename(path.with_name(f"{path.name}.aside-{time.time_ns()}"))


def _identity(path: str) -> tuple[int, int]:
    seen = Path(path).lstat()
    return seen.st_dev, seen.st_ino
