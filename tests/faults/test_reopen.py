"""What is told was synced before; a journal of a million records opens at once."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.unit.service.conftest import Client, event

from levaithan.hot import gap, paths
from levaithan.hot.journal import Journal
from levaithan.journal import read
from levaithan.stores.registry import open_ledger, open_search

pytestmark = pytest.mark.faults
RECORDS = int(os.environ.get("LEVAITHAN_FAULT_RECORDS", "1000000"))
RUN = "from levaithan.cli.main import run; run()"


@contextlib.contextmanager
def serving(root: str, patch: str) -> Iterator[subprocess.Popen[bytes]]:
    """The real service with a line of Python before it: a disk that can be held or broken, a quicker pruner."""
    log = Path(root, "logs", "serve.out")
    with log.open("ab") as said:
        command = [sys.executable, "-c", f"{patch}\n{RUN}", "--home", root, "serve"]
        service = subprocess.Popen(command, env=homes.plain_environment(), stdout=said, stderr=said)
    try:
        homes.until(lambda: homes.control(root, "ping") or service.poll() is not None, 20)
        assert service.poll() is None, log.read_text()
        yield service
    finally:
        if service.poll() is None:
            homes.stop_service(service)


# --- told is synced --------------------------------------------------------------------------------------------------

DISK = """
import os, time
from levaithan.hot import lines
real = lines.sync_file
def sync(descriptor):
    while os.path.exists({hold!r}):
        time.sleep(0.005)
    if os.path.exists({broken!r}):
        raise OSError(5, "Input/output error")
    real(descriptor)
    with open({log!r}, "a") as file:
        file.write("synced\\n")
lines.sync_file = sync
"""


class Disk:
    """A disk whose syncs can be held or broken, and are counted."""

    def __init__(self, folder: Path) -> None:
        self.hold, self.broken, self.log = folder / "hold", folder / "broken", folder / "synced.log"
        self.patch = DISK.format(hold=str(self.hold), broken=str(self.broken), log=str(self.log))

    def synced(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


def recorded(root: str) -> int:
    return sum(one.get("kind") == "event" for one in homes.journal_records(root))


@pytest.mark.parametrize("count", [1, 40], ids=["one event", "a group"])
def test_the_answer_waits_for_the_sync(tmp_path: Path, count: int) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    disk, home = Disk(tmp_path), paths.home_at(root)
    with serving(root, disk.patch), Client(home) as client:
        client.send(event())
        assert client.answer() == (0, b"", b"")
        disk.hold.touch()
        client.send(b"".join(event() for _ in range(count)))
        homes.until(lambda: recorded(root) > 1, 5)
        readable, _, _ = select.select([client.socket], [], [], 0.5)
        assert not readable, "it was answered before it was synced"
        before = disk.synced()
        disk.hold.unlink()
        for _ in range(count):
            assert client.answer() == (0, b"", b"")
        assert disk.synced() > before
    assert recorded(root) == count + 1


def test_what_could_not_be_synced_is_not_told_as_recorded(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    disk, home = Disk(tmp_path), paths.home_at(root)
    with serving(root, disk.patch), Client(home) as client:
        client.send(event())
        assert client.answer() == (0, b"", b"")
        disk.broken.touch()
        client.send(event())
        assert b"could not record" in client.answer()[2]
        assert gap.read(gap.files(home.journal)) is not None
        disk.broken.unlink()
        client.send(event())
        assert client.answer() == (0, b"", b"")
    kinds = [one["kind"] for one in homes.journal_records(root)]
    assert kinds.count("gap") == 1
    assert homes.verify(root).ok


@pytest.mark.parametrize("broken", [False, True])
def test_a_one_shot_answers_after_its_sync(tmp_path: Path, broken: bool) -> None:
    root = homes.make_home(tmp_path / "h", native=False)
    disk = Disk(tmp_path)
    if broken:
        disk.broken.touch()
    code = (
        f"import sys; sys.path.insert(0, {str(homes.ROOT / 'src')!r})\n{disk.patch}\n"
        "from levaithan.hot import shot\n"
        "say = shot._write\n"
        "def write(descriptor, data):\n"
        f"    open({str(disk.log)!r}, 'a').write('answered\\n') if data else None\n"
        "    say(descriptor, data)\n"
        "shot._write = write\n"
        f"raise SystemExit(shot.main(['PreToolUse', '--home', {root!r}]))\n"
    )
    told = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "rm -rf /"}, "cwd": "/"}
    done = subprocess.run(
        [homes.real_python(), "-I", "-S", "-c", code], input=json.dumps(told).encode(), capture_output=True, check=True
    )
    assert b'"deny"' in done.stdout
    assert (b"could not record" in done.stderr) == broken
    lines = disk.log.read_text().split()
    assert lines[-1] == "answered"
    assert "synced" not in lines[lines.index("answered") :]
    assert lines.count("synced") >= (0 if broken else 1)
    assert (lines[0] == "answered") == broken


# --- large is quick --------------------------------------------------------------------------------------------------

BODY = (
    b'{"v":1,"kind":"event","id":"%032x","at":"2026-11-23T15:04:05.123456Z","machine":"m","event":"PreToolUse",'
    b'"session_id":"s","tool_name":"Bash","tool_use_id":"toolu_%d","decision":"allow","path":"native","payload":{}}'
)


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A home with RECORDS records in its journal and as many rows in stores that stand at its end."""
    root = homes.make_home(tmp_path_factory.mktemp("million") / "h", native=False)
    home = paths.home_at(root)
    journal = Journal(home.journal, fsync="never")
    for start in range(0, RECORDS, 5000):
        numbers = range(start, min(start + 5000, RECORDS))
        journal.append([(f"{number:032x}", BODY % (number, number)) for number in numbers])
    journal.close()
    for path in homes.journal_files(root):
        with path.open("rb") as file:
            os.fsync(file.fileno())  # or the first answer would wait for all of it
    end = read.tail(home.journal)
    assert end is not None
    cursor = (journal.journal, end.segment, end.offset, end.seq, end.hash)
    settings = settings_of(root)
    opened: tuple[Any, Any] = (open_ledger(settings, home), open_search(settings, home))
    for store, rows in zip(opened, (LEDGER_ROWS, DOCS), strict=True):
        store.migrate()
        store.close()
        with contextlib.closing(sqlite3.connect(store.file.path)) as link, link:
            link.execute(rows.format(count=RECORDS))
            link.execute("INSERT INTO cursors VALUES (?, ?, ?, ?, ?, ?, 0)", (store.name, *cursor))
    return root


