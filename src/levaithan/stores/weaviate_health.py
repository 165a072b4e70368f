"""How a memory in Weaviate is: its version, how long a question takes, what it holds. Never raises, for that a server
is down is what is told."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import TYPE_CHECKING

from levaithan.stores import http_clock, server_versions
from levaithan.stores import weaviate_schema as schema
from levaithan.stores.roles import MEMORY, Health, StoreAuthError, StoreUnsupportedError
from levaithan.stores.weaviate_errors import DISK_FIX
from levaithan.stores.weaviate_link import REST_PORT, REST_TLS_PORT, encrypted

if TYPE_CHECKING:
    from levaithan.stores.opening import Opening
    from levaithan.stores.weaviate_memory import WeaviateMemory

OLDEST = (1, 27)
"""The oldest that the client is written for; it does not look by itself (weaviate_link: skip_init_checks)."""

_CLOSED = "READONLY"
_READY = "/v1/.well-known/ready"


def health(store: WeaviateMemory) -> Health:
    """See roles.Projected. Weaviate does not say how many bytes it has, nor how many are free."""
    told = Health(MEMORY, True, store.opening.where, "none", 0, 0, 0, list(store.found))
    told.capabilities = (store.model.name,)
    told.encrypted = encrypted(store.link.server)
    try:
        store.ask(lambda client: client.get_meta())  # connects
        began = time.monotonic()
        meta = store.ask(lambda client: client.get_meta())
        told.latency_ms = round((time.monotonic() - began) * 1000, 3)
        told.server = f"Weaviate {meta.get('version', '')}".strip()
        server_versions.look(told, str(meta.get("version", "")), OLDEST)
        told.skew_ms, told.skew_error_ms = _skew(store.opening)
        told.dead_letters = store.dead_count()
        store.ask(lambda client: schema.refuse_strange(client.collections.list_all(), store.names))
        if store.current():
            told.schema = schema.VERSION
            told.rows = sum(store.kinds().values())
            _look_for_room(store, told)
    except Exception as error:
        told.ok = False
        told.problems.insert(0, str(error))
        told.fix = getattr(error, "fix", "")
    return told


def _look_for_room(store: WeaviateMemory, told: Health) -> None:
    """Weaviate tells no free bytes; but where its disk is nearly full it takes no more writes, and says so: to a key
    that may ask for it. To another one it is not told, and all else is."""
    names = sorted(store.names.every)
    try:
        parts = store.ask(lambda client: [(name, client.collections.use(name).config.get_shards()) for name in names])
    except (StoreAuthError, StoreUnsupportedError):
        return
    closed = [name for name, shards in parts if any(one.status == _CLOSED for one in shards)]
    if closed:
        told.ok = False
        told.problems.append(
            f"{len(closed)} of its {len(names)} collections take no writes ({_CLOSED}): its disk was nearly full, or "
            "somebody set it"
        )
        told.fix = DISK_FIX


def _skew(opening: Opening) -> tuple[float | None, float]:
    """See http_clock.skew. Asked without the client, which gives no headers, and without a key: whether it is ready may
    be asked by everybody. (None, 0.0) where that fails."""
    server, limit_s = opening.server, opening.timeout_s
    if server.scheme == "https":
        trusted = ssl.create_default_context(cafile=opening.ca_file or None)
        link: http.client.HTTPConnection = http.client.HTTPSConnection(
            server.host, server.port or REST_TLS_PORT, context=trusted, timeout=limit_s
        )
    else:
        link = http.client.HTTPConnection(server.host, server.port or REST_PORT, timeout=limit_s)
    try:
        link.connect()  # no part of the time that the answer takes
        before = time.time()
        link.request("GET", _READY)
        return http_clock.skew(link.getresponse().getheader("Date"), before, time.time())
    except (OSError, http.client.HTTPException):
        return None, 0.0
    finally:
        link.close()
