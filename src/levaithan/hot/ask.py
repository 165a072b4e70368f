"""The Python hook client's work: stdin to the service's socket, its answer to stdout, the one-shot where there is none.

The same as client.c, answer for answer (tests/hot/test_clients.py runs both). On the good path it imports only modules
that are built into the interpreter, and `_socket`; not even `os`, nor `__future__`, a module too (a tenth of a
millisecond): annotations that Python could not evaluate stand in quotes. Standard library only; nothing of ours there.
"""

import _imp
import _signal  # type: ignore[import-not-found]
import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_VALUES = (
    (b"project", b"CLAUDE_PROJECT_DIR"),
    (b"pid", b"CLAUDE_PID"),
    (b"agent", b"AI_AGENT"),
    (b"effort", b"CLAUDE_EFFORT"),
    (b"attended", b"CLAUDE_CODE_SESSION_ATTENDED"),
)
_MAX_VALUE = 8 << 10
_MAX_ANSWER = 16 << 20
_TRUNCATED_PAYLOAD = 1 << 20
_SOCKET_PATH_LIMIT = 100
_STDIN_IDLE_S = 4.0
_STDIN_S = 6.0
_GUARDS = ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange")
_SOURCE = __file__.rpartition("/levaithan/hot/")[0]


class _TimeIsOver(BaseException):
    """The timer rang."""


def _ring(_number: int, _frame: "Any") -> "NoReturn":
    raise _TimeIsOver


class Call:
    def __init__(self, arguments: list[str]) -> None:
        self.begun = time.monotonic()
        now = time.time_ns()
        self.started = str(now)
        self.id = (now // 1_000_000 & 0xFFFFFFFFFFFF).to_bytes(6, "big").hex() + posix.urandom(10).hex()
        self.event = self.home = ""
        self.payload, self.total = b"", 0
        self.sent = False
        self.python, self.src = sys.executable, _SOURCE
        self.wait_s = 2.0
        self.max_stdin = 64 << 20
        at, home = 1, ""
        while at < len(arguments):
            argument = arguments[at]
            if argument == "--home" and at + 1 < len(arguments):
                at += 1
                home = arguments[at]
            elif argument.startswith("--home="):
                home = argument[7:]
            elif not argument.startswith("-") and not self.event and len(argument) < 128:
                self.event = argument
            at += 1
        self.home = _real(home) if home else str(_fallback().own_home())


def main(arguments: list[str]) -> "NoReturn":
    """Ask for a decision on the event on stdin, repeat it, and exit with 0 or 2."""
    call = Call(arguments)
    code = 2
    try:
        _open_standard()
        _signal.signal(_signal.SIGALRM, _ring)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM,))  # a mask is inherited: no timer would ring
        _read_conf(call)
        _read_stdin(call)
        asked = _ask_service(call)
        code = int(_fallback().run_oneshot(call)) if asked is None else asked
    except BaseException as error:  # nothing may end in exit 1: that lets the tool run
        code = 2 if not call.event or call.event in _GUARDS else 0
        code = _fallback().fail_direction(call, f"the client failed: {type(error).__name__}")
    finally:
        posix._exit(code)


def _open_standard() -> None:
    """Fill closed descriptors, or one would become the socket. Read only, so that a deny to nowhere is noticed."""
    for descriptor in range(3):
        try:
            posix.fstat(descriptor)
        except OSError:
            posix.set_inheritable(posix.open("/dev/null", posix.O_RDONLY), True)


def _fallback() -> "Any":
    sys.path.insert(0, _SOURCE)
    from levaithan.hot import fallback

    return fallback


def _real(path: str) -> str:
    """The real path. Links are rare in it, and looking for them by hand spares the import of os.path."""
    dotted = "/./" in path or "/../" in path or path.endswith(("/", "/.", "/.."))
    if path.startswith("/") and "//" not in path and not dotted:
        at = 0
        try:
            while at >= 0:
                at = path.find("/", at + 1)
                if posix.lstat(path if at < 0 else path[:at]).st_mode & 0o170000 == 0o120000:
                    break
            else:
                return path
        except OSError:
            return path
    import os.path

    return os.path.realpath(path)


