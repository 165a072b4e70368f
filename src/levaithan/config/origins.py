"""What is in force and where each value comes from, for `config show --origin`; secrets leave it masked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from levaithan.config import layers

if TYPE_CHECKING:
    from levaithan.config.settings import Settings

MASK = "****"


def masked(name: str, value: object) -> str:
    """`value` as it may be shown: the password and the query of a secret URL are masked, an opaque secret wholly."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if name not in layers.SECRETS or name in layers.OPAQUE:
        return MASK if name in layers.OPAQUE else str(value)
    text = str(value)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return MASK
    if not parts.scheme:
        return text if text.startswith(("/", "~", ".")) else MASK
    user = f"{parts.username}:{MASK}@" if parts.password else (f"{MASK}@" if parts.username else "")
    query = MASK if parts.query else ""
    return urlunsplit((parts.scheme, f"{user}{host}{port}", parts.path, query, ""))


def rows(settings: Settings) -> list[dict[str, str]]:
    """A row a setting: setting, value (masked), origin, in the order of the template."""
    return [
        {"setting": name, "value": masked(name, getattr(settings, name)), "origin": settings.origins[name]}
        for name in settings.origins
    ]
