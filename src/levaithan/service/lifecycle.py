"""Starts, stops and restarts the service of a home from outside. What it does to a process it does to ours only.

Loads neither the service itself nor its libraries: it runs inside commands that a person waits for.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import NotConfigured
from levaithan.hot import paths, wire
from levaithan.hot.lockfile import open_lock
from levaithan.service import instance
from levaithan.service.problems import NotStarted, NotStopped, RunFolderUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from levaithan.hot.paths import Home

START_S = 30.0
STOP_S = 10.0
_TERM_S = 5.0
_ASK_S = 1.0
_STEP_S = 0.05
_MOST_SAID = 64 << 10
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PASSED_PREFIXES = ("LC_", "LEVAITHAN_", "XDG_", "http", "HTTP", "no_proxy", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Started:
    """The service that runs now. fresh: this call started it; ready: it records too; problem: what is not well;
    unclean: the pid of the one before, where that ended without stopping."""

    pid: int
    fresh: bool
    ready: bool = True
    problem: str = ""
    unclean: int | None = None

    def words(self) -> str:
        """In words for a person."""
        told = f"the service {'was started' if self.fresh else 'runs already'} (pid {self.pid})"
        if self.unclean is not None:
            told += f"; the one before (pid {self.unclean}) had not stopped: it was killed, or the machine went down"
        return told if self.ready else f"{told}, but is not ready: {self.problem or 'see `levaithan status`'}"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was stopped, and what it took: "asked", "terminated" or "killed"; pid None = nothing ran."""

    pid: int | None
    how: str = ""

    def words(self) -> str:
        """In words for a person."""
        if self.pid is None:
            return "no service was running"
        hard = {"terminated": ", by a signal: it did not answer", "killed": ", by force: it hung"}.get(self.how, "")
        return f"the service was stopped (pid {self.pid}){hard}"


def start(home: Home, *, wait_s: float = START_S) -> Started:
    """Start the service in the background unless it runs; back when it answers. Any number may do so at once.

    Raises NotStarted with the reason it gave, NotConfigured without a home, RunFolderUnusable.
    """
    if not Path(home.root).is_dir():
        raise NotConfigured(f"There is no home at {home.root}.", fix="run ./setup.sh (or `levaithan setup`)")
    until = time.monotonic() + wait_s
    with _alone(home, until):
        told = ping(home)
        if told is None and instance.running(home):  # it is starting, or draining
            told = _wait_answer(home, until)
        if told is not None:
            return Started(int(told["pid"]), fresh=False, ready=bool(told.get("ready")))
        unclean, started = instance.left_by(home), _launch(home, until)
        return replace(started, unclean=unclean) if started.fresh else started


def stop(home: Home, *, wait_s: float = STOP_S) -> Stopped:
    """Stop the service: by asking, else SIGTERM, else SIGKILL. Raises NotStopped when it is not ours to end."""
    if not instance.running(home):
        return Stopped(None)
    pid = holder(home)
    if _ask(home, "stop") is not None and _gone(home, time.monotonic() + wait_s):
        return Stopped(pid, "asked")
    for number, how in ((signal.SIGTERM, "terminated"), (signal.SIGKILL, "killed")):
        if not instance.running(home):
            return Stopped(pid, "asked")
        pid = holder(home)
        if pid is None:
            raise NotStopped(
                home=home.root, run=home.run, reason="its lock is held, but by no process that can be told to be ours"
            )
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _gone(home, time.monotonic() + _TERM_S):
            return Stopped(pid, how)
    raise NotStopped(home=home.root, run=home.run, reason=f"the process {pid} is still there after SIGKILL")


def restart(home: Home, *, wait_s: float = START_S) -> Started:
    """Stop it, if it runs, and start it anew."""
    stop(home)
    return start(home, wait_s=wait_s)


def ping(home: Home, timeout_s: float = _ASK_S) -> dict[str, Any] | None:
    """What the running service says: pid, ready, version. None when none answers."""
    told = _ask(home, "ping", timeout_s)
    return told if told is not None and isinstance(told.get("pid"), int) else None


def holder(home: Home) -> int | None:
    """The pid of the service that holds the home's lock, once it is sure that this process is a service of ours."""
    if not instance.running(home):
        return None
    for pid in (_listener_pid(home), instance.named_pid(home)):
        if pid is not None and _is_service(pid):
            return pid
    return None


