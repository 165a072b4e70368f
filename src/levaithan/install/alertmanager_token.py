"""The token that Alertmanager shows to the monitor: `keys/alertmanager.token` of the home, for its owner alone.

Where docker-compose.yml lies beside .env, setup has made the token there for Alertmanager's container, as the servers'
passwords (ALERTMANAGER_TOKEN), and the file is its copy. Elsewhere it is made here, by setup or by the monitor. Imports
config.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from levaithan.config import layers
from levaithan.hot import paths
from levaithan.install import home_files, home_folders, registry

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

NAME = "ALERTMANAGER_TOKEN"
_FILE = "/alertmanager.token"
_BYTES = 24
_WHOLE = re.compile(r"[\x21-\x7e]{16,512}")
"""What can stand in a header, and is too long to be guessed."""


def path_of(home: Home) -> Path:
    """Where the token of the home is."""
    return Path(home.keys + _FILE)


def missing(home: Home) -> bool:
    """Whether there is no usable token, or another one than .env gives to Alertmanager. Raises SettingsUnreadable."""
    told = _told(home)
    return _kept(home) is None or (told is not None and told != _kept(home))


def make(home: Home) -> str:
    """Put a token there, .env's or a new one; says where, never what it is. Raises OSError, SettingsUnreadable."""
    target = path_of(home)
    if target.is_dir() and not target.is_symlink():
        home_folders.set_aside(str(target))
    paths.ensure_private(home.keys)
    token = _told(home) or secrets.token_urlsafe(_BYTES)
    registry.write_whole(str(target), (token + "\n").encode(), 0o600)
    return str(target)


def read(home: Home) -> str:
    """The token of the home, made now where there is none. Raises OSError, SettingsUnreadable."""
    if missing(home):
        make(home)
    kept = _kept(home)
    if kept is None:
        raise OSError(f"{path_of(home)} cannot be read again")
    return kept


def _kept(home: Home) -> str | None:
    """What the file says; None where it is not there, of others' reach, or no token."""
    target = path_of(home)
    try:
        with open(target, encoding="ascii", opener=paths.regular) as file:
            token = file.read(1024).strip()
        private = not target.stat().st_mode & 0o077
    except (OSError, ValueError):
        return None
    return token if private and _WHOLE.fullmatch(token) else None


def _told(home: Home) -> str | None:
    """What .env gives to Alertmanager's container; None where it gives nothing that can be used."""
    env = home_files.env_path(home)
    try:
        found = layers.parse_dotenv(env.read_text("utf-8"), str(env))
    except FileNotFoundError:
        return None
    told = [value for key, value, _ in found if key == NAME]
    return told[-1] if told and _WHOLE.fullmatch(told[-1]) else None
