"""How many events a second go through the service into journal and ledger, and what memory that takes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report import Row
from tests.support import homes, payloads

from levaithan.hot import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

CONNECTIONS = 8
WINDOW = 64
MOST_MIB = 200
LEAST_RATE = 10_000
_LIMIT_S = 3600


class Memory(threading.Thread):
    """Looks twice a second at the resident memory of a process and all its children, in MiB."""

    def __init__(self, pid: int, every_s: float = 0.5) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._every_s = every_s
        self._over = threading.Event()
        self.seen: list[float] = []

    def run(self) -> None:
        while not self._over.wait(self._every_s):
            self.seen.append(sum(resident(pid) for pid in family(self._pid)))

    def finish(self) -> None:
        self._over.set()
        self.join(10)

    def growth(self) -> float:
        """MiB between the run's second quarter and its last: what still grows when everything is warm."""
        quarter = len(self.seen) // 4
        if not quarter:
            return 0.0
        early, late = self.seen[quarter : 2 * quarter], self.seen[-quarter:]
        return sum(late) / len(late) - sum(early) / len(early)


def family(pid: int) -> list[int]:
    """A process and all that descend from it. Cheap where it can be: it is asked while others are measured."""
    if Path("/proc/self/task").is_dir():
        found = [pid]
        for one in found:
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found += map(int, _text(children).split())
        return found
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in said.splitlines()]
    found = [pid]
    for one in found:
        found += [child for child, parent in parents if parent == one]
    return found


def resident(pid: int) -> float:
    """The resident memory of a process in MiB; 0 when it is gone."""
    if Path("/proc/self/statm").exists():
        pages = _text(Path(f"/proc/{pid}/statm")).split()
        return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20) if pages else 0.0
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return int(said.strip() or 0) / 1024


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:  # its process is gone
        return ""


def measure(folder: str, events: int) -> list[Row]:
    """Send `events` through a fresh home's service; the rate until the ledger has them, and the memory."""
    root = homes.make_home(os.path.join(folder, "throughput"), native=False)
    with homes.serving(root) as service:
        memory = Memory(service.pid)
        memory.start()
        try:
            begun = time.monotonic()
            answered = _generate(root, events)
            _until_ledger_is_there(root)
            projected_s = time.monotonic() - begun
            homes.sync(root, _LIMIT_S)
            searchable_s = time.monotonic() - begun
        finally:
            memory.finish()
    _nothing_lost(root, events)
    return _rows(events, answered, projected_s, searchable_s, memory)


def _generate(root: str, events: int) -> float:
    """The seconds until every event was answered."""
    script, session = Path(__file__).with_name("load.py"), payloads.DATA / "sessions" / "basic.jsonl"
    sizes = [str(events), str(CONNECTIONS), str(WINDOW)]
    command = [sys.executable, "-I", "-S", str(script), paths.home_at(root).socket, *sizes, str(session)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    if done.returncode != 0:
        raise SystemExit(f"the load generator failed: {done.stderr}")
    said = json.loads(done.stdout)
    if said["answers"] != events or said["refused"]:
        raise SystemExit(f"not every event was let through: {said}")
    return float(said["seconds"])


def _until_ledger_is_there(root: str) -> None:
    """Wait until the ledger's cursor stands behind the last record that the service has written."""
    last = (homes.control(root, "status") or {})["journal"]["seq"]
    end = time.monotonic() + _LIMIT_S
    while _ledger_cursor(root) < last:
        if time.monotonic() > end:
            raise SystemExit(f"the ledger did not get to {last} in {_LIMIT_S} s: see {root}/logs/service.log")
        time.sleep(0.05)


def _ledger_cursor(root: str) -> int:
    """The seq up to which the ledger holds everything; 0 while the projector has not made it yet."""
    if not os.path.exists(os.path.join(paths.home_at(root).state, "ledger.sqlite3")):
        return 0
    try:
        return max(homes.ledger_column(root, "SELECT seq FROM cursors WHERE store = 'ledger'"), default=0)
    except sqlite3.OperationalError as error:  # made, its tables not yet
        if "no such table" in str(error):
            return 0
        raise


def _ids(records: Iterable[dict[str, object]]) -> list[object]:
    return [one["id"] for one in records if one.get("kind") == "event" and one.get("project") == "/bench"]


def _nothing_lost(root: str, events: int) -> None:
    journal = _ids(homes.journal_records(root))
    ledger = set(homes.ledger_column(root, "SELECT id FROM events WHERE project = '/bench'"))
    if not (len(journal) == len(set(journal)) == len(ledger) == events and set(journal) == ledger):
        raise SystemExit(f"sent {events}, journal {len(journal)} ({len(set(journal))} ids), ledger {len(ledger)}")


def _rows(events: int, answered_s: float, projected_s: float, searchable_s: float, memory: Memory) -> list[Row]:
    rate, peak, growth = events / projected_s, max(memory.seen, default=0.0), memory.growth()
    return [
        Row(
            "events a second through the service into journal and ledger, nothing lost",
            f"{LEAST_RATE:,}/s",
            f"{rate:,.0f}/s",
            rate >= LEAST_RATE,
            f"answered and synced {events / answered_s:,.0f}/s, searchable too {events / searchable_s:,.0f}/s; "
            f"{CONNECTIONS} connections, {WINDOW} events each on their way; N={events:,}, all in both",
        ),
        Row(
            "memory of service and projector over them",
            f"under {MOST_MIB} MiB, flat",
            f"{peak:.0f} MiB at most, {growth:+.1f} MiB",
            0 < peak < MOST_MIB and growth < 0.1 * peak,
            f"resident, all processes of the service together, {len(memory.seen)} looks; the change is from the second "
            "quarter of the run to the last",
        ),
    ]
