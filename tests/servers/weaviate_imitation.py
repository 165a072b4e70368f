"""An imitation of a Weaviate server, for the wire: REST and gRPC as weaviate-client 4.24 speaks them, in memory.

It is none: it compares every vector, its words are counted and not weighed, and nothing that only the real server does
(its index, its limits, its errors) is proven by it. The suites run on a real one where there is one (weaviate_server).
"""

from __future__ import annotations

import json
import math
import re
import ssl
import threading
import time
import uuid
from array import array
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    health_weaviate_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

VERSION = "1.40.3"
FULL = "store is read-only due to: disk usage too high. Set to read-only at 100.00%, threshold set to 90.00%"
"""What 1.35 says on a full disk, of each object."""
FULL_SCHEMA = "unable to store logs within log store, err: write raft.db: no space left on device"
"""And of a collection, with the status 422."""
MOST_DELETED = 40
"""Objects that one call removes: few, so that what repeats the call is seen to (a real server's default: 10,000)."""
_OFF = {"enabled": False}
_INDEX = {
    "skip": False, "cleanupIntervalSeconds": 300, "maxConnections": 32, "efConstruction": 128, "ef": -1,
    "dynamicEfMin": 100, "dynamicEfMax": 500, "dynamicEfFactor": 8, "vectorCacheMaxObjects": 10**12,
    "flatSearchCutoff": 40000, "distance": "cosine", "filterStrategy": "acorn", "multivector": _OFF, "pq": _OFF,
    "bq": _OFF, "sq": _OFF, "rq": _OFF,
}  # fmt: skip
_CLASS = {
    "invertedIndexConfig": {
        "bm25": {"b": 0.75, "k1": 1.2}, "cleanupIntervalSeconds": 60,
        "stopwords": {"additions": None, "preset": "en", "removals": None},
    },
    "multiTenancyConfig": {"enabled": False, "autoTenantActivation": False, "autoTenantCreation": False},
    "replicationConfig": {"asyncEnabled": False, "deletionStrategy": "TimeBasedResolution", "factor": 1},
    "shardingConfig": {
        "actualCount": 1, "actualVirtualCount": 128, "desiredCount": 1, "desiredVirtualCount": 128,
        "function": "murmur3", "key": "_id", "strategy": "hash", "virtualPerPhysical": 128,
    },
}  # fmt: skip
"""What a server adds to a class that it is asked to make: the client wants all of it."""


@dataclass
class Stored:
    """An object."""

    uuid: str
    held: dict[str, Any]
    vector: array[float] | None
    half: bool = False
    """Whether it is there by its id and in no index."""


