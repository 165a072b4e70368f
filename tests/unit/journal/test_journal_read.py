"""Reading while others write: places that hold, damage passed over, cut and replaced journals noticed, and speed."""

from __future__ import annotations

import json
import shutil
import time
from itertools import pairwise

import pytest

from levaithan.hot import segments
from levaithan.hot.journal import Journal
from levaithan.journal import prune, read
from levaithan.journal.read import Damage, Position, Record


def numbers(batch) -> list[int]:
    return [one.seq for one in batch if isinstance(one, Record)]


def test_everything_is_read_in_order_with_its_place(made) -> None:
    made.fill(40, every=10, segment_bytes=1500)
    lines = made.lines()
    whole = list(read.read(str(made.path), limit_bytes=700))
    assert [one.body for one in whole] == [line[65:-1] for line in lines]
    assert [one.hash.encode() for one in whole] == [line[:64] for line in lines]
    for one in whole:
        data = (made.path / one.segment).read_bytes()
        assert data[one.offset : one.end] == f"{one.hash} ".encode() + one.body + b"\n"
    for one, following in pairwise(whole):
        rest = list(read.read(str(made.path), Position(one.segment, one.end, one.seq, one.hash)))
        assert rest[0].seq == following.seq == one.seq + 1
        assert len(rest) == len(whole) - one.seq


def test_batches_end_where_the_next_one_begins_and_nothing_new_is_the_same_place(made) -> None:
    made.fill(30, segment_bytes=2000)
    path, place, seen = str(made.path), None, []
    while True:
        batch, after = read.read_batch(path, place, 500)
        if not batch:
            break
        place = after
        seen += numbers(batch)
        assert (place.seq, place.hash) == (batch[-1].seq, batch[-1].hash)
    assert seen == list(range(1, len(made.lines()) + 1))
    assert (after.segment, after.offset, after.seq) == (place.segment, place.offset, place.seq)
    made.writer(segment_bytes=2000).append([made.event(99)])
    batch, after = read.read_batch(path, place, 1 << 20)
    assert json.loads(batch[-1].body)["id"] == made.event(99)[0] and after.note == ""


def test_no_journal_and_an_empty_one(tmp_path) -> None:
    assert read.read_batch(str(tmp_path / "none")) == ([], None)
    assert read.read_batch(str(tmp_path)) == ([], None)
    assert read.tail(str(tmp_path / "none")) is None
    (tmp_path / segments.name_of(1)).touch()
    assert read.tail(str(tmp_path)) is None
    assert read.read_batch(str(tmp_path))[0] == []


def test_an_incomplete_last_line_is_waited_for(made) -> None:
    made.fill(5)
    path = made.segments()[0]
    data = path.read_bytes()
    begin = data.rindex(b"\n", 0, -1) + 1
    for size in (begin, begin + 1, begin + 70, len(data) - 1):
        path.write_bytes(data[:size])
        batch, place = read.read_batch(str(made.path))
        assert numbers(batch) == [1, 2, 3, 4, 5] and place.offset == begin
        path.write_bytes(data)
        assert numbers(read.read_batch(str(made.path), place)[0]) == [6]


@pytest.mark.parametrize("limit", [200, 1 << 20])
def test_one_damaged_byte_costs_one_record_at_most_two(made, limit) -> None:
    made.fill(6)
    path = made.segments()[0]
    data = path.read_bytes()
    starts = [0, *[at + 1 for at, byte in enumerate(data) if byte == 10]]
    for at in range(starts[2], starts[4]):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        got = list(read.read(str(made.path), limit_bytes=limit))
        assert any(isinstance(one, Damage) for one in got), at
        merged = data[at] == 10
        assert len(numbers(got)) >= (5 if merged else 6), (at, numbers(got))
        assert numbers(got)[-1] == 7 and all(one.why for one in got if isinstance(one, Damage))
        assert (
            b"\n".join(getattr(one, "line", None) or f"{one.hash} ".encode() + one.body for one in got) + b"\n"
            == path.read_bytes()
        )


def test_a_line_longer_than_the_limit_is_read_whole(made) -> None:
    journal = made.writer()
    journal.append([made.event(1, 300_000), made.event(2)])
    batch, place = read.read_batch(str(made.path), None, 1000)
    while len(numbers(batch)) < 3:
        more, place = read.read_batch(str(made.path), place, 1000)
        batch += more
    assert numbers(batch) == [1, 2, 3] and len(batch[1].body) > 300_000


def test_a_place_that_is_no_longer_there_begins_again_and_says_so(made) -> None:
    made.fill(20)
    path = str(made.path)
    _, end = read.read_batch(path)
    old = made.copy("old")
    journal = made.writer()
    journal.append([made.event(50)])
    _, later = read.read_batch(path, end)
    batch, place = read.read_batch(str(old.path), later)
    assert numbers(batch)[0] == 1 and "from its start" in place.note
    other = old.writer()
    other.append([made.event(60, 40)])
    other.append([made.event(61, 40)])
    batch, place = read.read_batch(str(old.path), later)
    assert numbers(batch)[0] == 1 and place.note
    assert read.read_batch(str(old.path), place)[1].note == ""
    shutil.rmtree(made.path)
    fresh = made.writer()
    fresh.append([made.event(1)])
    batch, place = read.read_batch(path, end)
    assert numbers(batch) == [1, 2] and place.note


def test_a_pruned_segment_is_gone_on_after_when_it_had_been_read(made) -> None:
    made.fill(40, segment_bytes=1500)
    path = str(made.path)
    first = made.segments()[0]
    end = read.tail(path)
    assert first.name in prune.prune(path, 3000, {"ledger": end}).removed
    keep = made.segments()[0]
    exact = Position("journal-00000000000000000001.log", 10**6, int(keep.stem[8:]) - 1, "0" * 64)
    batch, after = read.read_batch(path, exact)
    assert numbers(batch)[0] == int(keep.stem[8:]) and after.note == ""


def test_tail_is_the_last_record(made) -> None:
    made.fill(40, segment_bytes=1500)
    end = read.tail(str(made.path))
    last = made.lines()[-1]
    assert (end.hash, end.seq) == (last[:64].decode(), len(made.lines()))
    assert end.offset == made.segments()[-1].stat().st_size


@pytest.mark.slow
def test_a_million_records_reopen_at_once_and_are_read_fast(made) -> None:
    journal = made.writer(segment_bytes=16 << 20)
    size = 120
    for start in range(0, 1_000_000, 5_000):
        journal.append([made.event(number, size) for number in range(start, start + 5_000)])
    journal.close()
    assert len(made.segments()) >= 10
    begun = time.perf_counter()
    again = Journal(str(made.path), fsync="never")
    again.append([made.event(10**7)])
    opened = time.perf_counter() - begun
    begun = time.perf_counter()
    count = sum(1 for _ in read.read(str(made.path)))
    rate = count / (time.perf_counter() - begun)
    print(f"reopen {opened * 1000:.2f} ms; read {rate:,.0f} records/s")
    assert count > 1_000_000
    assert opened < 1.0
    assert rate > 50_000, "a machine this slow, or a reader this slow"
