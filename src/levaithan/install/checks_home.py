"""Checks of the home itself: its files, its Python, its client, its settings, its key, the disk, the clock."""

from __future__ import annotations

import os
import shutil
import stat
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.config import settings
from levaithan.errors import LevaithanError
from levaithan.hot import hotconf, segments
from levaithan.install import command, home_files, home_folders
from levaithan.install.finding import Result
from levaithan.journal import seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.install.finding import Asked

LITTLE_DISK = 1 << 30
NO_DISK = 64 << 20
_EARLIEST = 1_735_689_600  # 2025-01-01: a clock before this was never set
_DRIFT_S = 300


def folders(asked: Asked) -> Iterator[Result]:
    wrong = home_folders.folders(asked.home)
    if wrong:
        words = f"missing, no folder, closed to us or open to others: {', '.join(wrong)}"
        yield Result("home", "fail", words, "levaithan doctor --fix", partial(home_folders.make_folders, asked.home))
    else:
        yield Result("home", "ok", f"{asked.home.root} is there and private")


def files(asked: Asked) -> Iterator[Result]:
    stale = home_files.stale_files(asked.home)
    if stale:
        words = f"missing, or of an older version: {', '.join(stale)}"
        yield Result("files", "fail", words, "levaithan doctor --fix", partial(home_files.copy_files, asked.home))
    else:
        yield Result("files", "ok", "the shipped rules and hooks are there")


def python(asked: Asked) -> Iterator[Result]:
    named = hotconf.read(asked.home.hot_conf).python
    mend = partial(home_files.make_conf, asked.home)
    if not named:
        yield Result("python", "fail", "state/hot.conf names no Python", "levaithan doctor --fix", mend)
        return
    if os.path.realpath(named) != named:
        words = f"{named} is a link or a shim: it may move, and costs up to 77 ms an event"
        yield Result("python", "warn", words, "levaithan doctor --fix", mend)
        return
    try:
        command.real_python([named])
    except LevaithanError as problem:
        yield Result("python", "fail", problem.message, "levaithan doctor --fix", mend)
    else:
        yield Result("python", "ok", named)


def conf(asked: Asked) -> Iterator[Result]:
    mend = partial(home_files.make_conf, asked.home)
    problems = hotconf.read(asked.home.hot_conf).problems
    if problems:
        yield Result("hot.conf", "fail", "; ".join(problems), "levaithan doctor --fix", mend)
    elif home_files.conf_differs(asked.home):
        words = "state/hot.conf is not what the settings say"
        yield Result("hot.conf", "fail", words, "levaithan doctor --fix, then levaithan restart", mend)
    else:
        yield Result("hot.conf", "ok", "compiled from the settings in force")


def client(asked: Asked) -> Iterator[Result]:
    target = command.native_client(asked.home)
    if home_files.client_current(asked.home):
        yield Result("client", "ok", f"{target} is current with its source")
        return
    mend = partial(home_files.make_client, asked.home) if home_files.client_stale(asked.home) else None
    if Path(target).exists():
        remedy = "levaithan doctor --fix" if mend else "install a C compiler and run ./setup.sh, or remove it"
        yield Result("client", "fail", f"{target} is not made from the installed source, or does not run", remedy, mend)
    else:
        remedy = "levaithan doctor --fix" if mend else "install a C compiler (gcc or clang), then run ./setup.sh again"
        yield Result(
            "client", "warn", "there is no native client: the Python one is used, slower by some ms", remedy, mend
        )


def env_file(asked: Asked) -> Iterator[Result]:
    path = home_files.env_path(asked.home)
    if not path.exists():
        yield Result("settings", "ok", "there is no .env: defaults are in force")
    elif path.is_file() and path.stat().st_mode & 0o077:
        words = f"{path} can be read by others, and may hold a password"
        yield Result("settings", "warn", words, f"chmod 600 {path}", lambda: _private(path))
    else:
        settings.load(asked.home.root)
        yield Result("settings", "ok", f"{path} is sound")


