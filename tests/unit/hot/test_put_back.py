"""Putting back what only the write-ahead file has: what is missing and nothing else, and what is odd stops nobody."""

from __future__ import annotations

import errno
import os
import shutil
import struct
from zlib import crc32

import pytest
from journal_by_hand import events, folder, item, new_home, records, writer
from losing_disk import crashed, left, resident, torn

from levaithan.hot import put_back, segments
from levaithan.hot.folder import JournalError


@pytest.mark.parametrize("size", [100, 512, 4096])
def test_what_reads_as_zeros_is_written_again(home, disk, tmp_path, size) -> None:
    journal, _ = resident(home)
    for number in range(1, 41):
        journal.append([item(number, 400)])
        journal.sync()
        disk.cover()
    shutil.copytree(home, tmp_path / "image")
    segment = folder(tmp_path / "image") / segments.name_of(1)
    data = segment.read_bytes()
    at = len(data) // 4096 * 4096 - 4096
    segment.write_bytes(data[:at] + bytes(size) + data[at + size :])
    writer(tmp_path / "image").append([item(41)])
    assert events(tmp_path / "image") == list(range(1, 42))


def test_what_was_put_back_is_told(home, disk, tmp_path) -> None:
    image, segment = crashed(home, disk, tmp_path / "image")
    lacking = segment.stat().st_size
    journal = writer(image)
    journal.append([item(6)])
    assert events(image) == [1, 2, 3, 4, 5, 6]
    repair = next(one for one in records(image) if one["kind"] == "repair")
    whole = (folder(home) / segments.name_of(1)).stat().st_size
    assert (repair["what"], repair["segment"], repair["offset"]) == ("ahead", segment.name, lacking)
    assert repair["bytes"] == whole - lacking
    assert any("were put back from ahead" in words for words in journal.found)


def test_what_a_person_changed_is_left_and_the_file_is_kept(home, disk, tmp_path) -> None:
    image, segment = crashed(home, disk, tmp_path / "image")
    edited = (folder(home) / segment.name).read_bytes().replace(b"xxxx", b"yyyy")
    segment.write_bytes(edited)
    journal = writer(image)
    journal.append([item(6)])
    assert segment.read_bytes().startswith(edited)
    assert [one.name for one in torn(image)] == [segments.AHEAD]
    assert any("was changed" in words for words in journal.found)


def test_what_does_not_follow_is_left_out(home, disk, tmp_path) -> None:
    """Another journal's segment of the same name, as long as the file expects it."""
    image, segment = crashed(home, disk, tmp_path / "image")
    stranger = new_home(tmp_path / "stranger")
    writer(stranger).append([item(1)])
    there = folder(stranger) / segment.name
    assert there.stat().st_size == segment.stat().st_size
    segment.write_bytes(there.read_bytes())
    journal = writer(image)
    journal.append([item(8)])
    assert events(image) == [1, 8]
    assert any("does not follow" in words for words in journal.found)
    assert torn(image)


def test_of_a_segment_that_is_gone_the_file_is_kept(home, disk, tmp_path) -> None:
    """It may have been pruned; if not, this is the only copy."""
    image, segment = crashed(home, disk, tmp_path / "image")
    segment.unlink()
    journal = writer(image)
    journal.append([item(8)])
    assert events(image) == [8]
    assert [one.name for one in torn(image)] == [segments.AHEAD]
    assert any("is gone" in words for words in journal.found)


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_a_segment_that_is_none_stops_nobody(home, disk, tmp_path, what) -> None:
    image, segment = crashed(home, disk, tmp_path / "image")
    segment.unlink()
    segment.mkdir() if what == "folder" else os.mkfifo(segment)
    journal = writer(image)
    journal.append([item(8)])
    assert events(image) == [8]
    assert segments.AHEAD in [one.name for one in torn(image)]


@pytest.mark.parametrize("name", [segments.AHEAD, segments.name_of(1)])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EAGAIN])
def test_what_cannot_be_opened_just_now_is_waited_for(home, disk, tmp_path, monkeypatch, number, name) -> None:
    """Whoever goes on without it adds after a hole, and moving it away is as if it was lost."""
    image, _ = crashed(home, disk, tmp_path / "image")
    really = os.open

    def refuses(path: object, *given: object, **more: object) -> int:
        if str(path).endswith("/" + name):
            raise OSError(number, os.strerror(number))
        return really(path, *given, **more)

    monkeypatch.setattr(os, "open", refuses)
    journal = writer(image)
    with pytest.raises(JournalError):
        journal.append([item(6)])
    monkeypatch.setattr(os, "open", really)
    assert left(image)
    journal.append([item(7)])
    assert events(image) == [1, 2, 3, 4, 5, 7]


def test_a_disk_that_cannot_be_written_there_any_more_keeps_the_file_and_goes_on(home, disk, tmp_path) -> None:
    image, _ = crashed(home, disk, tmp_path / "image")
    disk.failing = True
    journal = writer(image)
    journal.append([item(6)])
    assert [one.name for one in torn(image)] == [segments.AHEAD]
    assert any("could not be put back" in words for words in journal.found)


def test_one_that_is_far_too_large_is_moved_aside_unread(home, tmp_path) -> None:
    writer(home).append([item(1)])
    with (folder(home) / segments.AHEAD).open("wb") as file:
        file.truncate(1 << 40)
    writer(home).append([item(2)])
    assert events(home) == [1, 2]
    assert [one.name for one in torn(home)] == [segments.AHEAD]


def test_an_offset_beyond_every_file_is_no_trouble(home) -> None:
    writer(home).append([item(1)])
    head = struct.pack("<4sIQQQI", b"LVW1", 0, 1, 1, 1 << 63, 3)[put_back.SUMMED :] + b"abc"
    entry = b"LVW1" + struct.pack("<I", crc32(head)) + head
    (folder(home) / segments.AHEAD).write_bytes(entry.ljust(8192, b"\0"))
    writer(home).append([item(2)])
    assert events(home) == [1, 2]
    assert torn(home)


@pytest.mark.parametrize("what", ["link", "folder", "garbage", "empty", "pipe"])
def test_whatever_has_its_name_stops_nobody(home, disk, tmp_path, what) -> None:
    writer(home).append([item(1)])
    path = folder(home) / segments.AHEAD
    if what == "link":
        path.symlink_to(tmp_path / "secret")
        (tmp_path / "secret").write_text("mine")
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"LVW1" * 5000 if what == "garbage" else b"")
    journal, file = resident(home)
    journal.append([item(2)])
    journal.sync()
    assert events(home) == [1, 2]
    if what == "link":
        assert (tmp_path / "secret").read_text() == "mine"
    journal.append([item(3)])
    journal.sync()
    assert file.alone == 1, journal.found
