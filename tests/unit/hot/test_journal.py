"""Appending: one chain by many writers, rotation, duplicates, settings, and what it costs a one-shot."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from journal_by_hand import SRC, events, folder, item, records, writer

from levaithan.hot import gap, lines, segments
from levaithan.hot.journal import JournalError

if TYPE_CHECKING:
    pass


@pytest.mark.skipif(sys.platform == "darwin", reason="there it is fcntl(F_FULLFSYNC)")
def test_what_is_called_synced_was_given_to_the_system(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of what waits for a sync put their own in its place; this one holds the real one to what it says."""
    synced = []

    def watched(real):
        return lambda descriptor: (synced.append(os.fstat(descriptor).st_ino), real(descriptor))[1]

    monkeypatch.setattr(os, "fdatasync", watched(os.fdatasync))
    monkeypatch.setattr(os, "fsync", watched(os.fsync))
    journal = writer(home, fsync="always")
    journal.append([item(1)])
    segment = (folder(home) / segments.name_of(1)).stat().st_ino
    assert folder(home).stat().st_ino in synced, "a new segment's name must outlive a power cut as well"
    synced.clear()
    journal.sync()
    assert synced == [segment]
    journal.sync()
    assert synced == [segment], "nothing new, nothing to wait for"


def test_lines_are_what_the_page_promises(home) -> None:
    journal = writer(home)
    done = journal.append(
        [item(1), ("", lambda seq, digest: b'{"kind":"note","after":%d,"hash":"%s"}' % (seq, digest.encode()))]
    )
    data = (folder(home) / segments.name_of(1)).read_bytes().splitlines(keepends=True)
    assert [len(data), done[0].seq, done[1].seq] == [3, 2, 3]
    header = json.loads(data[0][65:])
    assert header["format"] == "levaithan-journal/1" and header["first"] == 1 and header["prev"] == "0" * 64
    assert header["journal"] == journal.journal and len(journal.journal) == 32 and header["machine"] == "m"
    assert data[1] == done[0].hash.encode() + b" " + b'{"seq":2,' + item(1)[1][1:] + b"\n"
    assert json.loads(data[2][65:]) == {"seq": 3, "kind": "note", "after": 2, "hash": done[0].hash}
    assert done[0].duplicate is None
    assert os.stat(folder(home)).st_mode & 0o777 == 0o700
    assert os.stat(folder(home) / segments.name_of(1)).st_mode & 0o777 == 0o600


def test_bodies_with_line_breaks_or_nothing_in_them_stay_one_line(home) -> None:
    journal = writer(home)
    journal.append([("", b'{\n "kind": "note"\n}'), ("", b'{"kind":"note"}')])
    assert records(home)[1] == {"seq": 2, "kind": "note"}
    with pytest.raises(ValueError):
        journal.append([("", b"[1]")])
    journal.append([item(1)])
    assert events(home) == [1]
    assert segments.numbered(4, b"{}") == b'{"seq":4}' and segments.numbered(4, b"{ }") == b'{"seq":4 }'


def test_two_writers_take_turns_and_each_id_is_recorded_once(home) -> None:
    one, two = writer(home), writer(home)
    one.append([item(1)])
    two.append([item(2)])
    done = one.append([item(2), item(3), item(3)])
    assert json.loads(done[0].duplicate)["seq"] == done[0].seq == 3
    assert done[2].duplicate and done[2].seq == done[1].seq == 4
    assert events(home) == [1, 2, 3]


