"""Where our hooks are installed: state/installs.json, which uninstall, doctor, the canary and the rules read.

Every absolute path in it that ends in .json and is no backup is a settings file that calls us: the rules guard those
(levaithan.hot.protected), so nothing else that ends so may stand in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.errors import InstallError
from levaithan.hot import paths
from levaithan.hot.lockfile import open_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.hot.paths import Home

VERSION = 1
ROOM = "see that you may write there and that the disk has room"


@dataclass(slots=True)
class Install:
    """One place. path: as Claude Code opens it; real: the file behind a link; before/after: SHA-256 ("" = no file).

    backup: the bytes from before the first install; pristine: nobody else changed the file between our own changes;
    created_*: what was made and goes again; home: the home's root then; at: ISO 8601, UTC.
    """

    path: str
    real: str
    scope: str
    project: str = ""
    at: str = ""
    home: str = ""
    before: str = ""
    after: str = ""
    backup: str = ""
    pristine: bool = True
    mode: int | None = None
    mtime_ns: int | None = None
    created_hooks: bool = False
    created_events: list[str] = field(default_factory=list)
    created_folders: list[str] = field(default_factory=list)

    def formerly(self, home: Home) -> str:
        """Where the home was when it was installed, when it has been moved since and is there no more; else ""."""
        return self.home if self.home not in ("", home.root) and not Path(self.home).exists() else ""

    @property
    def created_file(self) -> bool:
        """Whether there was no file before."""
        return not self.before


@contextlib.contextmanager
def locked(home: Home) -> Iterator[None]:
    """One installation at a time works on the settings of this home."""
    paths.ensure_private(home.state)
    descriptor = open_lock(home.state + "/install.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load(home: Home) -> dict[str, Install]:
    """The places by their real path. Raises InstallError for a file that cannot be read."""
    try:
        known: Any = json.loads(Path(home.installs).read_text("utf-8", "surrogateescape"))
        return {one["real"]: Install(**one) for one in known["installs"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(
            path=home.installs,
            reason=f"it is not readable as a list of installs ({error})",
            fix=f"move {home.installs} away, then run `levaithan hooks install` again for each project",
        ) from None


def save(home: Home, installs: dict[str, Install]) -> None:
    """Write the list, whole. The caller holds the lock."""
    body = json.dumps({"version": VERSION, "installs": [asdict(one) for one in installs.values()]}, indent=2)
    write_whole(home.installs, (body + "\n").encode("utf-8", "surrogateescape"), 0o600)


def write_whole(
    path: str, data: bytes, mode: int, owner: tuple[int, int] | None = None, *, still: Callable[[], bool] | None = None
) -> bool:
    """Put `data` at `path` by temp file, fsync and rename in the same folder, with this mode and owner.

    `still` is asked last, just before the rename: False leaves what is there. Gives whether it was written. Raises
    InstallError, and leaves what was there then.
    """
    folder = os.path.dirname(path)  # noqa: PTH120
    try:
        handle, name = tempfile.mkstemp(prefix=".levaithan-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), mode)
                if owner is not None and owner != (os.geteuid(), os.getegid()):
                    with contextlib.suppress(PermissionError):
                        os.fchown(file.fileno(), *owner)
                file.flush()
                os.fsync(file.fileno())
            if still is not None and not still():
                Path(name).unlink()
                return False
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(folder)
    except OSError as error:
        raise InstallError(path=path, reason=error.strerror or str(error), fix=ROOM) from None
    return True


def sync_folder(folder: str) -> None:
    """Make a rename or a removal in `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
