"""Alertmanager: the one that is installed here (Debian calls it prometheus-alertmanager), and amtool beside it.

It serves loopback only, without a password and without a cluster. A test that wants routes and receivers of its own
starts one of its own: `own_server("alertmanager", lambda: Alertmanager(config=...))`.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers import asking
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("alertmanager", "prometheus-alertmanager")
_NOBODY: dict[str, Any] = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


def binary() -> Path | None:
    """The server here. LEVAITHAN_TEST_ALERTMANAGER_BIN names the only one."""
    chosen = os.environ.get("LEVAITHAN_TEST_ALERTMANAGER_BIN") or next(filter(None, map(shutil.which, _NAMES)), None)
    return Path(chosen) if chosen and Path(chosen).exists() else None


def amtool() -> Path:
    """The tool that belongs to the server here, else any in PATH. Raises ServerMissingError."""
    server = binary()
    beside = server.with_name("amtool") if server else None
    found = beside if beside and beside.exists() else shutil.which("amtool")
    if not found:
        raise ServerMissingError(
            "no amtool is installed. next: tests/servers/install --system, or apt install prometheus-alertmanager"
        )
    return Path(found)


class Alertmanager(Server):
    """One server. config: what its alertmanager.yml says (default: everything is shown and sent nowhere); files: more
    files by their names beside it, such as templates and the token that `credentials_file` names."""

    store = "alertmanager"

    def __init__(self, *, config: dict[str, Any] | None = None, files: Mapping[str, str] | None = None) -> None:
        """Raises ServerMissingError where no Alertmanager is installed."""
        found = binary()
        if found is None:
            raise ServerMissingError(
                "no Alertmanager is installed. next: tests/servers/install --system, or apt install "
                "prometheus-alertmanager, or set LEVAITHAN_TEST_ALERTMANAGER_URL"
            )
        super().__init__()
        self.binary = self.usable(found.parent) / found.name
        self.config = config or _NOBODY
        self.files = dict(files or {})

    def prepare(self) -> None:
        self.write()

    def write(self) -> None:
        """Write its files from what this object says now; `reload` makes a running one take them."""
        for name, text in self.files.items():
            path = self.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.data / "alertmanager.yml").write_text(json.dumps(self.config))  # YAML reads JSON
        self.own()

    def reload(self) -> None:
        """Make the running server read its files again. Raises where it refuses them."""
        self.write()
        asking.fetched(f"{self.url()}/-/reload", method="POST")

    def command(self) -> list[str]:
        return [
            str(self.binary), f"--config.file={self.data / 'alertmanager.yml'}",
            f"--storage.path={self.data / 'state'}", f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=", "--log.level=warn",
        ]  # fmt: skip

    def environ(self) -> dict[str, str]:
        return {"GOMAXPROCS": "2", "GOMEMLIMIT": "128MiB"}

    def ask(self) -> str:
        return asking.alertmanager(self.url())

    def url(self) -> str:
        """Where its pages and its API are."""
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self) -> Endpoint:
        return Endpoint(self.store, self.url(), "local", self.version, more={"bin": str(self.binary)})
