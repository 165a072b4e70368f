"""Verification of a folder that somebody has prepared: pipes, dead links, endless lines, crowds of false checkpoints.

It must end, in bounded memory, with what is wrong named: a check that hangs or dies proves nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from levaithan.journal import checkpoints, read, seal

_PROBE = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
from levaithan.journal.verify import verify
report = verify(sys.argv[1])
print(json.dumps([[one.seq, one.kind] for one in report.findings]))
"""


def _verified(folder: Path) -> list[list[object]]:
    """The findings, made by a process with 2 GiB of addresses and half a minute."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, str(folder)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[object]] = json.loads(done.stdout)
    return found


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("place", [0, 1, -1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("put", [_pipe, _folder, _dead_link, _endless])
def test_what_stands_in_a_segments_place_is_named_and_not_waited_for(
    made, put: Callable[[Path], None], place: int
) -> None:
    made.fill(60, every=20, segment_bytes=4000)
    names = made.segments()
    first = int(names[place].name[8:28])
    put(names[place])
    found = _verified(made.path)
    assert found[0] == [first, "deleted"]
    rest = list(read.read(str(made.path)))  # the projector's way through it: what is whole arrives
    assert sum(isinstance(one, read.Record) for one in rest) >= 15


@pytest.mark.parametrize("tail", [b"", b"\n"], ids=["torn", "closed"])
def test_a_line_without_an_end_is_one_finding_in_bounded_memory(made, tail: bytes) -> None:
    made.fill(30, every=10, segment_bytes=2500)
    path = made.segments()[1]
    size = path.stat().st_size
    path.chmod(0o600)
    with path.open("rb+") as file:
        file.truncate(size + (1 << 30))  # sparse
        file.seek(0, os.SEEK_END)
        file.write(tail)
    following = int(made.segments()[2].name[8:28])
    assert _verified(made.path)[0][0] == following


@pytest.mark.parametrize("put", [_pipe, _folder, _dead_link, _endless])
def test_a_checkpoint_file_that_is_none_is_said(made, put: Callable[[Path], None]) -> None:
    made.fill(9, every=4)
    put(made.path / "checkpoints.jsonl")
    assert [0, "checkpoint"] in _verified(made.path)


def test_false_checkpoints_do_not_crowd_out_what_was_edited(made) -> None:
    """A hundred findings are kept, the earliest record first: lines that anybody can write must not fill them."""
    made.fill(30, every=10)
    beside = made.path / "checkpoints.jsonl"
    other = seal.ensure_key(str(made.root / "other.key"), str(made.root / "other.pub"))
    journal = json.loads(made.lines()[0][65:])["journal"]
    forged = [json.dumps(other.sign(journal, number, "0" * 64).as_dict()) for number in range(1, 300)]
    beside.write_text("no json\n" * 300 + "\n".join(forged) + "\n" + beside.read_text())
    path = made.segments()[0]
    path.write_bytes(path.read_bytes().replace(b'"x":"xx', b'"x":"yx', 1))
    report = made.verify()
    edited = [one.seq for one in report.findings if one.kind == "edited"]
    assert edited == [2]
    assert report.findings[0].seq == 2, "what is about no record comes last"


def test_a_huge_file_of_checkpoints_is_read_a_line_at_a_time(made, tmp_path: Path) -> None:
    made.fill(9, every=4)
    beside = made.path / "checkpoints.jsonl"
    kept = beside.read_bytes()
    with beside.open("wb") as file:
        file.truncate(1 << 30)  # one line of zeros, as a crash may leave it, only longer
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + kept)
    assert _verified(made.path) == []
    found, problems = checkpoints.load(str(beside))
    assert len(found) == kept.count(b"\n") and not problems
