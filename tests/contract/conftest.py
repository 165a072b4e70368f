"""Which adapters the suites run against. A new one is five lines: a function that opens it, and its name here."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import fixtures
from tests.support import lines
from tests.support.ledger_records import JOURNAL

from levaithan.stores import embedding, roles
from levaithan.stores.sqlite_graph import SqliteGraph
from levaithan.stores.sqlite_ledger import SqliteLedger
from levaithan.stores.sqlite_memory import SqliteMemory
from levaithan.stores.sqlite_search import SqliteSearch

if TYPE_CHECKING:
    from tests.servers.weaviate_imitation import Imitation


@dataclass
class Place:
    """Where one adapter's store is in this test. `open` gives another object on the same store, each time.

    `line` makes a way to it that can be hurt: an adapter that has none fails in test_lost_connection.py. `make_older`
    makes a store of the first schema there. `open_with` gives one whose vectors another model makes; `end` is called
    when the test has ended.
    """

    name: str
    open: Callable[[], Any]
    make_older: Callable[[], None] | None = None
    open_with: Callable[[Any], Any] | None = None
    end: Callable[[], None] | None = None
    line: Callable[[], lines.Line] | None = None


def in_file(path: str, open: Callable[[], Any], **more: Any) -> Place:
    """The Place of a store in an SQLite file."""
    return Place("sqlite", open, line=lambda: lines.FileLine(path, open), **more)


def sqlite_ledger(folder: Path) -> Place:
    path = str(folder / "ledger.sqlite3")

    def older() -> None:
        from alembic import command

        from levaithan.stores import migrate
        from levaithan.stores.sqlite_file import SqliteFile
        from levaithan.stores.sqlite_ledger import make_engine

        engine = make_engine(SqliteFile("ledger", path))
        with engine.begin() as link:
            command.upgrade(migrate.config_for(link), "0001")
        engine.dispose()

    return in_file(path, lambda: SqliteLedger(path, 1 << 20), make_older=older)


def postgres_ledger(_folder: Path) -> Place:
    """A database of the test's own on the run's server, asked as its writer. It goes with the server, when the run has
    ended."""
    from tests.support import postgres_place

    return postgres_place.place(Place)


def sqlite_search(folder: Path) -> Place:
    path = str(folder / "search.sqlite3")
    return in_file(path, lambda: SqliteSearch(path, 1 << 20))


def elasticsearch_search(folder: Path) -> Place:
    """A data stream of the test's own on the run's server. It goes with the server, when the run has ended."""
    from tests.support import elastic_place

    return elastic_place.place(Place, folder)


def sqlite_graph(folder: Path) -> Place:
    path = str(folder / "graph.sqlite3")
    return in_file(path, lambda: SqliteGraph(path, 1 << 20))


def redis_counters(folder: Path) -> Place:
    from tests.servers.sharing import shared

    from levaithan.stores.opening import Opening
    from levaithan.stores.redis_counters import RedisCounters

    url = f"{shared('redis').url}?prefix={secrets.token_hex(6)}"

    def counters(url: str, **more: Any) -> RedisCounters:
        return RedisCounters(Opening("counters", "", str(folder), url, journal=JOURNAL, **more))

    def line() -> lines.Line:
        return lines.ServerLine(
            [lines.address_of(url, 6379)], lambda at: counters(lines.by(at[0], url), timeout_s=lines.LIMIT_S)
        )

    return Place("redis", lambda: counters(url), line=line)


def helix_engine(folder: Path) -> Place:
    """HelixDB's own engine, in this process."""
    from tests.support import helix_place

    return helix_place.embedded(Place, folder)


def helix_server(folder: Path) -> Place:
    """A graph of the test's own on the run's HelixDB."""
    from tests.support import helix_place

    return helix_place.served(Place, folder)


def sqlite_memory(folder: Path) -> Place:
    path = str(folder / "memory.sqlite3")
    return in_file(
        path,
        lambda: SqliteMemory(path, 1 << 20, embedding.model("hashing")),
        open_with=lambda model: SqliteMemory(path, 1 << 20, model),
    )


