"""Settings files that somebody prepared, and writers that come in at the worst moment: nothing of theirs is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from levaithan.errors import InstallError
from levaithan.hot.paths import Home
from levaithan.install import hooks, listing, registry
from levaithan.install.places import Place

BOM = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """A pipe that is waited for would hang the run."""

    def late(*_: object) -> None:
        raise TimeoutError("it waits for a pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _place(project: Path, data: bytes | None = None) -> tuple[Place, Path]:
    file = project / ".claude" / "settings.json"
    file.parent.mkdir()
    if data is not None:
        file.write_bytes(data)
    return hooks.place_of(str(project)), file


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", BOM, BOM + b"\n"])
def test_an_empty_file_is_an_empty_object_and_comes_back_empty(home: Home, project: Path, data: bytes) -> None:
    place, file = _place(project, data)
    hooks.install(home, place)
    assert b'"PreToolUse"' in file.read_bytes()
    hooks.uninstall(home, place)
    assert file.read_bytes() == data
    assert hooks.uninstall(home, place).what == "unchanged"


def test_what_is_no_file_is_neither_waited_for_nor_replaced(home: Home, project: Path) -> None:
    place, file = _place(project)
    os.mkfifo(file)
    for change in (hooks.install, hooks.uninstall):
        with pytest.raises(InstallError, match="no regular file"):
            change(home, place)
    assert file.is_fifo()


def test_a_pipe_in_a_registered_place_is_said_by_the_readers_too(home: Home, project: Path) -> None:
    place, file = _place(project, b"{}")
    hooks.install(home, place)
    file.unlink()
    os.mkfifo(file)
    assert any("no regular file" in row["problem"] for row in listing.validate(home, str(project)))
    assert [row["status"] for row in listing.installed(home)] == ["fail"]


def test_a_link_to_a_device_is_refused(home: Home, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, a new file put in the device's place would be everybody's trouble."""
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("the device was replaced"))
    place, file = _place(project)
    file.symlink_to("/dev/null")
    with pytest.raises(InstallError, match="no regular file"):
        hooks.install(home, place)


def test_a_writer_between_the_last_look_and_the_rename_is_not_overwritten(
    home: Home, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was compared before the new one was on the disk, and a sync takes long enough for a click."""
    place, file = _place(project, b'{"model": "x"}\n')
    theirs = [b'{"model": "y"}\n']
    real = os.fsync

    def slow(descriptor: int) -> None:
        real(descriptor)
        made = list(file.parent.glob(".levaithan-*"))
        if made and theirs:
            file.write_bytes(theirs.pop())

    monkeypatch.setattr(os, "fsync", slow)
    hooks.install(home, place)
    written = file.read_text()
    assert '"model": "y"' in written and '"PreToolUse"' in written
    hooks.uninstall(home, place)
    assert file.read_bytes() == b'{"model": "y"}\n'
    assert not list(file.parent.glob(".levaithan-*"))


def test_an_install_that_failed_keeps_no_copy(home: Home, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings may hold keys; a copy of them is kept only as long as it is needed."""
    place, file = _place(project, b'{"env": {"K": "v"}}')
    real = registry.write_whole

    def broken(path: str, *more: object, **named: object) -> bool:
        if path == os.path.realpath(file):
            raise InstallError(path=path, reason="no", fix="no")
        return real(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(registry, "write_whole", broken)
    with pytest.raises(InstallError):
        hooks.install(home, place)
    assert list(Path(home.state, "backups").iterdir()) == []
    assert registry.load(home) == {}


_DIES = """
import os, sys
from levaithan.hot import paths
from levaithan.install import hooks, listing, registry
home, project = paths.home_at(sys.argv[1]), sys.argv[2]
real = registry.write_whole
def dies(path, *more, **named):
    if path.startswith(project):
        os._exit(9)
    return real(path, *more, **named)
registry.write_whole = dies
hooks.install(home, hooks.place_of(project))
"""
TEXTS = [
    b'{"a": 1}',
    BOM + b'{"a":1}',
    b'{\r\n\t"hooks": {"Stop": []}\r\n}\r\n',
    b'{"\\u0068ooks":{"Pre\\u0054oolUse":[]}}',
    b"",
]


@pytest.mark.parametrize("data", TEXTS, ids=range(len(TEXTS)))
def test_a_crash_before_the_rename_costs_no_byte(home: Home, project: Path, data: bytes) -> None:
    place, file = _place(project, data)
    done = subprocess.run([sys.executable, "-c", _DIES, home.root, str(project)], capture_output=True, check=False)
    assert done.returncode == 9, done.stderr
    assert file.read_bytes() == data
    assert hooks.uninstall(home, place).what == "unchanged"
    subprocess.run([sys.executable, "-c", _DIES, home.root, str(project)], capture_output=True, check=False)
    hooks.install(home, place)
    hooks.uninstall(home, place)
    assert file.read_bytes() == data
