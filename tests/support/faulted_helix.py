"""The graph on HelixDB, to be hurt: see faulted_stores."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tests.servers.helix import Helix
from tests.support.faulted_stores import Faulted, unlike

from levaithan.stores.sqlite_graph import SqliteGraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.process import Server


class HelixGraphStore(Faulted):
    """The graph of a home."""

    role = "graph"

    def make(self) -> Server:
        return Helix()

    def settings(self) -> dict[str, object]:
        return {"graph_url": self.server.endpoint().url, "graph_api_key_file": self.secret(self.server.password)}

    def change_password(self) -> Callable[[], None]:
        return self.started_with_another_key()

    def age(self) -> None:
        from helixdb import Client, PropertyInput, SourcePredicate, g, write_batch

        noted = g().n_with_label_where("Schema", SourcePredicate.eq("key", "levaithan"))
        older = noted.set_property("version", PropertyInput.value(0))
        asked = write_batch().var_as("note", older).returning(["note"]).to_query_request()
        told = Client(self.server.endpoint().url, api_key=self.server.password).query(asked)
        assert told["note"], "there is no note of the schema's version"
        self.server.kill()
        self.server.restart()

    def doubled(self, store: Any, root: str) -> int:
        """What the graph has more or less of than one that is made of the journal by the other adapter."""
        other = SqliteGraph(str(self.folder / f"graph-{secrets.token_hex(4)}.sqlite3"), 1 << 20)
        return unlike(store, other, root)
