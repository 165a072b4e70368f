"""The write-ahead file: what was synced is there after a crash, whatever the segments lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

import pytest
from journal_by_hand import events, folder, item, new_home, records, writer
from losing_disk import LosingDisk, PowerCutError

from levaithan.hot import ahead, gap, segments
from levaithan.hot.ahead import Ahead
from levaithan.hot.folder import JournalError
from levaithan.hot.journal import Journal
from levaithan.hot.tail import Tail

HALF = 8192


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return new_home(tmp_path / "home")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> LosingDisk:
    return LosingDisk(monkeypatch)


def resident(home: Path, half: int = HALF, **options) -> tuple[Journal, Ahead]:
    """A writer with a write-ahead file, opened."""
    file = Ahead(str(folder(home)), half)
    journal = writer(home, fsync="always", ahead=file, **options)
    journal.open()
    return journal, file


def left(home: Path) -> bool:
    return (folder(home) / segments.AHEAD).exists()


def torn(home: Path) -> list[Path]:
    return sorted((folder(home) / segments.TORN).glob("*"))


def _work(home: Path, disk: LosingDisk, chance: Random) -> int:
    """Two writers at random, until they are done or the power is cut; how many records were synced by then."""
    small = chance.choice((3_000, 20_000, 1 << 26))
    written = told = 0
    try:
        journal, _ = resident(home, segment_bytes=small)
        other = writer(home, fsync="always", segment_bytes=small)
        for _ in range(60):
            who = other if chance.random() < 0.08 else journal
            batch = [item(written + one, chance.randint(1, 900)) for one in range(1, chance.randint(2, 4))]
            who.append(batch)
            written += len(batch)
            if chance.random() < 0.8:
                who.sync()
                told = written
            if chance.random() < 0.3:
                disk.cover()
    except PowerCutError:
        pass
    return told


@pytest.mark.parametrize("seed", range(150))
def test_what_was_synced_is_there_after_a_crash_at_any_moment(home, disk, tmp_path, seed) -> None:
    chance = Random(seed)
    disk.left = chance.randint(0, 70)
    told = _work(home, disk, chance)
    disk.left = 1 << 30
    image = disk.crash(home, tmp_path / "image", chance)
    fresh = writer(image, fsync="always")
    fresh.append([item(9999)])
    found = events(image)
    assert found[-1] == 9999
    assert found[:-1] == list(range(1, len(found)))
    assert len(found) - 1 >= told, fresh.found
    assert not left(image)
    for one in records(image):
        assert one["kind"] != "repair" or one["what"] in ("ahead", "torn"), one


def test_the_segment_is_not_synced_for_each_record_and_halves_take_turns(home, disk) -> None:
    journal, file = resident(home)
    for number in range(1, 201):
        journal.append([item(number)])
        journal.sync()
        disk.cover()
    assert (file.alone, file.whole) == (199, 1)
    assert (folder(home) / segments.AHEAD).stat().st_size == 2 * HALF


def test_while_the_other_half_is_not_covered_the_segment_is_synced(home, disk, tmp_path) -> None:
    journal, file = resident(home)
    for number in range(1, 201):
        journal.append([item(number)])
        journal.sync()
    assert file.whole > 1
    disk.cover()
    for number in range(201, 401):
        journal.append([item(number)])
        journal.sync()
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == list(range(1, 401))


def test_what_is_left_of_an_earlier_round_is_not_looked_at(home, disk, tmp_path) -> None:
    """Those records are on the disk where they belong: a person's edit of one is for `journal verify` to find."""
    journal, _ = resident(home)
    for number in range(1, 380):
        journal.append([item(number)])
        journal.sync()
        disk.cover()
    image = tmp_path / "image"
    shutil.copytree(home, image)
    numbers = [
        int(one[:4], 16) for one in (folder(home) / segments.AHEAD).read_bytes().split(b'"id":"' + b"0" * 28)[1:]
    ]
    stale = numbers[numbers.index(379) + 1]
    assert stale < 379
    segment = folder(image) / segments.name_of(1)
    segment.write_bytes(segment.read_bytes().replace(b'"id":"%032x"' % stale, b'"id":"%032x"' % (stale + 4096)))
    after = writer(image)
    after.open()
    assert not after.found
    assert not left(image)


def test_records_after_anothers_that_is_not_synced_take_that_one_to_the_disk(home, disk, tmp_path) -> None:
    journal, file = resident(home)
    journal.append([item(1)])
    journal.sync()
    writer(home, fsync="always").append([item(2)])
    journal.append([item(3)])
    journal.append([item(4)])
    journal.sync()
    assert (file.alone, file.whole) == (0, 2)
    image = disk.crash(home, tmp_path / "image", Random(1))
    writer(image).open()
    assert events(image) == [1, 2, 3, 4]
    journal.append([item(5)])
    journal.sync()
    assert (file.alone, file.whole) == (1, 2), "and goes on alone"


def test_a_large_batch_is_synced_where_it_belongs(home, disk, monkeypatch) -> None:
    monkeypatch.setattr(ahead, "MOST", 2000)
    journal, file = resident(home)
    for number in (1, 2):
        journal.append([item(number)])
        journal.sync()
    journal.append([item(3, 2000)])
    journal.sync()
    assert (file.alone, file.whole) == (1, 2)
    journal.append([item(4)])
    journal.sync()
    assert (file.alone, file.whole) == (2, 2)


def test_closing_syncs_the_segment_and_leaves_nothing_behind(home, disk, tmp_path) -> None:
    journal, _ = resident(home)
    for number in range(1, 6):
        journal.append([item(number)])
        journal.sync()
    journal.close()
    assert not left(home)
    assert events(disk.crash(home, tmp_path / "image", Random(1))) == [1, 2, 3, 4, 5]
    journal.append([item(6)])
    journal.sync()
    assert events(home) == [1, 2, 3, 4, 5, 6], "a closed journal may be used again"


