"""Two machines (two homes, two services) that project into one PostgreSQL, one Elasticsearch, one HelixDB and one
memory at once, while a service and then the first of these servers are ended by SIGKILL; the clock of one machine is an
hour behind.

The memory is on a real Weaviate where there is one, else on the imitation of it: the tests' names say which.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.servers import fixtures, sharing
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.postgres import Postgres
from tests.support import elastic_place, helix_place, homes, postgres_place, weaviate_place
from tests.support.clock import Clock
from tests.support.steady_load import Load
from tests.support.store_flow import PATIENCE_S, SESSION, equal_to_journal

from levaithan.hot import paths
from levaithan.queries import machines

pytestmark = pytest.mark.faults
EVENTS, RATE = 600, 200.0
BEHIND_S = 3600
CLOSE_S = 2.0
"""What the measured skew may be wrong by on a busy machine."""


class Machine:
    """A home with a machine's name of its own, its service and its load."""

    def __init__(self, folder: Path, name: str, stores: dict[str, str]) -> None:
        self.name, self.folder = name, folder
        self.root = homes.make_home(
            folder / name, native=False, store_timeout_ms=2000, canary_interval_s=0, memory_model="hashing", **stores
        )
        Path(paths.home_at(self.root).state, "machine-id").write_text(name)
        self.service = homes.start_service(self.root)
        self.load = Load(paths.home_at(self.root).socket, RATE, SESSION, folder / f"{name}.answers")

    def until_more(self, count: int) -> None:
        wanted = self.load.answered() + count
        homes.until(lambda: self.load.answered() >= wanted, PATIENCE_S)

    def kill_service(self) -> None:
        self.service.kill()
        self.service.wait()
        self.service = homes.start_service(self.root)

    def end(self) -> None:
        self.load.kill()
        if self.service.poll() is None:
            homes.stop_service(self.service)


def true_time(row: dict[str, Any]) -> float:
    behind = BEHIND_S if row["machine"] == "an-hour-late" else 0
    return datetime.fromisoformat(row["at"]).timestamp() + behind


def listed(root: str) -> list[dict[str, Any]]:
    said = homes.cli(root, "audit", "list", "--limit", "100000", "--json").stdout
    found: list[dict[str, Any]] = json.loads(said)["rows"]
    return found


def there(store: str) -> Endpoint | None:
    """The run's server of `store`; None, with a warning, where there is none and nobody requires it."""
    try:
        return sharing.shared(store)
    except ServerMissingError as error:
        missing = str(error)
    if fixtures.required(store):
        fixtures.without(store, missing)
    warnings.warn(f"{store} is left out: {missing}", stacklevel=1)
    return None


@pytest.fixture(params=["weaviate", "weaviate imitation"])
def beside(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of search, graph and memory on servers."""
    memory, end = memory_on(request.param, tmp_path)
    search, graph = there("elasticsearch"), there("helix")
    settings = {"search": "on" if search else "off", "graph": "on" if graph else "off"}
    if search:
        stream = elastic_place.opening(search, tmp_path, elastic_place.name())
        settings |= {"search_url": stream.url, "search_ca_file": stream.ca_file}
    if graph:
        settings |= {"graph_url": helix_place.named(graph.url), "graph_api_key": graph.password}
    yield settings | {"memory_url": memory.opening.url, "memory_api_key": memory.opening.api_key}
    end()


def memory_on(weaviate: str, folder: Path) -> tuple[weaviate_place.WeaviatePlace, Callable[[], None]]:
    """The memory there, and what ends it; the imitation is skipped where a real one is."""
    if weaviate == "weaviate":
        place = weaviate_place.of(fixtures.given(weaviate), folder)
        return place, place.forget
    try:
        sharing.shared("weaviate")
    except ServerMissingError:
        return weaviate_place.imitation(folder)
    pytest.skip("a real Weaviate is here: the same test ran on it")


@pytest.mark.timeout(600)
def test_two_machines_fill_the_same_stores_through_kills(
    own_server: Any, beside: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Postgres = own_server("postgres")
    url = postgres_place.database(server.url(), "levaithan")
    stores = {"ledger_url": url, **beside}
    clock = Clock(tmp_path)
    clock.rule(monkeypatch)
    for name in clock.environ():
        monkeypatch.delenv(name)
    made = [Machine(tmp_path, "on-time", stores)]
    try:
        clock.shift_s = -BEHIND_S
        with monkeypatch.context() as behind:
            for name, value in clock.environ().items():
                behind.setenv(name, value)
            made.append(Machine(tmp_path, "an-hour-late", stores))
            made[1].until_more(EVENTS // 3)
        made[0].until_more(EVENTS // 3)
        made[0].kill_service()
        for one in made:
            one.until_more(EVENTS // 3)
        server.kill()
        for one in made:
            one.until_more(EVENTS // 3)
        server.restart()
        told = [one.load.finish() for one in made]
        for one in made:
            homes.sync(one.root, PATIENCE_S)
        what_is_true_of_both(made, told, url)
    finally:
        for one in made:
            one.end()


def what_is_true_of_both(made: list[Machine], told: list[dict[str, int]], url: str) -> None:
    """Nothing answered is lost, nothing is there twice, the list is one in order of time, the skew is known."""
    ids = [equal_to_journal(one.root) for one in made]
    for one, said, mine in zip(made, told, ids, strict=True):
        answers = one.load.answers()
        assert said["sent"] == said["broken"] + len(answers)
        assert len(answers) <= len(mine) <= said["sent"], "what was answered is recorded, what was not may be"
    assert told[1]["broken"] == 0, "the other machine's service was not hurt, so it must answer everything"
    assert not ids[0] & ids[1]
    rows = listed(made[0].root)
    assert {row["id"] for row in rows} == ids[0] | ids[1]
    assert len(rows) == len(ids[0]) + len(ids[1])
    late = [true_time(row) for row in rows]
    assert all(one >= other - CLOSE_S for one, other in pairwise(late)), "by true time, whatever each clock says"
    own = [row["at"] for row in rows]
    assert own != sorted(own, reverse=True), "each row shows its machine's own time"
    assert {row["machine"] for row in rows} == {one.name for one in made}
    assert listed(made[1].root) == rows, "both machines show the same"
    ledger = postgres_place.ledger(url)
    known = {row["machine"]: row for row in machines.list_machines(ledger)}
    skew = {name: row["skew_ms"] / 1000 for name, row in known.items()}
    apart = machines.widest_skew_ms(ledger) / 1000
    ledger.close()
    assert set(skew) == {one.name for one in made}
    assert abs(skew["on-time"]) < 60, skew
    assert abs(skew["an-hour-late"] + BEHIND_S) < 60, skew
    assert abs(apart - BEHIND_S) < 60
