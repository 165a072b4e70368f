"""A server process of the tests' own: a folder, a port on loopback, a password; started, hurt, and ended by its id.

A server never outlives the process that started it (Linux: the kernel kills it), and as root it runs as `nobody`, since
PostgreSQL and Elasticsearch refuse to run as root.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, ClassVar

from tests.servers.endpoint import Endpoint, ServerFailedError

SCRATCH = "levaithan-server-"
_PORTS = range(15_000, 32_000)
"""Below the ranges of Linux (32768 and up) and macOS."""
_STARTS = 3
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Server:
    """One server. A subclass says how it is prepared, started and asked; `folder` outlives a `kill` and a `restart`."""

    store: ClassVar[str]
    ready_s: ClassVar[float] = 60.0
    as_other_user: ClassVar[bool] = True
    """Whether it runs as `nobody` where the tests run as root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-{self.store}-", dir=_short_temp()))
        self.folder.chmod(0o711)
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        self.port = 0
        self.password = secrets.token_hex(16)
        self.process: subprocess.Popen[bytes] | None = None
        self.version = ""

    def prepare(self) -> None:
        """Make what the first start needs, in `self.data`. Called once a port."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """What to run. No password is in it."""
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        """What the process has in its environment beside PATH and HOME."""
        return {}

    def ask(self) -> str:
        """The version of the server that answers. Raises while it does not."""
        raise NotImplementedError

    def endpoint(self) -> Endpoint:
        """How to reach it."""
        raise NotImplementedError

    def start(self) -> Endpoint:
        """Start it for the first time and wait until it answers. A port that somebody else took is tried anew."""
        for left in reversed(range(_STARTS)):
            self.port = free_port()
            try:
                self.prepare()
                return self.restart()
            except ServerFailedError:
                self._end_all(signal.SIGKILL)
                if not left:
                    self.stop()
                    raise
        raise AssertionError

    def restart(self) -> Endpoint:
        """Start it again on the same data, port and password; it must not be running."""
        assert self.process is None, "it is running"
        with (self.folder / "log").open("ab") as log:
            self.process = self.spawn(self.command(), log)
        self.version = self._answered()
        return self.endpoint()

    def stop(self) -> None:
        """End it in its own way, and remove its folder."""
        self.shut_down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def shut_down(self, limit_s: float = 20.0) -> None:
        """End it in its own way (SIGTERM); the data stays, and `restart` goes on with it."""
        self._end_all(signal.SIGTERM, limit_s)

    def kill(self) -> None:
        """SIGKILL for it and all of its processes; waits until they are gone."""
        self._end_all(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and takes new ones, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._signal(signal.SIGCONT)

    def pids(self) -> list[int]:
        """The processes of the server, its own first."""
        return family(self.process.pid) if self.process else []

    def log_end(self, size: int = 4000) -> str:
        """The last `size` bytes of what it said."""
        path = self.folder / "log"
        return path.read_bytes()[-size:].decode(errors="replace") if path.exists() else ""

    def run(self, command: list[str]) -> str:
        """Run a tool of the server to its end as the server's user; what it printed. It must exit 0."""
        done = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._whose())
        said = done.communicate(timeout=self.ready_s)[0].decode(errors="replace")
        if done.returncode:
            raise ServerFailedError(f"{self.store}: {Path(command[0]).name} exited {done.returncode}: {said[-3000:]}")
        return said

    def spawn(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a process that dies with this one."""
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  one call of libc, loaded before
            **self._whose(),
        )

    def own(self) -> None:
        """Give everything in `data` to the user that the server runs as."""
        if self._other() is not None:
            account = pwd.getpwnam("nobody")
            for path in (self.data, *self.data.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def usable(self, tree: Path) -> Path:
        """`tree` where the server's user can read it: itself, or a copy (linked where that is possible)."""
        if self._other() is None or all(one.stat().st_mode & 0o001 for one in (tree, *tree.resolve().parents)):
            return tree
        copy = self.folder / "programs" / tree.name
        if not copy.exists():
            shutil.copytree(tree, copy, symlinks=True, copy_function=link_or_copy)
            (self.folder / "programs").chmod(0o755)
        return copy

    def _other(self) -> str | None:
        return "nobody" if self.as_other_user and os.geteuid() == 0 else None

    def _whose(self) -> dict[str, object]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.data), "LC_ALL": "C", "TZ": "UTC"}
        more: dict[str, object] = {"env": environment | self.environ(), "cwd": str(self.data)}
        if self._other():
            account = pwd.getpwnam("nobody")
            more |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return more

    def _answered(self) -> str:
        assert self.process is not None
        limit, pause, last = time.monotonic() + self.ready_s, 0.01, ""
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise ServerFailedError(f"{self.store} ended with {code} while it started. Its log:\n{self.log_end()}")
            try:
                return self.ask()
            except Exception as error:  # whatever a driver says of a server that is not up yet
                last = str(error)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.2)
        limit_s = f"{self.ready_s:.0f} s"
        raise ServerFailedError(f"{self.store} did not answer in {limit_s} ({last}). Its log:\n{self.log_end()}")

    def _signal(self, number: signal.Signals) -> list[int]:
        running = self.pids()
        for pid in running:
            _send(pid, number)
        return running

    def _end_all(self, number: signal.Signals, limit_s: float = 20.0) -> None:
        if self.process is None:
            return
        running = family(self.process.pid)
        if number == signal.SIGKILL:
            self._signal(number)
        else:
            self._signal(signal.SIGCONT)  # a paused one would not hear it
            self.process.send_signal(number)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait(limit_s)
        self.process = None
        limit = time.monotonic() + limit_s
        while any(alive(pid) for pid in running) and time.monotonic() < limit:
            time.sleep(0.01)
        for pid in running:
            _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    """To a process that may end at this very moment, as those that a server has for a connection do."""
    with contextlib.suppress(ProcessLookupError):
        if alive(pid):
            os.kill(pid, number)


def free_port() -> int:
    """A port on loopback that nobody has just now, of those that a system gives to no connection by itself: while a
    server that was killed is away, somebody's connection may otherwise sit on its port, even one to that very port."""
    for _ in range(200):
        port = _PORTS[secrets.randbelow(len(_PORTS))]
        with socket.socket() as taken, contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port
    raise ServerFailedError("no port is free")


def family(pid: int) -> list[int]:
    """A process and all that descend from it, as `ps` sees them."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def alive(pid: int) -> bool:
    """Whether a process runs. One that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(said.strip()) and not said.lstrip().startswith("Z")


def sweep() -> None:
    """Remove what test runs that were killed have left: folders whose process is gone."""
    for left in Path(_short_temp()).glob(f"{SCRATCH}*"):
        owner = left.name.removeprefix(SCRATCH).split("-")[0]
        with contextlib.suppress(FileNotFoundError):  # another worker was quicker
            if owner.isdigit() and not alive(int(owner)) and left.stat().st_uid == os.geteuid():
                shutil.rmtree(left, ignore_errors=True)


def _short_temp() -> str:
    """A folder for a server's folder: a Unix socket's path has to fit into 104 bytes, and `nobody` must get in.

    LEVAITHAN_TEST_SERVER_FOLDER names another, such as a small disk that a test fills.
    """
    chosen = os.environ.get("LEVAITHAN_TEST_SERVER_FOLDER")
    if chosen:
        return chosen
    return "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()


def link_or_copy(source: str, target: str) -> None:
    """A second name for a file, or a copy of it where its disk is another one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _die_with(parent: int) -> Callable[[], None] | None:
    libc = _LIBC
    if libc is None:
        return None

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
