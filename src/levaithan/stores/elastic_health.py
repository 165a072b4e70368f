"""How the search on Elasticsearch is, in numbers and words. Never raises."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.stores import server_versions
from levaithan.stores.elastic_setup import SCHEMA
from levaithan.stores.roles import Health

if TYPE_CHECKING:
    from levaithan.stores.elastic_search import ElasticSearch

OLDEST_SERVER = (8, 13)
_VERSION = "nodes.*.version"
_FREE = "nodes.*.fs.total.available_in_bytes"
_CLOCK = "nodes.*.timestamp"


def health(store: ElasticSearch) -> Health:
    """The state of `store`."""
    where = f"elasticsearch {store.opening.where}"
    told = Health(store.name, True, where, "none", 0, 0, 0, list(store.found))
    server = store.opening.server
    told.encrypted = server.encrypted(server.scheme == "https")
    try:
        store.call(lambda: _server(store, told))
        store.call(lambda: _stream(store, told))
        told.dead_letters = store.dead_count()
    except Exception as error:
        told.ok = False
        told.problems.insert(0, str(error))
        told.fix = getattr(error, "fix", "")
    return told


def _server(store: ElasticSearch, told: Health) -> None:
    """Version, latency, free disk of the fullest node, the clock that differs most. `GET /` is asked for the version of
    Lucene alone: reduced servers lack it."""
    began = time.monotonic()
    nodes: dict[str, Any] = store.client.nodes.info(node_id="_local", filter_path=_VERSION).body.get("nodes", {})
    told.latency_ms = round((time.monotonic() - began) * 1000, 3)
    version = next((str(one["version"]) for one in nodes.values()), "")
    root = store.client.options(ignore_status=(400, 403, 404, 405)).perform_request("GET", "/")
    lucene = root.body.get("version", {}).get("lucene_version", "") if root.meta.status == 200 else ""
    told.server = f"Elasticsearch {version}" + (f" (Lucene {lucene})" if lucene else "")
    server_versions.look(told, version, OLDEST_SERVER)
    before = time.time()
    asked = store.client.options(ignore_status=403).nodes.stats(metric="fs", filter_path=[_FREE, _CLOCK])
    now, disks = (before + time.time()) / 2, asked.body.get("nodes", {})
    told.free_bytes = min(
        (one["fs"]["total"]["available_in_bytes"] for one in disks.values() if "fs" in one), default=None
    )
    skews = [one["timestamp"] - now * 1000 for one in disks.values() if "timestamp" in one]
    told.skew_ms = max(skews, key=abs, default=None)


def _stream(store: ElasticSearch, told: Health) -> None:
    present = store.stream.version(store.client)
    told.schema = str(present) if present else "none"
    if present != SCHEMA:
        return
    has = "the server's lifecycle management" if store.stream.lifecycle else "rollover by levaithan (no ILM there)"
    told.capabilities = ("full text", "histogram", "top", "patterns", has)
    there = {"index": store.stream.events, "ignore_unavailable": True}
    told.rows = int(store.client.count(**there)["count"])
    measured = store.client.options(ignore_status=404).indices
    stats = measured.stats(index=store.stream.events, metric="store").body
    told.bytes = int(stats.get("_all", {}).get("total", {}).get("store", {}).get("size_in_bytes", 0))
    state = store.client.cluster.health(index=f"{store.stream.events},{store.stream.cursors}", timeout="1s",
                                        level="cluster", expand_wildcards="all").body  # fmt: skip
    if state["status"] == "red":
        told.ok = False
        told.problems.append(f"{state['unassigned_shards']} of its shards are not there (cluster health is red)")
        told.fix = "see GET _cluster/allocation/explain on the server; the events come again once it is well"
    blocks = store.client.indices.get_settings(
        index=f"{store.stream.events},{store.stream.cursors}", ignore_unavailable=True,
        filter_path="*.settings.index.blocks",
    ).body  # fmt: skip
    for index, settings in blocks.items():
        set_ = [name for name, value in settings["settings"]["index"]["blocks"].items() if str(value) == "true"]
        if set_:
            told.ok = False
            told.problems.append(f"{index} takes no writes ({', '.join(set_)}): the disk was full, or somebody set it")
            told.fix = "free disk space on the server; it then lifts the block itself"
