"""Checks of the stores as they are used: connection, certificate, version, schema, clock, space, and how far behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.actions import holding
from levaithan.config import lean
from levaithan.errors import LevaithanError
from levaithan.install.finding import Result
from levaithan.projector import feed, status
from levaithan.stores import looking, registry
from levaithan.stores.ledger_login import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from levaithan.hot.paths import Home
    from levaithan.install.finding import Asked
    from levaithan.stores.roles import Health

_LAG = 10_000
_SKEW_MS = 1_000.0
_ROOM = 1 << 30
_UNTOLD = "not told by the server"


def stores(asked: Asked) -> Iterator[Result]:
    settings = lean.load(asked.home.root)
    yield from of_stores(registry.known(), settings, asked.home)


def of_stores(names: Sequence[str], settings: Any, home: Home) -> list[Result]:
    """What is to be said of each of these stores, in their order; they are asked side by side."""
    told = looking.each(lambda name: list(of_store(name, settings, home)), names, home)
    return [one for found in told for one in found]


def of_store(name: str, settings: Any, home: Home) -> Iterator[Result]:
    """What is to be said of the store `name`. Never raises for one that is down: that is a result."""
    try:
        store = registry.open_store(name, settings, home)
    except LevaithanError as problem:
        yield Result(name, "fail", problem.message, problem.fix)
        return
    if store is None:
        yield Result(name, "ok", "not in use")
        return
    try:
        yield from _held(name, store, home)
        store.check_version()
        health = store.health()
        if health.ok:
            yield from _followed(name, store, home, health)
            if not status.stuck(home, store):
                yield from _schema(name, store, home, health)
            if store.remote:
                yield from _server(name, health)
                yield _figures(name, health)
        else:
            yield Result(
                name, "fail", "; ".join(health.problems) or "it does not answer", health.fix or "levaithan doctor"
            )
    except LevaithanError as problem:
        yield Result(name, "fail", problem.message, problem.fix)
    finally:
        store.close()


def _held(name: str, store: Any, home: Home) -> Iterator[Result]:
    """That nothing is written to it now, though it may answer: why, until when, and what lets it go."""
    held = holding.of(home, store)
    if held is not None:
        told = {"held": held.why, "circuit": held.circuit}
        yield Result(name, "warn", f"it is held, its records wait: {held.why}", held.remedy, data=told)


def _followed(name: str, store: Any, home: Home, health: Health) -> Iterator[Result]:
    cursor, stuck = store.cursor(), status.stuck(home, store)
    lag = feed.lag(home.journal, cursor)
    dead = store.dead_count() if cursor else 0
    told = {"lag": lag, "dead_letters": dead, "server": health.server, "capabilities": list(health.capabilities)}
    if stuck:
        words = f"{lag} records behind the journal: {stuck.message}"
        yield Result(name, "fail", words, stuck.fix, data=told)
    elif dead:
        words = f"{dead} records could not be delivered"
        yield Result(name, "warn", words, "levaithan journal dead-letters", data=told)
    elif lag > _LAG:
        words = f"{lag} records behind the journal"
        yield Result(name, "warn", words, "levaithan start, then levaithan status", data=told)
    else:
        where = f" ({health.server})" if store.remote else ""
        words = f"{lag} records behind the journal" if lag else "up to date"
        yield Result(name, "ok", words + where, data=told)


def _schema(name: str, store: Any, home: Home, health: Health) -> Iterator[Result]:
    """A server's schema that is of an older version, or gone: as long as it is, nothing is put there."""
    if not store.remote or store.current():
        return
    if health.schema not in ("", "none"):
        words = f"its schema is of an older version ({health.schema})"
    elif feed.last_seq(home.journal):
        words = "its schema is not there"
    else:  # nothing was recorded yet: the first event makes it
        return
    fix = f"levaithan start: the service sees to it where its user may; else levaithan store migrate {name}"
    yield Result(name, "warn", words, fix)


def _server(name: str, health: Health) -> Iterator[Result]:
    """What may go wrong later: a clock that differs, a disk that fills, words that travel in the clear."""
    for words in health.problems:
        yield Result(name, "warn", words, health.fix or "levaithan store status")
    if health.skew_ms is not None and abs(health.skew_ms) - health.skew_error_ms > _SKEW_MS:
        way = "ahead of" if health.skew_ms > 0 else "behind"
        words = f"its clock is {abs(health.skew_ms) / 1000:.1f} s {way} this machine's"
        yield Result(name, "warn", words, "keep both clocks by NTP: events of several machines are merged by time")
    if health.free_bytes is not None and health.free_bytes < _ROOM:
        words = f"its disk has {health.free_bytes >> 20} MiB left"
        yield Result(name, "warn", words, "make room there: a store that is full takes nothing, its lag grows")
    if health.excess:
        words = f"its user {', '.join(health.excess)}, and daily work needs none of that"
        yield Result(name, "warn", words, "levaithan setup, which makes a user of least privilege and works as that")
    elif health.owner_excess:
        words = f"its tables belong to {health.owner}, who {', '.join(health.owner_excess)}, and so may their functions"
        yield Result(name, "warn", words, f"levaithan setup, which hands them to {OWNER}, a user that may no more")
    elif health.owner == OWNER:
        yield Result(name, "ok", f"its tables belong to {OWNER}, who may change them and no more")
    if health.encrypted is False:
        words = "the connection is not encrypted, and the server is not on this machine"
        yield Result(name, "warn", words, f"use a TLS URL in LEVAITHAN_{name.upper()}_URL (docs/how-to/stores.md)")


def _figures(name: str, health: Health) -> Result:
    """Version, clock and space as the server tells them, and which of the three it does not."""
    version = next((word for word in health.server.split() if word[0].isdigit()), None)
    told = {"version": version, "clock": _clock(health), "space": _space(health)}
    words = "; ".join(f"{what}: {said or _UNTOLD}" for what, said in told.items())
    figures = {
        "version": version, "skew_ms": health.skew_ms, "skew_error_ms": health.skew_error_ms,
        "free_bytes": health.free_bytes, "not_told": [what for what, said in told.items() if not said],
    }  # fmt: skip
    return Result(name, "ok", words, data=figures)


def _clock(health: Health) -> str:
    if health.skew_ms is None:
        return ""
    way = "ahead of" if health.skew_ms > 0 else "behind"
    about = f", give or take {health.skew_error_ms / 1000:.1f} s" if health.skew_error_ms else ""
    return f"{abs(health.skew_ms) / 1000:.3f} s {way} this machine's{about}"


def _space(health: Health) -> str:
    return "" if health.free_bytes is None else f"{health.free_bytes / (1 << 30):.1f} GiB free"


CHECKS = {"stores": stores}
