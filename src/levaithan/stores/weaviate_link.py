"""The connection to Weaviate: made when it is needed, kept, made anew when it was lost; every call ends in time.

The client waits by itself, twice as long each time and up to a minute, when the server is gone: so each call is made in
a thread of its own and given up after the time limit. Its check at the start asks PyPI for a newer version of itself:
that is skipped, nothing here speaks to anybody but the server. Loads the client (grpc, protobuf) with the first call.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from levaithan.errors import NotConfigured
from levaithan.stores.opening import is_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.stores.opening import Opening, Server

Answer = TypeVar("Answer")
REST_PORT, REST_TLS_PORT, GRPC_PORT = 8080, 443, 50051
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_environment = threading.Lock()


class NoAnswerError(Exception):
    """A call that was given up."""


class Link:
    """Calls to one server."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.server = opening.server
        self._client: Any = None

    def run(self, ask: Callable[[Any], Answer]) -> Answer:
        """What `ask` answers, which is given the connected client. Raises NoAnswerError after the time limit, else what
        the client raises; the connection is made anew after either."""
        import weaviate  # noqa: PLC0415 - see the module's docstring; not within the time limit: it may take seconds

        answer: list[Answer] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                if self._client is None:
                    self._client = _connected(weaviate, self.opening)
                answer.append(ask(self._client))
            except BaseException as error:  # handed to whoever waits
                failure.append(error)

        worker = threading.Thread(target=work, name="weaviate-call", daemon=True)
        worker.start()
        worker.join(self.opening.timeout_s)
        if answer:
            return answer[0]
        self.close()
        raise failure[0] if failure else NoAnswerError

    def close(self) -> None:
        """Let go of the connection; a call that still waits on it ends with it."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _connected(weaviate: Any, opening: Opening) -> Any:
    from weaviate.classes.init import AdditionalConfig, Auth, Timeout  # noqa: PLC0415
    from weaviate.config import GrpcConfig  # noqa: PLC0415

    logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)  # it logs the objects that were refused
    server, seconds = opening.server, opening.timeout_s
    _reachable(opening)
    secure, key = server.scheme == "https", opening.key
    credentials = None
    if opening.ca_file:
        grpc: Any = import_module("grpc")
        credentials = grpc.ssl_channel_credentials(root_certificates=_authority(opening.ca_file))
    with _trusting(opening.ca_file):
        return weaviate.connect_to_custom(
            http_host=server.host,
            http_port=server.port or (REST_TLS_PORT if secure else REST_PORT),
            http_secure=secure,
            grpc_host=grpc_host(server),
            grpc_port=grpc_port(opening),
            grpc_secure=secure,
            auth_credentials=Auth.api_key(key) if key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(init=seconds, query=seconds, insert=seconds),
                grpc_config=GrpcConfig(credentials=credentials) if credentials else None,
                trust_env=bool(opening.ca_file),
            ),
            skip_init_checks=True,
        )


def _reachable(opening: Opening) -> None:
    """Raise ConnectionError with the port that refuses: the client waits for gRPC until the time is over, and names
    none."""
    server = opening.server
    rest = (server.host, server.port or (REST_TLS_PORT if server.scheme == "https" else REST_PORT))
    grpc = (grpc_host(server), grpc_port(opening))
    for what, place in (("REST", rest), ("gRPC (grpc_port of LEVAITHAN_MEMORY_URL)", grpc)):
        why = _refusal(place, opening.timeout_s)
        if why:  # raised by itself: of a chain of errors the first one would be told
            raise ConnectionError(f"{what} at {place[0]}:{place[1]}: {why}")


def _refusal(place: tuple[str, int], limit_s: float) -> str:
    try:
        socket.create_connection(place, limit_s).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def grpc_host(server: Server) -> str:
    """Where the server's gRPC is, from the URL's query."""
    return server.query.get("grpc_host", server.host)


def encrypted(server: Server) -> bool | None:
    """See Server.encrypted. The key goes to gRPC too, which may have a host of its own."""
    if server.here and not is_here(grpc_host(server)):
        return server.scheme == "https"
    return server.encrypted(server.scheme == "https")


def grpc_port(opening: Opening) -> int:
    """The port of the server's gRPC, from the URL's query. Raises NotConfigured for one that is none."""
    given = opening.server.query.get("grpc_port", str(GRPC_PORT))
    if not given.isdecimal() or not 0 < int(given) < 65_536:
        raise NotConfigured(
            "LEVAITHAN_MEMORY_URL cannot be used: its grpc_port is no port.",
            fix="write it as http://host:8080?grpc_port=50051",
        )
    return int(given)


def _authority(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise NotConfigured(
            f"LEVAITHAN_MEMORY_CA_FILE names {path}, which cannot be read: {error.strerror}.",
            fix="name the PEM file of the authority that signed the server's certificate",
        ) from error


@contextmanager
def _trusting(ca_file: str) -> Iterator[None]:
    """The client has no argument for an authority of the REST side; httpx under it takes SSL_CERT_FILE while it makes
    its context, which is now. Proxies of the environment are not meant by that."""
    if not ca_file:
        yield
        return
    with _environment:
        before = {name: os.environ.pop(name, None) for name in (*_PROXIES, "SSL_CERT_FILE")}
        os.environ["SSL_CERT_FILE"] = ca_file
        try:
            yield
        finally:
            del os.environ["SSL_CERT_FILE"]
            os.environ.update({name: value for name, value in before.items() if value is not None})
