"""The write-ahead file where the system fails: no room, no thread, no descriptor, a disk that gives errors."""

from __future__ import annotations

import os
import shutil
from random import Random

import pytest
from journal_by_hand import events, folder, item, new_home, writer
from losing_disk import left, resident, until_a_cover

from levaithan.hot import ahead, gap, segments
from levaithan.hot.folder import JournalError


def test_what_could_not_be_synced_beside_is_counted_and_written_again(home, disk, tmp_path) -> None:
    journal, _ = resident(home, half=2048)
    number = until_a_cover(journal, disk)
    disk.cover_fails()
    journal.append([item(number + 1)])
    with pytest.raises(JournalError, match="cannot be written"):
        journal.sync()
    counted = gap.read(journal.gap)
    assert counted is not None
    assert (counted.dropped, counted.reason) == (number, "io"), "all but the first, which the segment has"
    journal.append([item(number + 2)])
    journal.sync()
    assert len(list(folder(home).glob("journal-*"))) == 2, "nothing more is added to that segment"
    assert events(home) == list(range(1, number + 3))
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == list(range(1, number + 3))


def test_a_failure_beside_is_heard_of_though_nothing_comes_after(home, disk) -> None:
    journal, _ = resident(home, half=2048)
    until_a_cover(journal, disk)
    disk.cover_fails()
    with pytest.raises(JournalError):
        journal.sync(force=True)


def test_closing_after_a_failure_beside_leaves_the_file_to_be_put_back(home, disk, tmp_path) -> None:
    journal, _ = resident(home, half=2048)
    number = until_a_cover(journal, disk)
    disk.cover_fails()
    journal.close()
    assert left(home)
    assert gap.read(journal.gap).dropped == number - 1
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image, fsync="always").open()
    assert events(image) == list(range(1, number + 1))


def test_what_is_put_back_is_written_again_though_it_can_be_read(home, disk, tmp_path) -> None:
    """The system keeps what it could not bring to the disk, and takes it for written."""
    journal, _ = resident(home, half=2048)
    number = until_a_cover(journal, disk)
    disk.cover_fails()
    journal.close()
    writer(home, fsync="always").open()
    assert not left(home)
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == list(range(1, number + 1))


def test_a_full_segment_that_cannot_be_synced_is_not_taken_for_synced(home, disk, tmp_path) -> None:
    journal, _ = resident(home, segment_bytes=3000)
    number, segment = 1, folder(home) / segments.name_of(1)
    journal.append([item(1)])
    journal.sync()
    while segment.stat().st_size < 2500:
        number += 1
        journal.append([item(number)])
        journal.sync()
    disk.failing = True
    number += 1
    with pytest.raises(JournalError):
        journal.append([item(number, 600)])
    disk.failing = False
    assert gap.read(journal.gap).dropped >= 1
    with pytest.raises(JournalError):
        journal.sync(force=True)
    journal.append([item(number + 1)])
    journal.sync()
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert [one for one in events(image) if one < number] == list(range(1, number))


def test_a_cover_of_the_file_before_frees_nothing_of_the_next(home, disk, tmp_path) -> None:
    journal, file = resident(home, half=2048)
    number = until_a_cover(journal, disk)
    (folder(home) / segments.AHEAD).unlink()
    late = disk.covers.popleft()
    journal.append([item(number + 1)])
    journal.sync()
    file.abandon()
    journal.open()
    late[0](*late[1])
    whole = file.whole
    for one in range(number + 2, number + 60):
        journal.append([item(one)])
        journal.sync()
    assert file.whole > whole + 1, "no half is free before a cover of this file has come through"
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == list(range(1, number + 60))


@pytest.mark.parametrize("fails", ["thread", "open", "write"])
def test_where_its_own_work_fails_the_segment_is_synced_and_nothing_is_given_up(
    home, disk, tmp_path, monkeypatch, fails
) -> None:
    journal, file = resident(home, half=2048)

    def refuse(*_given: object) -> None:
        raise (RuntimeError("can't start new thread") if fails == "thread" else OSError(24, "Too many open files"))

    for number in range(1, 40):
        if number == 5:
            where = {"thread": "start_new_thread", "open": "_opened_anew"}.get(fails)
            monkeypatch.setattr(ahead, where, refuse) if where else monkeypatch.setattr(os, "pwrite", refuse)
        journal.append([item(number)])
        journal.sync()
    assert file.whole > 1
    assert left(home) is (fails != "write"), "what its own disk error met is not relied on again"
    assert gap.read(journal.gap) is None
    monkeypatch.undo()
    assert events(home) == list(range(1, 40))


