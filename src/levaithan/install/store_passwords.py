"""Passwords for the servers of docker-compose.yml: made at setup, strong, one each, in .env for its owner alone.

One that is there stays, also where it is given another way (environment, NAME_FILE, settings.toml). Imports config.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.config import layers
from levaithan.install import home_files, registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.hot.paths import Home

NAMES = (
    "LEVAITHAN_LEDGER_PASSWORD",
    "LEVAITHAN_LEDGER_READER_PASSWORD",
    "LEVAITHAN_SEARCH_PASSWORD",
    "LEVAITHAN_GRAPH_API_KEY",
    "LEVAITHAN_MEMORY_API_KEY",
    "LEVAITHAN_COUNTERS_PASSWORD",
    "GRAPH_OBJECTS_PASSWORD",
    "GRAFANA_PASSWORD",
    "ALERTMANAGER_TOKEN",
)
"""Every password that docker-compose.yml asks for; a test compares."""
COMPOSE = "docker-compose.yml"
_BYTES = 24
_HEAD = """
# Passwords of the servers in docker-compose.yml, made by setup. Changing one here does not change it in a server that
# has its data already.
"""


def missing(home: Home) -> list[str]:
    """The passwords that are given nowhere; none where no docker-compose.yml lies beside .env."""
    env = home_files.env_path(home)
    if not env.with_name(COMPOSE).is_file():
        return []
    text = _text(env)
    given, _ = layers.merge(layers.collect(home.root, {}, os.environ))
    return [
        name for name in NAMES if not _assigned(name, text) and name.removeprefix(layers.PREFIX).lower() not in given
    ]


def make(home: Home) -> str:
    """Append what is missing to .env. Says which were made, never what they are. Raises OSError."""
    names = missing(home)
    put(home, {name: fresh() for name in names})
    return f"{len(names)} passwords in {home_files.env_path(home)}"


def fresh() -> str:
    """A new password, which can stand in a URL and in .env as it is."""
    return secrets.token_urlsafe(_BYTES)


def put(home: Home, passwords: Mapping[str, str]) -> None:
    """Append these (name in .env -> password) to .env. Raises OSError."""
    env = home_files.env_path(home)
    text = _text(env)
    lines = "".join(f"{name}={password}\n" for name, password in passwords.items())
    head = "" if _HEAD in text else _HEAD
    registry.write_whole(
        str(env), (text + ("" if text.endswith("\n") or not text else "\n") + head + lines).encode(), 0o600
    )


def _text(env: Path) -> str:
    try:
        return env.read_text("utf-8")
    except FileNotFoundError:
        return ""


def _assigned(name: str, text: str) -> bool:
    return re.search(rf"^\s*(?:export\s+)?{name}=\S", text, re.MULTILINE) is not None
