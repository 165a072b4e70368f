"""The monitor's status on a disk that takes nothing: one that works must not be taken for one that hangs."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from levaithan.hot.paths import ensure_private, home_at
from levaithan.monitor import status


def made(tmp_path: Path) -> tuple[status.Status, Path]:
    home = home_at(str(tmp_path / "h"))
    for folder in (home.root, home.run):
        ensure_private(folder)
    parts: Any = SimpleNamespace(
        settings=SimpleNamespace(monitor_interval_s=5), tell=lambda: {"listening": "", "troubles": {}}
    )
    return status.Status(home, parts), status.path_of(home)


def test_it_is_replaced_whole(tmp_path: Path) -> None:
    one, path = made(tmp_path)
    one.write("watching")
    told = json.loads(path.read_bytes())
    assert (told["doing"], told["pid"], told["listening"]) == ("watching", os.getpid(), "")
    assert os.listdir(path.parent) == ["monitor.json"]


def test_where_the_disk_is_full_it_still_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, path = made(tmp_path)
    one.write("watching")
    before = path.read_bytes()
    os.utime(path, (1_000_000_000, 1_000_000_000))

    def full(self: Path, _data: bytes) -> NoReturn:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    one.write("watching")
    assert path.stat().st_mtime > 1_000_000_000
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["monitor.json"], "no half of it is left"
    path.unlink()
    one.write("watching")  # and where there is none yet, that is no failure either
    assert os.listdir(path.parent) == []


def test_a_trouble_is_a_line_in_the_log_when_it_begins_and_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by a new user: `status` named the log, and the log had no word of it. What is asked each half minute, and
    fails in other words each time, must not fill it."""
    one, _path = made(tmp_path)
    now = [0.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    for second in range(0, 700, 5):
        now[0] = float(second)
        one.parts.tell = lambda second=second: {"troubles": {"elsewhere": f"no answer,\n try {second}"}}  # type: ignore
        one.write("watching")
    one.parts.tell = lambda: {"troubles": {}}  # type: ignore[method-assign]
    one.write("watching")
    one.write("watching")
    told = [f"elsewhere: no answer, try {second}" for second in (0, 300, 600)]
    assert capsys.readouterr().err.splitlines() == [*told, "elsewhere: well again"]
