"""The few settings that a read needs, without pydantic: importing it takes three times as long as all of Typer.

Takes the same layers as `settings`, so the same value wins (a test compares); may not import pydantic. What is
written to a store or a file is always made with the full `settings`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

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
    """What opening a store for reading needs; the same names and meanings as in config.settings.Settings.

    monitor: whether the home is watched.
    stores: every setting of a store (`<role>`, `<role>_url`, ...) that is given, a switch as bool, the rest as text.
    """

    home: str
    ledger_url: str | None
    search: bool
    ledger_max_field_bytes: int = 1 << 20
    stores: Mapping[str, object] = field(default_factory=dict)
    monitor: bool = True


def load(home_argument: str | None = None, environ: Mapping[str, str] | None = None) -> ReadSettings:
    """The settings for a read. Raises NotConfigured and SettingsUnreadable as config.settings.load does."""
    env = os.environ if environ is None else environ
    root = paths.find_home(home_argument, env).root
    values, places = layers_of.merge(layers_of.collect(root, {}, env))
    url = values.get("ledger_url")
    found: dict[str, object] = {}
    for name, value in values.items():
        role = name.partition("_")[0]
        if role in layers_of.STORES or role == "store":
            found[name] = _switch(name, value, places) if name == role else str(value)
    monitor = "monitor" not in values or _switch("monitor", values["monitor"], places)
    return ReadSettings(
        root, None if url is None else str(url), bool(found.get("search", True)), stores=found, monitor=monitor
    )


def _switch(name: str, value: object, places: Mapping[str, str]) -> bool:
    chosen = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
    if chosen is None:
        raise NotConfigured(
            f"{name} = {value!r} is not allowed ({places[name]}). Allowed: on, off.",
            fix=f"correct LEVAITHAN_{name.upper()} there; `levaithan config template` explains each setting",
        )
    return chosen
