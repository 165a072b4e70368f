"""hot.shared's Protocol on Redis: what the gate asks while Claude Code waits. One script, one answer, within the limit.

There is no second try: a call that fails is answered by this machine's own files, and the next ones at once, until the
prober has a connection again. Redis may still do what a call that was given up has asked for: a reservation then ends
by itself, a lease that this machine's book does not have is let go by the service (service.sharing).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError, NoScriptError, ReadOnlyError, ResponseError

from levaithan.hot.shared import SharedError
from levaithan.stores import redis_link, redis_lua, redis_pace_lua
from levaithan.stores.redis_prober import Prober

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from levaithan.stores.opening import Opening

KEEP_S = 100 * 86_400
"""How long a bucket's sums stay: as long as the local ones (hot.spend)."""
_GONE = (NoScriptError, ReadOnlyError, NoPermissionError)
_SHA = {script: hashlib.sha1(script.encode()).hexdigest() for script in redis_lua.SCRIPTS}  # noqa: S324 - Redis' own name


class RedisDecisions:
    """One thread asks. node: this service's name among all; machines: set by whoever counts them."""

    def __init__(
        self,
        opening: Opening,
        node: str,
        timeout_s: float,
        *,
        lease_partition: str = "local",
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self.node = node
        self.machines = 1
        self.lease_partition = lease_partition
        self.prober = Prober(opening, timeout_s, on_ready)
        self._prefix = redis_link.prefix(opening)

    def start(self) -> None:
        """Begin to connect; until then there is no answer."""
        self.prober.start()

    def stop(self) -> None:
        """Let go of the connection."""
        self.prober.stop()

    # -- hot.shared.Shared --

    def admit(
        self,
        event_id: str,
        windows: Sequence[tuple[str, int]],
        width_us: int,
        looked_at: Sequence[tuple[str, int]] = (),
    ) -> tuple[str, int, int] | None:
        """See hot.shared."""
        every = [*looked_at, *windows]
        keys = [self._key("pace", name) for name, _ in every]
        limits = (limit for _, limit in every)
        full, *told = self._ask(redis_pace_lua.ADMIT, keys, event_id, width_us, len(looked_at), *limits)
        return (every[full - 1][0], int(told[0]), int(told[1])) if full else None

    def pool(self, name: str, own: Sequence[tuple[int, int]], width_us: int) -> list[tuple[int, int]]:
        """See hot.shared."""
        with _understood():
            key = self._key("pool", name)
            found = json.loads(self._ask(redis_pace_lua.POOL, [key], self.node, width_us, json.dumps(list(own))))
            return [(int(ago), int(amount)) for ago, amount in found or ()]

    def take_back(self, event_id: str, windows: Sequence[str]) -> None:
        """See hot.shared."""
        self._ask(redis_pace_lua.TAKE_BACK, [self._key("pace", name) for name in windows], event_id)

    def reserve(
        self, holder: str, buckets: Sequence[tuple[str, int]], nano: int, lasts_us: int
    ) -> dict[str, tuple[int, int]]:
        """See hot.shared."""
        holder = plain(holder)
        keys = [self._key("holds", f"{self.node} {holder}")]
        for name, _ in buckets:
            keys += [self._key("spent", name), self._key("held", name)]
        told = {"node": self.node, "holder": holder, "nano": str(nano), "lasts_us": lasts_us, "keep_s": KEEP_S,
                "own": [str(own) for _, own in buckets]}  # fmt: skip
        with _understood():
            found = json.loads(self._ask(redis_lua.RESERVE, keys, json.dumps(told)))
            pairs = zip(buckets, found or (), strict=True)
            return {name: (int(spent), int(held)) for (name, _), (spent, held) in pairs}

    def release(self, holder: str) -> None:
        """See hot.shared."""
        owner = f"{self.node} {plain(holder)}"
        self._ask(redis_lua.RELEASE, [self._key("holds", owner)], owner)

    def settle(self, sums: Mapping[str, int]) -> None:
        """See hot.shared."""
        keys = [self._key("spent", name) for name in sums]
        self._ask(redis_lua.SETTLE, keys, self.node, KEEP_S, *sums.values())

    def acquire(
        self, lease: Mapping[str, str | None], paths: Sequence[str], lasts_us: int, least: int
    ) -> tuple[dict[str, Any] | None, dict[str, int]]:
        """See hot.shared."""
        holder = {name: value and plain(value) for name, value in lease.items()} | {"node": self.node}
        called = {plain(path): path for path in paths}
        told = {"lease": holder, "paths": list(called), "lasts_us": lasts_us, "least": least}
        with _understood():
            found = json.loads(self._ask(redis_lua.ACQUIRE, lease_keys(self._prefix), json.dumps(told)))
            if "held" in found:
                return _held(found, called), {}
            return None, {called[path]: int(fence) for path, fence in found["fences"].items()}

    def other(self, session: str, paths: Sequence[str]) -> dict[str, Any] | None:
        """See hot.shared."""
        called = {plain(path): path for path in paths}
        with _understood():
            asked = (plain(session), json.dumps(list(called)))
            found = json.loads(self._ask(redis_lua.OTHER, lease_keys(self._prefix), *asked))
            return _held(found, called) if "held" in found else None

    def free(self, taken: Mapping[str, int]) -> None:
        """See hot.shared."""
        told = [
            {"path": plain(path), "node": self.node, "fence": str(fence), "unless_us": 0}
            for path, fence in taken.items()
        ]
        self._ask(redis_lua.FREE, lease_keys(self._prefix), json.dumps(told))

    def _key(self, kind: str, name: str) -> str:
        return named_key(self._prefix, kind, name)

    def _ask(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        client = self.prober.client
        if client is None:
            raise SharedError(self.prober.why)
        try:
            return client.evalsha(_SHA[script], len(keys), *keys, *arguments)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"[:300]
            if not isinstance(error, ResponseError) or isinstance(error, _GONE):
                self.prober.drop(client, why)  # else it answers, and refuses just this
            raise SharedError(why) from None
        except BaseException:  # the event's time limit: half an answer may be on its way
            self.prober.drop(client, "the event's time was over")
            raise


def named_key(prefix: str, kind: str, name: str) -> str:
    """A key of bounded length, whatever the name: paths and ids come from outside."""
    if len(name) > 200 or not name.isascii():
        name = "#" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}{kind}:{name}"


def plain(text: str) -> str:
    """`text` as every reader of JSON takes it: half a surrogate pair, which is no Unicode, as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """What the server holds may have been altered by others: an answer of no sense is none."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SharedError(f"its answer is of no sense ({type(error).__name__})") from None


def lease_keys(prefix: str) -> list[str]:
    """The keys of the leases' scripts."""
    return [prefix + "leases", prefix + "lease-ends", prefix + "fence"]


def _held(found: dict[str, Any], called: Mapping[str, str]) -> dict[str, Any]:
    return lease_of({**found["held"], "path": called[found["path"]]})


def lease_of(told: dict[str, Any]) -> dict[str, Any]:
    """A lease with its times and its token as numbers, which travel as texts. Raises what data of no sense raises."""
    names = ("path", "session", "agent", "project", "node")
    texts = {name: str(told[name]) if told.get(name) is not None else None for name in names}
    if not texts["session"] or not texts["path"]:
        raise ValueError("a lease of nobody, or on nothing")
    return texts | {name: int(told[name]) for name in ("since_us", "until_us", "renewed_us", "fence")}
