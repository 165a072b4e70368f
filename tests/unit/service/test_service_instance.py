"""One service a home: the lock, what may lie in the place of its files, and noticing that the ground went."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from levaithan.hot import paths
from levaithan.service import instance, lifecycle
from levaithan.service.instance import Instance
from levaithan.service.problems import AlreadyRunning, NotStopped, RunFolderUnusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    (tmp_path / "h").mkdir()
    return paths.home_at(str(tmp_path / "h"))


def test_the_second_is_told_who_is_first(bare: Home) -> None:
    first = Instance(bare)
    first.claim()
    assert instance.running(bare)
    with pytest.raises(AlreadyRunning) as told:
        Instance(bare).claim()
    assert told.value.pid == os.getpid()
    assert str(os.getpid()) in str(told.value)
    first.leave()
    assert not instance.running(bare)
    Instance(bare).claim()


def test_a_lock_is_let_go_however_its_holder_dies(bare: Home) -> None:
    code = (
        "import os, sys\nfrom levaithan.hot.paths import home_at\nfrom levaithan.service.instance import Instance\n"
        "Instance(home_at(sys.argv[1])).claim()\nos.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, bare.root], check=False).returncode == -9
    assert instance.named_pid(bare) is not None
    assert not instance.running(bare)
    killed, next_one = instance.left_by(bare), Instance(bare)
    next_one.claim()
    assert killed is not None
    assert next_one.unclean == killed
    next_one.leave()
    last = Instance(bare)
    last.claim()
    assert last.unclean is None, "it left"


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "kept").write_text("x")


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _socket(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()


@pytest.mark.parametrize("name", ["service.lock", "hook.sock", "service.json"])
@pytest.mark.parametrize(
    "put",
    [_folder, _link, _socket, os.mkfifo, lambda path: path.write_bytes(b"\xff garbage"), lambda path: path.touch()],
    ids=["folder", "link", "socket", "pipe", "garbage", "empty"],
)
def test_whatever_is_in_the_way_is_moved_aside(bare: Home, name: str, put: Callable[[Path], None]) -> None:
    paths.ensure_private(bare.run)
    put(Path(bare.run, name))
    one = Instance(bare)
    one.claim()
    listener = one.listen()
    one.tell()
    assert json.loads(Path(bare.run, "service.json").read_bytes())["pid"] == os.getpid()
    assert one.lost() == ""
    client = socket.socket(socket.AF_UNIX)
    client.connect(bare.socket)
    client.close()
    one.leave()
    listener.close()
    assert not Path(bare.socket).exists()
    if put is _folder:
        assert list(Path(bare.run).glob(f"{name}.aside-*/kept"))


@pytest.mark.parametrize("what", ["root", "run", "socket", "lock"])
@pytest.mark.parametrize("how", ["gone", "replaced"])
def test_it_notices_that_its_ground_went(bare: Home, what: str, how: str) -> None:
    one = Instance(bare)
    one.claim()
    listener = one.listen()
    places = {"root": bare.root, "run": bare.run, "socket": bare.socket, "lock": str(instance.lock_path(bare))}
    path = Path(places[what])
    kept = path.with_name("elsewhere")
    path.rename(kept)
    if how == "replaced":
        shutil.copytree(kept, path, ignore=lambda *_: ["hook.sock"]) if kept.is_dir() else path.touch()
    assert one.lost()
    one.leave()
    listener.close()


def test_leaving_does_not_take_the_next_ones_files(bare: Home) -> None:
    one = Instance(bare)
    one.claim()
    listener = one.listen()
    os.unlink(bare.socket)
    Path(bare.socket).write_text("the next one's")
    one.leave()
    listener.close()
    assert Path(bare.socket).exists()
    one.leave()


def test_a_run_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "run").write_text("a file")
    with pytest.raises(RunFolderUnusable) as told:
        Instance(paths.home_at(str(tmp_path / "h"))).claim()
    assert str(tmp_path / "h" / "run") in told.value.fix


def test_no_foreign_process_is_ever_ended(bare: Home) -> None:
    """The lock names a process that is none of ours: it must live."""
    innocent = subprocess.Popen(["sleep", "30"])
    first = Instance(bare)
    first.claim()
    try:
        instance.lock_path(bare).write_text(str(innocent.pid))
        assert lifecycle.holder(bare) is None
        with pytest.raises(NotStopped):
            lifecycle.stop(bare, wait_s=0.2)
        for said in ("1", "0", "-1", "99999999999", "x", ""):
            instance.lock_path(bare).write_text(said)
            assert lifecycle.holder(bare) is None
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()
        first.leave()
