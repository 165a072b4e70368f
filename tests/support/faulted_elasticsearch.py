"""The search on Elasticsearch, to be hurt: see faulted_stores."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
from typing import TYPE_CHECKING, Any, ClassVar

from tests.servers import asking
from tests.servers.elasticsearch import Elasticsearch, hashed
from tests.support.faulted_stores import Faulted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.process import Server

_RELOADED_S = 30.0


class ElasticsearchSearch(Faulted):
    """The search of a home."""

    role = "search"
    signs: ClassVar = {"aged": frozenset({"store_timeout", "store_down"})}

    def make(self) -> Server:
        return Elasticsearch(**{"resource.reload.interval.high": "1s"})

    def settings(self) -> dict[str, object]:
        secret = self.secret(self.server.password)
        return {"search_url": f"http://levaithan@127.0.0.1:{self.server.port}", "search_password_file": secret}

    def change_password(self) -> Callable[[], None]:
        """The file realm is read again within a second; caches forget the old password with it."""
        new, conf = secrets.token_hex(12), self.server.data / "config" / "users"
        conf.write_text(f"levaithan:{hashed(new)}\n")
        old, self.server.password = self._asked_url(), new
        limit = time.monotonic() + _RELOADED_S
        while _lets_in(old):
            assert time.monotonic() < limit, "the old password is still good"
            time.sleep(0.1)
        return lambda: self.secret(new) and None

    def age(self) -> None:
        """A client looks at the version again after a call that failed: the server stands still for that."""
        meta = json.loads(self._ask("/levaithan-cursors/_mapping"))["levaithan-cursors"]["mappings"]["_meta"]
        self._ask("/levaithan-cursors/_mapping", json.dumps({"_meta": meta | {"schema": 0}}).encode(), method="PUT")
        self.server.pause()

    def brought_up(self, root: str) -> None:
        self.server.resume()

    def doubled(self, store: Any, root: str) -> int:
        ids = [hit["_id"] for hit in store.writer.every({"match_all": {}}, source=False)]
        return len(ids) - len(set(ids)) if ids else 1

    def room_again(self) -> None:
        super().room_again()
        self._ask("/_cluster/reroute?retry_failed=true", b"{}", method="POST")

    def _asked_url(self, path: str = "/_cluster/health") -> str:
        return f"{self.server.endpoint().url}{path}"

    def _ask(self, path: str, body: bytes | None = None, method: str = "GET") -> bytes:
        more = {"Content-Type": "application/json"} if body else {}
        return asking.fetched(self._asked_url(path), "", body, method=method, limit_s=60, **more)


def _lets_in(url: str) -> bool:
    try:
        asking.fetched(url)
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return False
    return True
