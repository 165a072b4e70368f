"""Schemas in the servers of the stores, made at setup; embedded stores make theirs with the first record.

A server that does not answer is no reason to stop: the projector makes the schema when it does. Imports stores only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.config import settings
from levaithan.errors import LevaithanError
from levaithan.install import home_files, store_passwords
from levaithan.projector.lock import lock_of
from levaithan.stores import edge, registry
from levaithan.stores.roles import StoreDownError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.paths import Home

_WAIT_S = 10.0


def missing(home: Home) -> bool:
    """Whether a store on a server has no schema, one of another version, or cannot be asked."""
    for _, store in _servers(home):
        try:
            with edge.once():
                if not store.current():
                    return True
        except LevaithanError:
            return True
        finally:
            store.close()
    return False


def make(home: Home) -> tuple[str, list[str]]:
    """Make them. (What was done, in words; what a person should know of those that could not be made.) Raises
    NotConfigured for a URL that is none."""
    ready, silent, notes = list[str](), list[str](), list[str]()
    for name, store in _servers(home):
        try:
            _call(store)
            with lock_of(home, store) as lock:
                lock.take(_WAIT_S)
                store.migrate()
            ready.append(name)
        except StoreDownError:
            silent.append(name)
        except LevaithanError as problem:
            notes.append(f"no schema in {name} yet. {problem.message} next: {problem.fix}; then run setup again")
        finally:
            store.close()
    if silent:
        notes.append(_silence(home, silent))
    return _words(ready, silent, failed=len(notes) - bool(silent)), notes


def _call(store: Any) -> None:
    """Raise StoreDownError for a server that does not answer, before it is tried with patience what cannot be done."""
    with edge.once():
        try:
            store.current()
        except StoreDownError:
            raise
        except LevaithanError:  # whether a schema can be made of that, migrating tells
            return


def _words(ready: Sequence[str], silent: Sequence[str], *, failed: int) -> str:
    said = [f"ready in {', '.join(ready)}"] if ready else []
    said += [f"not yet in {', '.join(silent)}, no server answers"] if silent else []
    said += [f"not yet in {failed} more, see the note{'s' if failed > 1 else ''} below"] if failed else []
    return f"schemas {'; '.join(said)}"


def _silence(home: Home, silent: Sequence[str]) -> str:
    """What a person should know of stores whose server does not answer, and what to do next."""
    chosen = settings.load(home.root)
    here = all(registry.opening_of(name, chosen, home, owner=True).server.here for name in silent)
    ours = home_files.env_path(home).with_name(store_passwords.COMPOSE).is_file()
    start = "start it, then run setup again"
    if ours:
        start = "`docker compose up -d --wait`, then ./setup.sh again" if here else "start it, then ./setup.sh again"
    return (
        f"no server answers for {', '.join(silent)}. Hooks work, and nothing is lost: records wait in the journal. "
        f"next: {start}; where it should be running already, `levaithan store check` says what is wrong"
    )


def _servers(home: Home) -> Iterator[tuple[str, Any]]:
    for name, store in registry.each(settings.load(home.root), home, owner=True):
        if store is not None and store.shared:
            yield name, store
        elif store is not None:
            store.close()
