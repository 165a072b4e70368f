"""The gate before HelixDB as docker-compose.yml has it, by the nginx that is installed here: its own entrypoint writes
the key, its own configuration answers. Only places differ: folder, ports, and where HelixDB is."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import yaml
from tests.servers import asking
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server, free_port

TOP = Path(__file__).resolve().parents[2]
SERVICE: dict[str, Any] = yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))["services"]["helix-gate"]
CONFIG = (TOP / "deploy" / "helix" / "nginx.conf").read_text("utf-8")


def binary() -> str | None:
    """The program here. LEVAITHAN_TEST_NGINX_BIN names the only one. Debian has it where only root's PATH looks."""
    chosen = os.environ.get("LEVAITHAN_TEST_NGINX_BIN")
    if chosen:
        return chosen if Path(chosen).exists() else None
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


class Gate(Server):
    """A gate before the HelixDB at `behind` (http://host:port). Its password is the key it asks for."""

    store = "nginx"

    def __init__(self, behind: str, key: str = "") -> None:
        """key: a random one if none is given. Raises ServerMissingError where no nginx is installed."""
        found = binary()
        if found is None:
            raise ServerMissingError(
                "nginx is not installed. next: tests/servers/install --system, or apt install nginx"
            )
        super().__init__()
        self.binary = found
        self.behind = behind
        self.password = key or self.password
        self.inner = 0

    def prepare(self) -> None:
        self.inner = free_port()
        (self.data / "gate").mkdir(exist_ok=True)
        places = {
            "/run/gate": f"{self.data}/gate", "listen 7474;": f"listen 127.0.0.1:{self.port};",
            "listen 127.0.0.1:7475;": f"listen 127.0.0.1:{self.inner};", "http://helix:8080;": f"{self.behind};",
        }  # fmt: skip
        (self.data / "nginx.conf").write_text(_replaced(CONFIG, places))
        self.own()

    def command(self) -> list[str]:
        shell, option, words = SERVICE["entrypoint"]
        places = {"/run/gate": f"{self.data}/gate", "/etc/gate": str(self.data), "exec nginx": f"exec {self.binary}"}
        return [shell, option, _replaced(words.replace("$$", "$"), places)]

    def environ(self) -> dict[str, str]:
        return {"GATE_KEY": self.password}

    def ask(self) -> str:
        try:
            asking.fetched(self.url())
        except urllib.error.HTTPError as error:
            assert error.code == 401, error
        said = subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=True).stderr
        return said.rpartition("/")[2].split()[0]

    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    def health_url(self) -> str:
        """What the container's health check asks, in the place of the container's own."""
        told: str = SERVICE["healthcheck"]["test"][-1]
        return told.replace(":7475/", f":{self.inner}/")

    def endpoint(self) -> Endpoint:
        return Endpoint(self.store, self.url(), "local", self.version, password=self.password)


def _replaced(text: str, places: dict[str, str]) -> str:
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
