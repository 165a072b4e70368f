"""Every way to alter a journal is found, and the first altered record is named."""

from __future__ import annotations

import hashlib
import json
import random
import shutil

import pytest

from levaithan.hot import segments
from levaithan.journal import checkpoints, seal
from levaithan.journal.verify import verify


def rehash(lines: list[bytes], begin: int = 0, prev: bytes = b"0" * 64, renumber: bool = False) -> list[bytes]:
    """The lines with fresh hashes from `begin` on."""
    out = lines[:begin]
    prev = out[-1][:64] if out else prev
    for index, line in enumerate(lines[begin:], begin):
        body = line[65:-1]
        if renumber:
            body = b'{"seq":%d' % (index + 1) + body[body.index(b",") :]
        prev = hashlib.sha256(prev + b" " + body).hexdigest().encode()
        out.append(prev + b" " + body + b"\n")
    return out


def resign(lines: list[bytes], key: seal.Key) -> list[bytes]:
    """A whole new chain in which every checkpoint is made again with `key`."""
    out: list[bytes] = []
    prev = b"0" * 64
    for number, line in enumerate(lines, 1):
        record = json.loads(line[65:])
        body = line[65:-1]
        if record["kind"] == "checkpoint":
            body = segments.numbered(number, key.sign(record["journal"], number - 1, prev.decode()).body())
        prev = hashlib.sha256(prev + b" " + body).hexdigest().encode()
        out.append(prev + b" " + body + b"\n")
    return out


def first(report):
    assert not report.ok
    return report.findings[0].kind, report.findings[0].seq


def test_a_good_journal_verifies_with_everything_it_was_held_against(made) -> None:
    made.fill(60, every=10, segment_bytes=4096)
    assert len(made.segments()) >= 3
    seen = []
    report = made.verify(progress=lambda done, total: seen.append((done, total)))
    assert report.findings == []
    assert report.records == len(made.lines()) == report.last
    assert report.head == made.lines()[-1][:64].decode()
    assert report.proven_to >= report.last - 1 and report.checkpoints >= 12
    assert seen[-1][0] == seen[-1][1] == report.bytes


def test_every_single_byte_flipped_is_found(made) -> None:
    made.fill(9, every=9, segment_bytes=1400)
    paths = made.segments()
    assert len(paths) >= 3
    numbers = iter(range(1, 1000))
    chance, missed, wrong = random.Random(3), [], []
    for path in paths:
        path.chmod(0o600)
        data = path.read_bytes()
        owner = [number for line, number in zip(data.splitlines(keepends=True), numbers, strict=False) for _ in line]
        for at in range(len(data)):
            flipped = bytearray(data)
            flipped[at] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            report = made.verify()
            if report.ok:
                missed.append((path.name, at))
            elif report.findings[0].seq not in (owner[at], owner[at] + 1, owner[at] - 1):
                wrong.append((path.name, at, owner[at], report.findings[:2]))
        path.write_bytes(data)
    assert missed == []
    assert wrong == []
    assert made.verify().ok


def test_every_byte_of_the_checkpoints_beside_the_journal_flipped_is_found(made) -> None:
    made.fill(6, every=6)
    path = made.path / segments.CHECKPOINTS
    data = path.read_bytes()
    for at in range(len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert not made.verify().ok, at


def test_the_tail_cut_at_every_byte_is_found_and_the_first_missing_record_named(made) -> None:
    made.fill(12, every=4, segment_bytes=1500)
    kept = made.lines()
    last = made.segments()[-1]
    data = last.read_bytes()
    before = len(kept) - data.count(b"\n")
    for size in range(len(data)):
        last.write_bytes(data[:size])
        report = made.verify()
        whole = before + data[:size].count(b"\n")
        kinds = {finding.kind for finding in report.findings}
        if size and not data[:size].endswith(b"\n"):
            assert "torn" in kinds, size
            assert first(report)[1] == whole + 1
        elif whole < json.loads((made.path / segments.CHECKPOINTS).read_text().splitlines()[-1])["size"]:
            assert first(report) == ("cut", whole + 1), size


def test_whole_segments_cut_off_are_found(made) -> None:
    made.fill(40, every=5, segment_bytes=1500)
    paths = made.segments()
    for path in reversed(paths[1:]):
        path.unlink()
        number = int(path.stem[8:])
        assert first(made.verify()) == ("cut", number)


def test_a_cut_that_only_the_checkpoint_beside_the_log_shows(made) -> None:
    made.fill(20, every=20)
    made.write_one(made.lines()[:10])
    assert first(made.verify()) == ("cut", 11)
    assert first(verify(str(made.path))) == ("cut", 11)
    (made.path / segments.CHECKPOINTS).unlink()
    report = made.verify()
    assert report.ok and any("only the chain itself" in note for note in report.notes)


@pytest.mark.parametrize("at", [1, 2, 9, 15, 20])
def test_edit_delete_insert_swap_name_the_record(made, at) -> None:
    made.fill(20, every=10)
    lines = made.lines()
    edited = [*lines[: at - 1], lines[at - 1].replace(b'"v":1', b'"v":2'), *lines[at:]]
    made.write_one(edited)
    assert first(made.verify()) == ("edited", at)
    if at > 1:
        made.write_one(lines[: at - 1] + lines[at:])
        assert first(made.verify()) == ("deleted", at)
        made.write_one([*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]])
        assert first(made.verify()) == ("reordered", at)
        junk = hashlib.sha256(b"junk").hexdigest().encode() + b" " + lines[at - 1][65:]
        made.write_one([*lines[: at - 1], junk, *lines[at - 1 :]])
        assert first(made.verify()) == ("inserted", at)
        forged = rehash([*lines[: at - 1], lines[at - 1].replace(b'"v":1', b'"v":2')], at - 1)
        made.write_one(forged + lines[at - 1 :])
        kind, number = first(made.verify())
        assert (kind, number) == ("inserted", at)
        made.write_one([*lines[: at + 2], lines[1], *lines[at + 2 :]])
        assert first(made.verify()) == ("inserted", at + 3)


