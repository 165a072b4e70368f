"""Where a store is, as text to compare: what a broken circuit names, so that it holds no store that is elsewhere, and
what alerts are told by, so that a store does not answer for the one before it.

A server's scheme, host, port and path. Who asks and what stands behind a `?` are no part of it: so a password never is,
and another user of the same server is no other address. Standard library only.
"""

from __future__ import annotations

import os
from typing import Any

from levaithan.hot.paths import fnv1a64
from levaithan.stores import registry
from levaithan.stores.opening import HIDDEN, masked

EMBEDDED = "embedded"
UNUSABLE = "unusable"
"""What the address of a URL that cannot be read is called."""
_DIGITS = 8


def of(store: Any) -> str:
    """The address of a store that was opened, or the file of an embedded one; "" where it tells of none."""
    opening = getattr(store, "opening", None)
    if opening is None or not opening.url:
        path = str(getattr(getattr(store, "file", None), "path", "") if opening is None else opening.path)
        folder, _, name = path.rpartition("/")
        return f"{os.path.realpath(folder or '.')}/{name}" if name else ""  # not the file: a rebuild swaps its link
    return _shown(opening.url)


def marks(settings: Any) -> dict[str, str]:
    """role -> what the address that `settings` give its store is called in labels, "" for one that is not in use."""
    places = registry.places(settings)
    return {role: mark("" if place == EMBEDDED else _shown(place)) if place else "" for role, place in places.items()}


def mark(where: str) -> str:
    """An address (see `of`) as a label has it: "embedded", "unusable", else the kind of server and what tells one from
    another, which names nothing: `postgresql-1f3a9c02`. A label is for everybody who sees a dashboard."""
    if where == HIDDEN:
        return UNUSABLE
    scheme, found, _ = where.partition(":")
    if not found or where.startswith("/") or scheme == "sqlite":
        return EMBEDDED
    return f"{scheme.partition('+')[0]}-{fnv1a64(where.encode())[:_DIGITS]}"


def _shown(url: str) -> str:
    return masked(url.partition("?")[0]).replace("***@", "", 1)