def test_beside_a_writer_that_lives_nothing_is_put_back(home, disk) -> None:
    journal, _ = resident(home)
    journal.append([item(1)])
    journal.sync()
    writer(home).append([item(2)])
    assert left(home)
    journal.append([item(3)])
    assert events(home) == [1, 2, 3]


def test_after_a_killed_writer_the_next_one_of_any_kind_removes_it(home, disk, tmp_path) -> None:
    journal, _ = resident(home)
    for number in (1, 2):
        journal.append([item(number)])
        journal.sync()
    shutil.copytree(home, tmp_path / "image")
    image = tmp_path / "image"
    after = writer(image)
    after.open()
    assert not left(image)
    assert not after.found, "nothing was lost, so nothing is said"
    assert events(disk.crash(image, tmp_path / "later", Random(1))) == [1, 2], "it is synced before the file is gone"
    after.append([item(3)])
    assert events(image) == [1, 2, 3]


def test_a_segment_that_goes_on_where_another_one_ended_is_another(home, disk) -> None:
    journal, file = resident(home)
    journal.append([item(1)])
    journal.sync()
    end = (folder(home) / segments.name_of(1)).stat().st_size
    descriptor = os.open(folder(home) / segments.name_of(1), os.O_RDWR | os.O_APPEND)
    file.add(Tail(segments.name_of(9), descriptor), end, b"a line\n")
    file.sync(Tail(segments.name_of(9), descriptor))
    os.close(descriptor)
    assert (file.alone, file.whole) == (0, 2)


def _crashed(home: Path, disk: LosingDisk, into: Path, count: int = 5) -> tuple[Path, Path]:
    """A home whose segment lacks all but the first record, and the segment."""
    journal, _ = resident(home)
    for number in range(1, count + 1):
        journal.append([item(number)])
        journal.sync()
    shutil.copytree(home, into)
    segment = folder(into) / segments.name_of(1)
    segment.write_bytes(disk.synced[(folder(home) / segments.name_of(1)).stat().st_ino])
    assert events(into) == [1]
    return into, segment


@pytest.mark.parametrize("at", [4096, 8192])
def test_a_page_that_reads_as_zeros_is_written_again(home, disk, tmp_path, at) -> None:
    journal, _ = resident(home)
    for number in range(1, 41):
        journal.append([item(number, 400)])
        journal.sync()
        disk.cover()
    shutil.copytree(home, tmp_path / "image")
    segment = folder(tmp_path / "image") / segments.name_of(1)
    data = segment.read_bytes()
    assert len(data) > 16_000
    at += len(data) // 4096 * 4096 - 12288
    segment.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])
    writer(tmp_path / "image").append([item(41)])
    assert events(tmp_path / "image") == list(range(1, 42))


def test_what_was_put_back_is_told(home, disk, tmp_path) -> None:
    image, segment = _crashed(home, disk, tmp_path / "image")
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
    image, segment = _crashed(home, disk, tmp_path / "image")
    edited = (folder(home) / segment.name).read_bytes().replace(b"xxxx", b"yyyy")
    segment.write_bytes(edited)
    journal = writer(image)
    journal.append([item(6)])
    assert segment.read_bytes().startswith(edited)
    assert [one.name for one in torn(image)] == [segments.AHEAD]
    assert any("was changed" in words for words in journal.found)


def test_what_does_not_follow_is_left_out(home, disk, tmp_path) -> None:
    """Another journal's segment of the same name, as long as the file expects it."""
    image, segment = _crashed(home, disk, tmp_path / "image")
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


def test_of_a_segment_that_was_pruned_nothing_is_put_back(home, disk, tmp_path) -> None:
    image, segment = _crashed(home, disk, tmp_path / "image")
    segment.unlink()
    journal = writer(image)
    journal.append([item(8)])
    assert events(image) == [8]
    assert not left(image)


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


def test_a_segment_that_cannot_be_synced_beside_is_counted_and_left(home, disk) -> None:
    journal, _ = resident(home, half=2048)
    number = 0
    while not disk.covers:
        number += 1
        journal.append([item(number)])
        journal.sync()
    disk.failing = True
    disk.cover()
    disk.failing = False
    journal.append([item(number + 1)])
    with pytest.raises(JournalError, match="cannot be written"):
        journal.sync()
    counted = gap.read(journal.gap)
    assert counted is not None
    assert (counted.dropped, counted.reason) == (number, "io"), "all but the first, which the segment has"
    assert [one.name.partition(".")[0] for one in torn(home)] == [segments.AHEAD]
    journal.append([item(number + 2)])
    journal.sync()
    assert len(list(folder(home).glob("journal-*"))) == 2, "nothing more is added to that segment"
    assert events(home) == list(range(1, number + 3))


def test_with_no_room_for_it_segments_are_synced_and_it_is_made_when_there_is(home, disk, monkeypatch) -> None:
    monkeypatch.setattr(ahead, "SPARE", 1 << 60)
    journal, file = resident(home)
    for number in (1, 2):
        journal.append([item(number)])
        journal.sync()
    assert (file.alone, file.whole, left(home)) == (0, 2, False)
    monkeypatch.setattr(ahead, "SPARE", 0)
    monkeypatch.setattr(ahead, "_RETRY_S", 0.0)
    writer(home).append([item(3)])
    for number in (4, 5):
        journal.append([item(number)])
        journal.sync()
    assert (file.alone, left(home)) == (1, True)


def test_a_file_that_was_removed_meanwhile_is_not_relied_on(home, disk, tmp_path) -> None:
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
