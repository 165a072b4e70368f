"""The write-ahead file: what was synced is there after a crash, whatever the segments lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

import pytest
from journal_by_hand import events, folder, item, records, writer
from losing_disk import HALF, LosingDisk, PowerCutError, left, resident

from levaithan.hot import ahead, segments
from levaithan.hot.tail import Tail


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
