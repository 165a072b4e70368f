"""A home's folders, and which home is in force."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from levaithan.hot import hotconf, lockfile, paths


def test_the_argument_beats_the_environment_and_the_environment_the_rest(tmp_path: Path) -> None:
    environ = {"LEVAITHAN_HOME": str(tmp_path / "env"), "XDG_STATE_HOME": str(tmp_path / "xdg")}
    assert paths.find_home(str(tmp_path / "arg"), environ).root == str(tmp_path / "arg")
    assert paths.find_home(None, environ).root == str(tmp_path / "env")


def test_a_checkout_is_its_own_home_and_a_wheel_uses_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clone/.claude/context").mkdir(parents=True)
    monkeypatch.setattr(paths, "source_folder", lambda: str(tmp_path / "clone/src"))
    assert paths.find_home(None, {}).root == str(tmp_path / "clone/.claude")
    monkeypatch.setattr(paths, "source_folder", lambda: str(tmp_path / "site-packages"))
    assert paths.find_home(None, {"XDG_STATE_HOME": str(tmp_path)}).root == str(tmp_path / "levaithan")


def test_a_long_home_gets_a_short_socket_of_its_own(tmp_path: Path) -> None:
    short = paths.run_dir("/h")
    long = paths.run_dir("/" + "x" * 120)
    assert short == "/h/run"
    assert long != paths.run_dir("/" + "y" * 120)
    assert len(long + "/hook.sock") <= paths.SOCKET_PATH_LIMIT


def test_fnv1a64_matches_its_published_vectors() -> None:
    assert paths.fnv1a64(b"") == "cbf29ce484222325"
    assert paths.fnv1a64(b"foobar") == "85944171f73967e8"


def test_a_private_folder_is_closed_to_others_and_never_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    for mode in (0o755, 0o500, 0):
        folder.chmod(mode)
        paths.ensure_private(str(folder))
        assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(PermissionError):
        paths.ensure_private(str(tmp_path / "link"))


def test_a_lock_is_a_regular_file_whatever_was_there(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    puts = (
        Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.name), lambda path: path.symlink_to("/etc/hostname"),
        lambda path: path.touch(mode=0), lambda path: path.write_text("kept"),
    )  # fmt: skip
    for put in puts:
        lock.unlink(missing_ok=True)
        put(lock)
        descriptor = lockfile.open_lock(str(lock))
        os.close(descriptor)
        assert stat.S_ISREG(lock.lstat().st_mode)
    assert lock.read_text() == "kept"
    assert len(list(tmp_path.glob("some.lock.aside-*"))) == 4
    with pytest.raises(FileNotFoundError):
        lockfile.open_lock(str(tmp_path / "none" / "x"))


def test_hot_conf_ignores_what_is_wrong_and_says_it(tmp_path: Path) -> None:
    file = tmp_path / "hot.conf"
    file.write_bytes(b"wait_ms=12\nfsync=sometimes\nsegment_bytes=-4\nnew_key=1\n\xff\xfe\npython=/usr/bin/python3\n")
    conf = hotconf.read(str(file))
    assert (conf.wait_ms, conf.fsync, conf.segment_bytes, conf.python) == (12, "always", 64 << 20, "/usr/bin/python3")
    assert len(conf.problems) == 2
    assert hotconf.read(str(tmp_path / "none")).problems == []
    assert hotconf.read(str(tmp_path)).problems[0].endswith("run `levaithan doctor --fix`")
