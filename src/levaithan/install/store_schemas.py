"""Schemas in the servers of the stores, made at setup; embedded stores make theirs with the first record.

A server that does not answer is no reason to stop: the projector makes the schema when it does. Imports stores only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.config import settings
from levaithan.errors import LevaithanError
from levaithan.install import home_files, store_passwords
from levaithan.projector.lock import lock_of
from levaithan.stores import registry
from levaithan.stores.roles import StoreDownError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.paths import Home

_WAIT_S = 10.0


def missing(home: Home) -> bool:
    """Whether a store on a server has no schema, one of another version, or cannot be asked."""
    for _, store in _servers(home):
        try:
            if not store.current():
                return True
        except LevaithanError:
            return True
        finally:
            store.close()
    return False


def make(home: Home) -> tuple[str, list[str]]:
    """Make them. (What was done, and what could not be, in words; the stores whose server does not answer.) Raises
    NotConfigured for a URL that is none."""
    said, silent = [], []
    for name, store in _servers(home):
        try:
            with lock_of(home, store) as lock:
                lock.take(_WAIT_S)
                store.migrate()
            said.append(f"{name}: ready")
        except StoreDownError:
            silent.append(name)
        except LevaithanError as problem:
            said.append(f"{name}: not yet ({problem.message} next: {problem.fix})")
        finally:
            store.close()
    if silent:
        said.append(f"{', '.join(silent)}: not yet, no server answers")
    return "; ".join(said), silent


def silence(home: Home, silent: Sequence[str]) -> str:
    """What a person should know of stores whose server does not answer, and what to do next."""
    ours = home_files.env_path(home).with_name(store_passwords.COMPOSE).is_file()
    start = "`docker compose up -d --wait`, then ./setup.sh again" if ours else "start it, then run setup again"
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
