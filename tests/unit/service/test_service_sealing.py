"""Checkpoints: after activity, at the stop, off the machine in order; a key that cannot be used stops nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import homes
from tests.unit.service.conftest import Client, event

from levaithan.hot import paths
from levaithan.service.sealing import ends_signed

if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.paths import Home


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
        told = homes.control(root, "status")
        assert told is not None
        assert told["checkpoint"]["size"] == checkpoints(home)[0]["size"] == 2
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
