"""All servers at once behind one service on two cores: events at a steady rate, and how far each store falls behind.

The servers are real ones of the benchmark's own. Of Weaviate there may be none, for no registry carries it: the row
says where the memory was, and what made its vectors. No two prompts are equal, so that each needs a vector of its own.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench.report import Row
from tests.servers.catalogue import local
from tests.servers.endpoint import ServerMissingError
from tests.support import homes
from tests.support.steady_load import Load
from tests.support.store_flow import SESSION, equal_to_journal

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.projector import status
from levaithan.stores import embedding, registry
from levaithan.stores.roles import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RATE = 1500
LAG_S = 20.0
"""Seconds of events that a store may be behind at the highest and still count as bounded."""
GROWS_S = 2.0
"""And so much more it may be behind, at the median, in the last third of the time than in the third before it: a lag
that grows slowly is not bounded either. The highest of a third is no measure of that: it is one pause of a server."""
_ROLES = {
    "postgres": "ledger", "elasticsearch": "search", "helix": "graph", "redis": "counters", "weaviate": "memory",
}  # fmt: skip
_PATIENCE_S = 300.0


def measure(folder: str, seconds: float) -> list[Row]:
    """A row for each model of vectors: RATE events a second for `seconds`, then until every store is at the journal's
    end."""
    rows = []
    for model in (embedding.HASHING, *([] if embedding.missing() else [embedding.MINILM])):
        with _servers() as settings:
            root = homes.make_home(
                Path(folder) / f"all-{model}", native=False, canary_interval_s=0, memory_model=model, **settings
            )
            service = homes.start_service(root)
            try:
                homes.sync(root)
                where = f"{'on Weaviate' if 'memory_url' in settings else 'embedded'} with vectors of {model}"
                rows.append(_row(root, Path(folder), seconds, where))
            finally:
                homes.stop_service(service)
    return rows


@contextlib.contextmanager
def _servers() -> Iterator[dict[str, str]]:
    with contextlib.ExitStack() as stack:
        settings = {}
        for store, role in _ROLES.items():
            try:
                server: Any = local(store)
            except ServerMissingError as error:
                if store != "weaviate":
                    raise
                print(f"the memory stays embedded: {error}", file=sys.stderr)
                continue
            server.start()
            stack.callback(server.stop)
            settings[f"{role}_url"] = server.url()
            if store in ("helix", "weaviate"):
                settings[f"{role}_api_key"] = server.password
            if store == "weaviate":
                settings["memory_url"] += f"?grpc_port={server.endpoint().more['grpc'].rpartition(':')[2]}"
        yield settings


def _row(root: str, folder: Path, seconds: float, where: str) -> Row:
    load = Load(paths.home_at(root).socket, RATE, SESSION, folder / f"answers-{time.monotonic_ns()}", texts=True)
    looks: list[dict[str, int]] = []
    try:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(0.5)
            looks.append(_lags(root))
        said = load.finish()
        took = time.monotonic() - began
    finally:
        load.kill()
    ended = time.monotonic()
    while any(_lags(root).values()) and time.monotonic() - ended < _PATIENCE_S:
        time.sleep(0.2)
    caught_up = time.monotonic() - ended
    equal_to_journal(root)
    highest, more = _highest(looks), grown(looks)
    waits = sorted(taken for _, taken, _ in load.answers())
    rate = said["sent"] / took
    behind = ", ".join(f"{name} {lag / RATE:.1f} s" for name, lag in sorted(highest.items(), key=lambda one: -one[1]))
    growing = max(more, key=lambda name: more[name])
    return Row(
        f"all stores on servers at once, events a second on two cores with the lag bounded; memory {where}",
        f"{RATE:,}/s",
        f"{rate:,.0f}/s",
        rate >= RATE * 0.99 and bounded(looks),
        f"a rate within 1% counts as met; furthest behind in {took:.0f} s: {behind}; in the last third {growing} was "
        f"{more[growing] / RATE:+.1f} s further than in the third before, at the median; "
        f"all at the end and equal to the journal {caught_up:.1f} s after the last event; "
        f"answers p50 {waits[len(waits) // 2] / 1e6:.1f} ms, p99 {waits[len(waits) * 99 // 100] / 1e6:.0f} ms; "
        f"N={said['sent']:,}, {_texts(root):,} texts to remember among them, no two equal",
    )


def bounded(looks: Sequence[Mapping[str, int]]) -> bool:
    """Whether by these looks (store -> events behind, in the order of time) no store was too far behind, or fell
    further behind all the time."""
    return max(_highest(looks).values()) <= RATE * LAG_S and max(grown(looks).values()) <= RATE * GROWS_S


def grown(looks: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """store -> by how many events it was further behind, at the median, in the last third than in the middle one."""
    third = len(looks) // 3
    before, last = looks[third : 2 * third], looks[2 * third :]

    def middle(some: Sequence[Mapping[str, int]], name: str) -> int:
        return int(median(look.get(name, 0) for look in some))

    return {name: middle(last, name) - middle(before, name) for name in last[-1]}


def _highest(looks: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: max(look.get(name, 0) for look in looks) for name in looks[-1]}


def _lags(root: str) -> dict[str, int]:
    stores = (status.read(paths.home_at(root)) or {}).get("stores") or {}
    return {name: one["lag_events"] for name, one in stores.items()}


def _texts(root: str) -> int:
    memory: Any = registry.open_store(MEMORY, settings_of.load(root, environ={}), paths.home_at(root))
    try:
        return sum(memory.kinds().values())
    finally:
        memory.close()
