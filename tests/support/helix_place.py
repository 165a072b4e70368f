"""Graphs for tests on HelixDB: its engine in this process, the run's shared server, or a server of a test's own."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tests.support.ledger_records import JOURNAL

from levaithan.stores.opening import Opening

if TYPE_CHECKING:
    from pathlib import Path

    from levaithan.stores.helix_graph import HelixGraph


def opening(url: str, state: Path, journal: str = JOURNAL, **more: Any) -> Opening:
    """How a home with the folder `state` would open it."""
    state.mkdir(exist_ok=True)
    return Opening("graph", "", str(state), url=url, journal=journal, **more)


def graph(url: str, state: Path, journal: str = JOURNAL, **more: Any) -> HelixGraph:
    """The adapter on `url`."""
    from levaithan.stores.helix_graph import opened

    return opened(opening(url, state, journal, **more))


def named(url: str) -> str:
    """The URL of a graph that nobody else has, on the server `url`."""
    return f"{url}/?graph=t{secrets.token_hex(6)}"


def embedded(make: Any, folder: Path) -> Any:
    """The Place of the contract suite on the engine in this process. Raises ConnectionError where there is none."""
    try:
        import helixdb_uniffi  # noqa: F401 - is it there
    except ImportError as error:
        raise ConnectionError("the wheel helix-db-embedded is not installed") from error
    return make("helix-engine", lambda: graph(f"helix://{folder}/engine", folder / "state"))


def served(make: Any, folder: Path) -> Any:
    """The Place of the contract suite on the run's server. Raises ConnectionError without one."""
    from tests.servers import sharing

    server = sharing.shared("helix")
    url = named(server.url)
    return make("helix", lambda: graph(url, folder / "state", api_key=server.password))
