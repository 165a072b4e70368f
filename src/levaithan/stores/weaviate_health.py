"""How a memory in Weaviate is: its version, how long a question takes, what it holds. Never raises, for that a server
is down is what is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from levaithan.stores import server_versions
from levaithan.stores import weaviate_schema as schema
from levaithan.stores.roles import MEMORY, Health

if TYPE_CHECKING:
    from levaithan.stores.weaviate_memory import WeaviateMemory

OLDEST = (1, 27)
"""The oldest that the client is written for; it does not look by itself (weaviate_link: skip_init_checks)."""


def health(store: WeaviateMemory) -> Health:
    """See roles.Projected. Weaviate does not say how many bytes it has, nor what time."""
    told = Health(MEMORY, True, store.opening.where, "none", 0, 0, 0, list(store.found))
    told.capabilities = (store.model.name,)
    server = store.link.server
    told.encrypted = server.encrypted(server.scheme == "https")
    try:
        store.ask(lambda client: client.get_meta())  # connects
        began = time.monotonic()
        meta = store.ask(lambda client: client.get_meta())
        told.latency_ms = round((time.monotonic() - began) * 1000, 3)
        told.server = f"Weaviate {meta.get('version', '')}".strip()
        server_versions.look(told, str(meta.get("version", "")), OLDEST)
        told.dead_letters = store.dead_count()
        store.ask(lambda client: schema.refuse_strange(client.collections.list_all(), store.names))
        if store.current():
            told.schema = schema.VERSION
            told.rows = sum(store.kinds().values())
    except Exception as error:
        told.ok = False
        told.problems.insert(0, str(error))
        told.fix = getattr(error, "fix", "")
    return told
