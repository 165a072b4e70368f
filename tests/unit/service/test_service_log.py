"""The log: JSON lines without secrets, bounded, and never a reason to stop."""

from __future__ import annotations

import json
import os
from pathlib import Path

from levaithan.service.log import RotatingFile, make


def test_lines_are_json_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    say = make(RotatingFile(str(path), 1 << 20, 2))
    say("a thing", level="error", error="token ghp_0123456789abcdefABCDEF0123456789abcd", number=3, odd={"a": ["x"]})
    say("lone \ud800", obj=object())
    say("not said", level="debug")
    lines = path.read_text().splitlines()
    first = json.loads(lines[0])
    assert (first["event"], first["level"], first["number"], first["odd"]) == ("a thing", "error", 3, {"a": ["x"]})
    assert "ghp_" not in lines[0]
    assert "[redacted:" in lines[0]
    assert len(lines) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_rotated_and_bounded(tmp_path: Path) -> None:
    file = RotatingFile(str(tmp_path / "service.log"), 1000, 2)
    for number in range(100):
        file.write(b"%099d\n" % number)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"service.log", "service.log.1", "service.log.2"}
    assert max(sizes.values()) <= 1000
    assert (tmp_path / "service.log").read_bytes().endswith(b"99\n")
    assert int((tmp_path / "service.log.1").read_bytes()[-100:]) < 99


def test_without_backups_only_one_file_is_kept(tmp_path: Path) -> None:
    file = RotatingFile(str(tmp_path / "service.log"), 500, 0)
    for _ in range(20):
        file.write(b"x" * 99 + b"\n")
    assert [path.name for path in tmp_path.iterdir()] == ["service.log"]
    assert (tmp_path / "service.log").stat().st_size <= 500


def test_what_cannot_be_written_is_counted(tmp_path: Path) -> None:
    file = RotatingFile(str(tmp_path / "gone" / "service.log"), 1000, 2)
    file.write(b"x\n")
    os.symlink("/dev/null", tmp_path / "link")
    linked = RotatingFile(str(tmp_path / "link"), 1000, 2)
    linked.write(b"x\n")
    assert (file.lost, linked.lost) == (1, 1)


def test_endless_texts_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    make(RotatingFile(str(path), 1 << 20, 2))("long", text="y" * 100_000)
    assert len(path.read_bytes()) < 10_000