@dataclass
class Imitation:
    """One server. `start` and `stop` as often as one likes: its objects stay. It refuses objects whose text holds the
    word `poison` one by one; everything while `full` is set; and answers nothing for `hang_s` seconds. Where it has no
    `room` for more objects, or `forgets` what it takes, an object is half there, as 1.35 was seen to have it on a full
    disk: to put an equal one then says that all is well, and changes nothing. One that `dies` has what is put just then
    half, answers nothing, and is back at once."""

    key: str = ""
    certificate: tuple[Path, Path] | None = None
    classes: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, dict[str, Stored]] = field(default_factory=dict)
    full: bool = False
    room: int | None = None
    forgets: bool = False
    dies: bool = False
    closed: set[str] = field(default_factory=set)
    """The classes that were set to take no writes; they are asked for it, and take them all the same."""
    silent: bool = False
    """Whether the key may not ask for the state of shards, as roles of the server can have it."""
    hang_s: float = 0.0
    ports: tuple[int, int] = (0, 0)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Begin to answer, on the ports of the last time."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.ports[0]), _handler(self))
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self._grpc = grpc.server(futures.ThreadPoolExecutor(8), options=(("grpc.so_reuseport", 0),))
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(_Servicer(self), self._grpc)
        self._grpc.add_generic_rpc_handlers((_health(self),))
        address = f"127.0.0.1:{self.ports[1]}"
        if self.certificate:
            chain, key = (one.read_bytes() for one in self.certificate)
            port = self._grpc.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
        else:
            port = self._grpc.add_insecure_port(address)
        self._grpc.start()
        self.ports = (self._http.server_port, port)

    def stop(self) -> None:
        """End at once, as a killed process does."""
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(0).wait(5)

    @property
    def url(self) -> str:
        """For LEVAITHAN_MEMORY_URL."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.ports[0]}?grpc_port={self.ports[1]}"

    def make(self, told: dict[str, Any]) -> dict[str, Any]:
        """A class as the server answers it."""
        made = {**told, **{name: value for name, value in _CLASS.items() if name not in told}}
        made["properties"] = [
            {
                "indexFilterable": True, "indexSearchable": one["dataType"] == ["text"], "indexRangeFilters": False,
                "tokenization": "word" if one["dataType"] == ["text"] else None, "moduleConfig": {}, **one,
            }
            for one in told.get("properties", [])
        ]  # fmt: skip
        for one in made["vectorConfig"].values():
            one.setdefault("vectorIndexType", "hnsw")
            one["vectorIndexConfig"] = {**_INDEX, **one.get("vectorIndexConfig", {})}
        self.classes[told["class"]] = made
        self.objects[told["class"]] = {}
        return made


def _handler(server: Imitation) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            time.sleep(server.hang_s)
            status, told = 401, {"code": 401, "message": "anonymous access not enabled"}
            if not server.key or self.headers.get("authorization") == f"Bearer {server.key}":
                with server.lock:
                    status, told = _rest(server, self.command, self.path.partition("?")[0], body)
            data = json.dumps(told).encode() if told is not None else b""
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            return

    return Handler


def _rest(server: Imitation, method: str, path: str, body: bytes) -> tuple[int, Any]:
    parts = path.strip("/").split("/")[1:]
    if parts == ["meta"]:
        return 200, {"version": VERSION, "hostname": "http://[::]:8080", "modules": {}}
    if parts[0] == ".well-known":
        return (404, None) if parts[1] == "openid-configuration" else (200, None)
    if parts == ["schema"] and method == "POST" and server.full:
        return 422, {"error": [{"message": FULL_SCHEMA}]}
    if parts == ["schema"]:
        return 200, server.make(json.loads(body)) if method == "POST" else {"classes": [*server.classes.values()]}
    if parts[0] == "schema" and parts[2:3] == ["shards"] and parts[1] in server.classes:
        return _shards(server, method, parts[1], body)
    if parts[0] == "schema":
        if method == "DELETE":
            server.classes.pop(parts[1], None)
            server.objects.pop(parts[1], None)
            return 200, None
        return (200, server.classes[parts[1]]) if parts[1] in server.classes else (404, None)
    if parts[0] == "objects" and method == "DELETE":
        return (204, None) if server.objects.get(parts[1], {}).pop(parts[2], None) else (404, None)
    return 405, None


def _shards(server: Imitation, method: str, name: str, body: bytes) -> tuple[int, Any]:
    if server.silent:
        return 403, {"error": [{"message": "rbac: authorization, forbidden action: user has insufficient permissions"}]}
    if method == "PUT":
        server.closed = {*server.closed - {name}, *([name] if b"READONLY" in body else [])}
    status = "READONLY" if server.full or name in server.closed else "READY"
    return 200, {"status": status} if method == "PUT" else [{"name": "s", "status": status, "vectorQueueSize": 0}]


def _health(server: Imitation) -> Any:
    def check(_request: Any, _context: Any) -> Any:
        time.sleep(server.hang_s)
        return health_weaviate_pb2.WeaviateHealthCheckResponse(status=1)

    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=health_weaviate_pb2.WeaviateHealthCheckRequest.FromString,
        response_serializer=health_weaviate_pb2.WeaviateHealthCheckResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})


class _Servicer(weaviate_pb2_grpc.WeaviateServicer):
    def __init__(self, server: Imitation) -> None:
        self.server = server

    def _let_in(self, context: Any, collection: str) -> dict[str, Stored]:
        time.sleep(self.server.hang_s)
        told = dict(context.invocation_metadata())
        if self.server.key and told.get("authorization") != f"Bearer {self.server.key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: invalid api key")
        if collection not in self.server.objects:
            context.abort(grpc.StatusCode.UNKNOWN, f"could not find class {collection} in schema")
        return self.server.objects[collection]

    def BatchObjects(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the stubs call it
        reply = batch_pb2.BatchObjectsReply(took=0.01)
        for index, one in enumerate(request.objects):
            if one.collection not in self.server.objects:  # as with AUTOSCHEMA_ENABLED=false
                reply.errors.add(index=index, error=f"class '{one.collection}' not present in schema")
                continue
            there = self._let_in(context, one.collection)
            held = {name: _given(value) for name, value in one.properties.non_ref_properties.fields.items()}
            why = FULL if self.server.full else ""
            why = why or ("invalid text property" if "poison" in str(held.get("text")) else "")
            if why:
                reply.errors.add(index=index, error=why)
                continue
            with self.server.lock:
                if not self._stored(there, one, held):
                    reply.errors.add(index=index, error=FULL)
        if self.server.dies:
            self.server.dies = False
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return reply

    def _stored(self, there: dict[str, Stored], one: Any, held: dict[str, Any]) -> bool:
        vector = array("f", one.vector_bytes) if one.vector_bytes else None
        before = there.get(one.uuid)
        if before and (before.held, before.vector) == (held, vector):
            return True
        no_room = self.server.room == 0
        there[one.uuid] = Stored(one.uuid, held, vector, half=no_room or self.server.forgets or self.server.dies)
        if self.server.room:
            self.server.room -= 1
        return not no_room

    def BatchDelete(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the stubs call it
        there = self._let_in(context, request.collection)
        with self.server.lock:
            hit = [one for one in there.values() if _meets(request.filters, one)][:MOST_DELETED]
            for one in hit:
                del there[one.uuid]
        return batch_delete_pb2.BatchDeleteReply(took=0.01, matches=len(hit), successful=len(hit), failed=0)

    def Aggregate(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the stubs call it
        there = self._let_in(context, request.collection)
        with self.server.lock:
            filters = request.filters if request.HasField("filters") else None
            count = sum(_meets(filters, one) for one in there.values())
        return aggregate_pb2.AggregateReply(single_result=aggregate_pb2.AggregateReply.Single(objects_count=count))

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the stubs call it
        there = self._let_in(context, request.collection)
        with self.server.lock:
            filters = request.filters if request.HasField("filters") else None
            met = [one for one in there.values() if _meets(filters, one)]
        ranked = _ranked(request, met)[: request.limit or 10]
        reply = search_get_pb2.SearchReply(took=0.01)
        for one, distance, score in ranked:
            reply.results.append(_result(request, one, distance, score, self.server.classes[request.collection]))
        return reply


def _given(value: Any) -> Any:
    return getattr(value, value.WhichOneof("kind"))


def _ranked(request: Any, met: list[Stored]) -> list[tuple[Stored, float, float]]:
    """(object, distance, score), the best first."""
    if request.HasField("near_vector"):
        asked = _asked(request.near_vector)
        return sorted(((one, _distance(asked, one.vector), 0.0) for one in met), key=lambda one: one[1])
    if request.HasField("hybrid_search"):
        wanted = request.hybrid_search
        alpha = wanted.alpha_param if wanted.use_alpha_param else wanted.alpha
        words = set(re.findall(r"\w+", wanted.query.lower()))
        made = []
        for one in met:
            cosine = 1.0 - _distance(_asked(wanted), one.vector)
            there = set(re.findall(r"\w+", str(one.held.get("text")).lower()))
            share = len(words & there) / len(words) if words else 0.0
            if share or alpha > 0:
                made.append((one, 0.0, alpha * cosine + (1 - alpha) * share))
        return sorted(made, key=lambda one: -one[2])
    order = [(one.path[0], one.ascending) for one in request.sort_by]
    for name, ascending in reversed(order):
        met = sorted(met, key=lambda one: one.held.get(name), reverse=not ascending)
    return [(one, 0.0, 0.0) for one in met]


def _asked(wanted: Any) -> array[float]:
    return array("f", wanted.vectors[0].vector_bytes if wanted.vectors else wanted.vector_bytes)


def _distance(one: array[float], two: array[float] | None) -> float:
    if two is None or len(one) != len(two):
        return 2.0
    length = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in two))
    return 1.0 - (sum(x * y for x, y in zip(one, two, strict=True)) / length if length else 0.0)


def _result(request: Any, one: Stored, distance: float, score: float, made: dict[str, Any]) -> Any:
    metadata = search_get_pb2.MetadataResult(id=one.uuid, id_as_bytes=uuid.UUID(one.uuid).bytes)
    if request.metadata.creation_time_unix:
        metadata.creation_time_unix, metadata.creation_time_unix_present = 1_795_424_400_000, True
    if request.metadata.last_update_time_unix:
        metadata.last_update_time_unix, metadata.last_update_time_unix_present = 1_795_424_400_000, True
    if request.metadata.distance:
        metadata.distance, metadata.distance_present = distance, True
    if request.metadata.score:
        metadata.score, metadata.score_present = score, True
    if (request.metadata.vector or request.metadata.vectors) and one.vector is not None:
        metadata.vector_bytes = one.vector.tobytes()
    types = {prop["name"]: prop["dataType"][0] for prop in made["properties"]}
    asked = list(request.properties.non_ref_properties)
    held = properties_pb2.Properties()
    for name, value in one.held.items():
        if asked and name not in asked:
            continue
        if types.get(name) == "int":
            held.fields[name].int_value = int(value)
        else:
            held.fields[name].text_value = value
    return search_get_pb2.SearchResult(
        metadata=metadata, properties=search_get_pb2.PropertiesResult(non_ref_props=held)
    )


_COMPARED = {
    "OPERATOR_EQUAL": lambda a, b: a == b, "OPERATOR_NOT_EQUAL": lambda a, b: a != b,
    "OPERATOR_GREATER_THAN": lambda a, b: a > b, "OPERATOR_GREATER_THAN_EQUAL": lambda a, b: a >= b,
    "OPERATOR_LESS_THAN": lambda a, b: a < b, "OPERATOR_LESS_THAN_EQUAL": lambda a, b: a <= b,
}  # fmt: skip


def _meets(filters: Any, one: Stored) -> bool:
    if one.half:
        return False
    if filters is None:
        return True
    name = base_pb2.Filters.Operator.Name(filters.operator)
    if name in ("OPERATOR_AND", "OPERATOR_OR"):
        parts = (_meets(part, one) for part in filters.filters)
        return all(parts) if name == "OPERATOR_AND" else any(parts)
    there = one.uuid if filters.target.property == "_id" else one.held.get(filters.target.property)
    if there is None:
        return False
    if name == "OPERATOR_CONTAINS_ANY":
        return there in list(getattr(filters, filters.WhichOneof("test_value")).values)
    return bool(_COMPARED[name](there, getattr(filters, filters.WhichOneof("test_value"))))
