"""Weaviate: built from its Go module, for no registry carries the program (`tests/servers/install --weaviate`).

REST is on loopback; gRPC and the cluster's own ports know no address, so all of them want the key or a password. One
node, which asks nobody and tells nobody.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from tests.servers import asking
from tests.servers.elasticsearch import cache_folder
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server, free_port

VERSION = "1.39.3"
"""What `tests/servers/install --weaviate` builds."""


def binary() -> Path | None:
    """The server here. LEVAITHAN_TEST_WEAVIATE_BIN names the only one, `none` is none."""
    chosen = os.environ.get("LEVAITHAN_TEST_WEAVIATE_BIN")
    found = Path(chosen) if chosen else cache_folder() / f"weaviate-{VERSION}" / "weaviate-server"
    return found if found.exists() else None


class Weaviate(Server):
    """One server. The password is its API key."""

    store = "weaviate"
    ready_s = 90.0
    _ports: ClassVar = ("GRPC_PORT", "CLUSTER_GOSSIP_BIND_PORT", "CLUSTER_DATA_BIND_PORT", "RAFT_PORT",
                        "RAFT_INTERNAL_RPC_PORT")  # fmt: skip

    def __init__(self) -> None:
        """Raises ServerMissingError where it was not built."""
        found = binary()
        if found is None:
            raise ServerMissingError(
                "Weaviate is in no package registry. next: tests/servers/install --weaviate builds it where Go is, or "
                "start a Docker engine, or set LEVAITHAN_TEST_WEAVIATE_URL to a running one"
            )
        super().__init__()
        self.binary = self.usable(found.parent) / found.name
        self.ports: dict[str, str] = {}

    def prepare(self) -> None:
        self.ports = {name: str(free_port()) for name in self._ports}
        self.own()

    def command(self) -> list[str]:
        return [str(self.binary), "--host", "127.0.0.1", "--port", str(self.port), "--scheme", "http"]

    def environ(self) -> dict[str, str]:
        return self.ports | {
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false", "AUTHENTICATION_APIKEY_ENABLED": "true",
            "AUTHENTICATION_APIKEY_ALLOWED_KEYS": self.password, "AUTHENTICATION_APIKEY_USERS": "levaithan",
            "AUTHORIZATION_ADMINLIST_ENABLED": "true", "AUTHORIZATION_ADMINLIST_USERS": "levaithan",
            "PERSISTENCE_DATA_PATH": str(self.data / "store"), "DEFAULT_VECTORIZER_MODULE": "none",
            "ENABLE_MODULES": "", "AUTOSCHEMA_ENABLED": "false", "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1", "CLUSTER_BIND_ADDR": "127.0.0.1", "RAFT_BOOTSTRAP_EXPECT": "1",
            "RAFT_JOIN": f"node1:{self.ports['RAFT_PORT']}",
            "CLUSTER_BASIC_AUTH_USERNAME": "node", "CLUSTER_BASIC_AUTH_PASSWORD": self.password,
            "GO_PROFILING_DISABLE": "true", "DISABLE_TELEMETRY": "true", "LOG_LEVEL": "warning",
            "GOMEMLIMIT": "1500MiB",
        }  # fmt: skip

    def ask(self) -> str:
        return asking.weaviate(self.url())

    def url(self) -> str:
        """Without the key: the client takes that apart."""
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self) -> Endpoint:
        grpc = {"grpc": f"127.0.0.1:{self.ports['GRPC_PORT']}"}
        return Endpoint(self.store, self.url(), "local", self.version, password=self.password, more=grpc)