def _read_conf(call: Call) -> None:
    """The lines of hot.conf that a client needs; what is missing or wrong keeps its default, as in hotconf.py."""
    try:
        descriptor = posix.open(call.home + "/state/hot.conf", posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
    except OSError:
        return
    try:
        data = posix.read(descriptor, 1 << 16)  # a dozen lines; room for more would be memory of its own
        data += posix.read(descriptor, 1 << 20) if len(data) == 1 << 16 else b""
    except OSError:
        return
    finally:
        posix.close(descriptor)
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        key, found, value = line.partition("=")
        key, value = key.strip(), value.strip() if found else ""
        if key in ("python", "src"):
            setattr(call, key, value or getattr(call, key))
        elif key == "wait_ms":
            call.wait_s = _number(value, 1, 5000, int(call.wait_s * 1000)) / 1000
        elif key == "max_stdin_bytes":
            call.max_stdin = _number(value, 1 << 20, 1 << 30, call.max_stdin)


def _number(text: str, least: int, most: int, default: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most:
        return int(text)
    return default


def _read_stdin(call: Call) -> None:
    """Whole stdin. Beyond max_stdin the first MiB is kept and the rest drained, so that the writer never blocks."""
    parts = []
    try:
        while True:
            left = call.begun + _STDIN_S - time.monotonic()
            _signal.setitimer(_signal.ITIMER_REAL, max(min(_STDIN_IDLE_S, left), 0.001))
            part = posix.read(0, 1 << 16)  # what a pipe holds
            if not part:
                break
            call.total += len(part)
            if call.total <= call.max_stdin:
                parts.append(part)
            elif call.total - len(part) <= call.max_stdin:
                parts = [b"".join((*parts, part))[:_TRUNCATED_PAYLOAD]]
    except (OSError, _TimeIsOver):  # what came so far is judged: half an event is refused where it matters
        pass
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    call.payload = parts[0] if len(parts) == 1 else b"".join(parts)


def _frame(call: Call) -> bytes:
    truncated = call.total > call.max_stdin
    pairs = [
        (b"id", call.id.encode()),
        (b"event", call.event.encode("utf-8", "surrogateescape")),
        (b"path", b"python"),
        (b"started_ns", call.started.encode()),
    ]
    environ = posix.environ
    pairs += [(key, environ.get(variable, b"")) for key, variable in _VALUES]
    if truncated:
        pairs.append((b"truncated", str(call.total).encode()))
    lines = [
        key + b"=" + value[:_MAX_VALUE].replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        for key, value in pairs
        if value
    ]
    head = b"".join(lines)
    size = len(call.payload)
    return b"".join((b"LVH1", len(head).to_bytes(4, "big"), size.to_bytes(4, "big"), head, call.payload))


def _private(folder: str) -> bool:
    try:
        seen = posix.lstat(folder)
    except OSError:
        return False
    return seen.st_mode & 0o170077 == 0o040000 and seen.st_uid == posix.getuid()


def _socket_path(home: str) -> "str | None":
    """The socket's path, or None when its folder is not ours alone. The same rule as run_dir() in paths.py."""
    run = home + "/run"
    name = run.encode("utf-8", "surrogateescape")
    if len(name) + len(b"/hook.sock") > _SOCKET_PATH_LIMIT:
        value = 0xCBF29CE484222325
        for byte in name[:-4]:
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        parent = f"/tmp/levaithan-{posix.getuid()}"  # noqa: S108 - owner and mode are looked at
        if not _private(parent):
            return None
        run = f"{parent}/{value:016x}"
    return run + "/hook.sock" if _private(run) else None


def _load_socket() -> "Any":
    """The module `_socket`. Where it is a file of the last folder of the path (it is in every plain build) it is loaded
    from there: the usual way lists that folder first, which takes as long as the loading."""
    module: Any
    try:

        class Place:
            name = "_socket"
            origin = f"{sys.path[-1]}/_socket{_imp.extension_suffixes()[0]}"

        posix.stat(Place.origin)
        module = _imp.create_dynamic(Place)  # type: ignore[arg-type]  # it asks for these two of a ModuleSpec
        _imp.exec_dynamic(module)
    except (ImportError, OSError, AttributeError, IndexError):  # another layout: the usual way finds it
        import _socket as module
    return module


def _connect(path: str, deadline: float) -> "Any":
    """A connection to our own service, or None."""
    _socket = _load_socket()
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    while True:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            connection.connect(path)
            break
        except BlockingIOError:  # its backlog is full
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.002)
        except OSError:
            return None
    # struct ucred {pid, uid, gid}; LOCAL_PEERCRED: struct xucred {version, uid, ...}
    uid = connection.getsockopt(*((_socket.SOL_SOCKET, 17, 12) if sys.platform == "linux" else (0, 1, 76)))[4:8]
    return connection if int.from_bytes(uid, sys.byteorder) == posix.getuid() else None


def _ask_service(call: Call) -> "int | None":
    """The exit code of the service's answer, or None when there was no whole one (sent: it may have the frame)."""
    deadline = time.monotonic() + call.wait_s
    path = _socket_path(call.home)
    connection = _connect(path, deadline) if path else None
    if connection is None:
        return None
    try:
        connection.sendall(_frame(call))
        call.sent = True  # before this a service cannot have had a whole frame
        got = b""
        need = 16
        while len(got) < need:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            part = connection.recv(1 << 16)
            if not part or time.monotonic() >= deadline:
                return None
            got += part
            if need == 16 <= len(got):
                out, err = int.from_bytes(got[8:12], "big"), int.from_bytes(got[12:16], "big")
                if got[:4] != b"LVA1" or out + err > _MAX_ANSWER:
                    return None
                need = 16 + out + err
    except OSError:
        return None
    return _repeat(call, int.from_bytes(got[4:8], "big"), got[16 : 16 + out], got[16 + out : need])


def _repeat(call: Call, code: int, stdout: bytes, stderr: bytes) -> int:
    """Repeats a whole answer. A deny that could not be written must not become an allow."""
    failed = not (_written(1, stdout) and _written(2, stderr))
    if code == 2 or (code == 0 and not failed):
        return code
    why = "the answer could not be written" if failed else "the service gave an unknown exit code"
    return int(_fallback().fail_direction(call, why))


def _written(descriptor: int, data: bytes) -> bool:
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    except OSError:
        return False
    return True
