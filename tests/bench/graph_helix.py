"""The graph on HelixDB: how fast the projector fills it, and what questions cost then. A server of its own, the real
engine behind HTTP. `python -m tests.bench.graph_helix --events 20000` measures this alone."""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench import report
from tests.bench.report import Row
from tests.servers.helix import Helix
from tests.support import helix_place
from tests.support.ledger_records import JournalFiles, event

from levaithan.projector.feed import Feed
from levaithan.projector.follower import Follower
from levaithan.stores.roles.graph import FILE, SESSION, Node

if TYPE_CHECKING:
    from levaithan.stores.helix_graph import HelixGraph

LEAST_RATE = 2_000
JOURNAL = "b" * 32
_OF_A_SESSION = 400
_FILES = 2_000
_TOOLS = ("Bash", "Bash", "Bash", "Read", "Read", "Edit", "Write", "Grep")


def measure(folder: str, events: int, rounds: int) -> list[Row]:
    """The row about the graph on HelixDB."""
    directory = os.path.join(folder, "journal-for-helix")
    _journal(directory, events)
    server = Helix()
    server.start()
    graph = helix_place.graph(server.url(), Path(folder) / "state-for-helix", JOURNAL, api_key=server.password)
    try:
        graph.migrate()
        return [_filling(graph, directory, events, rounds)]
    finally:
        graph.close()
        server.stop()


def _journal(directory: str, events: int) -> None:
    """Calls in pairs, of sessions of 400 events, eight at a time; a third of the calls has a file."""
    files, chance = JournalFiles(directory, JOURNAL), random.Random(20261127)
    with open(files.path, "ab") as file:
        for number in range(events):
            body = json.dumps(_record(number, chance) | {"seq": files.seq + 1}, separators=(",", ":")).encode()
            files.seq += 1
            files.hash = hashlib.sha256(files.hash.encode() + b" " + body).hexdigest()
            file.write(files.hash.encode() + b" " + body + b"\n")


def _record(number: int, chance: random.Random) -> dict[str, Any]:
    call = number // 2
    tool = _TOOLS[call % len(_TOOLS)]
    session = f"bench-{number // (8 * _OF_A_SESSION)}-{call % 8}"
    given: dict[str, Any] = {"command": f"pytest -q tests/unit/test_{call % 97}.py"}
    if tool != "Bash":
        given = {"file_path": f"/home/dev/project/src/package/module_{chance.randrange(_FILES)}.py"}
    name = "PostToolUse" if number % 2 else "PreToolUse"
    return event(number, name, tool_name=tool, session_id=session, call=f"toolu_{call}", payload={"tool_input": given})


def _filling(graph: HelixGraph, directory: str, events: int, rounds: int) -> Row:
    follower = Follower(graph, Feed(directory))
    gc.collect()
    gc.disable()  # as the projector's process does
    try:
        begun, spent = time.perf_counter(), time.process_time()
        while follower.step():
            pass
        took, spent = time.perf_counter() - begun, time.process_time() - spent
    finally:
        gc.enable()
    there = len(graph.fingerprints(0, events + 1)) if events <= 20_000 else events
    if follower.error or there != events:
        raise SystemExit(f"the graph holds {there} of {events} events: {follower.error}")
    edges = sum(count for kind, count in graph.kinds().items() if kind.isupper())
    rate = events / took
    return Row(
        "events a second into the graph on HelixDB",
        f"{LEAST_RATE:,}/s",
        f"{rate:,.0f}/s",
        rate >= LEAST_RATE,
        f"Follower.step on a journal of {events:,} events until all are in, {edges:,} edges; "
        f"{spent / events * 1e6:.0f} microseconds of Python an event of {took / events * 1e6:.0f} in all: the rest is "
        "the engine's. "
        f"Questions then, at the median of {rounds}: {_asking(graph, rounds)}",
    )


def _asking(graph: HelixGraph, rounds: int) -> str:
    """What questions cost, in words: no limit is promised for them."""
    file, session = "/home/dev/project/src/package/module_7.py", "bench-0-3"
    asked: dict[str, Callable[[], Any]] = {
        "touched": lambda: graph.touched(file), "changes": lambda: graph.changed(session),
        "blast of 2 hops": lambda: graph.blast(Node(FILE, file), 2),
        "path": lambda: graph.path(Node(SESSION, session), Node(FILE, file)),
        "similar": lambda: graph.similar(session), "the schema's version": graph.current,
    }  # fmt: skip
    took: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, ask in asked.items():
            begun = time.perf_counter()
            ask()
            took[name].append((time.perf_counter() - begun) * 1000)
    return ", ".join(f"{name} {median(times):.1f} ms" for name, times in took.items())


def main() -> int:
    """Measure this part alone; the exit code."""
    parser = argparse.ArgumentParser(description="Measure the graph on HelixDB.")
    parser.add_argument("--events", type=int, default=20_000)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(folder, parser.parse_args().events, 10)
    print(report.table(rows))
    return 0 if all(row.met for row in rows) else 5


if __name__ == "__main__":
    raise SystemExit(main())
