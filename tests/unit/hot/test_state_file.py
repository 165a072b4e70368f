"""A state file: of many processes that change it at once none loses what another did; damage is set aside and said."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import kept
from levaithan.hot.state_file import StateFile


def _count(path: str, times: int) -> None:
    file = StateFile(path)

    def one_more(value: dict[str, Any]) -> bool:
        value["n"] = value.get("n", 0) + 1
        return True

    for _ in range(times):
        file.change(one_more)


def test_no_change_is_lost(tmp_path: Path) -> None:
    path = str(tmp_path / "s" / "count.json")
    workers = [multiprocessing.get_context("fork").Process(target=_count, args=(path, 200)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert StateFile(path).look() == {"n": 1600}


def test_threads_of_one_process_wait_for_each_other_from_the_first_change_on(tmp_path: Path) -> None:
    """The monitor breaks the circuits of several stores at once, each in a thread: two that opened the lock together
    held it for ever, and two that held it together lost what one of them had written."""
    for number in range(20):
        file = StateFile(str(tmp_path / f"{number}.json"))
        start = threading.Barrier(4)

        def add(name: str, file: StateFile = file, start: threading.Barrier = start) -> None:
            start.wait()
            for count in range(5):
                file.change(lambda kept: kept.update({f"{name}{count}": True}) or True)  # noqa: B023

        threads = [threading.Thread(target=add, args=(name,), daemon=True) for name in "abcd"]
        for one in threads:
            one.start()
        for one in threads:
            one.join(10)
        assert not any(one.is_alive() for one in threads)
        assert len(file.look()) == 20


def test_what_another_process_wrote_is_seen(tmp_path: Path) -> None:
    one, other = StateFile(str(tmp_path / "a.json")), StateFile(str(tmp_path / "a.json"))
    assert one.look() == {}
    other.change(lambda value: value.update(a=1) or True)
    assert one.look() == {"a": 1}
    one.change(lambda value: value.update(b=2) or True)
    assert other.look() == {"a": 1, "b": 2}


def test_nobody_sees_half_of_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process sees the file before it is put in its place, or behind; a thread of the one that changes it, too."""
    file, other = StateFile(str(tmp_path / "a.json")), StateFile(str(tmp_path / "a.json"))
    file.change(lambda value: value.update(a=1, of={"b": 1}) or True)
    before, seen = file.look(), []
    replace = os.replace
    monkeypatch.setattr(kept.os, "replace", lambda *names: (seen.append(other.look()), replace(*names)))

    def both(value: dict[str, Any]) -> bool:
        value["a"] = 2
        seen.append(file.look())
        value["of"]["b"] = 2
        seen.append(file.look())
        return True

    file.change(both)
    assert seen == [before, before, before] == [{"a": 1, "of": {"b": 1}}] * 3
    assert file.look() == other.look() == {"a": 2, "of": {"b": 2}}


def test_a_failed_change_leaves_no_trace(tmp_path: Path) -> None:
    file = StateFile(str(tmp_path / "a.json"))
    file.change(lambda value: value.update(a=1) or True)

    def half(value: dict[str, Any]) -> bool:
        value["a"] = 2
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        file.change(half)
    assert file.look() == {"a": 1} == StateFile(file.path).look()


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00" * 100, b'{"sha256":"00","kept":{}}'])
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, damage: bytes) -> None:
    file = StateFile(str(tmp_path / "a.json"))
    file.change(lambda value: value.update(a=1) or True)
    Path(file.path).write_bytes(damage)
    file.change(lambda value: value.update(b=1) or True)
    assert StateFile(file.path).look() == {"b": 1}
    assert "damaged" in file.found
    assert Path(file.path + ".damaged").read_bytes() == damage


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    file = StateFile(str(tmp_path / "a.json"))
    file.change(lambda value: None)
    assert not Path(file.path).exists()


def test_a_state_file_that_is_gone_has_let_go_of_its_lock(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(50):
        StateFile(str(tmp_path / f"{number}.json")).change(lambda value: value.update(a=1) or True)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_change_goes_by_the_file_and_not_by_its_stamp(tmp_path: Path) -> None:
    """Within one tick of the clock another's file can have the same time and size, and a freed inode."""
    one, other = StateFile(str(tmp_path / "a.json")), StateFile(str(tmp_path / "b.json"))
    one.change(lambda value: value.update(n=1) or True)
    other.change(lambda value: value.update(n=2) or True)
    seen = os.stat(one.path)
    Path(one.path).write_bytes(Path(other.path).read_bytes())
    os.utime(one.path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    one.change(lambda value: value.update(m=value["n"] + 1) or True)
    assert one.look() == {"n": 2, "m": 3}
