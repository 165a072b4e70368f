"""The way to a HelixDB server: `POST /v2/query`, connections kept, a time limit on every call. Imports httpx."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import httpx

from levaithan.stores import http_clock
from levaithan.stores.helix_errors import RefusedError

if TYPE_CHECKING:
    from levaithan.stores.opening import Opening

PATH = "v2/query"
_CONNECTIONS = 4


class HttpLink:
    """Questions to the server of an Opening; may be used by several threads."""

    owner = False

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._client: httpx.Client | None = None
        self._skew: tuple[float | None, float] = (None, 0.0)

    @property
    def server(self) -> str:
        """The program that answers: the protocol does not tell its version."""
        return "HelixDB"

    @property
    def encrypted(self) -> bool | None:
        """Whether the connection is; None on this machine, where nobody listens in."""
        server = self._opening.server
        return server.encrypted(server.scheme == "https")

    def ask(self, body: bytes, limit_s: float | None = None) -> bytes:
        """The answer to a question, within `limit_s` or what any may take. Raises RefusedError, and what httpx
        raises."""
        if self._client is None:
            self._client = self._made()
        before = time.time()
        limit = httpx.Timeout(self._opening.timeout_s, read=limit_s or self._opening.timeout_s)
        answer = self._client.post(PATH, content=body, timeout=limit)
        self._skew = http_clock.skew(answer.headers.get("Date"), before, time.time())
        if answer.status_code != 200:
            raise RefusedError(answer.text, answer.status_code)
        return answer.content

    def _made(self) -> httpx.Client:
        server = self._opening.server
        headers = {"Content-Type": "application/json"}
        if self._opening.key:
            headers["Authorization"] = f"Bearer {self._opening.key}"
        host = f"[{server.host}]" if ":" in server.host else server.host
        port = f":{server.port}" if server.port else ""
        base = f"{server.scheme}://{host}{port}/{server.path}"
        secured: ssl.SSLContext | bool = server.scheme == "https"
        if secured:
            secured = ssl.create_default_context(cafile=self._opening.ca_file or None)
        # trust_env: a proxy of the environment is meant for the web, and would read the key.
        return httpx.Client(
            base_url=base,
            headers=headers,
            verify=secured,
            timeout=self._opening.timeout_s,
            limits=httpx.Limits(max_keepalive_connections=_CONNECTIONS),
            trust_env=False,
        )

    def bytes(self) -> int:
        """What it takes on the disk is not told."""
        return 0

    def free(self) -> None:
        """Nor what is free there."""

    def skew(self) -> tuple[float | None, float]:
        """By its last answer, see http_clock.skew: of the server, or of a proxy before it that sets the date itself."""
        return self._skew

    def close(self) -> None:
        """Let go of the connections; the next question opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
