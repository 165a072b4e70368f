"""What the projector tells about itself: run/projector.json, replaced whole, five times a second at most."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.errors import NotConfigured, StoreError, sentence
from levaithan.hot.paths import ensure_private
from levaithan.projector import feed
from levaithan.stores import address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from levaithan.hot.paths import Home
    from levaithan.projector.follower import Follower
    from levaithan.projector.loop import Unusable

VERSION = 1
STOPPED = "stopped"
SHORTEST_S = 0.2
FRESH_S = 30.0
"""A status that is older is no word on how things are: the projector ended, or hangs."""
GOES_ON = "Nothing is lost, it is tried again."
"""What comes of any failure of a store here, and nowhere else: a command that asked, or wrote, has failed."""


def path_of(home: Home, part: int = 0) -> Path:
    """Where the status is; `part`: of the projector's process of that number, 0 = all of it."""
    return Path(home.run, f"projector-{part}.json" if part else "projector.json")


def read(home: Home, part: int = 0) -> dict[str, Any] | None:
    """The last status written; None when there is none or it cannot be read."""
    try:
        told = orjson.loads(path_of(home, part).read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def of_now(home: Home, store: str) -> dict[str, Any] | None:
    """What the projector says of `store` now; None where it says nothing of it, has stopped, or was silent for
    FRESH_S."""
    told = read(home) or {}
    stores = told.get("stores")
    one = stores.get(store) if isinstance(stores, dict) else None
    return one if isinstance(one, dict) and not silent(told) else None


def stuck(home: Home, store: Any) -> StoreError | None:
    """Why the projector that runs now cannot bring `store` (an opened one) along at the address where it is opened;
    None where it can, or says nothing of it there. Its fix is what a person does."""
    told = of_now(home, store.name) or {}
    error = told.get("error")
    if told.get("state") != "down" or not isinstance(error, dict) or told.get("where") != address.of(store):
        return None
    message = str(error.get("message")).removesuffix(GOES_ON).rstrip()
    if error.get("code") == NotConfigured.code:  # it was mended since, or it could not have been opened here
        return StoreError(f"the running service could not use it when it started ({message})", fix="levaithan restart")
    return StoreError(message, fix=str(error.get("fix")))


def places(home: Home) -> dict[str, str]:
    """store -> where the projector has it (stores.address.of), by its last word however old: one that hangs has them
    there when it goes on, and one that begins anew says so at once."""
    stores = (read(home) or {}).get("stores")
    said = stores.items() if isinstance(stores, dict) else ()
    return {name: one["where"] for name, one in said if isinstance(one, dict) and isinstance(one.get("where"), str)}


def silent(told: Mapping[str, Any]) -> bool:
    """Whether a status that was read is no word on how things are now: of a projector that stopped, or hangs."""
    try:
        age_s = time.time() - datetime.fromisoformat(str(told.get("updated"))).timestamp()
    except ValueError:
        return True
    return told.get("doing") == STOPPED or abs(age_s) > FRESH_S


class Status:
    """Writes the status of `followers`. `update(force=True)` writes now, else when the last one is old enough.

    part: see path_of; elsewhere: what the other processes say of the stores that they have; workers: how many there
    are.
    """

    def __init__(
        self,
        home: Home,
        followers: Sequence[Follower],
        wrong: Mapping[str, Unusable] | None = None,
        part: int = 0,
    ) -> None:
        self.home = home
        self.part = part
        self.workers = 1
        self.remote = 0
        self.elsewhere: dict[str, dict[str, Any]] = {}
        self.followers = followers
        self.wrong = wrong or {}
        before = (read(home) or {}).get("stores") if wrong else None
        self._before: dict[str, Any] = before if isinstance(before, dict) else {}
        self.started = _now()
        self._last = 0.0
        self._said = b""
        self.doing = "starting"

    def update(self, *, force: bool = False) -> None:
        """Write the file unless that was done less than SHORTEST_S ago. A full disk is no reason to stop, nor to let
        an older file say that all is well: then it is written over in place."""
        now = time.monotonic()
        if now - self._last < SHORTEST_S and not force:
            return
        self._last = now
        path = path_of(self.home, self.part)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        told = self.tell()
        if not Path(self.home.root).is_dir():  # gone: it stays gone
            return
        try:
            ensure_private(self.home.run)
            fresh.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
            fresh.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()
            _write_over(path, orjson.dumps(told))  # without blanks: it has words of a failure more, and no block more

    def tell(self) -> dict[str, Any]:
        """The status as data: per store cursor, lag, dead letters, last error."""
        try:
            head = feed.last_seq(self.home.journal)
        except OSError:
            head = 0
        return {
            "version": VERSION, "pid": os.getpid(), "started": self.started, "updated": _now(), "doing": self.doing,
            "head_seq": head, "workers": self.workers, "remote": self.remote,
            "stores": {one.store.name: _store(one, head) for one in self.followers} | self.elsewhere
            | {role: self._unopened(one, self._before.get(role), head) for role, one in self.wrong.items()},
        }  # fmt: skip

    def _unopened(self, one: Unusable, before: Any, head: int) -> dict[str, Any]:
        """What is said of a store that cannot be opened: it waits for another start, at the place where it was before
        if that was at the same address; what is at another one nobody can say."""
        where = address.of(one)
        known = before if isinstance(before, dict) and where and before.get("where") == where else {}
        place: dict[str, Any] = {"seq": 0, "segment": None, "offset": 0, "journal": None, "dead_letters": 0}
        place |= {name: known[name] for name in place if name in known}
        return {
            "state": "down", "where": where, **place, "lag_events": max(0, head - place["seq"]), "lag_seconds": None,
            "delivered": 0, "error": {**one.problem.as_dict(), "since": self.started}, "notes": [],
        }  # fmt: skip


def _write_over(path: Path, data: bytes) -> None:
    """Put `data` into the blocks that the file has; nothing when they are too few or there is no file."""
    with contextlib.suppress(OSError), path.open("r+b", buffering=0) as file:
        file.truncate(file.write(data))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _store(one: Follower, head: int) -> dict[str, Any]:
    place = one.position
    behind = max(0, head - (place.seq if place else 0))
    state = "held" if one.held else "down" if one.error else "ok" if one.idle or not behind else "behind"
    return {
        "state": state, "where": address.of(one.store), "seq": place.seq if place else 0,
        "segment": place.segment if place else None, "offset": place.offset if place else 0,
        "journal": place.journal if place else None, "lag_events": behind,
        "lag_seconds": _age(one.last_at) if behind else 0.0, "dead_letters": one.dead, "delivered": one.delivered,
        "error": _of(one.error), "held": one.held or None, "notes": [*one.store.found, *one.notes], "puts": one.puts,
        "failures": one.failures, "flaps": one.flaps, "pool": one.store.pool() if hasattr(one.store, "pool") else None,
    }  # fmt: skip


def _of(error: dict[str, str] | None) -> dict[str, str] | None:
    """A follower's failure, and that it goes on."""
    return error and {**error, "message": f"{sentence(error['message'])} {GOES_ON}"}


def _age(at: str) -> float | None:
    """Seconds since the last record that arrived; None before the first."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return round(max(0.0, (datetime.now(UTC) - moment).total_seconds()), 3)
