"""Schemas in the servers of the stores, made at setup; embedded stores make theirs with the first record.

A server that does not answer is no reason to stop: the projector makes the schema when it does. Imports stores only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.config import settings
from levaithan.errors import LevaithanError
from levaithan.projector.lock import lock_of
from levaithan.stores import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home

_WAIT_S = 10.0


def missing(home: Home) -> list[str]:
    """The stores on servers whose schema is not there, or of another version, or cannot be asked."""
    found = []
    for name, store in _servers(home):
        try:
            if not store.current():
                found.append(name)
        except LevaithanError:
            found.append(name)
        finally:
            store.close()
    return found


def make(home: Home) -> str:
    """Make them; what was done, and what could not be, in words. Raises NotConfigured for a URL that is none."""
    said = []
    for name, store in _servers(home):
        try:
            with lock_of(home, store) as lock:
                lock.take(_WAIT_S)
                store.migrate()
            said.append(f"{name}: ready")
        except LevaithanError as problem:
            said.append(f"{name}: not yet ({problem.message} next: {problem.fix})")
        finally:
            store.close()
    return "; ".join(said)


def _servers(home: Home) -> Iterator[tuple[str, Any]]:
    for name, store in registry.each(settings.load(home.root), home, owner=True):
        if store is not None and store.shared:
            yield name, store
        elif store is not None:
            store.close()
