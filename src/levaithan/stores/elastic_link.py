"""The connection to Elasticsearch: the client, and what its errors amount to. The one file that imports the driver.

A client of version 9 asks for answers of version 9, which a server of version 8 refuses whatever the call; the
transport here asks for those of version 8, which servers 8 and 9 both give (REST API compatibility of Elasticsearch).
"""

from __future__ import annotations

import logging
import ssl
import warnings
from typing import TYPE_CHECKING, Any

import elastic_transport
import elasticsearch

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
    from collections.abc import Mapping

    from levaithan.stores.edge import Translate
    from levaithan.stores.opening import Opening

PORT = 9200
_RIGHTS_FIX = "give its user or API key the rights that docs/how-to/stores.md lists"
_BLOCK_FIX = (
    "free disk space on the server; it lifts the block itself then (or unset index.blocks.read_only_allow_delete)"
)
_MASTER_FIX = "see the server's log: its nodes do not find each other, or a disk is full"
_MIGRATE_FIX = "run `levaithan store migrate`, or restore the indices"
_MOST_CAUSES = 10
# What they would print is in the errors that they raise: an API that is not there is no node that is dead.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", category=elasticsearch.ElasticsearchWarning)


class Compatible(elastic_transport.Transport):
    """A transport that asks for answers as a server of version 8 gives them."""

    def perform_request(  # type: ignore[override]  # what is not looked at is passed on
        self, method: str, target: str, *, headers: Mapping[str, Any] | None = None, **more: Any
    ) -> elastic_transport.TransportApiResponse:
        """See elastic_transport.Transport."""
        asked = {
            name: value.replace("compatible-with=9", "compatible-with=8") if isinstance(value, str) else value
            for name, value in (headers or {}).items()
        }
        return super().perform_request(method, target, headers=asked, **more)


def client(opening: Opening) -> elasticsearch.Elasticsearch:
    """A client; it connects when it is used. Its connections are kept, and made anew when the server was restarted.

    Raises NotConfigured for a CA file that is not there, StoreTlsError for one that holds no certificate.
    """
    server = opening.server
    address: dict[str, Any] = {"scheme": server.scheme, "host": server.host, "port": server.port or PORT}
    if prefix := server.query.get("prefix", "").strip("/"):
        address["path_prefix"] = f"/{prefix}"
    given: dict[str, Any] = {}
    if server.key:
        given["api_key"] = server.key
    elif server.user:
        given["basic_auth"] = (server.user, server.password)
    try:
        if opening.ca_file and server.scheme == "https":
            given["ssl_context"] = ssl.create_default_context(cafile=opening.ca_file)
        return elasticsearch.Elasticsearch(
            [address], transport_class=Compatible, request_timeout=opening.timeout_s, max_retries=0,
            retry_on_timeout=False, connections_per_node=4, http_compress=server.query.get("compress") == "on", **given
        )  # fmt: skip
    except FileNotFoundError:
        raise NotConfigured(
            "The file that LEVAITHAN_SEARCH_CA_FILE names is not there.", fix="correct it, or unset it"
        ) from None
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise StoreTlsError(**told(opening, reason(error))) from None


_KINDS: tuple[tuple[type[BaseException], type[StoreError]], ...] = (
    (elastic_transport.ConnectionTimeout, StoreTimeoutError),
    (elastic_transport.TlsError, StoreTlsError),
    (elastic_transport.ConnectionError, StoreDownError),
    (elasticsearch.UnsupportedProductError, StoreUnsupportedError),
    (elastic_transport.SerializationError, StoreUnsupportedError),
    (elastic_transport.TransportError, StoreDownError),
)
"""The client's errors; the first that fits counts."""


def _is_hung_up(error: BaseException | None) -> bool:
    """Whether the server closed the connection amid the handshake, as one does that ends or begins: there was no
    certificate to be wrong. The client keeps what it got from below as `errors` and as causes."""
    seen = 0
    while error is not None and seen < _MOST_CAUSES:
        if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
            return True
        within = [*getattr(error, "errors", ()), *error.args]
        error = error.__cause__ or next((one for one in within if isinstance(one, BaseException)), error.__context__)
        seen += 1
    return False


def translator(opening: Opening) -> Translate:
    """A function that gives the StoreError that an error amounts to; None for what is no error of the server."""

    def translate(error: BaseException) -> StoreError | None:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, elasticsearch.ApiError):
            return failure(opening, error.meta.status, str(getattr(error, "error", "") or ""), reason(error))
        kind = next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), None)
        if kind is StoreTlsError and _is_hung_up(error):
            kind = StoreDownError
        return kind(**told(opening, reason(error)), seconds=f"{opening.timeout_s:g}") if kind else None

    return translate


_STATUSES: dict[int, tuple[type[StoreError], str | None]] = {
    401: (StoreAuthError, None),
    403: (StoreAuthError, _RIGHTS_FIX),
    404: (StoreUnsupportedError, _MIGRATE_FIX),
    408: (StoreBusyError, None),
    409: (StoreBusyError, None),
    429: (StoreBusyError, None),
    502: (StoreDownError, None),
    503: (StoreDownError, None),
    504: (StoreDownError, None),
}


def failure(opening: Opening, status: int, kind: str, why: str) -> StoreError:
    """The StoreError for an HTTP status and Elasticsearch's name of the error, of a whole request or of one item."""
    other = (StoreBusyError if status >= 500 else StoreUnsupportedError, None)
    made, fix = _STATUSES.get(status, other)
    if kind == "cluster_block_exception" and "no master" in why:
        made, fix = StoreDownError, _MASTER_FIX
    elif kind == "cluster_block_exception":
        made, fix = StoreBusyError, _BLOCK_FIX
    return made(**told(opening, why), fix=fix)


def told(opening: Opening, why: str) -> dict[str, Any]:
    """What every failure of this store says of itself."""
    return {
        "store": opening.role, "role": opening.role.upper(), "where": opening.where, "reason": opening.hide(why),
        "in_url": opening.in_url,
    }  # fmt: skip


def reason(error: BaseException) -> str:
    """What the server or the client said, on one line."""
    if isinstance(error, elasticsearch.ApiError):
        body = error.body if isinstance(error.body, dict) else {}
        cause = body.get("error")
        said = cause.get("reason") if isinstance(cause, dict) else cause
        text = f"HTTP {error.meta.status}: {said or error.message}"
    else:
        text = str(getattr(error, "message", "") or error) or type(error).__name__
    return " ".join(text.split())
