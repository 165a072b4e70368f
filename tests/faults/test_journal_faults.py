"""Many writers at once, SIGKILL among them, disks that are full or read-only: one valid chain, nothing whole lost."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.namespaces import in_namespace

from levaithan.hot import gap
from levaithan.hot.journal import Journal, JournalError
from levaithan.journal import read
from levaithan.journal.verify import verify

SRC = str(Path(__file__).parents[2] / "src")
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from levaithan.hot.journal import Journal
first, count, batch = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
journal = Journal(sys.argv[2], segment_bytes=int(sys.argv[6]), fsync=sys.argv[7])
for start in range(first, first + count, batch):
    ids = ["%032x" % number for number in range(start, min(start + batch, first + count))]
    journal.append([(one, b'{"v":1,"kind":"event","id":"%s","x":"%s"}' % (one.encode(), b"x" * 300)) for one in ids])
    journal.sync()
    sys.stdout.write("".join(one + "\\n" for one in ids)); sys.stdout.flush()
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    (tmp_path / "home" / "state").mkdir(parents=True)
    return str(tmp_path / "home" / "logs" / "journal")


def start(place: str, first: int, count: int, *, batch: int = 5, segment: int = 40_000, fsync: str = "never"):
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        WRITER,
        SRC,
        place,
        str(first),
        str(count),
        str(batch),
        str(segment),
        fsync,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def recorded(place: str) -> list[int]:
    out = []
    for one in read.read(place):
        assert isinstance(one, read.Record), one.why
        record = json.loads(one.body)
        if record["kind"] == "event":
            out.append(int(record["id"], 16))
    return out


@pytest.mark.faults
def test_eight_processes_at_once_make_one_chain(place) -> None:
    workers = [start(place, n * 10_000, 3000, batch=1 + n) for n in range(8)]
    for worker in workers:
        assert len(worker.communicate(timeout=120)[0].split()) == 3000
        assert worker.returncode == 0
    assert sorted(recorded(place)) == sorted(n * 10_000 + m for n in range(8) for m in range(3000))
    report = verify(place)
    assert report.ok, report.findings
    assert report.segments > 100


@pytest.mark.faults
def test_sigkill_during_appends_loses_nothing_that_was_said_to_be_there(place) -> None:
    chance, told = random.Random(5), []
    for round_ in range(25):
        workers = [start(place, round_ * 10**6 + n * 10**5, 50_000, batch=40, fsync="always") for n in range(3)]
        time.sleep(0.1 + chance.random() * 0.15)
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        for worker in workers:
            told += [int(line, 16) for line in worker.communicate()[0].split("\n") if len(line) == 32]
    Journal(place).append([("", b'{"v":1,"kind":"note"}')])
    have = recorded(place)
    assert len(told) > 500
    assert len(have) == len(set(have))
    assert set(told) <= set(have)
    report = verify(place)
    assert report.ok, report.findings


@pytest.mark.faults
def test_a_file_size_limit_stops_a_batch_whole_and_the_gap_is_recorded(place) -> None:
    code = (
        "import resource, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from levaithan.hot.journal import Journal, JournalError\n"
        "j = Journal(sys.argv[2])\n"
        'j.append([(\'a\', b\'{"kind":"event","id":"1"}\')]); j.sync()\n'
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))\n"
        "done = 0\n"
        "for n in range(2, 40):\n"
        "    try:\n"
        '        j.append([(\'%d\' % n, b\'{"kind":"event","id":"%x","x":"%s"}\' % (n, b\'x\' * 200))]); done += 1\n'
        "    except JournalError as error:\n"
        "        assert error.reason == 'full' and 'free space' in str(error), error\n"
        "print(done)\n"
    )
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    out = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, SRC, place], capture_output=True, text=True, check=True
    )
    done = int(out.stdout)
    assert 3 < done < 20
    assert verify(place).ok
    Journal(place).append([("z", b'{"kind":"event","id":"ffff"}')])
    assert recorded(place) == [*range(1, done + 2), 0xFFFF]
    bodies = [json.loads(one.body) for one in read.read(place)]
    (told,) = [one for one in bodies if one["kind"] == "gap"]
    assert told["dropped"] == 38 - done and told["reason"] == "full"


@pytest.mark.faults
def test_counting_a_gap_by_many_processes_at_once_counts_each(tmp_path) -> None:
    path = str(tmp_path / "gap")
    gap.prepare(path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom levaithan.hot import gap\n"
        "for n in range(200): gap.add([sys.argv[2]], gap.Count(1, gap.now(), gap.now(), sys.argv[3]))\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", code, SRC, path, reason])
        for reason in ("full", "io", "full", "readonly")
    ]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    count = gap.read([path])
    assert count is not None and count.dropped == 800
    assert set(count.reason.split(",")) == {"full", "io", "readonly"}
    assert os.path.getsize(path) == gap.SLOT


SMALL_DISK = """
set -e
mount -t tmpfs -o size=300k none "$1"
mkdir -p "$1/home/state"
exec "$2" -I -S -c "$3" "$4" "$1/home/logs/journal" "$1"
"""
FILL = """
import os, sys
sys.path.insert(0, sys.argv[1])
from levaithan.hot.journal import Journal, JournalError
j = Journal(sys.argv[2], segment_bytes=60000)
done = failed = 0
for n in range(1, 600):
    try:
        j.append([("%032x" % n, b'{"kind":"event","id":"%032x","x":"%s"}' % (n, b"x" * 900))]); j.sync(); done += 1
    except JournalError as error:
        assert error.reason == "full", error
        failed += 1
