"""One Redis server as a store: asked through the edge, its version, its health. What it holds is its subclass's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from levaithan.stores import redis_link, server_versions
from levaithan.stores.edge import Edge
from levaithan.stores.roles import COUNTERS, Health, SchemaTooNewError, StoreBusyError, StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from levaithan.stores.opening import Opening

SCHEMA = 1


class RedisServer:
    """Every method raises StoreError where the server does not do it, but `health` and `close`."""

    name = COUNTERS

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.journal = opening.journal
        self.max_field = opening.max_field
        self.found: list[str] = []
        self.prefix = redis_link.prefix(opening)
        translate = redis_link.translator(opening, COUNTERS, opening.timeout_s)
        self.edge = Edge(COUNTERS, opening.where, translate, timeout_s=opening.timeout_s, logs=opening.logs)
        self._client: Any = None

    def stream(self, journal: str | None = None) -> str:
        """The key of a journal's stream; this one's, if none is named."""
        return f"{self.prefix}stream:{self.journal if journal is None else journal}"

    def ask(self, question: Callable[[Any], Any], *, again: bool = True) -> Any:
        """What `question` gets from the client. Raises StoreError."""
        if self._client is None:
            self._client = redis_link.client(self.opening, self.opening.timeout_s)
        return self.edge.call(lambda: question(self._client), again=again)

    def script(self, text: str, keys: Sequence[str], *arguments: Any) -> Any:
        """What a script answers; the server need not have it yet. Its calls are idempotent. Raises StoreError."""

        def run(link: Any) -> Any:
            try:
                return link.register_script(text)(keys=keys, args=arguments)
            except ResponseError as error:
                if str(error).startswith("LOST"):
                    words = "it has lost what it held, and is filled again from the journal"
                    raise StoreBusyError(store=self.name, reason=words) from None
                raise

        return self.ask(run)

    def migrate(self) -> None:
        """See roles.Projected. There is nothing to make but a note of the version."""
        info = self.ask(lambda link: link.info("server"))
        if redis_link.version(info)[:2] < redis_link.OLDEST:
            words = f"it is Redis {info.get('redis_version')}, and {'.'.join(map(str, redis_link.OLDEST))} is needed"
            raise StoreUnsupportedError(store=self.name, where=self.opening.where, reason=words)
        self.check_version()
        self.ask(lambda link: link.set(self.prefix + "schema", SCHEMA))

    def current(self) -> bool:
        """See roles.Projected."""
        return bool(self.ask(lambda link: link.get(self.prefix + "schema")) == str(SCHEMA))

    def check_version(self) -> None:
        """See roles.Projected."""
        found = self.ask(lambda link: link.get(self.prefix + "schema"))
        if found is not None and (not found.isdigit() or int(found) > SCHEMA):
            raise SchemaTooNewError(store=self.name, path=self.opening.where, found=found[:20], known=SCHEMA)

    def health(self) -> Health:
        """See roles.Projected. rows: of this journal; bytes: all that the server holds."""
        health = Health(self.name, True, f"redis {self.opening.where}", "none", 0, 0, 0)
        try:
            self._look(health)
        except Exception as error:
            health.ok = False
            health.problems.insert(0, str(error))
            health.fix = getattr(error, "fix", "")
        return health

    def _look(self, health: Health) -> None:
        began = time.perf_counter()
        seconds, micros = self.ask(lambda link: link.time())
        health.latency_ms = (time.perf_counter() - began) * 1000
        health.skew_ms = (seconds + micros / 1e6 - time.time()) * 1000
        info = self.ask(lambda link: link.info())
        health.server = f"Redis {info.get('redis_version')}"
        server_versions.look(health, str(info.get("redis_version", "")), redis_link.OLDEST)
        health.schema = self.ask(lambda link: link.get(self.prefix + "schema")) or "none"
        health.rows = self.ask(lambda link: link.xlen(self.stream()))
        health.dead_letters = self.dead_count()
        health.bytes = int(info.get("used_memory", 0))
        server = self.opening.server
        health.encrypted = server.encrypted(server.scheme == "rediss")
        limit = int(info.get("maxmemory", 0))
        health.free_bytes = max(0, limit - health.bytes) if limit else None
        health.capabilities = ("stream", "groups", "minutes", "decisions", "halts")
        if limit and info.get("maxmemory_policy") != "noeviction":
            health.problems.append("it may drop keys when its memory is full, leases and halts among them")
            health.fix = health.fix or "set maxmemory-policy noeviction in redis.conf"
        elif not int(info.get("aof_enabled", 0)):
            health.problems.append("it forgets what it holds at a restart; each machine then says it again")
            health.fix = health.fix or "set appendonly yes in redis.conf"

    def dead_count(self) -> int:
        """See roles.Projected."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
