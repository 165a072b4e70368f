"""Mounts of a test's own: a function of a test module, run as root of a user and mount namespace, on a small disk.

A disk that is really full or really read-only is a mount, and a mount needs a namespace. Where the kernel gives none
the test is skipped with a warning, or fails when LEVAITHAN_REQUIRE_NAMESPACES=1 says that they must be there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
_CALL = (
    "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
    "getattr(importlib.import_module(sys.argv[2]), sys.argv[3])(*sys.argv[4:])"
)


def in_namespace(script: str, *arguments: str) -> str:
    """Run a shell script as root of a user and mount namespace of its own; what it printed. It must exit 0."""
    return _run(["sh", "-c", script, "sh", *arguments])


def inside(function: Callable[..., None], *arguments: str) -> str:
    """Call `function` of a test module in a namespace, in a process of its own; what it printed. It must not raise."""
    module = Path(function.__code__.co_filename).relative_to(ROOT).with_suffix("")
    return _run([sys.executable, "-c", _CALL, str(ROOT), ".".join(module.parts), function.__name__, *arguments])


def inside_with_disks(function: Callable[..., None], *arguments: str) -> str:
    """As `inside`, but as the real root, who may mount the file system that is in a file (see `disk_in_a_file`)."""
    module = Path(function.__code__.co_filename).relative_to(ROOT).with_suffix("")
    probe = "truncate -s 8m d && mkfs.ext4 -q d && mkdir m && mount -o loop d m"
    with tempfile.TemporaryDirectory() as folder:
        given = subprocess.run(["unshare", "-m", "sh", "-c", probe], cwd=folder, check=False, capture_output=True)
    if given.returncode:
        _missing("no file system in a file can be mounted here (unshare -m; mount -o loop): NO power cut is tested")
    command = [sys.executable, "-c", _CALL, str(ROOT), ".".join(module.parts), function.__name__, *arguments]
    return _done(["unshare", "-m", *command])


def disk_in_a_file(image: Path, folder: Path, *, size: str = "") -> Path:
    """Mount the ext4 that is in `image` on `folder`, both made when `size` (such as 200m) is given; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if size:
        subprocess.run(["truncate", "-s", size, str(image)], check=True)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    return folder


def _run(command: list[str]) -> str:
    needed()
    return _done(["unshare", "-rm", *command])


def _done(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    if done.returncode:
        pytest.fail(f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}", pytrace=False)
    return done.stdout


def needed() -> None:
    """Skip, or fail, loudly where there are no namespaces."""
    if shutil.which("unshare"):
        given = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/tmp"], check=False)
        if given.returncode == 0:
            return
    _missing("no user namespaces here (unshare -rm): the full and the read-only disk are NOT tested on a real mount")


def _missing(why: str) -> NoReturn:
    if os.environ.get("LEVAITHAN_REQUIRE_NAMESPACES") == "1":
        pytest.fail(f"LEVAITHAN_REQUIRE_NAMESPACES asks for them, but there are {why}", pytrace=False)
    warnings.warn(why.upper(), stacklevel=2)
    pytest.skip(why)


def small_disk(folder: str, size: str) -> Path:
    """Mount an empty disk of `size` (such as 16m) on `folder`, seen in this namespace only."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    return Path(folder)


def outside_of_homes() -> None:
    """A place of this namespace's own for what homes keep in /tmp, so that nothing of a test is left there."""
    small_disk(f"/tmp/levaithan-{os.getuid()}", "4m")


def remount(folder: str | Path, mode: str) -> None:
    """Make a disk of `small_disk` `ro` or `rw`."""
    # Its source is named so that mount says none of its options again: an ordinary user's disk has a `uid=`, which the
    # kernel takes from nobody inside of the namespace.
    subprocess.run(["mount", "-o", f"remount,{mode}", "none", str(folder)], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Fill the disk with one file to the last byte, or but for `leave` bytes; the file."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    if leave:
        os.truncate(filler, filler.stat().st_size - leave)
    return filler


@contextlib.contextmanager
def full(disk: Path, *, leave: int = 0) -> Iterator[Path]:
    """A full disk for the length of a block."""
    filler = fill(disk, leave=leave)
    try:
        yield filler
    finally:
        filler.unlink(missing_ok=True)


def without_a_disk() -> NoReturn:
    """Skip, or fail, loudly where no small disk can be mounted for a server."""
    why = (
        "this user may mount no small disk: a full disk is NOT tested on the store's server. "
        "next: run as root, or name one in LEVAITHAN_TEST_SERVER_FOLDER"
    )
    if os.environ.get("LEVAITHAN_REQUIRE_NAMESPACES") == "1":
        pytest.fail(f"LEVAITHAN_REQUIRE_NAMESPACES asks for it, but {why}", pytrace=False)
    pytest.skip(why)
