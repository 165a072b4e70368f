"""The servers that tests/faults/test_store_faults.py hurts, one entry each: how a home uses it, and what only it knows
of its passwords, its older schema and its rows. Adding a store is a class in a file of its own and a line in SERVERS.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tests.servers import catalogue
from tests.servers.process import alive

from levaithan.hot import paths
from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.process import Server

_DISK = "levaithan-disk-"
LARGEST = 8 << 30
"""A larger disk is none that was made to be filled."""


class Faulted:
    """A server of this test's own that a home uses for `role`. Raises ServerMissingError where it is not installed."""

    role: ClassVar[str]
    signs: ClassVar[dict[str, frozenset[str]]] = {}
    """A fault's name -> what the projector must say of this store then, where it is not what store_flow says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: Server = self.make()

    def make(self) -> Server:
        """The server, not started."""
        raise NotImplementedError

    def settings(self) -> dict[str, object]:
        """What the home's .env says, passwords in files."""
        raise NotImplementedError

    def secret(self, password: str) -> Path:
        """The file that the home has the password from, which holds this one now."""
        file = self.folder / "secret"
        file.touch(0o600)
        file.write_text(password)
        return file

    def prepare(self, root: str) -> None:
        """Make what must be there before the home's service starts."""

    def change_password(self) -> Callable[[], None]:
        """Give the home's user another password and end its connections; what makes the home know it."""
        raise NotImplementedError

    def started_with_another_key(self) -> Callable[[], None]:
        """For a server that has its key from its environment: another one is another start."""
        self.server.kill()
        new = self.server.password = secrets.token_hex(16)
        self.server.restart()
        return lambda: self.secret(new) and None

    def age(self) -> None:
        """Put a store of the last schema but one in its place: nothing of this home is in it, other rows are."""
        raise NotImplementedError

    def brought_up(self, root: str) -> None:
        """What a person does about an older schema, where the store does not bring it up by itself; then looks whether
        the other rows are there."""

    def doubled(self, store: Any, root: str) -> int:
        """How much is in the store twice."""
        raise NotImplementedError

    def room_again(self) -> None:
        """What a person does about a server whose disk has room again."""
        if self.server.process is None or self.server.process.poll() is not None:  # it gave up for want of room
            self.server.kill()
            self.server.restart()


def unlike(store: Any, other: Any, root: str) -> int:
    """What a store has more or less of, by kinds, than `other`, an empty one, which is made of the home's journal."""
    follower = Follower(other, Feed(paths.home_at(root).journal))
    while follower.step():
        pass
    assert not follower.error, follower.error
    wanted, found = other.kinds(), store.kinds()
    other.close()
    return sum(abs(wanted.get(kind, 0) - found.get(kind, 0)) for kind in {*wanted, *found}) if wanted else 1


SERVERS: dict[str, str] = {
    "postgres": "tests.support.faulted_postgres:PostgresLedger",
    "redis": "tests.support.faulted_redis:RedisStream",
    "elasticsearch": "tests.support.faulted_elasticsearch:ElasticsearchSearch",
    "helix": "tests.support.faulted_helix:HelixGraphStore",
    "weaviate": "tests.support.faulted_weaviate:WeaviateMemoryStore",
}
"""The store's name in tests/servers/catalogue.py -> module:class of how it is hurt."""
assert set(SERVERS) <= set(catalogue.STORES)


def faulted(store: str, folder: Path) -> Faulted:
    """The server of `store`, not started. Raises ServerMissingError where it is not installed."""
    module, _, name = SERVERS[store].partition(":")
    made: Faulted = getattr(importlib.import_module(module), name)(folder)
    return made


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A disk of `size` (such as 256m) for a server's folder; None where this user may not mount one and none is given.

    LEVAITHAN_TEST_SERVER_FOLDER gives one: a mount of its own of at most LARGEST bytes, which is filled. One that is
    made here is seen by everybody, for the server runs as another user; what a killed run left the next one unmounts.
    """
    given = os.environ.get("LEVAITHAN_TEST_SERVER_FOLDER")
    if given and Path(given).is_mount() and shutil.disk_usage(given).total <= LARGEST:
        yield Path(given)
        return
    temp = Path("/tmp")
    for left in temp.glob(f"{_DISK}*"):
        owner = left.name.removeprefix(_DISK).partition("-")[0]
        if owner.isdigit() and not alive(int(owner)):
            _unmount(left)
    folder = Path(tempfile.mkdtemp(prefix=f"{_DISK}{os.getpid()}-", dir=temp))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "none", str(folder)]
    mounted = bool(shutil.which("mount")) and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        _unmount(folder)


def _unmount(folder: Path) -> None:
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=False)
    with contextlib.suppress(OSError):
        folder.rmdir()
