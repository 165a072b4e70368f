"""Which adapter answers for a role: one line an adapter, loaded by name when it is asked for.

Imports nothing but the roles: `levaithan --help` and the read path of another adapter load no driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from levaithan.errors import NotConfigured
from levaithan.stores.roles import LEDGER, SEARCH, Ledger, Search

if TYPE_CHECKING:
    from levaithan.hot.paths import Home

ADAPTERS: dict[tuple[str, str], str] = {
    (LEDGER, "sqlite"): "levaithan.stores.sqlite_ledger:SqliteLedger",
    (SEARCH, "sqlite"): "levaithan.stores.sqlite_search:SqliteSearch",
}
"""(role, scheme of its URL) -> module:class. The class takes a URL or path and the greatest field in bytes."""
FILES = {LEDGER: "ledger.sqlite3", SEARCH: "search.sqlite3"}


def load(role: str, scheme: str) -> Any:
    """The adapter's class. Raises NotConfigured for a scheme that no adapter of the role knows."""
    scheme = scheme.partition("+")[0]
    target = ADAPTERS.get((role, scheme))
    if target is None:
        known = ", ".join(sorted(name for kind, name in ADAPTERS if kind == role))
        raise NotConfigured(
            f"There is no {role} adapter for {scheme}:// URLs.", fix=f"use one of: {known}; or unset the URL for SQLite"
        )
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def open_ledger(settings: Any, home: Home) -> Ledger:
    """The ledger that `settings` name (`ledger_url`, `ledger_max_field_bytes`), the home's SQLite file by default.

    Nothing is opened yet: a ledger that is down fails when it is used, not here. Raises NotConfigured.
    """
    scheme, target = _target(getattr(settings, "ledger_url", None), f"{home.state}/{FILES[LEDGER]}")
    return cast("Ledger", load(LEDGER, scheme)(target, settings.ledger_max_field_bytes))


def open_search(settings: Any, home: Home) -> Search | None:
    """The search store, or None when `settings.search` is off. Nothing is opened yet. Raises NotConfigured."""
    if not settings.search:
        return None
    scheme, target = _target(getattr(settings, "search_url", None), f"{home.state}/{FILES[SEARCH]}")
    return cast("Search", load(SEARCH, scheme)(target, settings.ledger_max_field_bytes))


def _target(url: Any, default: str) -> tuple[str, str]:
    """The scheme and what the adapter opens: a path for SQLite (sqlite:///absolute/path), else the whole URL."""
    text = str(url.get_secret_value() if hasattr(url, "get_secret_value") else url or "")
    if not text:
        return "sqlite", default
    scheme = text.partition("://")[0]
    if scheme.partition("+")[0] == "sqlite":
        return scheme, "/" + text.partition("://")[2].lstrip("/")
    return scheme, text
