"""Pruning and repairing: nothing that a store lacks is removed, nothing whole is ever thrown away."""

from __future__ import annotations

import json

import pytest

from levaithan.hot import segments
from levaithan.hot.journal import JournalError
from levaithan.journal import prune, read
from levaithan.journal.read import Position
from levaithan.journal.repair import repair, unreadable


def size_of(made) -> int:
    return sum(path.stat().st_size for path in made.segments())


def test_only_what_every_store_has_is_pruned(made) -> None:
    made.fill(60, segment_bytes=1500)
    end = read.tail(str(made.path))
    names = [path.name for path in made.segments()]
    half = Position(names[3], 0, 0, "")
    held = prune.prune(str(made.path), 3000, {"ledger": end, "search": None})
    assert held.removed == [] and "search" in held.held_by[0]
    assert [path.name for path in made.segments()] == names
    done = prune.prune(str(made.path), 3000, {"ledger": end, "search": half})
    assert done.removed == names[:3] and "search" in done.held_by[0] and names[3] in done.held_by[0]
    report = made.verify()
    assert report.ok, report.findings
    kinds = [json.loads(one.body)["kind"] for one in read.read(str(made.path)) if isinstance(one, read.Record)]
    assert kinds.count("prune") == 3


def test_a_bound_that_holds_and_no_bound_remove_nothing(made) -> None:
    made.fill(30, segment_bytes=1500)
    end = read.tail(str(made.path))
    for bound in (0, size_of(made)):
        done = prune.prune(str(made.path), bound, {"ledger": end})
        assert (done.removed, done.held_by) == ([], [])


def test_nothing_is_pruned_behind_the_last_that_may_go(made) -> None:
    made.fill(60, segment_bytes=1500)
    names = [path.name for path in made.segments()]
    done = prune.prune(str(made.path), 1, {"ledger": read.tail(str(made.path))}, last=names[1])
    assert (done.removed, done.held_by) == (names[:2], [])


def test_nothing_goes_before_its_record_is_on_the_disk(made, monkeypatch) -> None:
    """A crash in between would leave a hole that nothing accounts for: `verify` would call it a deletion."""
    made.fill(60, segment_bytes=1500)
    names = [path.name for path in made.segments()]

    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("levaithan.hot.lines.sync_file", broken)
    with pytest.raises(JournalError):
        prune.prune(str(made.path), 3000, {"ledger": read.tail(str(made.path))})
    assert [path.name for path in made.segments()] == names


def test_the_segment_in_use_is_never_pruned(made) -> None:
    made.fill(30, segment_bytes=1 << 20)
    done = prune.prune(str(made.path), 10, {"ledger": read.tail(str(made.path))})
    assert done.removed == [] and "being written" in done.held_by[0]


def test_without_any_store_the_bound_still_holds(made) -> None:
    made.fill(60, segment_bytes=1500)
    done = prune.prune(str(made.path), 4000, {})
    assert done.removed and size_of(made) < 4000 + 3000
    assert made.verify().ok
    journal = made.writer(segment_bytes=1500)
    journal.append([made.event(99)])
    assert made.verify().ok


def test_repair_gives_names_and_seals_back_and_moves_garbage_aside(made) -> None:
    made.fill(40, segment_bytes=1500)
    whole = b"".join(made.lines())
    paths = made.segments()
    paths[1].rename(made.path / "journal-1.log")
    paths[2].chmod(0o600)
    (made.path / segments.name_of(2)).write_bytes(b"no record\nat all\n")
    (made.path / "mine.txt").write_text("x")
    planned = repair(str(made.path), dry_run=True)
    assert len(planned.done) >= 3 and (made.path / "journal-1.log").exists()
    done = repair(str(made.path))
    assert len(done.done) >= 3 and any("mine.txt" in words for words in done.left)
    assert [path.name for path in made.segments()] == [path.name for path in paths]
    assert b"".join(made.lines()).startswith(whole)
    assert (made.path / "torn" / segments.name_of(2)).read_bytes() == b"no record\nat all\n"
    assert paths[2].stat().st_mode & 0o777 == 0o400
    report = made.verify()
    assert report.ok, report.findings
    again = repair(str(made.path))
    assert again.done == [] and len(again.left) == 1


def test_repair_makes_way_past_segments_that_nobody_can_read(made, tmp_path) -> None:
    made.fill(40, segment_bytes=1500)
    paths = made.segments()
    whole = [path.read_bytes() for path in paths]
    for path in paths[1:4]:
        path.unlink()
    paths[1].mkdir()
    paths[2].symlink_to(paths[2].name)
    (tmp_path / "moved.log").write_bytes(whole[3])
    paths[3].symlink_to(tmp_path / "moved.log")
    assert unreadable(str(made.path)) == [paths[1].name, paths[2].name]
    assert len(repair(str(made.path), dry_run=True).done) == 2 and paths[1].is_dir()
    done = repair(str(made.path))
    assert len(done.done) == 2 and any("bring the file itself here" in words for words in done.left)
    assert unreadable(str(made.path)) == []
    assert (made.path / "torn" / paths[1].name).is_dir()
    seqs = [one.seq for one in read.read(str(made.path)) if isinstance(one, read.Record)]
    assert {int(paths[3].stem[8:]), int(paths[4].stem[8:])} <= set(seqs)


def test_repair_leaves_an_edit_as_it_is(made) -> None:
    made.fill(10)
    lines = made.lines()
    lines[4] = lines[4].replace(b"xx", b"yy")
    made.write_one(lines)
    assert repair(str(made.path)).done == []
    assert made.lines() == lines
    assert not made.verify().ok


def test_repair_mends_a_torn_tail_and_a_missing_folder_is_said(made, tmp_path) -> None:
    made.fill(5)
    path = made.segments()[0]
    path.write_bytes(path.read_bytes()[:-30])
    assert any("torn/" in words for words in repair(str(made.path)).done)
    assert made.verify().ok
    assert "levaithan setup" in repair(str(tmp_path / "none")).left[0]


@pytest.mark.parametrize("copies", [1, 2])
def test_a_copy_of_a_segment_is_reported_not_touched(made, copies) -> None:
    made.fill(20, segment_bytes=1500)
    for number in range(copies):
        (made.path / f"copy{number}.log").write_bytes(made.segments()[0].read_bytes())
    done = repair(str(made.path))
    assert len([words for words in done.left if "copy of the segment" in words]) == copies
    assert len(list(made.path.glob("copy*.log"))) == copies
