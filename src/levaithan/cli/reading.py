"""Opens the ledger and the search for a read, and brings them up to the journal's end first.

The usual case costs two stats: the store's cursor stands at the end. Else the service is asked to deliver, and
without one the projection runs here, under its own lock. Loads no SQLAlchemy and no pydantic in the usual case.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levaithan.cli import output
from levaithan.cli.progress import Progress
from levaithan.cli.state import STATE
from levaithan.config import lean
from levaithan.errors import LevaithanError, NotConfigured
from levaithan.hot import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.hot.paths import Home
    from levaithan.stores.roles import Ledger, Search

SYNC_S = 1.0


@contextmanager
def ledger(*, fresh: bool = True) -> Iterator[Ledger]:
    """The ledger of the home, caught up with the journal unless `fresh` is False; closed at the end."""
    with opened("ledger", fresh=fresh) as store:
        yield store


@contextmanager
def search() -> Iterator[Search]:
    """The search of the home, caught up. Raises NotConfigured when it is switched off."""
    with opened("search") as store:
        yield store


@contextmanager
def opened(name: str, *, fresh: bool = True, optional: bool = False) -> Iterator[Any]:
    """The store `name`; None for one that is switched off, when it is `optional`. Raises NotConfigured."""
    from levaithan.stores import registry

    home = STATE.home()
    _home_there(home)
    settings = lean.load(STATE.home_argument)
    store: Any = registry.open_store(name, settings, home)
    if store is None and not optional:
        chosen = f"LEVAITHAN_{name.upper()}"
        if name not in registry.FILES:  # it is on a server or nowhere
            fix = f"set {chosen}_URL, then `levaithan restart`"
            raise NotConfigured(f"No store of {name} is in use: there is one on a server only.", fix=fix)
        raise NotConfigured(f"The {name} is switched off.", fix=f"set {chosen}=on, then `levaithan restart`")
    try:
        if fresh and store is not None:
            catch_up(home, store)
        yield store
    finally:
        if store is not None:
            store.close()


def home() -> Home:
    """The home, which must be there. Raises NotConfigured."""
    found = STATE.home()
    _home_there(found)
    return found


def _home_there(home: Home) -> None:
    if not Path(home.root).is_dir():
        raise NotConfigured(
            f"There is no home at {home.root}.",
            fix="run ./setup.sh (or `levaithan setup`), or name another with --home",
        )


def catch_up(home: Home, store: Any, *, quiet: bool = False) -> None:
    """Bring `store` to the journal's end, or say on stderr (unless `quiet`) that it is behind and why. Never raises."""
    if _at_end(home, store):
        return
    told = ask_service(home, "sync", SYNC_S)
    if told is None:
        why = _project_here(home, store.name)
    else:
        why = _waiting(home, store) or str(told.get("error") or "the service is still at it")
    if not quiet and ((told is None and why) or not _at_end(home, store)):
        output.say(f"note: the {store.name} store is behind the journal ({why or 'events keep coming'}); see status")


def _waiting(home: Home, store: Any) -> str:
    """Why the service that runs does not bring `store` to the journal's end, however long it is waited for; "" where
    nothing is known to be in its way."""
    from levaithan.actions import holding
    from levaithan.projector import status
    from levaithan.stores import address

    if status.places(home).get(store.name) not in (None, "", address.of(store)):
        return "the service has it at another address: `levaithan restart`"
    held = holding.of(home, store)
    return held.why if held else ""


def _at_end(home: Home, store: Any) -> bool:
    """Whether the store stands at the journal's end (sizes only)."""
    from levaithan.projector import segments

    try:
        if not segments.segments(home.journal):
            return True
        return bool(store.current()) and segments.at_end(home.journal, store.cursor())
    except FileNotFoundError:  # a segment was pruned meanwhile: look again at the next read
        return True


def ask_service(home: Home, operation: str, timeout_s: float, **header: str) -> dict[str, Any] | None:
    """What the service answers to a control operation; None when there is no service or no answer in time."""
    head = {"id": wire.new_event_id(), "op": operation, "timeout_ms": str(int(timeout_s * 1000)), **header}
    try:
        code, answer, _words = wire.request(home.socket, wire.pack_request(head, b""), timeout_s + 0.5)
        told = json.loads(answer)
    except (OSError, wire.WireError, ValueError):
        return None
    return told | {"ok": told.get("ok", code == 0)} if isinstance(told, dict) else None


def _project_here(home: Home, store: str) -> str:
    """The projection in this process, for a home whose service is down. Why it is not at the end, or ""."""
    from levaithan.projector import loop

    with Progress("bringing the stores up to date", "bytes") as bar:
        try:
            done = loop.catch_up(
                home, STATE.settings(), stores=(store,), progress=lambda _store, did, total: bar(did, total)
            )
        except LevaithanError as problem:
            return problem.message
    return "another process is projecting" if done.busy else "; ".join(done.errors.values())