def test_a_block_moved_is_reordered_and_a_segment_gone_is_deleted(made) -> None:
    made.fill(30, every=10, segment_bytes=1500)
    missing = made.segments()[1]
    number = int(missing.stem[8:])
    data = missing.read_bytes()
    missing.unlink()
    assert first(made.verify()) == ("deleted", number)
    missing.write_bytes(data)
    lines = made.lines()
    made.write_one(lines[:4] + lines[6:9] + lines[4:6] + lines[9:])
    assert first(made.verify()) == ("reordered", 5)


def test_an_edit_with_the_chain_made_anew_is_found_by_checkpoints_and_exactly_by_the_ledger(made) -> None:
    made.fill(40, every=10)
    lines = made.lines()
    hashes = [(number, line[:64].decode()) for number, line in enumerate(lines, 1)]
    ledger = lambda low, high: [one for one in hashes if low <= one[0] <= high and one[0] % 3]  # noqa: E731
    lines[24] = lines[24].replace(b'"x":"xx', b'"x":"yy')
    made.write_one(rehash(lines, 24))
    kind, number = first(made.verify())
    assert kind == "rewritten" and 20 < number <= 25
    report = made.verify(hashes=ledger)
    assert first(report) == ("rewritten", 25)
    assert report.hashes > 20
    (made.path / segments.CHECKPOINTS).unlink()
    assert first(verify(str(made.path))) == (kind, number)
    assert first(verify(str(made.path), hashes=ledger)) == ("rewritten", 25)


def test_a_journal_wholly_rewritten_is_found_by_each_witness_alone(made, tmp_path) -> None:
    made.fill(30, every=10)
    beside = made.path / segments.CHECKPOINTS
    witnesses, _ = checkpoints.load(str(beside))
    hashes = [(number, line[:64].decode()) for number, line in enumerate(made.lines(), 1)]
    other = seal.ensure_key(str(tmp_path / "x.key"), str(tmp_path / "x.pub"))
    lines = [line.replace(b'"x":"xx', b'"x":"zz') for line in made.lines()]

    made.write_one(resign(lines, other))
    assert first(made.verify())[0] in ("checkpoint", "rewritten")
    assert any(one.kind == "rewritten" for one in made.verify().findings)
    assert first(verify(str(made.path)))[0] == "rewritten"  # the file beside it, without any key
    beside.unlink()
    assert first(made.verify())[0] == "checkpoint"  # the public key alone
    assert first(verify(str(made.path), checkpoints=witnesses))[0] == "rewritten"  # --against alone
    assert first(verify(str(made.path), hashes=lambda low, high: [one for one in hashes if low <= one[0] <= high])) == (
        "rewritten", 2,
    )  # fmt: skip
    assert verify(str(made.path)).ok  # nothing to hold it against

    bare = [line for line in lines if b'"kind":"checkpoint"' not in line]
    made.write_one(rehash(bare, 0, renumber=True))
    assert verify(str(made.path)).ok
    assert any("no checkpoint was seen" in note for note in made.verify().notes)
    found = {one.kind for one in made.verify(checkpoints=witnesses).findings}
    assert "rewritten" in found


def test_another_journal_put_in_its_place_is_found(made, make) -> None:
    made.fill(10, every=5)
    other = make("other")
    other.fill(30, every=5)
    witnesses, _ = checkpoints.load(str(made.path / segments.CHECKPOINTS))
    report = verify(str(other.path), checkpoints=witnesses)
    assert first(report) == ("rewritten", 1)
    shutil.rmtree(made.path)
    assert first(verify(str(made.path), checkpoints=witnesses)) == ("cut", 1)


def test_a_ledger_that_was_edited_is_told_apart_from_the_journal(made) -> None:
    made.fill(20, every=10)
    hashes = [(number, line[:64].decode()) for number, line in enumerate(made.lines(), 1)]
    hashes[6] = (7, "f" * 64)
    assert first(made.verify(hashes=lambda low, high: [one for one in hashes if low <= one[0] <= high])) == (
        "ledger",
        7,
    )
