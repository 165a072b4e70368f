"""Checkpoints: after activity, at the stop, off the machine in order; a key that cannot be used stops nothing else."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from tests.support import homes
from tests.unit.service.conftest import Client, event

from levaithan.config.settings import Settings
from levaithan.hot import gap, journal, lines, paths
from levaithan.service.sealing import Sealing, ends_signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot.paths import Home
    from levaithan.service.committer import Committer


def checkpoints(home: Home) -> list[Any]:
    path = Path(home.journal, "checkpoints.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def send(home: Home, count: int = 1) -> None:
    with Client(home) as client:
        client.send(b"".join(event() for _ in range(count)))
        for _ in range(count):
            client.answer()


def test_signed_after_activity_and_at_the_stop_and_brought_away(tmp_path: Path) -> None:
    away = tmp_path / "away"
    root = homes.make_home(tmp_path / "h", native=False, checkpoint_interval_s=1, checkpoint_export=str(away))
    home = paths.home_at(root)
    with homes.serving(root):
        send(home)
        homes.until(lambda: len(checkpoints(home)) == 1, 10)
        assert checkpoints(home)[0]["size"] == 2
        homes.until(lambda: (homes.control(root, "status") or {})["checkpoint"]["size"] == 2)  # a moment after the file
        homes.until(lambda: (homes.control(root, "status") or {})["loops"]["export"]["last_error"])
        told = homes.control(root, "status")
        assert told is not None
        assert "make or mount it" in told["loops"]["export"]["last_error"]
        assert told["checkpoint"]["export_due"] == 1
        away.mkdir()
        send(home, 3)
        homes.until(lambda: len(checkpoints(home)) == 2, 10)
        send(home)
    made = checkpoints(home)
    assert ends_signed(home.journal)
    assert len(made) >= 3  # the last at the stop
    (exported,) = away.iterdir()
    assert [json.loads(line)["size"] for line in exported.read_text().splitlines()] == [one["size"] for one in made]
    assert homes.verify(root).ok
    assert made[-1]["size"] == sum(1 for _ in homes.journal_records(root)) - 1


def test_an_idle_service_signs_nothing(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", native=False, checkpoint_interval_s=1)
    home = paths.home_at(root)
    for _ in range(2):
        with homes.serving(root):
            if not checkpoints(home):
                send(home)
    assert len(checkpoints(home)) == 1


def test_each_segment_ends_with_a_checkpoint(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", native=False, segment_bytes=20_000)
    home = paths.home_at(root)
    with homes.serving(root):
        homes.until(lambda: (homes.control(root, "status") or {})["loops"]["sealer"]["running"])
        homes.until(lambda: os.path.exists(home.keys + "/journal.key"))
        send(home)
        homes.until(lambda: len(checkpoints(home)) == 1)
        for _ in range(10):
            send(home, 10)
    segments = homes.journal_files(root)
    assert len(segments) >= 3
    for file in segments:
        assert b'"kind":"checkpoint"' in file.read_bytes().splitlines()[-1]
    assert homes.verify(root).ok


def test_a_key_that_cannot_be_used_is_said_and_stops_nothing(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    home = paths.home_at(root)
    Path(home.keys, "journal.key").write_text("no key")
    with homes.serving(root):
        send(home)
        homes.until(lambda: (homes.control(root, "status") or {})["loops"]["sealer"]["last_error"])
        told = homes.control(root, "status")
        assert told is not None
        assert "journal.key" in told["loops"]["sealer"]["last_error"]
        assert told["ready"] is True


class OneThread:
    """Stands for the committer: does its jobs at once."""

    def __init__(self, directory: str) -> None:
        self.journal = journal.Journal(directory)
        self.head = (0, "")

    def job(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(work())
        except journal.JournalError as error:
            done.set_exception(error)
        return done


def test_on_a_full_disk_with_room_for_the_gap_alone_it_goes_on_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = paths.home_at(homes.make_home(tmp_path / "h", native=False))
    beside = OneThread(home.journal)
    beside.journal.append([("e1", b'{"v":1,"kind":"event","id":"e1"}')])
    lost_at = "2026-11-28T00:00:00.000000Z"
    assert gap.add(gap.files(home.journal), gap.Count(7, lost_at, lost_at, "full"))

    def little_room(descriptor: int, data: bytes, size: int) -> None:
        if len(data) > 300:
            raise OSError(errno.ENOSPC, "no room")
        whole(descriptor, data, size)

    whole = lines.write_whole
    monkeypatch.setattr(lines, "write_whole", little_room)
    sealing = Sealing(
        home, Settings(signing_key_file=home.keys + "/journal.key"), cast("Committer", beside), lambda *_, **__: None
    )
    with pytest.raises(journal.JournalError, match="no room"):
        asyncio.run(asyncio.wait_for(sealing.run(), 20))
    counted = gap.read(gap.files(home.journal))
    assert counted is not None
    assert counted.dropped == 7
    beside.journal.append([])
    assert gap.read(gap.files(home.journal)) is None, "there was no room for the gap either: this shows nothing"
    beside.journal.close()
