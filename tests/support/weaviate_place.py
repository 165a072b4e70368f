"""A memory of a test's own in Weaviate: on the run's real server, or on an imitation of one. Its collections have a
prefix that nobody else has."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.servers import sharing
from tests.support import lines
from tests.support.ledger_records import JOURNAL

from levaithan.stores import embedding, weaviate_link
from levaithan.stores.opening import Opening
from levaithan.stores.weaviate_memory import WeaviateMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.endpoint import Endpoint
    from tests.servers.weaviate_imitation import Imitation

KEY = "imitated-key-of-this-test"
"""Of the imitations."""


@dataclass(frozen=True)
class WeaviatePlace:
    """`open` gives another object on the same collections, `open_with` one of another model, `forget` removes them."""

    opening: Opening

    def open(self) -> WeaviateMemory:
        return self.open_with(embedding.model("hashing"))

    def open_with(self, model: embedding.Model) -> WeaviateMemory:
        return WeaviateMemory(self.opening, model)

    def line(self) -> lines.Line:
        """A way that can be hurt, for both of its ports."""
        server, port = self.opening.server, weaviate_link.grpc_port(self.opening)
        grpc = server.query.get("grpc_host", server.host), port

        def by_it(at: list[Any]) -> WeaviateMemory:
            url = lines.by(at[0], self.opening.url.replace(f"grpc_port={port}", f"grpc_port={at[1][1]}"))
            return WeaviatePlace(replace(self.opening, url=url, timeout_s=lines.LIMIT_S)).open()

        return lines.ServerLine([lines.address_of(self.opening.url, 8080), grpc], by_it)

    def forget(self) -> None:
        store = self.open()
        prefix = store.names.prefix
        mine = store.link.run(lambda client: [one for one in client.collections.list_all() if one.startswith(prefix)])
        if mine:
            store.link.run(lambda client: client.collections.delete(mine))
        store.close()


def at(folder: Path, url: str, key: str, ca: str = "", timeout_s: float = 20.0) -> WeaviatePlace:
    """On the server at `url`."""
    url = f"{url}{'&' if '?' in url else '?'}prefix=Lv{secrets.token_hex(6)}"
    made = Opening(role="memory", path="", state=str(folder), url=url, api_key=key, ca_file=ca, journal=JOURNAL,
                   timeout_s=timeout_s)  # fmt: skip
    return WeaviatePlace(made)


def of(server: Endpoint, folder: Path, timeout_s: float = 20.0) -> WeaviatePlace:
    """On a server for tests."""
    port = server.more.get("grpc", "").rpartition(":")[2] or "50051"
    return at(folder, f"{server.url}?grpc_port={port}", server.password, server.ca, timeout_s)


def real(folder: Path) -> WeaviatePlace:
    """On the run's server. Raises ServerMissingError."""
    return of(sharing.shared("weaviate"), folder)


@contextmanager
def imitated() -> Iterator[Imitation]:
    """An imitation of the server, of one test's own. Its key is KEY."""
    from tests.servers.weaviate_imitation import Imitation

    server = Imitation(key=KEY)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def imitation(folder: Path) -> tuple[WeaviatePlace, Callable[[], None]]:
    """On an imitation of this test's own, and what ends it."""
    ends = ExitStack()
    server = ends.enter_context(imitated())
    return at(folder, server.url, server.key), ends.close
