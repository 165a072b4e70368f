"""The emergency stop of all machines: halts of the others into this home's file, this home's to the others.

What is in the file holds, here, whoever is out of reach; the file is what the one-shot and the next service read. Only
a person's release takes a halt away (hot.halt_merge); one that a server lost is said again by whoever still has it.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from levaithan.hot import halt_merge
from levaithan.hot.halts import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.stores.redis_coordination import RedisCoordination

MOST = 1000
"""Halts of others that this home takes: beyond that somebody is at fault, and the file has a bound of its own."""
_MONTH_US = 30 * 86_400_000_000


class SharedHalts:
    """One home's. `say` is the service's log."""

    def __init__(self, home: Home, others: RedisCoordination, say: Callable[..., None]) -> None:
        self._home = home
        self._others = others
        self._say = say
        self._seen: tuple[object, ...] = ()
        self._told: set[str] = set()

    def changed(self) -> bool:
        """Whether this home's halts, or its releases, changed since the last `sync`."""
        return self._stamps() != self._seen

    def sync(self) -> None:
        """Bring both to the same. Raises StoreError, OSError, and HaltError for a file that cannot be read or written:
        then nothing is taken for released."""
        seen = self._stamps()
        here = {halt.id: halt for halt in halt_merge.kept(self._home)}
        released = halt_merge.released(self._home)
        _, there, gone = self._others.halts()
        ended = [name for name in there if name in released]
        if ended:
            self._others.release_halts(ended)
        now = stamp(time.time_ns() // 1000)
        known = there.keys() | gone | released
        fresh = {
            name: json.dumps(halt.as_dict())
            for name, halt in here.items()
            if name not in known and not halt.expired(now)
        }
        if fresh:
            self._others.set_halts(fresh)
            self._say("halts told to the other machines", halts=sorted(fresh))
        self._take(here, there, gone, released)
        self._seen = seen

    def _take(self, here: dict[str, Any], there: dict[str, str], gone: set[str], released: set[str]) -> None:
        """Into the file: what others set and nobody released; out of it: what others released."""
        long_ago = stamp(max(0, time.time_ns() // 1000 - _MONTH_US))
        taken = []
        for name, text in list(there.items())[:MOST]:
            if name in here or name in released:
                continue
            entry = self._checked(name, text)
            if entry and not (entry.get("expires_at") and entry["expires_at"][:19] <= long_ago[:19]):
                taken.append(entry)
        out = {name for name in here if name in gone}
        if taken or out:
            halt_merge.merge(self._home, taken, out)
        for one in taken:
            self._say("halted by another machine", level="warning", halt=one["id"], scope=one["scope"], by=one["by"])
        for name in sorted(out):
            self._say("released by another machine", halt=name)

    def _checked(self, name: str, text: str) -> dict[str, Any] | None:
        """The halt that another machine calls `name`; None, and a word in the log, where it is none."""
        try:
            entry = json.loads(text)
            wrong = halt_merge.problem(name, entry)
        except (ValueError, RecursionError) as error:
            wrong = f"not JSON: {error}"
        if not wrong:
            return dict(entry)
        if name not in self._told and len(self._told) < MOST:
            self._told.add(name)
            self._say("a halt of another machine cannot be read", level="error", halt=name[:64], why=wrong[:300])
        return None

    def _stamps(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._home.halts, self._home.state + "/halts.released"))


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        seen = os.stat(path)  # noqa: PTH116 - twenty times a second
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
