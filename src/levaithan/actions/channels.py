"""Sends one message to one URL, through apprise: the one file that loads it.

Only the URL of the settings is spoken to: redirects are not followed. What apprise logs may hold a URL, which is a
secret, so its logger is silenced, and what is told of a failure names the channel by its scheme and host alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from levaithan.actions.message import Message

_CONNECT_S = 5
_READ_S = 10


def urls_of(text: str | None) -> list[str]:
    """The URLs of a setting, in their order: blanks or line ends between them."""
    return (text or "").split()


def name_of(url: str) -> str:
    """How a channel is called where it may be read: `json 127.0.0.1`, with no user, password, path or query.

    A scheme whose host is part of the secret (slack://token/...) is called by the scheme alone.
    """
    parts = urlsplit(url)
    host = parts.hostname or "" if parts.scheme in _HOSTED else ""
    return f"{parts.scheme} {host}".strip()


_HOSTED = ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "http", "https")


def send(url: str, message: Message) -> str:
    """Sends it; "" when the channel has taken it, else why not, in words without the URL. Never raises."""
    import apprise  # noqa: PLC0415 - it loads over a hundred plugins

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    try:
        asset = apprise.AppriseAsset(
            app_id="LevAIthan", app_desc="LevAIthan", http_redirects=False, async_mode=False, secure_logging=True
        )
        channel = apprise.Apprise(asset=asset)
        if not channel.add(_patient(url)):
            return f"{name_of(url)}: apprise knows no such URL"
        kind = apprise.NotifyType.FAILURE if message.severity in ("P0", "P1") else apprise.NotifyType.WARNING
        taken = channel.notify(
            title=message.title, body=message.body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
        )  # fmt: skip
    except Exception as problem:  # a plugin may raise whatever it likes; what it says may hold the URL
        return f"{name_of(url)}: {type(problem).__name__}"
    return "" if taken else f"{name_of(url)}: it was not taken"


def _patient(url: str) -> str:
    """`url` with time limits of its own, where it names none: a receiver that hangs must not hold the others up."""
    more = [f"{name}={value}" for name, value in (("cto", _CONNECT_S), ("rto", _READ_S)) if f"{name}=" not in url]
    return url + ("&" if "?" in url else "?") + "&".join(more) if more else url
