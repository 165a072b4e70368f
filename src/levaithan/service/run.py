"""Serves a home in this process, in the foreground: `run` is what `levaithan serve` and `python -m` call."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.errors import NotConfigured
from levaithan.service.instance import Instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.config.settings import Settings
    from levaithan.hot.paths import Home
    from levaithan.service.app import App

_FILES = 4096


def run(home: Home, settings: Settings | None = None, on_ready: Callable[[App], None] | None = None) -> int:
    """Serve `home` until SIGTERM, SIGINT, SIGHUP, op=stop, or until its folder goes; gives the exit code.

    `on_ready` is called once the socket listens. Raises AlreadyRunning, RunFolderUnusable, NotConfigured and what
    loading the settings raises.
    """
    if not Path(home.root).is_dir():
        raise NotConfigured(f"There is no home at {home.root}.", fix="run ./setup.sh (or `levaithan setup`)")
    os.umask(0o077)
    _allow_files()
    instance = Instance(home)
    instance.claim()  # before everything that is slow
    try:
        return _serve(home, settings, instance, on_ready)
    finally:
        instance.leave()


def _serve(home: Home, settings: Settings | None, instance: Instance, on_ready: Callable[[App], None] | None) -> int:
    import uvloop  # noqa: PLC0415 - after the claim: the losers of fifty starts need none of it

    from levaithan.config import settings as settings_of  # noqa: PLC0415
    from levaithan.hot.paths import ensure_private  # noqa: PLC0415
    from levaithan.service import turns  # noqa: PLC0415
    from levaithan.service.app import App  # noqa: PLC0415

    # A hook is one short connection: handing its descriptor to epoll through io_uring costs more than it saves.
    os.environ.setdefault("UV_USE_IO_URING", "0")
    turns.short()  # before any thread: they inherit it
    chosen = settings or settings_of.load(home.root)
    for folder in (home.logs, home.state):
        with_folder(folder, ensure_private)

    async def life() -> int:
        return await App(home, chosen, instance).run(on_ready)

    return uvloop.run(life())


def _allow_files() -> None:
    """As many open files as the bound on connections needs: macOS begins with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def with_folder(folder: str, make: Callable[[str], None]) -> None:
    """Make a folder of the home when it can be made; a home that cannot be written still gets decisions."""
    try:
        make(folder)
    except OSError:
        return
