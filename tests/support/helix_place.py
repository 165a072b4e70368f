"""Graphs for tests on HelixDB: its engine in this process, the run's shared server, or a server of a test's own."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import lines
from tests.support.ledger_records import JOURNAL

from levaithan.stores.opening import Opening
from levaithan.stores.roles import StoreBusyError

if TYPE_CHECKING:
    from levaithan.stores.helix_graph import HelixGraph

_ROOT = Path(__file__).resolve().parents[2]
_OWNER = """
import sys
from pathlib import Path
from tests.support import helix_place

graph = helix_place.graph(sys.argv[1], Path(sys.argv[2]))
graph.migrate()
print("owner" if graph.link.owner else "asking", flush=True)
sys.stdin.read()
"""
_ENGINE_LIMIT_S = 0.5


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
    url = f"helix://{folder}/engine"
    return make("helix-engine", lambda: graph(url, folder / "state"), line=lambda: _to_owner(folder, url))


def _to_owner(folder: Path, url: str) -> lines.Line:
    """The way of a process that asks the owner of the engine, which is another one: a relay stands at its socket.

    Without it nobody knows that the owner is gone for good (its lock is held), so it is waited for.
    """
    from levaithan.stores.helix_owner import socket_path

    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, url, str(folder / "state")],
        cwd=_ROOT, env={**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT}/src"}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert owner.stdout
    assert owner.stdout.readline() == "owner\n"
    here = socket_path(f"{folder}/engine")
    there = here.removesuffix("owner.sock") + "o.sock"
    os.rename(here, there)

    def by_it(_: list[Any]) -> HelixGraph:
        return graph(url, folder / "state", timeout_s=_ENGINE_LIMIT_S)

    def end() -> None:
        owner.kill()
        owner.communicate()

    return lines.ServerLine([there], by_it, at=[here], down=StoreBusyError, end=end)


def served(make: Any, folder: Path) -> Any:
    """The Place of the contract suite on the run's server. Raises ConnectionError without one."""
    from tests.servers import sharing

    server = sharing.for_a_graph()
    url = named(server.url)

    def by_it(at: list[Any]) -> HelixGraph:
        way = lines.by(at[0], url)
        return graph(way, folder / "state", api_key=server.password, timeout_s=lines.LIMIT_S)

    return make(
        "helix",
        lambda: graph(url, folder / "state", api_key=server.password),
        line=lambda: lines.ServerLine([lines.address_of(server.url, 80)], by_it),
    )
