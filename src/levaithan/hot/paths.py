"""Where everything of a home lives: one place, so that the native client, the one-shot and the service agree.

Standard library only, and only modules that cost nothing at start (no pathlib): this runs while Claude Code waits.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_PATH_LIMIT = 100
"""Bytes a socket path may have: sun_path holds 104 on macOS and 108 on Linux, with the final NUL."""


def regular(path: str, flags: int) -> int:
    """An opener for open(): a pipe or a device in a file's place is refused with OSError, never waited for or read."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if (os.fstat(descriptor).st_mode & 0o170000) != 0o100000:
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return descriptor


class Home:
    """The folders and files of one home, as absolute paths (str)."""

    __slots__ = (
        "bin",
        "context",
        "gap",
        "halts",
        "hooks",
        "hot_conf",
        "installs",
        "journal",
        "keys",
        "logs",
        "restraints",
        "root",
        "run",
        "sessions",
        "socket",
        "state",
    )

    def __init__(self, root: str) -> None:
        self.root = root
        self.context = root + "/context"
        self.hooks = root + "/hooks"
        self.logs = root + "/logs"
        self.journal = root + "/logs/journal"
        self.state = root + "/state"
        self.keys = root + "/keys"
        self.bin = root + "/bin"
        self.run = run_dir(root)
        self.socket = self.run + "/hook.sock"
        self.hot_conf = root + "/state/hot.conf"
        self.halts = root + "/state/halts.json"
        self.restraints = root + "/state/restraints.json"
        self.sessions = root + "/state/sessions"
        self.installs = root + "/state/installs.json"
        self.gap = root + "/state/gap"

    def __repr__(self) -> str:
        return f"Home({self.root!r})"


def home_at(root: str) -> Home:
    """The home whose root folder is `root`; the folder need not exist. Links in `root` are resolved."""
    return Home(os.path.realpath(root))


def checkout_of(source: str) -> str | None:
    """The checkout that holds the folder `source` (the one with `levaithan/` in it), or None for an installed wheel."""
    top = os.path.dirname(source)
    if os.path.basename(source) == "src" and os.path.isdir(top + "/.claude/context"):
        return top
    return None


def source_folder() -> str:
    """The folder that contains the package `levaithan` as it runs now."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def find_home(argument: str | None, environ: Mapping[str, str]) -> Home:
    """The home in force: `argument` > LEVAITHAN_HOME > the checkout's own .claude > the XDG state folder.

    A registered hook always passes `argument`: the environment of a hook belongs to the agent's side and must not
    be able to point the guard at an empty home.
    """
    chosen = argument or environ.get("LEVAITHAN_HOME")
    if chosen:
        return home_at(os.path.expanduser(chosen))
    checkout = checkout_of(source_folder())
    if checkout:
        return home_at(checkout + "/.claude")
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return home_at(state + "/levaithan")


def fnv1a64(data: bytes) -> str:
    """The 64-bit FNV-1a hash of `data` as 16 hex digits (RFC 9923; small enough to stand in the native client too)."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def run_dir(root: str) -> str:
    """The folder of the socket: inside the home, or a short one under /tmp when the socket's path would be too long."""
    inside = root + "/run"
    if len(os.fsencode(inside + "/hook.sock")) <= SOCKET_PATH_LIMIT:
        return inside
    return outside(root)


def outside(root: str) -> str:
    """A folder of the home `root` that is not in it; `ensure_private` comes before any use of it."""
    return f"/tmp/levaithan-{os.getuid()}/{fnv1a64(os.fsencode(root))}"  # noqa: S108 - ensure_private checks owner and mode


def ensure_private(directory: str) -> None:
    """Make `directory` (and its parents) and see that it is ours alone: mode 0700, owned by this user, not a link.

    Raises PermissionError when it belongs to somebody else or is a link, OSError when it cannot be made.
    """
    parent = os.path.dirname(directory)
    if os.path.basename(parent) == f"levaithan-{os.getuid()}":
        ensure_private(parent)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    seen = os.lstat(directory)
    if (seen.st_mode & 0o170000) != 0o040000 or seen.st_uid != os.getuid():
        raise PermissionError(f"{directory} is not a folder of this user: remove it, then try again")
    if seen.st_mode & 0o777 != 0o700:
        os.chmod(directory, 0o700)
