"""What the services of all machines tell each other beside decisions: that they live, halts, the leases in force.

For the service's own thread, which may wait; raises StoreError. Halts are texts here: what is in them is the reader's
to check, for another machine wrote it.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from levaithan.stores import redis_link, redis_lua, redis_names_lua
from levaithan.stores.redis_decisions import KEEP_S, lease_keys, lease_of, named_key, plain
from levaithan.stores.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from levaithan.stores.opening import Opening

ALIVE_S = 15.0
"""A service that was not heard of for so long is not counted as alive."""


class RedisCoordination(RedisServer):
    """One service's. node: its name among all."""

    def __init__(self, opening: Opening, node: str) -> None:
        super().__init__(opening)
        self.node = node
        self.edge.attempts = 1
        self.channel = self.prefix + "halts"
        self._heard: Any = None

    def log_in(self, opening: Opening) -> None:
        """Ask as another user from now on."""
        self.close()
        self.opening = opening

    # -- heartbeats --

    def beat(self, alive_s: float = ALIVE_S) -> tuple[bool, dict[str, float]]:
        """Say that this service lives: (whether the server had not heard of it, who lives -> when it was last heard of,
        in Unix seconds by the server's clock)."""
        new, found = self.script(redis_lua.BEAT, [self.prefix + "alive"], self.node, int(alive_s * 1e6))
        return bool(new), {found[at]: float(found[at + 1]) / 1e6 for at in range(0, len(found), 2)}

    def move(self, was: str, sums: Mapping[str, int]) -> None:
        """This service went by the name `was` until now: what that one has spent and holds is this one's. sums: bucket
        -> what this machine has spent in it."""
        keys = [self.prefix + "alive"]
        for name in sums:
            keys += [named_key(self.prefix, kind, name) for kind in ("spent", "held")]
        self.script(redis_names_lua.MOVE, keys, was, self.node, KEEP_S, *sums.values())

    def claim(self, journal: str, mark: str) -> str:
        """Say that `mark` is the service of this journal; what was said last, "" where nobody did for a while."""
        return str(self.script(redis_names_lua.CLAIM, [f"{self.prefix}home:{journal}"], mark, int(ALIVE_S * 1000)))

    # -- halts --

    def set_halts(self, halts: Mapping[str, str]) -> int:
        """id -> the halt as JSON; how many were new. One that was released is not set again."""
        told = json.dumps([[name, text] for name, text in halts.items()])
        return int(self.script(redis_lua.SET_HALTS, self._halt_keys(), self.channel, told))

    def release_halts(self, ids: Sequence[str]) -> int:
        """Release these for all machines, for good; how many were in force."""
        return int(self.script(redis_lua.RELEASE_HALTS, self._halt_keys(), self.channel, json.dumps(list(ids))))

    def halts(self) -> tuple[int, dict[str, str], set[str]]:
        """(version, id -> the halt as JSON, ids that were released in the last 30 days). The version only grows."""
        version, flat, released = self.script(redis_lua.ALL_HALTS, self._halt_keys())
        return int(version), dict(zip(flat[::2], flat[1::2], strict=True)), set(released)

    def listen(self, wait_s: float) -> bool:
        """Wait up to `wait_s` seconds for news of halts; whether there are any. Raises StoreError."""

        def hear(_: Any) -> bool:
            if self._heard is None:
                heard = redis_link.client(self.opening, self.opening.timeout_s).pubsub()
                heard.subscribe(self.channel)
                self._heard = heard
                return True  # what was said before is not heard: look
            message = self._heard.get_message(timeout=wait_s)
            return message is not None

        try:
            return bool(self.ask(hear, again=False))
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        heard, self._heard = self._heard, None
        with contextlib.suppress(Exception):
            if heard is not None:
                heard.close()

    def _halt_keys(self) -> list[str]:
        return [self.prefix + "halts", self.prefix + "halts-released", self.prefix + "halts-version"]

    # -- leases and budgets --

    def announce(self, leases: Sequence[Mapping[str, Any]]) -> list[str]:
        """Leases in force on this machine (path, session, agent, project, fence, lasts_us): the paths that another
        session holds; the others are in force everywhere."""
        told = [
            {name: plain(value) if isinstance(value, str) else value for name, value in one.items()} for one in leases
        ]
        told = [one | {"node": self.node} for one in told]
        return list(
            json.loads(self.script(redis_lua.ANNOUNCE, lease_keys(self.prefix), json.dumps(told)))["lost"] or ()
        )

    def leases(self) -> tuple[list[dict[str, Any]], int]:
        """(the leases in force on all machines, the server's time in microseconds)."""
        found = json.loads(self.script(redis_lua.LEASES, lease_keys(self.prefix)))
        leases = []
        for one in found["leases"] or ():
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # somebody else's, of no sense
                leases.append(lease_of(one))
        return leases, int(found["now"])

    def free(self, leases: Sequence[Mapping[str, Any]], *, unless_us: int) -> int:
        """End these of this service (path, fence) that were not renewed within `unless_us`; how many there were."""
        told = [
            {"path": plain(one["path"]), "node": self.node, "fence": str(one["fence"]), "unless_us": unless_us}
            for one in leases
        ]
        return int(self.script(redis_lua.FREE, lease_keys(self.prefix), json.dumps(told)))

    def settle(self, sums: Mapping[str, int]) -> None:
        """bucket -> what this machine has spent in it by now, for the others' next question."""
        keys = [named_key(self.prefix, "spent", name) for name in sums]
        if keys:
            self.script(redis_lua.SETTLE, keys, self.node, KEEP_S, *sums.values())

    def close(self) -> None:
        """Let go of the connections."""
        self._forget()
        super().close()
