"""A server that refuses the user or the password, and settings that have others by now: what it is opened with anew.

So a changed password in .env, or in the file that NAME_FILE names, is taken up without a restart of the service.
Another server is another start: only user, password, API key and certificate authority may differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.config.settings import load
from levaithan.errors import LevaithanError
from levaithan.stores import registry
from levaithan.stores.roles import StoreAuthError, StoreTlsError

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.stores.opening import Opening

REFUSALS = (StoreAuthError, StoreTlsError)
"""The failures that other settings may mend."""


def settings_of_now(known: Opening, home: Home) -> Opening | None:
    """What the same server is opened with by the settings of now; None where they are those of `known`, name another
    server, or cannot be read just now (somebody is writing them)."""
    try:
        fresh = registry.opening_of(known.role, load(home.root), home)
        same = fresh.url != "" and _place(fresh) == _place(known)
        return fresh if same and _login(fresh) != _login(known) else None
    except LevaithanError:
        return None


def opened_anew(store: Any, home: Home) -> Any | None:
    """Another store in the place of `store`, which is closed, with the settings of now; None where nothing changed.

    Raises NotConfigured.
    """
    opening = settings_of_now(store.opening, home)
    if opening is None:
        return None
    made = registry.made(opening)
    store.close()
    return made


def _place(opening: Opening) -> tuple[object, ...]:
    server = opening.server
    return server.scheme, server.host, server.port, server.path, dict(server.query)


def _login(opening: Opening) -> tuple[str, ...]:
    server = opening.server
    return server.user, server.password, server.key, opening.ca_file
