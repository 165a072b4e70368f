"""What an error of Weaviate's client amounts to: it hides gRPC's status in the context of what it raises, so the whole
chain is looked at. A reason is bounded, and never holds the key."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

from levaithan.errors import LevaithanError, StoreError
from levaithan.stores.roles import (
    MEMORY,
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreTimeoutError,
    StoreTlsError,
    StoreUnsupportedError,
)
from levaithan.stores.weaviate_link import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from levaithan.stores.opening import Opening

DISK_FIX = "free disk space on the server and restart it: it stays read-only until then"
_THEIRS = ("weaviate", "httpx", "httpcore", "grpc", "authlib", NoAnswerError.__module__.partition(".")[0])
"""Whose errors are the server's; any other one is a mistake that must not pass for a lag."""
_OF_SERVER = ("read-only", "readonly", "disk", "no space left", "memory", "not ready", "context ", "deadline",
              "unavailable", "shard", "leader", "timeout", "timed out", "too many", "not present in schema",
              "could not find class", "could not find index", "already shut")  # fmt: skip
_OUR_NAMES = re.compile(r"(?i)[a-z][a-z0-9]*(?:prompt|outcome|incident|note|cursor|forgotten)_\w+")
"""Of collections: a prefix that holds one of those words says nothing of the server."""


_DOWN = {
    "WeaviateConnectionError", "WeaviateStartUpError", "WeaviateGRPCUnavailableError", "WeaviateRetryError",
    "WeaviateClosedClientError", "ConnectError", "ReadError", "RemoteProtocolError", "ConnectTimeout",
}  # fmt: skip
"""What the client, and httpx under it, call a server that is not there."""


def of_server(words: str) -> bool:
    """Whether an object was refused for the state that the server is in, and not for what it holds."""
    small = _OUR_NAMES.sub("", words).lower()
    return any(one in small for one in _OF_SERVER)


def translator(opening: Opening) -> Callable[[BaseException], StoreError | None]:
    """For stores.edge: the StoreError of whatever the client raises."""
    where, hide = opening.where, opening.hide

    def said(error: BaseException) -> str:
        return hide(" ".join(str(error).split()) or type(error).__name__)

    def translate(error: BaseException) -> StoreError | None:
        if isinstance(error, LevaithanError):
            return error if isinstance(error, StoreError) else None
        chain = list(_chain(error))
        if not any(type(one).__module__.partition(".")[0] in _THEIRS or isinstance(one, OSError) for one in chain):
            return None
        told: dict[str, Any] = {
            "store": MEMORY, "role": MEMORY.upper(), "where": where, "reason": said(chain[-1]),
            "in_url": opening.in_url,
        }  # fmt: skip
        kind = _kind(chain)
        if kind is StoreTimeoutError:
            return StoreTimeoutError(**told, seconds=f"{opening.timeout_s:g}")
        return kind(**told)

    return translate


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(20):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _kind(chain: list[BaseException]) -> type[StoreError]:
    words = " ".join(str(one) for one in chain)
    for one in chain:
        found = _of_one(one)
        if found is not None:
            return found
    if "CERTIFICATE_VERIFY_FAILED" in words or any(isinstance(one, ssl.SSLError) for one in chain):
        return StoreTlsError
    if "is not supported" in words:
        return StoreUnsupportedError
    names = {type(one).__name__ for one in chain}
    return StoreDownError if names & _DOWN or any(isinstance(one, OSError) for one in chain) else StoreBusyError


_BY_CODE: dict[str, type[StoreError]] = {
    "UNAUTHENTICATED": StoreAuthError, "PERMISSION_DENIED": StoreAuthError, "DEADLINE_EXCEEDED": StoreTimeoutError,
    "UNAVAILABLE": StoreDownError, "UNIMPLEMENTED": StoreUnsupportedError,
}  # fmt: skip


def _of_one(error: BaseException) -> type[StoreError] | None:
    """What one error of the chain says for sure, by its status."""
    if isinstance(error, NoAnswerError) or type(error).__name__ in ("WeaviateTimeoutError", "ReadTimeout"):
        return StoreTimeoutError
    if type(error).__name__ == "AuthenticationFailedError":
        return StoreAuthError
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status > 0:
        if status in (401, 403):
            return StoreAuthError
        # A server that cannot write its own log says so with 422, as it says of a request that makes no sense.
        return StoreBusyError if status >= 429 or of_server(str(error)) else StoreUnsupportedError
    code = getattr(error, "code", None)
    return _BY_CODE.get(getattr(code(), "name", "")) if callable(code) else None
