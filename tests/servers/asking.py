"""Asks a server for its version, by its own driver: that it is up, and what it is. Each raises while it is not up."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from urllib.parse import unquote, urlsplit

_LIMIT_S = 5


def postgres(url: str) -> str:
    import psycopg

    with psycopg.connect(url, connect_timeout=_LIMIT_S) as link:
        told = link.execute("show server_version").fetchone()
    return str(told[0]) if told else ""


def redis(url: str) -> str:
    import redis as driver

    with driver.Redis.from_url(url, socket_timeout=_LIMIT_S) as link:
        return str(link.info("server")["redis_version"])


def elasticsearch(url: str, authority: str = "") -> str:
    asked = json.loads(fetched(f"{url}/_cluster/health?wait_for_status=yellow&timeout=2s", authority))
    assert not asked["timed_out"], asked
    told = json.loads(fetched(f"{url}/_nodes/_local?filter_path=nodes.*.version", authority))  # `GET /` is a module's
    return str(next(iter(told["nodes"].values()))["version"])


def weaviate(url: str) -> str:
    """The version needs a key; that it is ready does not."""
    fetched(f"{url}/v1/.well-known/ready")
    try:
        return str(json.loads(fetched(f"{url}/v1/meta"))["version"])
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return ""


def prometheus(url: str) -> str:
    fetched(f"{url}/-/ready")
    return str(json.loads(fetched(f"{url}/api/v1/status/buildinfo"))["data"]["version"])


def alertmanager(url: str) -> str:
    fetched(f"{url}/-/ready")
    return str(json.loads(fetched(f"{url}/api/v2/status"))["versionInfo"]["version"])


def fetched(
    url: str,
    authority: str = "",
    body: bytes | None = None,
    *,
    method: str | None = None,
    limit_s: float = _LIMIT_S,
    **headers: str,
) -> bytes:
    """What HTTP gives for a URL, which may hold a user and a password. Raises for any status but 2xx."""
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(secret.encode()).decode()
    context = ssl.create_default_context(cafile=authority) if parts.scheme == "https" and authority else None
    request = urllib.request.Request(plain, data=body, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=limit_s, context=context) as answer:
        told: bytes = answer.read()
        return told
