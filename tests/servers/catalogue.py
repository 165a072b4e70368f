"""The servers that tests can have, stores and what watches them, and how each is made here: a line in each table."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

from tests.servers.endpoint import ServerMissingError

if TYPE_CHECKING:
    from tests.servers.endpoint import Endpoint
    from tests.servers.process import Server

LOCAL = {
    "postgres": "tests.servers.postgres:Postgres",
    "redis": "tests.servers.redis:Redis",
    "elasticsearch": "tests.servers.elasticsearch:Elasticsearch",
    "helix": "tests.servers.helix:Helix",
    "prometheus": "tests.servers.prometheus:Prometheus",
    "alertmanager": "tests.servers.alertmanager:Alertmanager",
    "weaviate": "tests.servers.weaviate:Weaviate",
}
STORES = tuple(LOCAL)


class Startable(Protocol):
    """What both a process and a container are."""

    def start(self) -> Endpoint: ...
    def stop(self) -> None: ...


def local(store: str) -> Server:
    """A server of this machine, not started. Raises ServerMissingError where it is not installed."""
    module, name = LOCAL[store].split(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ServerMissingError(f"{store}: {error}. next: run tests through ./tests/run, which installs it") from error
    server: Server = found()
    return server