def _private(path: Path) -> str:
    path.chmod(0o600)
    return f"{path} is for its owner only"


def key(asked: Asked) -> Iterator[Result]:
    if home_files.key_missing(asked.home):
        words = "the signing key or its public half is missing: no checkpoint can be signed"
        yield Result("key", "fail", words, "levaithan doctor --fix", partial(home_files.make_key, asked.home))
        return
    path = Path(settings.load(asked.home.root).signing_key_path)
    try:
        found = seal.load_key(str(path))
    except seal.KeyUnusable as problem:
        closed = path.is_file() and stat.S_IMODE(path.stat().st_mode) != 0o600
        yield Result("key", "fail", problem.message, problem.fix, partial(_private, path) if closed else None)
        return
    mend = partial(home_files.publish_key, asked.home, found)
    try:
        known = seal.public_keys(Path(asked.home.keys, "journal.pub").read_bytes())
    except (OSError, ValueError) as problem:
        yield Result("key", "fail", f"keys/journal.pub cannot be used ({problem})", "levaithan doctor --fix", mend)
        return
    if found.id in known:
        yield Result("key", "ok", f"key {found.id}")
    else:
        words = f"keys/journal.pub lacks the public half of key {found.id}: `journal verify` doubts what it signs"
        remedy = "levaithan doctor --fix, which adds it below the old ones; or restore the key of old from a backup"
        yield Result("key", "fail", words, remedy, mend)


def socket_folder(asked: Asked) -> Iterator[Result]:
    run, mend = Path(asked.home.run), partial(home_folders.make_folders, asked.home)
    if not run.is_dir() or run.is_symlink():
        yield Result("socket", "fail", f"{run} is no folder of its own", "levaithan doctor --fix", mend)
    elif run.stat().st_uid != os.getuid():
        yield Result("socket", "fail", f"{run} is somebody else's", f"remove {run}, then levaithan restart")
    elif run.stat().st_mode & 0o777 != 0o700:
        yield Result("socket", "fail", f"{run} is open to others, or closed to us", "levaithan doctor --fix", mend)
    else:
        yield Result("socket", "ok", f"{run} is private")


def disk(asked: Asked) -> Iterator[Result]:
    free = shutil.disk_usage(asked.home.root).free
    inodes = os.statvfs(asked.home.root)
    words = f"{free / (1 << 30):.1f} GiB free"
    remedy = "make room, or lower LEVAITHAN_JOURNAL_MAX_BYTES"
    if inodes.f_files and not inodes.f_favail:
        yield Result("disk", "fail", "no file can be made any more (no inodes are free)", "remove files on that disk")
    elif free < LITTLE_DISK:
        yield Result("disk", "fail" if free < NO_DISK else "warn", words, remedy)
    else:
        yield Result("disk", "ok", words)


def clock(asked: Asked) -> Iterator[Result]:
    now = time.time()
    remedy = "set the clock (timedatectl set-ntp true; macOS: System Settings, Date & Time)"
    if now < _EARLIEST:
        yield Result("clock", "fail", f"it is {segments.now()} here: the clock was never set", remedy)
        return
    newest = _newest(asked.home.journal)
    if newest - now > _DRIFT_S:
        words = f"the journal was written {newest - now:.0f} s in the future: the clock was set back"
        yield Result("clock", "warn", words, remedy)
    else:
        yield Result("clock", "ok", segments.now())


def _newest(journal: str) -> float:
    """When the journal was written last; 0 for an empty one."""
    try:
        names = segments.listing(journal)[0]
        return Path(journal, names[-1]).stat().st_mtime if names else 0.0
    except OSError:
        return 0.0


CHECKS = {
    "home": folders,
    "files": files,
    "settings": env_file,
    "hot.conf": conf,
    "python": python,
    "client": client,
    "key": key,
    "socket": socket_folder,
    "disk": disk,
    "clock": clock,
}