def weaviate_imitation(folder: Path) -> Place:
    from tests.support import weaviate_place

    place, end = weaviate_place.imitation(folder)
    return Place("weaviate", place.open, open_with=place.open_with, end=end, line=place.line)


def weaviate_real(folder: Path) -> Place:
    from tests.support import weaviate_place

    place = weaviate_place.real(folder)
    return Place("weaviate", place.open, open_with=place.open_with, end=place.forget, line=place.line)


LEDGERS: dict[str, Callable[[Path], Place]] = {"sqlite": sqlite_ledger, "postgres": postgres_ledger}
SEARCHES: dict[str, Callable[[Path], Place]] = {"sqlite": sqlite_search, "elasticsearch": elasticsearch_search}
COUNTERS: dict[str, Callable[[Path], Place]] = {"redis": redis_counters}
GRAPHS: dict[str, Callable[[Path], Place]] = {
    "sqlite": sqlite_graph, "helix": helix_server, "helix-engine": helix_engine,
}  # fmt: skip
MEMORIES: dict[str, Callable[[Path], Place]] = {
    "sqlite": sqlite_memory, "weaviate imitation": weaviate_imitation, "weaviate": weaviate_real,
}  # fmt: skip
EVERY: dict[tuple[str, str], Callable[[Path], Place]] = {
    (role, name): make
    for role, adapters in (
        (roles.LEDGER, LEDGERS), (roles.GRAPH, GRAPHS), (roles.MEMORY, MEMORIES), (roles.SEARCH, SEARCHES),
        (roles.COUNTERS, COUNTERS),
    )
    for name, make in adapters.items()
}  # fmt: skip
"""(role, adapter) -> its place, for what every store must do."""


def offered(make: Callable[[Path], Place], name: str, folder: Path) -> Place:
    """The adapter's place. One whose server is not there skips, unless LEVAITHAN_REQUIRE_STORES names it (or `all`)."""
    try:
        return make(folder)
    except ConnectionError as error:
        missing = str(error)
    place: Place = fixtures.without(name, missing)
    return place


def _given(make: Callable[[Path], Place], name: str, folder: Path) -> Iterator[Place]:
    place, opened = offered(make, name, folder), []

    def remembering(opener: Callable[..., Any]) -> Callable[..., Any]:
        def remember(*given: Any) -> Any:
            store = opener(*given)
            opened.append(store)
            return store

        return remember

    place.open = remembering(place.open)
    if place.open_with:
        place.open_with = remembering(place.open_with)
    yield place
    for store in opened:
        store.close()
    if place.end:
        place.end()


@pytest.fixture(params=LEDGERS)
def ledger_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from _given(LEDGERS[request.param], request.param, tmp_path)


@pytest.fixture(params=SEARCHES)
def search_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from _given(SEARCHES[request.param], request.param, tmp_path)


@pytest.fixture(params=GRAPHS)
def graph_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from _given(GRAPHS[request.param], request.param, tmp_path)


@pytest.fixture(params=COUNTERS)
def counters_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from _given(COUNTERS[request.param], request.param, tmp_path)


@pytest.fixture(params=MEMORIES)
def memory_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from _given(MEMORIES[request.param], request.param, tmp_path)


@pytest.fixture(params=[name for name in MEMORIES if name.startswith("weaviate")])
def each_weaviate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The memory's place on the imitation of Weaviate, and on the real server where there is one."""
    yield from _given(MEMORIES[request.param], request.param, tmp_path)


@pytest.fixture
def url(postgres_server: Any) -> str:
    """Of a database of the test's own, with the schema of now."""
    from tests.support import postgres_place

    return postgres_place.made()


@pytest.fixture
def ledger(url: str) -> Iterator[Any]:
    """The ledger on PostgreSQL there."""
    from tests.support import postgres_place

    opened = postgres_place.ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def imitation() -> Iterator[Imitation]:
    """An imitation of Weaviate, for what a test does to the server itself."""
    from tests.support import weaviate_place

    with weaviate_place.imitated() as server:
        yield server


@pytest.fixture(params=EVERY, ids=lambda one: f"{one[0]} {one[1]}")
def every_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Place]]:
    """(role, place), of every adapter of every role."""
    role, name = request.param
    for place in _given(EVERY[role, name], name, tmp_path):
        yield role, place
