"""Verification after a restore, a prune, a repair, a cut under a running writer; and how much memory it takes."""

from __future__ import annotations

import pytest

from levaithan.hot import segments
from levaithan.journal import checkpoints, prune, read
from levaithan.journal.verify import verify


def first(report):
    assert not report.ok
    return report.findings[0].kind, report.findings[0].seq


def test_a_restore_of_an_older_copy_is_found_and_what_follows_it_too(made) -> None:
    made.fill(20, every=5)
    old = made.copy("old")
    journal = made.writer()
    sealer = checkpoints.Sealer(journal, made.key)
    for number in range(21, 31):
        journal.append([made.event(number)])
    sealer.checkpoint()
    journal.close()
    hashes = [(number, line[:64].decode()) for number, line in enumerate(made.lines(), 1)]
    witnesses, _ = checkpoints.load(str(made.path / segments.CHECKPOINTS))
    last = len(old.lines())
    assert old.verify().ok
    assert first(old.verify(checkpoints=witnesses)) == ("cut", last + 1)
    assert first(old.verify(hashes=lambda low, high: [one for one in hashes if low <= one[0] <= high])) == (
        "cut",
        last + 1,
    )
    journal = old.writer()
    for number in range(100, 140):
        journal.append([made.event(number)])
    kind, number = first(old.verify(checkpoints=witnesses))
    assert kind == "rewritten" and number <= last + 2
    assert first(old.verify(hashes=lambda low, high: [one for one in hashes if low <= one[0] <= high])) == (
        "rewritten", last + 1,
    )  # fmt: skip


def test_a_journal_cut_under_a_running_writer_shows_the_hole_without_any_checkpoint(made) -> None:
    journal = made.writer()
    for number in range(1, 11):
        journal.append([made.event(number)])
    path = made.segments()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:6]))
    journal.append([made.event(11)])
    assert any("cut off" in words for words in journal.found)
    assert first(verify(str(made.path))) == ("deleted", 7)


def test_after_a_prune_the_rest_verifies_and_without_its_record_it_does_not(made) -> None:
    made.fill(60, every=10, segment_bytes=2000)
    end = read.tail(str(made.path))
    journal = made.writer(segment_bytes=2000)
    done = prune.prune(str(made.path), 6000, {"ledger": end, "search": end}, journal)
    assert done.removed and done.left <= 6000 and not done.held_by
    report = made.verify()
    assert report.ok, report.findings
    assert report.first > 1
    made.segments()[0].unlink()
    assert first(made.verify()) == ("deleted", 1)


def test_memory_does_not_grow_with_the_journal(made) -> None:
    import tracemalloc

    journal = made.writer(segment_bytes=4 << 20)
    for start in range(0, 24_000, 400):
        journal.append([made.event(number, 600) for number in range(start, start + 400)])
    tracemalloc.start()
    assert verify(str(made.path)).records > 24_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("where", ["hash", "body", "everything"])
def test_a_damaged_line_that_a_segment_goes_on_after_is_the_only_finding(made, where) -> None:
    made.fill(9, every=4)
    path = made.segments()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = {
        "hash": b"0" * 8 + lines[-1][8:],
        "body": lines[-1].replace(b"xx", b"yy"),
        "everything": b"\xff" * 40 + b"\n",
    }[where]
    path.write_bytes(b"".join([*lines[:-1], damaged]))
    journal = made.writer()
    sealer = checkpoints.Sealer(journal, made.key)
    for number in range(20, 25):
        journal.append([made.event(number)])
    sealer.checkpoint()
    journal.close()
    report = made.verify()
    assert [(one.kind, one.seq) for one in report.findings] == [("edited", len(lines))]
    assert report.last == len(made.lines())
    got = list(read.read(str(made.path)))
    assert [type(one).__name__ for one in got].count("Damage") == 1 and len(got) == len(made.lines())