def test_after_a_part_of_a_write_the_file_is_not_relied_on(home, disk, tmp_path, monkeypatch) -> None:
    """Nothing that comes after half an entry would be found."""
    journal, file = resident(home)
    really = os.pwrite
    for number in range(1, 9):
        part = number == 4
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at, part=part: really(fd, data[:50] if part else data, at))
        journal.append([item(number)])
        journal.sync()
    assert (file.alone, left(home)) == (2, False)
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == list(range(1, 9))


def test_where_others_wrote_in_between_nothing_is_taken_for_synced(home, disk, tmp_path) -> None:
    """Half a line that was there at the sync is mended, and what follows may end just where it did."""
    other = new_home(tmp_path / "other")
    journal, file = resident(home)
    journal.append([item(1)])
    segment = folder(home) / segments.name_of(1)
    whole = segment.read_bytes()
    shutil.copytree(home / "logs", other / "logs")
    (folder(other) / segments.AHEAD).unlink()
    writer(other).append([item(2)])
    line = (folder(other) / segments.name_of(1)).read_bytes()[len(whole) :]
    segment.write_bytes(whole + bytes(len(line)))
    journal.sync()
    segment.write_bytes(whole + line)
    journal.append([item(3)])
    journal.sync()
    assert (file.alone, file.whole) == (0, 2)


def test_a_segments_disk_error_is_told_to_each_who_waits_for_it(home) -> None:
    """As Linux has it, an error is told once to each open file: two descriptors of one hear of it together once."""
    path = folder(home) / "x"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    descriptor = os.open(path, os.O_RDWR)
    opened = ahead._opened_anew(str(path), descriptor)
    os.lseek(descriptor, 1, os.SEEK_SET)
    assert os.lseek(opened, 0, os.SEEK_CUR) == 0, "another open file has a place of its own"
    path.unlink()
    path.write_text("another")
    with pytest.raises(FileNotFoundError):
        ahead._opened_anew(str(path), descriptor)
    os.close(opened)
    os.close(descriptor)


def test_more_than_is_kept_until_a_sync_takes_the_segment_to_the_disk(home, disk, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(ahead, "_MOST_ADDED", 5)
    journal, file = resident(home)
    journal.append([item(1)])
    journal.sync()
    for number in range(2, 12):
        journal.append([item(number)])
    journal.sync()
    assert (file.alone, file.whole) == (0, 2)
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == list(range(1, 12))


def test_with_no_room_for_it_segments_are_synced_and_it_is_made_when_there_is(home, disk, monkeypatch) -> None:
    monkeypatch.setattr(ahead, "SPARE", 1 << 60)
    journal, file = resident(home)
    for number in (1, 2):
        journal.append([item(number)])
        journal.sync()
    assert (file.alone, file.whole, left(home)) == (0, 2, False)
    monkeypatch.setattr(ahead, "SPARE", 0)
    monkeypatch.setattr(ahead, "_RETRY_S", 0.0)
    journal.open()
    for number in (3, 4):
        journal.append([item(number)])
        journal.sync()
    assert (file.alone, left(home)) == (1, True)


@pytest.mark.parametrize("again", ["opened", "signed"])
def test_a_file_that_was_removed_meanwhile_is_not_relied_on(home, disk, tmp_path, monkeypatch, again) -> None:
    journal, file = resident(home)
    for number in (1, 2):
        journal.append([item(number)])
        journal.sync()
    (folder(home) / segments.AHEAD).unlink()
    for number in (3, 4):
        journal.append([item(number)])
        journal.sync()
    assert file.alone == 1
    assert events(disk.crash(home, tmp_path / "image", Random(1))) == [1, 2, 3, 4]
    monkeypatch.setattr(ahead, "_RETRY_S", 0.0)
    if again == "opened":
        journal.open()
    else:
        journal.append([("", lambda seq, digest: b'{"v":1,"kind":"checkpoint"}')])
        journal.sync()
    for number in (5, 6):
        journal.append([item(number)])
        journal.sync()
    assert (left(home), file.alone) == (True, 2 if again == "opened" else 3)
