"""Where a store's server answers: what the tests get, whoever started it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


class ServerMissingError(ConnectionError):
    """A server that is not to be had here. The message says why, and what to do."""


class ServerFailedError(Exception):
    """A server that is here and did not come up, or ended by itself. The message has the end of its log."""


@dataclass(frozen=True)
class Endpoint:
    """`url` holds user and password. `tls_url` is empty where the server speaks no TLS; `ca` is the PEM file of the
    authority that signed its certificate. `source`: environment, container or local. `more`: what else a store has."""

    store: str
    url: str
    source: str
    version: str = ""
    user: str = ""
    password: str = ""
    tls_url: str = ""
    ca: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write it for other processes, whole or not at all, for this user only."""
        part = path.with_suffix(".part")
        part.touch(0o600)
        part.write_text(json.dumps(asdict(self)))
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Endpoint:
        """What `save` wrote."""
        told = json.loads(path.read_text())
        return cls(**{one.name: told[one.name] for one in fields(cls)})

    def __repr__(self) -> str:
        return f"Endpoint({self.store} {self.version}, {self.source})"