assert failed > 50 and done > 100, (done, failed)
torn = [n for n in os.listdir(sys.argv[2]) if not open(sys.argv[2] + "/" + n, "rb").read().endswith(b"\\n")]
assert not torn, torn
os.unlink(sys.argv[2] + "/" + sorted(os.listdir(sys.argv[2]))[0])
j.append([("%032x" % 9999, b'{"kind":"event","id":"%032x"}' % 9999)]); j.sync()
last = sorted(os.listdir(sys.argv[2]))[-1]
text = b"".join(open(sys.argv[2] + "/" + n, "rb").read() for n in sorted(os.listdir(sys.argv[2])))
assert (b'"kind":"gap"' in text) and (b'"dropped":%d,' % failed) in text, (failed, text[-700:])
print("ok", done, failed)
"""


@pytest.mark.faults
def test_a_really_full_disk_drops_whole_events_counts_them_and_goes_on(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    assert in_namespace(SMALL_DISK, str(tmp_path / "disk"), sys.executable, FILL, SRC).startswith("ok")


READ_ONLY = """
set -e
mount -t tmpfs none "$1"
mkdir -p "$1/home/state" "/tmp/levaithan-$(id -u)"
mount -t tmpfs none "/tmp/levaithan-$(id -u)"
"$2" -I -S -c "$3" "$4" "$1/home/logs/journal"
mount -o remount,ro none "$1"
exec "$2" -I -S -c "$5" "$4" "$1/home/logs/journal"
"""
ONE = """
import sys
sys.path.insert(0, sys.argv[1])
from levaithan.hot.journal import Journal
Journal(sys.argv[2]).append([("1", b'{"kind":"event","id":"1"}')])
"""
REFUSED = """
import sys
sys.path.insert(0, sys.argv[1])
from levaithan.hot.journal import Journal, JournalError
j = Journal(sys.argv[2])
for _ in range(3):
    try:
        j.append([("2", b'{"kind":"event","id":"2"}')])
    except JournalError as error:
        assert error.reason == "readonly" and "writable" in str(error), error
    else:
        raise SystemExit("it was written")
from levaithan.hot import gap
print("ok", gap.read(j.gap).dropped)
"""


@pytest.mark.faults
def test_a_read_only_disk_is_said_and_the_loss_is_counted_outside_it(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    assert in_namespace(READ_ONLY, str(tmp_path / "disk"), sys.executable, ONE, SRC, REFUSED) == "ok 3\n"


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere: the read-only mount above tests the same")
def test_a_read_only_folder_is_said(place) -> None:
    Journal(place).append([("1", b'{"kind":"event","id":"1"}')])
    os.chmod(place, 0o500)
    for path in Path(place).glob("journal-*"):
        path.chmod(0o400)
    with pytest.raises(JournalError) as caught:
        Journal(place).append([("2", b'{"kind":"event","id":"2"}')])
    assert caught.value.reason == "readonly"


@pytest.mark.faults
def test_a_thousand_mutated_folders_open_say_it_and_lose_nothing_whole(tmp_path) -> None:
    (tmp_path / "home" / "state").mkdir(parents=True)
    origin = tmp_path / "home" / "logs" / "journal"
    journal = Journal(str(origin), segment_bytes=1500, fsync="never")
    for number in range(1, 16):
        journal.append([(f"{number:032x}", b'{"v":1,"kind":"event","id":"%032x","x":"%s"}' % (number, b"x" * 80))])
    journal.close()
    chance = random.Random(11)
    for round_ in range(1000):
        home = tmp_path / f"h{round_}"
        (home / "state").mkdir(parents=True)
        target = home / "logs" / "journal"
        shutil.copytree(origin, target)
        survivors = mutate(target, chance)
        for attempt in (1, 2):
            again = Journal(str(target), segment_bytes=1500, fsync="never")
            again.append([(f"{90 + attempt:032x}", b'{"kind":"event","id":"%032x"}' % (90 + attempt))])
            again.close()
        left = [path for path in target.rglob("*") if path.is_file()]
        for path in left:
            path.chmod(0o600)  # some were made unreadable
        text = b"".join(path.read_bytes() for path in left)
        for line in survivors:
            assert line in text, (round_, line)
        assert (
            sum(path.name.startswith("journal-0000") for path in (target / "torn").glob("*") if path.suffix == ".log")
            <= 1
        )
        assert b"%032x" % 91 in text and b"%032x" % 92 in text
        shutil.rmtree(home)


def mutate(target: Path, chance: random.Random) -> list[bytes]:
    """Damage one segment in some way; the lines that are whole all the same."""
    path = chance.choice(sorted(target.glob("journal-*")))
    data = path.read_bytes()
    path.chmod(0o600)
    kind = chance.randrange(8)
    if kind == 0:
        path.unlink()
    elif kind == 1:
        path.write_bytes(b"")
    elif kind == 2:
        path.write_bytes(data[: chance.randrange(len(data))])
    elif kind == 3:
        at = chance.randrange(len(data))
        path.write_bytes(data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :])
    elif kind == 4:
        path.write_bytes(data + chance.randbytes(chance.randrange(300)))
    elif kind == 5:
        path.rename(target / f"journal-{chance.randrange(10**21):020d}.log")
    elif kind == 6:
        path.write_bytes(chance.randbytes(500))
    else:
        path.chmod(0)
    return [
        line
        for one in target.glob("journal-*")
        if one.stat().st_mode & 0o777 or os.geteuid() == 0
        for line in one.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n") and line in data
    ]
