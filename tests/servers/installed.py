"""What is installed here, whole: `python -m tests.servers.installed` prints the names for LEVAITHAN_REQUIRE_STORES,
with commas, and says on stderr what is left out and why. It starts nothing.

Whole is what every test of it can run on: one without TLS is there all the same, and its tests run as far as they can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.servers import alertmanager, nginx, postgres, prometheus, redis
from tests.servers.catalogue import STORES, local
from tests.servers.endpoint import ServerMissingError

LANGUAGE_MODEL = "language-model"
"""The extra `memory`, which no server has."""


def lacking(name: str) -> str:
    """What keeps a test of `name` from running on what is installed here; empty where nothing does."""
    try:
        return _MORE.get(name, lambda: "")() or _absent(name)
    except ServerMissingError as error:
        return str(error)


def _absent(name: str) -> str:
    if name in STORES:
        local(name).stop()
    return ""


def _postgres() -> str:
    found = postgres.binaries()
    if found and "site-packages" in found[0].parts:
        return "the wheel's PostgreSQL has no TLS. next: apt install postgresql"
    return "there is one version of PostgreSQL, and some tests want another" if len(found) == 1 else ""


def _redis() -> str:
    found = redis.binaries()
    without = found and not redis.has_tls(found[0])
    return "this redis-server has no TLS. next: apt install redis-server" if without else ""


def _language_model() -> str:
    from levaithan.stores import embedding

    missing = ", ".join(embedding.missing())
    return f"not installed: {missing}. next: run tests through ./tests/run, which installs it" if missing else ""


def _nginx() -> str:
    return "" if nginx.binary() else "nginx is not installed. next: apt install nginx"


def _tool(find: Callable[[], object]) -> str:
    find()
    return ""


_MORE: dict[str, Callable[[], str]] = {
    "postgres": _postgres,
    "redis": _redis,
    "prometheus": lambda: _tool(prometheus.promtool),
    "alertmanager": lambda: _tool(alertmanager.amtool),
    "nginx": _nginx,
    LANGUAGE_MODEL: _language_model,
}
"""What a name needs besides a program that can be started."""
NAMES = (*STORES, *(name for name in _MORE if name not in STORES))


def main() -> None:
    """Print them."""
    why = {name: lacking(name) for name in NAMES}
    for name, reason in why.items():
        if reason:
            print(f"not required: {name}: {reason}", file=sys.stderr)
    print(",".join(name for name, reason in why.items() if not reason))


if __name__ == "__main__":
    main()
