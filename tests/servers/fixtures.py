"""Fixtures: the run's shared servers (an Endpoint each), and servers of a test's own, which it may kill and pause.

Every test that needs a server that is not to be had is skipped, with what to do; LEVAITHAN_REQUIRE_STORES (names, or
`all`) makes that a failure.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import alertmanager, prometheus, sharing
from tests.servers.catalogue import local
from tests.servers.endpoint import Endpoint, ServerMissingError

if TYPE_CHECKING:
    from tests.servers.process import Server


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        sharing.forget_the_past()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        sharing.end_all()


def required(store: str) -> bool:
    """Whether LEVAITHAN_REQUIRE_STORES asks for it: by its name, by that of a way to have it (`helix-engine`, `weaviate
    imitation`), whose first word is the store's, or by `all`."""
    named = {one.strip() for one in os.environ.get("LEVAITHAN_REQUIRE_STORES", "").split(",")}
    return bool({store, re.split("[- ]", store)[0], "all"} & named)


def driver(store: str, module: str) -> Any:
    """The driver `module` of `store`, for a whole file of tests: where it is not installed they are skipped, or fail to
    be collected where the store is required."""
    reason = f"the driver of {store} is not installed. next: run tests through ./tests/run, which installs it"
    return importlib.import_module(module) if required(store) else pytest.importorskip(module, reason=reason)


def given(store: str, ask: Callable[[], Endpoint] | None = None) -> Endpoint:
    """The run's shared server of `store`, or what `ask` gives; skips, or fails, the test where it is not to be had."""
    try:
        return ask() if ask else sharing.shared(store)
    except ServerMissingError as error:
        missing = str(error)
    return without(store, missing)


def without(store: str, error: str) -> Any:
    """Skip the test, or fail it where the store is required."""
    if required(store):
        pytest.fail(f"LEVAITHAN_REQUIRE_STORES asks for {store}, and it is not there: {error}", pytrace=False)
    pytest.skip(f"{store} is not there: {error}")


@pytest.fixture(scope="session")
def postgres_server() -> Endpoint:
    return given("postgres")


@pytest.fixture(scope="session")
def redis_server() -> Endpoint:
    return given("redis")


@pytest.fixture(scope="session")
def elasticsearch_server() -> Endpoint:
    return given("elasticsearch")


@pytest.fixture
def helix_server() -> Endpoint:
    return given("helix", sharing.for_a_graph)


@pytest.fixture(scope="session")
def weaviate_server() -> Endpoint:
    return given("weaviate")


@pytest.fixture(scope="session")
def prometheus_server() -> Endpoint:
    return given("prometheus")


@pytest.fixture(scope="session")
def alertmanager_server() -> Endpoint:
    return given("alertmanager")


@pytest.fixture(scope="session")
def language_model() -> None:
    """The memory's language model is there."""
    with_language_model()


def with_language_model() -> None:
    """Skip, or fail, without the memory's language model; LEVAITHAN_REQUIRE_STORES calls it `language-model`."""
    from tests.servers import installed

    missing = installed.lacking(installed.LANGUAGE_MODEL)
    if missing:
        without(installed.LANGUAGE_MODEL, missing)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own tool, for rules and blocks."""
    return _tool("prometheus", prometheus.promtool)


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Alertmanager's own tool, for its configuration and its routes."""
    return _tool("alertmanager", alertmanager.amtool)


def _tool(store: str, find: Callable[[], Path]) -> Path:
    try:
        return find()
    except ServerMissingError as error:
        missing = str(error)
    found: Path = without(store, missing)
    return found


@pytest.fixture
def postgres_database(postgres_server: Endpoint) -> Iterator[str]:
    """The URL of an empty database of the test's own on the shared server."""
    import psycopg
    from psycopg import sql

    name = f"lv_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as link:
        link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield database_url(postgres_server.url, name)
        link.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def database_url(url: str, name: str) -> str:
    """The same server, another database."""
    from urllib.parse import urlsplit

    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture
def own_server() -> Iterator[Callable[..., Server]]:
    """`own_server("redis")`: a running server that is this test's alone (`kill`, `pause`, `resume`, `restart`,
    `shut_down`, `pids`, `endpoint()`), gone after the test. Always a process of this machine."""
    made: list[Server] = []

    def start(store: str, make: Callable[[], Server] | None = None) -> Server:
        try:
            server = make() if make else local(store)
        except ServerMissingError as error:
            missing = str(error)
        else:
            made.append(server)
            server.start()
            return server
        return without(store, missing)

    yield start
    for one in made:
        one.stop()
