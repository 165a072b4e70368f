"""HelixDB: its own engine, from the wheel `helix-db-embedded`, in a process of its own behind HTTP (helix_http.py)."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from helixdb import Client, g, read_batch
from tests.servers.endpoint import Endpoint, ServerMissingError
from tests.servers.process import Server

_ROOT = Path(__file__).resolve().parents[2]


class Helix(Server):
    """One engine, which is its data's only writer. The password is an API key (`Authorization: Bearer`), or ""."""

    store = "helix"
    as_other_user = False

    def __init__(self, *, keyless: bool = False, ahead_s: float = 0.0) -> None:
        """keyless: it asks for no key, as HelixDB's own image does not. ahead_s: how far its clock is.

        Raises ServerMissingError where the engine's wheel is not installed.
        """
        try:
            version("helix-db-embedded")
        except PackageNotFoundError as error:
            raise ServerMissingError(
                "the wheel helix-db-embedded is not installed (there is none for musl). "
                "next: pip install helix-db-embedded, or set LEVAITHAN_TEST_HELIX_URL"
            ) from error
        super().__init__()
        self.password = "" if keyless else self.password
        self.ahead_s = ahead_s

    def prepare(self) -> None:
        """The engine makes its files itself."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.servers.helix_http", str(self.data), str(self.port)]

    def environ(self) -> dict[str, str]:
        told = {"HELIX_API_KEY": self.password, "HELIX_AHEAD_S": str(self.ahead_s)}
        return told | {"PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}

    def ask(self) -> str:
        counted = read_batch().var_as("nodes", g().n_with_label("none").count()).returning(["nodes"])
        answer = Client(self.url(), api_key=self.password or None).query(counted.to_query_request())
        assert "nodes" in answer, answer
        return version("helix-db-embedded")

    def url(self) -> str:
        """Without the key: the client takes that apart."""
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self) -> Endpoint:
        return Endpoint(self.store, self.url(), "local", self.version, password=self.password)
