"""How Redis is reached, and what its errors amount to. Every key begins with one prefix in braces, so that a cluster
keeps all of them in one slot and each Lua script finds its keys together.

A URL: redis://[user@]host[:6379][/database], or rediss:// for TLS; after a `?`: prefix (default levaithan) for several
installations in one server, stream (events of each journal that stay in the live stream, default 100,000).
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import redis
from redis import exceptions as failures
from redis.backoff import NoBackoff
from redis.retry import Retry

from levaithan.errors import NotConfigured, StoreError
from levaithan.stores.roles import (
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreTimeoutError,
    StoreTlsError,
    StoreUnsupportedError,
)

if TYPE_CHECKING:
    from levaithan.stores.opening import Opening

OLDEST = (7, 0)
"""Consumer groups that know of trimmed entries, and ids of the form `number-*`."""
KEPT = 100_000
_PORT = 6379
_BUSY = ("MISCONF", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "BUSY ", "LOADING", "MASTERDOWN", "UNKILLABLE")
_REFUSED = ("NOAUTH", "WRONGPASS", "NOPERM")


def client(opening: Opening, timeout_s: float, *, single: bool = False) -> Any:
    """A client (it connects with its first command) whose every wait is at most `timeout_s`; texts, not bytes.

    `single`: one connection, for one thread. Raises NotConfigured for a URL that is none of Redis'.
    """
    server = opening.server
    more: dict[str, Any] = {}
    if server.scheme == "rediss":
        more = {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
        authority = opening.ca_file or server.query.get("ssl_ca_certs")
        if authority:
            more["ssl_ca_certs"] = authority
    return redis.Redis(
        host=server.host, port=server.port or _PORT, db=_number(server.path or "0", "its database"),
        username=server.user or None, password=server.password or None, socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0), protocol=2, decode_responses=True,
        encoding_errors="replace", single_connection_client=single, client_name="levaithan", **more,
    )  # fmt: skip


def prefix(opening: Opening) -> str:
    """What every key begins with."""
    name = opening.server.query.get("prefix") or "levaithan"
    return "{" + name.replace("{", "").replace("}", "") + "}:"


def kept(opening: Opening) -> int:
    """How many events of a journal the live stream keeps."""
    return max(1, _number(opening.server.query.get("stream") or str(KEPT), "stream"))


def translator(opening: Opening, name: str, seconds: float) -> Any:
    """The function that says what an error of the driver amounts to, for Edge; None for what is no server's fault."""
    where, role = opening.where, opening.role.upper()

    def translate(error: BaseException) -> StoreError | None:
        words = opening.hide(_words(error))
        told: dict[str, Any] = {
            "store": name, "role": role, "where": where, "reason": words, "in_url": opening.in_url,
        }  # fmt: skip
        kind = _kind(error, words)
        if kind is StoreTimeoutError:
            told["seconds"] = f"{seconds:g}"
        return kind(**told) if kind else None

    return translate


def _kind(error: BaseException, words: str) -> type[StoreError] | None:
    kind: type[StoreError] | None = None
    if isinstance(error, failures.AuthenticationError | failures.NoPermissionError) or words.startswith(_REFUSED):
        kind = StoreAuthError
    elif _untrusted(error):
        kind = StoreTlsError
    elif isinstance(error, failures.TimeoutError):
        kind = StoreTimeoutError
    elif isinstance(error, failures.BusyLoadingError | failures.OutOfMemoryError | failures.ReadOnlyError):
        kind = StoreBusyError
    elif isinstance(error, failures.ConnectionError):
        kind = StoreDownError
    elif isinstance(error, failures.ResponseError):
        if words.startswith(_BUSY) or "OOM" in words:
            kind = StoreBusyError
        elif words.startswith("WRONGTYPE") or "unknown command" in words:
            kind = StoreUnsupportedError
    return kind


def version(info: dict[str, Any]) -> tuple[int, ...]:
    """The version of a server by its INFO, as numbers."""
    return tuple(int(one) for one in str(info.get("redis_version", "0")).split(".")[:3] if one.isdigit())


def _words(error: BaseException) -> str:
    """The first line of what was said: a server's words go into messages."""
    said = str(error) or type(error).__name__
    return said.splitlines()[0]


def _untrusted(error: BaseException | None) -> bool:
    seen = 0
    while error is not None and seen < 8:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error) or "SSL" in str(error):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _number(text: str, what: str) -> int:
    if not text.isdigit() or len(text) > 12:
        raise NotConfigured(
            f"LEVAITHAN_COUNTERS_URL cannot be used: {what} is no number.",
            fix="write it as redis://[user@]host[:port][/database]",
        )
    return int(text)
