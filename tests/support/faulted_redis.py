"""The live stream on Redis, to be hurt: see faulted_stores."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

import redis
from tests.servers.redis import Redis
from tests.support.faulted_stores import Faulted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.process import Server

_KEPT = 1_000_000
"""Events that stay in the stream: more than any run has."""


class RedisStream(Faulted):
    """What machines share while they decide, and the live stream, which is what can be held against the journal."""

    role = "counters"

    def make(self) -> Server:
        return Redis()

    def settings(self) -> dict[str, object]:
        secret = self.secret(self.server.password)
        url = f"redis://levaithan@127.0.0.1:{self.server.port}/0?stream={_KEPT}"
        return {"counters_url": url, "counters_password_file": secret}

    def change_password(self) -> Callable[[], None]:
        old, new = self.server.password, secrets.token_hex(12)
        with self._link() as link:
            link.execute_command("ACL", "SETUSER", "levaithan", "resetpass", f">{new}")
            link.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        written = self.server.data / "redis.conf"
        written.write_text(written.read_text().replace(f">{old} ", f">{new} "))
        self.server.password = new
        return lambda: self.secret(new) and None

    def age(self) -> None:
        with self._link() as link:
            (note,) = link.scan_iter(match="*schema")
            link.set(note, 0)
        self.server.kill()
        self.server.restart()

    def doubled(self, store: Any, root: str) -> int:
        with self._link() as link:
            streams = [key for key in link.scan_iter(_type="stream") if re.search(r"stream:\w{32}$", key)]
            ids = [entry["id"] for key in streams for _, entry in link.xrange(key)]
        return len(ids) - len(set(ids)) if ids else 1

    def _link(self) -> Any:
        return redis.Redis.from_url(self.server.endpoint().url, decode_responses=True)
