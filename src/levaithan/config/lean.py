"""The few settings that a read needs, without pydantic: importing it takes three times as long as all of Typer.

Takes the same layers as `settings`, so the same value wins (a test compares); may not import pydantic. What is
written to a store or a file is always made with the full `settings`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from levaithan.config import layers as layers_of
from levaithan.errors import NotConfigured
from levaithan.hot import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = {"on": True, "true": True, "1": True, "yes": True, "y": True, "t": True}
_WORDS |= {"off": False, "false": False, "0": False, "no": False, "n": False, "f": False}


@dataclass(slots=True, frozen=True)
class ReadSettings:
    """What opening a store for reading needs; the same names and meanings as in config.settings.Settings."""

    home: str
    ledger_url: str | None
    search: bool
    ledger_max_field_bytes: int = 1 << 20


def load(home_argument: str | None = None, environ: Mapping[str, str] | None = None) -> ReadSettings:
    """The settings for a read. Raises NotConfigured and SettingsUnreadable as config.settings.load does."""
    env = os.environ if environ is None else environ
    root = paths.find_home(home_argument, env).root
    values, places = layers_of.merge(layers_of.collect(root, {}, env))
    url = values.get("ledger_url")
    search = values.get("search", True)
    chosen = search if isinstance(search, bool) else _WORDS.get(str(search).lower())
    if chosen is None:
        raise NotConfigured(
            f"search = {search!r} is not allowed ({places['search']}). Allowed: on, off.",
            fix="correct LEVAITHAN_SEARCH there; `levaithan config template` explains each setting",
        )
    return ReadSettings(root, None if url is None else str(url), chosen)
