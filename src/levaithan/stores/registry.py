"""Which adapter answers for a role: one line an adapter, loaded by name when it is asked for.

Imports nothing but the roles: `levaithan --help` and the read path of another adapter load no driver.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from levaithan.errors import NotConfigured
from levaithan.stores import ledger_login
from levaithan.stores.opening import Opening, masked, restarted, unusable, without_driver
from levaithan.stores.roles import COUNTERS, GRAPH, LEDGER, MEMORY, ROLES, SEARCH, Ledger, Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.stores.roles import Projected

ADAPTERS: dict[tuple[str, str], str] = {
    (LEDGER, "sqlite"): "levaithan.stores.sqlite_ledger:opened",
    (LEDGER, "postgresql"): "levaithan.stores.postgres_ledger:opened",
    (LEDGER, "postgres"): "levaithan.stores.postgres_ledger:opened",
    (SEARCH, "sqlite"): "levaithan.stores.sqlite_search:opened",
    (SEARCH, "http"): "levaithan.stores.elastic_search:opened",
    (SEARCH, "https"): "levaithan.stores.elastic_search:opened",
    (GRAPH, "sqlite"): "levaithan.stores.sqlite_graph:opened",
    (MEMORY, "sqlite"): "levaithan.stores.sqlite_memory:opened",
    (MEMORY, "http"): "levaithan.stores.weaviate_memory:opened",
    (MEMORY, "https"): "levaithan.stores.weaviate_memory:opened",
    (COUNTERS, "redis"): "levaithan.stores.redis_counters:opened",
    (COUNTERS, "rediss"): "levaithan.stores.redis_counters:opened",
    (GRAPH, "http"): "levaithan.stores.helix_graph:opened",
    (GRAPH, "https"): "levaithan.stores.helix_graph:opened",
    (GRAPH, "helix"): "levaithan.stores.helix_graph:opened",
}
"""(role, scheme of its URL) -> module:function. The function takes an Opening and gives the store; it opens nothing."""
FILES = {
    LEDGER: "ledger.sqlite3", SEARCH: "search.sqlite3", GRAPH: "graph.sqlite3", MEMORY: "memory.sqlite3",
}  # fmt: skip
"""role -> the file of the embedded store in the home's state folder. A role without one needs a URL."""

LATE = ("stamina", "pybreaker")
"""What every server's store loads with its first call."""
LATE_DRIVERS = {MEMORY: "weaviate"}
"""role -> the driver that its store on a server loads with its first call."""


def adapter(role: str, scheme: str) -> Any:
    """The adapter's function. Raises NotConfigured for a scheme that no adapter of the role knows, and where its driver
    is not installed."""
    scheme = scheme.partition("+")[0]
    target = ADAPTERS.get((role, scheme))
    if target is None:
        known = ", ".join(sorted(name for kind, name in ADAPTERS if kind == role))
        fix = f"let LEVAITHAN_{role.upper()}_URL begin with one of: {known}; or unset it"
        fix += " for SQLite" if role in FILES else ""
        raise NotConfigured(f"There is no {role} adapter for {scheme}:// URLs.", fix=fix)
    module, _, name = target.partition(":")
    with _driver(role, scheme):
        return getattr(import_module(module), name)


def made(opening: Opening) -> Any:
    """The store that `opening` names; nothing is opened yet. Raises NotConfigured."""
    scheme, _, place = opening.url.partition("://")
    if scheme and not place:
        raise unusable(opening.role, "it has no scheme, or names no place")
    scheme = scheme or "sqlite"
    found = adapter(opening.role, scheme)
    with _driver(opening.role, scheme):  # an adapter may have several drivers, and load one by the URL
        return found(opening)


