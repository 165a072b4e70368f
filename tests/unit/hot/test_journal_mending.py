"""What a crash, a full disk, a hand or a failing disk leaves behind: mended or gone around, and said."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_by_hand import events, folder, item, new_home, records, writer

from levaithan.hot import gap, lines, segments
from levaithan.hot.journal import JournalError

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("cut", [1, 2, 30, 64, 65, 100, 150])
def test_a_torn_tail_is_moved_aside_and_said_and_a_whole_last_line_is_kept(home, cut) -> None:
    writer(home).append([item(1), item(2), item(3)])
    path = folder(home) / segments.name_of(1)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    journal = writer(home)
    journal.open()
    assert journal.found
    journal.append([item(4)])
    told = [one for one in records(home) if one["kind"] == "repair"]
    assert len(told) == 1
    if cut == 1:
        assert events(home) == [1, 2, 3, 4]
        assert told[0]["what"] == "line-feed"
    else:
        assert events(home) == [1, 2, 4]
        kept = folder(home) / told[0]["file"]
        assert kept.read_bytes() == data[len(data) - len(data.splitlines(keepends=True)[-1]) : -cut]
        assert told[0]["bytes"] == len(kept.read_bytes())


def test_zeros_at_the_end_and_an_empty_last_segment(home) -> None:
    writer(home).append([item(1)])
    path = folder(home) / segments.name_of(1)
    path.write_bytes(path.read_bytes() + bytes(100_000))
    (folder(home) / segments.name_of(3)).touch()
    (folder(home) / segments.name_of(900)).touch()
    journal = writer(home)
    journal.append([item(2)])
    assert events(home) == [1, 2]
    assert not (folder(home) / segments.name_of(900)).exists()
    assert any("zeros" in words for words in journal.found)
    assert not (folder(home) / "torn").exists()


def test_a_torn_header_begins_the_segment_again(home) -> None:
    journal = writer(home, segment_bytes=600)
    for number in range(1, 9):
        journal.append([item(number)])
    path = sorted(folder(home).glob("journal-*"))[-1]
    path.write_bytes(path.read_bytes()[:40])
    before = [
        json.loads(line[65:])
        for one in sorted(folder(home).glob("journal-*"))[:-1]
        for line in one.read_bytes().splitlines()
    ]
    fresh = writer(home)
    fresh.append([item(99)])
    assert events(home) == [int(one["id"], 16) for one in before if one["kind"] == "event"] + [99]


@pytest.mark.parametrize("where", ["hash", "body", "space", "number"])
def test_a_damaged_last_line_is_left_and_a_new_segment_goes_on(home, where) -> None:
    writer(home).append([item(1), item(2)])
    path = folder(home) / segments.name_of(1)
    data = path.read_bytes()
    begin = data.rindex(b"\n", 0, -1) + 1
    at = begin + {"hash": 5, "body": 100, "space": 64, "number": 72}[where]
    damaged = data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]
    path.write_bytes(damaged)
    journal = writer(home)
    journal.append([item(3)])
    assert path.read_bytes() == damaged
    new = folder(home) / segments.name_of(4)
    header, event = (json.loads(line[65:]) for line in new.read_bytes().splitlines())
    assert header["seq"] == 4 and "hash" in header["damage"] and int(event["id"], 16) == 3
    stated = damaged[begin : begin + 64]
    expected = hashlib.sha256(damaged).hexdigest() if where in ("space",) or not _hex(stated) else stated.decode()
    assert header["prev"] == expected
    again = writer(home)
    again.append([item(4)])
    assert again.found == []


def _hex(text: bytes) -> bool:
    return all(one in b"0123456789abcdef" for one in text)


def test_strange_things_in_the_folder_are_said_and_survived(home) -> None:
    writer(home).append([item(1)])
    (folder(home) / "notes.txt").write_text("mine")
    (folder(home) / "torn").write_text("also mine")
    (folder(home) / "journal-1.log").write_text("not mine")
    (folder(home) / segments.name_of(5 * 10**18)).write_bytes(b"garbage\nand more\n")
    os.mkfifo(folder(home) / segments.name_of(3))
    (folder(home) / segments.name_of(4)).mkdir()
    (folder(home) / segments.name_of(6)).symlink_to("/etc/passwd")
    journal = writer(home)
    journal.append([item(2)])
    assert len(journal.found) >= 5
    for path in list(folder(home).glob("journal-*")):
        assert path.is_file() and not path.is_symlink()
    (folder(home) / "journal-1.log").unlink()
    assert events(home) == [1, 2]
    assert (folder(home) / "torn" / segments.name_of(5 * 10**18)).read_bytes() == b"garbage\nand more\n"
    assert next(folder(home).glob("torn.aside-*")).read_text() == "also mine"


def test_an_unreadable_last_segment_is_made_readable(home) -> None:
    writer(home).append([item(1)])
    (folder(home) / segments.name_of(1)).chmod(0)
    writer(home).append([item(2)])
    assert events(home) == [1, 2]


def test_a_missing_middle_segment_does_not_stop_the_writer(home) -> None:
    journal = writer(home, segment_bytes=600)
    for number in range(1, 20):
        journal.append([item(number)])
    sorted(folder(home).glob("journal-*"))[1].unlink()
    journal.append([item(20)])
    fresh = writer(home)
    assert (
        fresh.append([item(21)])[0].seq
        == json.loads(sorted(folder(home).glob("journal-*"))[-1].read_bytes().splitlines()[-1][65:])["seq"]
    )


def test_the_folder_removed_is_made_again_the_home_removed_is_an_error(home) -> None:
    journal = writer(home)
    last = journal.append([item(1), item(2)])[-1]
    shutil.rmtree(folder(home))
    done = journal.append([item(3)])
    assert done[0].seq > last.seq
    assert any("was not there and was made" in words for words in journal.found)
    header = json.loads(next(folder(home).glob("journal-*")).read_bytes().splitlines()[0][65:])
    assert header["prev"] == last.hash and "cut off" in header["damage"]
    shutil.rmtree(home)
    with pytest.raises(JournalError) as caught:
        journal.append([item(4)])
    assert caught.value.reason == "missing" and "levaithan setup" in str(caught.value)
    assert not home.exists()


def test_another_journal_in_the_folders_place_is_continued(home, tmp_path) -> None:
    journal = writer(home)
    journal.append([item(number) for number in range(1, 9)])
    other = tmp_path / "other"
    (other / "state").mkdir(parents=True)
    writer(other).append([item(100)])
    shutil.rmtree(folder(home))
    shutil.copytree(folder(other), folder(home))
    journal.append([item(101)])
    assert events(home) == [100, 101]
    assert any("replaced by another one" in words for words in journal.found)


def test_a_journal_that_another_process_begins_is_no_other_one(home) -> None:
    waiting = writer(home)
    waiting.open()
    assert waiting.journal == "", "nobody has begun it"
    first = writer(home)
    first.append([item(1)])
    waiting.append([item(2)])
    assert events(home) == [1, 2]
    assert waiting.journal == first.journal != ""
    assert not any("replaced" in words for words in waiting.found)


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EROFS, "readonly"), (errno.EIO, "io")]
)
def test_a_write_that_fails_halfway_leaves_nothing_and_is_counted(home, monkeypatch, number, reason) -> None:
    journal = writer(home)
    journal.append([item(1)])
    before = (folder(home) / segments.name_of(1)).read_bytes()
    real, calls = os.write, []

    def half(descriptor: int, data: bytes) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(number, "no")
        return real(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(lines.os, "write", half)
        with pytest.raises(JournalError) as caught:
            journal.append([item(2), item(3)])
    assert caught.value.reason == reason
    assert (folder(home) / segments.name_of(1)).read_bytes() == before
    assert gap.read(journal.gap).dropped == 2
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(lines.os, "write", lambda *_: (_ for _ in ()).throw(OSError(number, "no")))
            with pytest.raises(JournalError):
                journal.append([item(4), ("", lambda *_: b'{"kind":"checkpoint"}')])
    writer(home).append([item(5)])
    told = records(home)
    assert [one["kind"] for one in told] == ["segment", "event", "gap", "event"]
    assert told[2]["dropped"] == 4 and told[2]["reason"] == reason and told[2]["first_at"] <= told[2]["last_at"]
    assert gap.read(journal.gap) is None
    journal.append([item(6)])
    assert [one["kind"] for one in records(home)].count("gap") == 1


def test_the_gap_is_kept_in_the_run_folder_or_in_memory_when_the_state_folder_is_gone(home, monkeypatch) -> None:
    for place in ("run", "memory"):
        journal = writer(home)
        journal.append([item(1 if place == "run" else 3)])
        shutil.rmtree(home / "state", ignore_errors=True)
        shutil.rmtree(home / "run", ignore_errors=True)
        if place == "run":
            (home / "run").mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(lines.os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
            with pytest.raises(JournalError):
                journal.append([item(2)])
        assert (home / "run" / "gap").exists() == (place == "run")
        journal.append([item(10)])
    assert [one["dropped"] for one in records(home) if one["kind"] == "gap"] == [1, 1]


def test_a_damaged_gap_counter_is_told_and_never_raises(home) -> None:
    journal = writer(home)
    for number, junk in enumerate((b"", b"\0" * 300, b"9" * 200, b"x y", os.urandom(256)), 1):
        (home / "state" / "gap").write_bytes(junk)
        journal.append([item(number)])
        assert gap.read(journal.gap) is None
    assert events(home) == [1, 2, 3, 4, 5]


def test_a_failed_sync_is_never_acknowledged_and_its_segment_never_added_to(home, monkeypatch) -> None:
    journal = writer(home, fsync="always")
    journal.append([item(1)])
    journal.sync()
    journal.append([item(2)])
    with monkeypatch.context() as patched:
        patched.setattr(lines.os, "fdatasync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "lost")))
        with pytest.raises(JournalError):
            journal.sync()
    assert gap.read(journal.gap).dropped == 1
    journal.append([item(3)])
    journal.sync()
    told = records(home)
    assert [one["kind"] for one in told] == ["segment", "event", "event", "segment", "gap", "event"]
    assert "syncing it failed" in told[3]["damage"]


STEP = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 4)),
    st.tuples(st.just("crash"), st.integers(0, 400)),
    st.tuples(st.just("reopen"), st.just(0)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25))
def test_appends_crashes_and_reopenings_lose_nothing_whole(tmp_path_factory, steps) -> None:
    home = new_home(tmp_path_factory.mktemp("h") / "home")
    journal, number, kept = writer(home, segment_bytes=900), 0, []
    for step, amount in steps:
        if step == "append":
            batch = [item(number + extra) for extra in range(amount)]
            number += amount
            kept += [int(one, 16) for one, _ in batch]
            journal.append(batch)
        else:
            journal.close()
            paths = sorted(folder(home).glob("journal-*"))
            if step == "crash" and paths:
                data = paths[-1].read_bytes()
                left = data[: max(0, len(data) - amount)]
                paths[-1].write_bytes(left)
                whole = left + b"\n" if data[len(left) : len(left) + 1] == b"\n" and left[-1:] != b"\n" else left
                ids = [int(json.loads(line[65:])["id"], 16) for line in data.splitlines() if b'"kind":"event"' in line]
                have = [int(json.loads(line[65:])["id"], 16) for line in whole.splitlines(keepends=True)
                        if line.endswith(b"\n") and b'"kind":"event"' in line]  # fmt: skip
                kept = [one for one in kept if one not in ids or one in have]
            journal = writer(home, segment_bytes=900)
            journal.open()
    if not steps:
        return
    journal.append([item(10**6)])
    assert events(home) == [*kept, 10**6]
