"""Catching up: brings stores to the journal's end in this process, for commands that read while no service runs.

Loads the writing half (SQLAlchemy, orjson, the journal's reader) only when there is something to write: a read with
nothing to catch up pays for a look at sizes and a cursor.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError
from levaithan.projector import segments
from levaithan.projector.lock import lock_of
from levaithan.stores.registry import each, known, open_store, opening_of
from levaithan.stores.roles import LEDGER, ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.hot.paths import Home
    from levaithan.projector.follower import Follower
    from levaithan.projector.lock import ProjectionLock
    from levaithan.stores.opening import Opening


def opened(home: Home, settings: Any, stores: Sequence[str] = ROLES) -> list[Any]:
    """The stores of `stores` that are in use, in the order of ROLES. Touches nothing. Raises NotConfigured."""
    chosen = tuple(role for role in ROLES if role in stores)
    return [store for _, store in each(settings, home, chosen) if store is not None]


@dataclass(slots=True, frozen=True)
class Unusable:
    """A store that cannot be opened; opening: what the settings name, None where they name nothing that is a place."""

    problem: LevaithanError
    opening: Opening | None


def usable(home: Home, settings: Any) -> tuple[list[str], dict[str, Unusable]]:
    """(the roles whose stores can be opened, the others): one misspelt URL must not hold up the rest."""
    fine, wrong = [], {}
    for role in known():
        try:
            store = open_store(role, settings, home)
        except LevaithanError as problem:
            wrong[role] = unusable(role, settings, home, problem)
            continue
        if store is not None:
            fine.append(role)
            store.close()
    return fine, wrong


def unusable(role: str, settings: Any, home: Home, problem: LevaithanError) -> Unusable:
    """The store of `role`, which cannot be opened for `problem`."""
    try:
        return Unusable(problem, opening_of(role, settings, home))
    except LevaithanError:
        return Unusable(problem, None)


def followers(home: Home, settings: Any, stores: Sequence[str] = ROLES) -> list[Follower]:
    """A follower for each of `stores` that is in use. Touches nothing yet. Raises NotConfigured."""
    from levaithan.projector.feed import Feed  # noqa: PLC0415 - see the module's docstring
    from levaithan.projector.follower import Follower  # noqa: PLC0415

    return [Follower(store, Feed(home.journal)) for store in opened(home, settings, stores)]


@dataclass(slots=True)
class CaughtUp:
    """What `catch_up` did. `busy`: another process was projecting; `errors`: what the stores said, by store."""

    delivered: int = 0
    busy: bool = False
    errors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def is_current(home: Home, settings: Any, stores: Sequence[str] = (LEDGER,)) -> bool:
    """Whether `stores` have all of the journal, by sizes and cursors alone: no lock, no SQLAlchemy. Never raises."""
    for store in opened(home, settings, stores):
        try:
            if not store.current():
                return not segments.segments(home.journal)
            if not segments.at_end(home.journal, store.cursor()):
                return False
        except Exception:
            return False
        finally:
            store.close()
    return True


def catch_up(
    home: Home,
    settings: Any,
    stop_when_idle: bool = True,
    *,
    stores: Sequence[str] = (LEDGER,),
    wait_s: float = 2.0,
    timeout_s: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> CaughtUp:
    """Bring `stores` up to the journal's end in this process, unless another one is at it for over `wait_s` seconds.

    Nothing to do costs a millisecond. Stops at `timeout_s`, and when a store is down. With `stop_when_idle` False it
    goes on for all of `timeout_s`. `progress(store, bytes done, bytes in all)`. Raises NotConfigured only.
    """
    done = CaughtUp()
    if stop_when_idle and is_current(home, settings, stores):
        return done
    until = time.monotonic() + (timeout_s if timeout_s is not None else 1e9)
    for one in followers(home, written_with(home, settings), stores):
        with lock_of(home, one.store) as lock:
            if _taken(lock, wait_s, one.store.name, done):
                _follow(one, until, stop_when_idle, progress, done)
        one.store.close()
    return done


def _follow(
    one: Follower, until: float, stop_when_idle: bool, progress: Callable[[str, int, int], None] | None, done: CaughtUp
) -> None:
    left = segments.bytes_left(one.feed.directory, None)
    while time.monotonic() < until:
        moved = one.step()
        if progress and moved:
            progress(one.store.name, left - segments.bytes_left(one.feed.directory, one.position), left)
        if one.error and not moved:
            done.errors[one.store.name] = one.error["message"]
            break
        if not moved and stop_when_idle:
            break
        if not moved:
            time.sleep(0.05)
    done.delivered += one.delivered
    done.notes += [*one.store.found, *one.notes]


def _taken(lock: ProjectionLock, wait_s: float, store: str, done: CaughtUp) -> bool:
    """Whether the lock is ours now; if not, `done` says why."""
    try:
        if lock.take(wait_s):
            return True
        done.busy = True
    except OSError as error:  # a home that cannot be written
        done.errors[store] = f"{lock.path}: {error.strerror}"
    return False


def written_with(home: Home, settings: Any) -> Any:
    """The full settings: those of a read (config.lean) do not say everything that writing needs."""
    if hasattr(settings, "fsync"):
        return settings
    from levaithan.config.settings import load  # noqa: PLC0415 - loads pydantic, which a read avoids

    return load(home.root)