def test_duplicates_are_seen_across_rotations_of_others_and_after_a_failure(home, monkeypatch) -> None:
    one, two = writer(home, segment_bytes=1000), writer(home, segment_bytes=1000)
    one.append([item(1)])
    for number in range(2, 40):
        two.append([item(number)])
    done = one.append([item(number) for number in range(2, 41)])
    assert [bool(each.duplicate) for each in done] == [True] * 38 + [False]
    with monkeypatch.context() as patched:
        patched.setattr(lines.os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        with pytest.raises(JournalError):
            one.append([item(50)])
    two.append([item(51)])
    assert one.append([item(51)])[0].duplicate
    assert [number for number in events(home) if number != 0] == [*range(1, 41), 51]


def test_replay_looks_back_over_a_segment_border_and_without_it_nobody_looks(home) -> None:
    one = writer(home, segment_bytes=1000)
    for number in range(1, 30):
        one.append([item(number)])
    assert len(list(folder(home).glob("journal-*"))) > 3
    late = writer(home, segment_bytes=1000)
    assert late.append([item(2)], replay=True)[0].duplicate
    blind = writer(home, segment_bytes=1000)
    assert blind.append([item(2)])[0].duplicate is None


def test_a_segment_that_is_pruned_while_it_is_looked_for_is_no_failure(home, monkeypatch) -> None:
    one = writer(home, segment_bytes=1000)
    for number in range(1, 30):
        one.append([item(number)])
    gone = sorted(folder(home).glob("journal-*"))[0].name
    real = segments.listing

    def before(directory: str) -> tuple[list[str], list[str]]:
        names, strangers = real(directory)
        return sorted({gone, *names}), strangers

    (folder(home) / gone).unlink()
    late = writer(home, segment_bytes=1000)
    late.open()
    monkeypatch.setattr(segments, "listing", before)
    assert late.append([item(2)], replay=True)[0].duplicate is None
    assert late.append([item(29)], replay=True)[0].duplicate


def test_an_id_inside_another_records_payload_is_no_duplicate(home) -> None:
    wanted = item(7)[0]
    one, two = writer(home), writer(home)
    one.append([item(1)])
    two.append([("aa", b'{"kind":"event","id":"aa","payload":{"id":"%s"}}' % wanted.encode())])
    assert one.append([item(7)])[0].duplicate is None
    assert writer(home).append([item(7)], replay=True)[0].duplicate


def test_rotation_asks_for_a_last_record_and_seals(home) -> None:
    asked = []

    def last(seq: int, digest: str) -> bytes:
        asked.append((seq, digest))
        return b'{"v":1,"kind":"checkpoint"}'

    journal = writer(home, segment_bytes=1000, before_rotate=last, fsync="always")
    for number in range(1, 20):
        journal.append([item(number)])
        journal.sync()
    assert events(home) == list(range(1, 20))
    paths = sorted(folder(home).glob("journal-*"))
    assert len(asked) == len(paths) - 1 >= 2
    for path in paths[:-1]:
        *_, before, end = path.read_bytes().splitlines()
        assert json.loads(end[65:])["kind"] == "checkpoint"
        assert (json.loads(before[65:])["seq"], before[:64].decode()) in asked
        assert path.stat().st_mode & 0o777 == 0o400
    journal.before_rotate = lambda *_: 1 / 0
    for number in range(20, 40):
        journal.append([item(number)])
    assert any("no checkpoint" in words for words in journal.found)
    assert events(home) == list(range(1, 40))


def test_fsync_settings(home, monkeypatch) -> None:
    synced = []
    real = os.fdatasync
    monkeypatch.setattr(lines.os, "fdatasync", lambda fd: (synced.append(fd), real(fd)))
    for setting, expected in (("always", 3), ("never", 0), ("interval", 1)):
        journal = writer(home, fsync=setting, fsync_interval_ms=60_000)
        journal.append([item(hash(setting) & 0xFFFF)])
        synced.clear()
        for number in range(3):
            journal.append([item(1000 + number + len(setting) * 10)])
            journal.sync()
        assert len(synced) == expected, setting
        journal.append([item(2000 + len(setting))])
        journal.sync(force=True)
        assert len(synced) == expected + (setting != "never")
        journal.sync()
        assert len(synced) == expected + (setting != "never")


def test_sync_may_overlap_appends_and_rotations(home) -> None:
    journal = writer(home, fsync="always", segment_bytes=2000)
    stop, problems = threading.Event(), []

    def syncing() -> None:
        while not stop.is_set():
            try:
                journal.sync(force=True)
            except OSError as error:
                problems.append(error)

    thread = threading.Thread(target=syncing)
    thread.start()
    for number in range(1, 301):
        journal.append([item(number)])
    stop.set()
    thread.join()
    journal.sync()
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    journal.close()
    assert problems == []
    assert events(home) == list(range(1, 301))
    if before:
        assert before - len(os.listdir("/proc/self/fd")) <= 3


def test_a_segment_that_ends_while_a_sync_begins_is_no_failure(home, monkeypatch) -> None:
    journal = writer(home, fsync="always", segment_bytes=2000)
    journal.append([item(1)])
    retired = journal._sync_retired

    def late() -> list[int]:
        for number in range(2, 12):
            journal.append([item(number)])
        return retired()

    monkeypatch.setattr(journal, "_sync_retired", late)
    journal.sync()
    monkeypatch.undo()
    journal.sync()
    assert len(os.listdir(journal.directory)) > 1
    assert gap.read(journal.gap) is None
    assert events(home) == list(range(1, 12))


def test_an_exception_from_a_callable_writes_nothing(home) -> None:
    journal = writer(home)
    journal.append([item(1)])
    with pytest.raises(ZeroDivisionError):
        journal.append([item(2), ("", lambda *_: b"%d" % (1 // 0))])
    journal.append([item(3)])
    assert events(home) == [1, 3]


def test_a_record_over_the_limit_leaves_a_mark(home) -> None:
    journal = writer(home, max_record_bytes=1000)
    journal.append([item(1, 200_000), item(2)])
    mark = records(home)[1]
    assert mark["kind"] == "note" and mark["_cut"] > 200_000 and int(mark["id"], 16) == 1
    assert events(home) == [2]


def test_a_clock_set_back_changes_nothing(home, monkeypatch) -> None:
    journal = writer(home, segment_bytes=600)
    for number, now in enumerate((2e9, 1e9, 5.0), 1):
        monkeypatch.setattr(segments.time, "time_ns", lambda at=now: int(at * 1e9))
        for extra in range(4):
            journal.append([item(number * 10 + extra)])
    assert len(events(home)) == 12


def test_it_runs_under_a_bare_python_and_loads_nothing_dear(home) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from levaithan.hot.journal import Journal\n"
        'j = Journal(sys.argv[2]); j.append([(\'a\', b\'{"kind":"event","id":"a"}\')], replay=True); j.sync()\n'
        "print(*(set(sys.modules) - before))"
    )
    run = [sys.executable, "-I", "-S", "-c", code, SRC, str(folder(home))]
    loaded = set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
    dear = {
        "json",
        "re",
        "hashlib",
        "pathlib",
        "typing",
        "dataclasses",
        "enum",
        "logging",
        "datetime",
        "socket",
        "contextlib",
    }
    assert not loaded & dear
    assert {"levaithan.hot.journal"} <= loaded
    assert len(records(home)) == 2


def test_running_out_of_time_counts_what_may_not_be_there(home) -> None:
    class OutOfTime(BaseException):
        pass

    def ring(*_: object) -> bytes:
        raise OutOfTime

    journal = writer(home)
    with pytest.raises(OutOfTime):
        journal.append([item(1), ("", ring)])
    journal.append([item(2)])
    told = records(home)[1]
    assert (told["kind"], told["dropped"], told["reason"]) == ("gap", 1, "interrupted")