def _is_service(pid: int) -> bool:
    """Whether `pid` is a process of this user that runs LevAIthan: a number in a file may be anybody's."""
    if pid == os.getpid():
        return False
    command = ("ps", "-ww", "-o", "uid=,args=", "-p", str(pid))
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.split(maxsplit=1)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return len(said) == 2 and said[0] == str(os.getuid()) and "levaithan" in said[1]


def _listener_pid(home: Home) -> int | None:
    """Who listens on the socket, as the kernel says; answers even when it hangs. Linux and macOS."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ASK_S)
        connection.connect(home.socket)
        if sys.platform == "darwin":
            return int.from_bytes(connection.getsockopt(0, 2, 4), sys.byteorder)  # LOCAL_PEERPID
        return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    return None


def _ask(home: Home, operation: str, timeout_s: float = _ASK_S) -> dict[str, Any] | None:
    frame = wire.pack_request({"id": wire.new_event_id(), "op": operation}, b"")
    try:
        _code, answer, _said = wire.request(home.socket, frame, timeout_s)
        told = json.loads(answer)
    except (OSError, wire.WireError, ValueError):
        return None
    return told if isinstance(told, dict) else None


@contextlib.contextmanager
def _alone(home: Home, until: float) -> Iterator[None]:
    """One starter at a time: the others wait and then find it running. Raises RunFolderUnusable, NotStarted."""
    try:
        paths.ensure_private(home.run)
        descriptor = open_lock(f"{home.run}/start.lock")
    except OSError as error:
        raise RunFolderUnusable(path=home.run, reason=error.strerror or error) from None
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    reason = "another start has been under way all the time"
                    raise NotStarted(home=home.root, reason=reason) from None
                time.sleep(_STEP_S)
        yield
    finally:
        os.close(descriptor)


def _wait_answer(home: Home, until: float) -> dict[str, Any] | None:
    """The answer of a service that holds the lock and does not answer yet; None when it lets the lock go."""
    while time.monotonic() < until:
        told = ping(home)
        if told is not None:
            return told
        if not instance.running(home):
            return None
        time.sleep(_STEP_S)
    pid = holder(home) or "unknown"
    raise NotStarted(
        f"A service of {home.root} has its lock (pid {pid}) and does not answer.", fix="run `levaithan restart`"
    )


def _launch(home: Home, until: float) -> Started:
    command = (sys.executable, "-P", "-m", "levaithan.service", "--home", home.root, "--detach")
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/",
        env=environment(os.environ), start_new_session=True,
    ) as child:  # fmt: skip
        said = _said(child, until)
    told = _last_json(said)
    if told.get("pid"):
        return Started(int(told["pid"]), fresh=True, ready=bool(told["ready"]), problem=told.get("problem") or "")
    if told.get("code") == "already_running":  # one that was started in the foreground came first
        answer = _wait_answer(home, until)
        if answer is not None:
            return Started(int(answer["pid"]), fresh=False, ready=bool(answer.get("ready")))
    if told.get("error"):
        raise NotStarted(home=home.root, reason=str(told["error"]).rstrip("."), fix=str(told.get("fix") or "") or None)
    late = time.monotonic() >= until
    reason = "it was not ready in time" if late else said.decode("utf-8", "replace").strip()[-600:] or "it said nothing"
    raise NotStarted(home=home.root, reason=reason)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What of the environment a service gets: no key of Claude Code's, and nothing that would load foreign code."""
    kept = {key: value for key, value in given.items() if key in _PASSED_ON or key.startswith(_PASSED_PREFIXES)}
    return kept | {"PYTHONPATH": paths.source_folder()}


def _said(child: subprocess.Popen[bytes], until: float) -> bytes:
    """What the child says up to its first whole report, its end, or `until`."""
    said = b""
    if child.stdout is None:
        return said
    while len(said) < _MOST_SAID and time.monotonic() < until:
        ready, _, _ = select.select([child.stdout], [], [], max(0.0, until - time.monotonic()))
        part = os.read(child.stdout.fileno(), 1 << 16) if ready else b""
        said += part
        if not part or _last_json(said):
            break
    return said


def _last_json(said: bytes) -> dict[str, Any]:
    for line in reversed(said.split(b"\n")[:-1]):
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict):
                return told
    return {}


def _gone(home: Home, until: float) -> bool:
    return _wait(lambda: not instance.running(home), until)


def _wait(true: Callable[[], bool], until: float) -> bool:
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(_STEP_S)
    return True