COUNTED = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
LEDGER_ROWS = (
    "INSERT INTO events (id, seq, journal, hash, at_us, event, tool_name, body) " + COUNTED
    + "SELECT printf('%032x', i), i, 'j', '', 1795000000000000 + i, 'PreToolUse', 'Bash', '{{}}' FROM n"
)  # fmt: skip
DOCS = "INSERT INTO docs (number, id, at_us, canary) " + COUNTED + "SELECT i, printf('%032x', i), i, 0 FROM n"


def settings_of(root: str) -> Any:
    """The settings of a home, without this process's environment."""
    from levaithan.config import settings

    return settings.load(root, environ={})


def seconds_to_ready(root: str) -> float:
    """From the start of the process until it has answered an event; it is killed then, in the middle of a line."""
    home = paths.home_at(root)
    begun = time.monotonic()
    service = homes.start_service(root)
    with Client(home) as client:
        client.send(event())
        assert client.answer() == (0, b"", b"")
    took = time.monotonic() - begun
    told = homes.control(root, "ping")
    service.kill()
    service.wait()
    assert told is not None
    assert told["ready"] is True
    return took


def test_a_million_records_are_open_in_under_five_seconds(tmp_path: Path, million: str) -> None:
    empty = seconds_to_ready(homes.make_home(tmp_path / "h", native=False))
    found = {"caught up": seconds_to_ready(million)}
    home = paths.home_at(million)
    last = homes.journal_files(million)[-1]
    with last.open("ab") as file:
        file.write(b'0123456789 {"seq":1,"half a rec')
    found["torn, killed"] = seconds_to_ready(million)
    for side in ("", "-wal", "-shm"):
        Path(home.state, f"search.sqlite3{side}").unlink(missing_ok=True)
    found["index gone"] = seconds_to_ready(million)
    begun = time.monotonic()
    rows = homes.rows(million, "audit", "list", "--limit", "5")
    found["audit list after it"] = time.monotonic() - begun
    print({name: f"{took:.2f} s, {took / empty:.2f}x of an empty home" for name, took in found.items()}, f"{empty:.2f}")
    assert len(rows) == 5
    # A machine that is busy with other things is slow for the empty home as well.
    slow = {name: took for name, took in found.items() if took > 5.0 and took > 3 * empty}
    assert slow == {}, f"an empty home took {empty:.2f} s"
    assert list(Path(home.journal, "torn").glob(f"{last.name}.*"))