@contextmanager
def _driver(role: str, scheme: str) -> Iterator[None]:
    """Within it a driver is loaded. Raises NotConfigured where it cannot be."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "levaithan":
            raise
        raise without_driver(role, scheme, error) from error


def load(role: str, settings: Any) -> None:
    """Import all that the store of `role` will need, where it is on a server: for whoever wants to know how long the
    server takes. Raises NotConfigured as `adapter` does, ImportError for a driver that is not installed."""
    scheme = _plain(setting(settings, role, "url")).partition("://")[0]
    if scheme in ("", "sqlite") or not in_use(role, settings):
        return
    adapter(role, scheme)
    for name in (*LATE, LATE_DRIVERS.get(role, "")):
        if name:
            import_module(name)


def open_store(role: str, settings: Any, home: Home, *, owner: bool = False) -> Any:
    """The store of `role` as `settings` choose it: by `<role>_url`, else embedded; None for a role that is switched
    off, and for one that has no embedded store. Nothing is opened yet: one that is down fails when it is used.
    `owner`: as the URL's own user, who may make its schema and roles.

    Raises NotConfigured.
    """
    if not in_use(role, settings):
        return None
    try:
        return made(opening_of(role, settings, home, owner=owner))
    except NotConfigured as problem:
        raise restarted(problem) from problem.__cause__


def opening_of(role: str, settings: Any, home: Home, *, owner: bool = False) -> Opening:
    """What the adapter of `role` is opened with, as `settings` choose it; `owner`: see open_store."""
    url, password = _plain(setting(settings, role, "url")), _plain(setting(settings, role, "password"))
    if role == LEDGER and not owner:
        url, password = ledger_login.daily(url, password, _plain(setting(settings, role, "writer_password")))
    embedded = url.partition("://")[0] in ("", "sqlite")
    return Opening(
        role=role,
        path="/" + url.partition("://")[2].lstrip("/") if url and embedded else f"{home.state}/{FILES.get(role, role)}",
        state=home.state,
        url="" if embedded else url,
        password=password,
        owner_password=_plain(setting(settings, role, "owner_password")),
        api_key=_plain(setting(settings, role, "api_key")),
        ca_file=str(setting(settings, role, "ca_file") or ""),
        max_field=int(settings.ledger_max_field_bytes),
        timeout_s=int(setting(settings, "store", "timeout_ms", 10_000)) / 1000,
        journal="" if embedded else _journal(home),
        logs=home.logs,
        options={**_options(settings), **_kept(settings, role)},
    )


def known() -> tuple[str, ...]:
    """The roles that have an adapter, in their order."""
    return tuple(role for role in ROLES if any(kind == role for kind, _ in ADAPTERS))


def each(
    settings: Any, home: Home, roles: tuple[str, ...] = ROLES, *, owner: bool = False
) -> Iterator[tuple[str, Projected | None]]:
    """(role, store) of those of `roles` that have an adapter, in their order; None for one that is not in use."""
    for role in known():
        if role in roles:
            yield role, open_store(role, settings, home, owner=owner)


def in_use(role: str, settings: Any) -> bool:
    """Whether `settings` have a store of `role`: it is not switched off, and has a URL or an embedded store."""
    return bool(setting(settings, role, "", True)) and (role in FILES or bool(setting(settings, role, "url")))


def places(settings: Any) -> dict[str, str]:
    """role -> where its store is, as it may be shown: a masked URL, "embedded", or "" for one that is not in use."""
    found = {}
    for role in known():
        url = _plain(setting(settings, role, "url")) if in_use(role, settings) else ""
        found[role] = masked(url) if url else "embedded" if in_use(role, settings) else ""
    return found


def open_ledger(settings: Any, home: Home) -> Ledger:
    """The ledger, which is never switched off. See open_store."""
    return cast("Ledger", open_store(LEDGER, settings, home))


def open_search(settings: Any, home: Home) -> Search | None:
    """The search, or None when it is off. See open_store."""
    return cast("Search | None", open_store(SEARCH, settings, home))


def setting(settings: Any, role: str, part: str, default: Any = None) -> Any:
    """The setting `<role>_<part>` (or `<role>`), of the full settings or of those of a read (config.lean)."""
    name = f"{role}_{part}" if part else role
    value = getattr(settings, name, None)
    if value is None:
        value = _options(settings).get(name)
    return default if value is None else value


def _options(settings: Any) -> dict[str, object]:
    return cast("dict[str, object]", getattr(settings, "stores", None) or {})


def _kept(settings: Any, role: str) -> dict[str, object]:
    """What is said of this role alone: how long the store keeps what it has, what makes the memory's vectors."""
    parts = {f"{role}_{part}": setting(settings, role, part) for part in ("retention_months", "model")}
    return {name: value for name, value in parts.items() if value is not None}


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value or "")


def _journal(home: Home) -> str:
    from levaithan.journal.identity import journal_id  # noqa: PLC0415 - only a store that journals share asks

    return journal_id(home.journal)
