"""The same servers as containers, by testcontainers, where a Docker engine answers. LEVAITHAN_TEST_CONTAINERS=0: never.

The images are those of docker-compose.yml; LEVAITHAN_TEST_<STORE>_IMAGE names another. Their reaper removes them when
the keeper is gone. Faults (SIGKILL, SIGSTOP) are tested on processes only.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers import asking
from tests.servers.endpoint import Endpoint, ServerFailedError

_COMPOSE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
_READY_S = 180.0


class NotPulledError(Exception):
    """A Docker engine that answers and cannot have the image."""


@cache
def unavailable() -> str:
    """Why no container can be had; empty when one can."""
    if os.environ.get("LEVAITHAN_TEST_CONTAINERS") == "0":
        return "LEVAITHAN_TEST_CONTAINERS=0"
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error}"
    try:
        docker.from_env(timeout=5).ping()
    except Exception as error:  # whatever the engine, the socket or the client says
        return f"no Docker engine answers ({type(error).__name__})"
    return ""


@dataclass
class Contained:
    """A container: `url` is made of {host}, {port}, {user} and {password}; `environ` and `command` too."""

    store: str
    port: int
    url: str
    ask: Callable[[str], str]
    user: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    command: str = ""
    also: dict[str, int] = field(default_factory=dict)
    """More ports: name -> port; the endpoint's `more` says where each is."""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """What is run."""
        import yaml

        services = yaml.safe_load(_COMPOSE.read_text("utf-8"))["services"]
        return os.environ.get(f"LEVAITHAN_TEST_{self.store.upper()}_IMAGE") or str(services[self.store]["image"])

    def start(self) -> Endpoint:
        """Start it and wait until it answers. Raises NotPulledError or ServerFailedError."""
        import docker.errors
        from testcontainers.core.container import DockerContainer

        password = secrets.token_hex(16)
        words = {"user": self.user, "password": password}
        made = DockerContainer(self.image, **self.options).with_exposed_ports(self.port, *self.also.values())
        for name, value in self.environ.items():
            made = made.with_env(name, value.format(**words))
        if self.command:
            made = made.with_command(self.command.format(**words))
        try:
            self._container = made.start()
        except (docker.errors.NotFound, docker.errors.APIError) as error:
            raise NotPulledError(f"{self.image} could not be started: {error}") from error
        host = made.get_container_host_ip()
        url = self.url.format(host=host, port=made.get_exposed_port(self.port), **words)
        more = {name: f"{host}:{made.get_exposed_port(port)}" for name, port in self.also.items()}
        version = self._answered(url)
        return Endpoint(self.store, url, "container", version, self.user, password, more=more)

    def stop(self) -> None:
        """Remove it and its volumes."""
        self._container.stop()

    def _answered(self, url: str) -> str:
        limit = time.monotonic() + _READY_S
        while True:
            try:
                return self.ask(url)
            except Exception as error:  # whatever a driver says of a server that is not up yet
                if time.monotonic() > limit:
                    said = b"\n".join(self._container.get_logs())[-4000:].decode(errors="replace")
                    self.stop()
                    raise ServerFailedError(f"{self.image} did not answer ({error}). Its log:\n{said}") from error
            time.sleep(0.25)


MADE: dict[str, Callable[[], Contained]] = {
    "postgres": lambda: Contained(
        "postgres", 5432, "postgresql://{user}:{password}@{host}:{port}/postgres",
        asking.postgres, "postgres", {"POSTGRES_PASSWORD": "{password}"},
    ),
    "redis": lambda: Contained(
        "redis", 6379, "redis://{user}:{password}@{host}:{port}/0", asking.redis, "levaithan",
        command="redis-server --appendonly yes --user default off --user levaithan on >{password} ~* &* +@all",
    ),
    "elasticsearch": lambda: Contained(
        "elasticsearch", 9200,
        "http://{user}:{password}@{host}:{port}", asking.elasticsearch, "elastic",
        {
            "discovery.type": "single-node", "ELASTIC_PASSWORD": "{password}", "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
            "xpack.security.http.ssl.enabled": "false", "cluster.routing.allocation.disk.threshold_enabled": "false",
        },
    ),
    "weaviate": lambda: Contained(
        "weaviate", 8080, "http://{host}:{port}",
        asking.weaviate, "levaithan",
        {
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false", "AUTHENTICATION_APIKEY_ENABLED": "true",
            "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "{password}", "AUTHENTICATION_APIKEY_USERS": "{user}",
            "AUTHORIZATION_ADMINLIST_ENABLED": "true", "AUTHORIZATION_ADMINLIST_USERS": "{user}",
            "PERSISTENCE_DATA_PATH": "/var/lib/weaviate", "DEFAULT_VECTORIZER_MODULE": "none",
            "CLUSTER_HOSTNAME": "node1", "DISABLE_TELEMETRY": "true", "AUTOSCHEMA_ENABLED": "false",
        },
        "--host 0.0.0.0 --port 8080 --scheme http",
        also={"grpc": 50051},
    ),
    "prometheus": lambda: Contained("prometheus", 9090, "http://{host}:{port}", asking.prometheus),
    "alertmanager": lambda: Contained("alertmanager", 9093, "http://{host}:{port}", asking.alertmanager),
}  # fmt: skip
"""HelixDB is a process of this machine, for its engine comes in a wheel: its image wants an object store beside it. The
workflow has docker-compose.yml start both, and gives LEVAITHAN_TEST_HELIX_URL."""
