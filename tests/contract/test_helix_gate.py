"""The gate of docker-compose.yml before a HelixDB that asks for no key: its own words, run by a real nginx before the
real engine. What the container adds (user, networks, memory) is tests/unit/install/test_compose.py's."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_graph_contract import call, put, story
from tests.servers import asking, fixtures
from tests.servers.endpoint import ServerMissingError
from tests.servers.helix import Helix
from tests.servers.nginx import Gate
from tests.support import helix_place, homes
from tests.support.ledger_records import cursor, delivery

from levaithan.stores.helix_errors import ASKED_WRONGLY, RefusedError
from levaithan.stores.roles import StoreAuthError, StoreDownError, StoreTimeoutError, StoreUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.stores.helix_graph import HelixGraph

fixtures.driver("helix", "helixdb_uniffi")

HOSTILE = 'it\'s "$HOME" %s\\x41;{}~.*'
MIB = 1 << 20
AHEAD_S = 90


class Stage:
    """A HelixDB without a key, and the gate before it."""

    def __init__(self) -> None:
        self.helix = Helix(keyless=True, ahead_s=AHEAD_S)
        try:
            self.helix.start()
            self.gate = Gate(self.helix.url(), HOSTILE)
            self.gate.start()
        except BaseException:
            self.helix.stop()
            raise

    def graph(self, folder: Path, key: str = HOSTILE, **more: Any) -> HelixGraph:
        """As a home has it whose .env has this key."""
        return helix_place.graph(helix_place.named(self.gate.url()), folder / "state", api_key=key, **more)

    def status(self, path: str, key: str = f"Bearer {HOSTILE}", method: str = "POST") -> int:
        """What the gate answers."""
        try:
            asking.fetched(self.gate.url() + path, body=b"{}", method=method, Authorization=key)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def first_line(self, length: int) -> str:
        """What the gate says to who asks whether a body of so many bytes is welcome."""
        asked = f"POST /v2/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {HOSTILE}\r\n"
        with socket.create_connection(("127.0.0.1", self.gate.port), 5) as link:
            link.sendall(f"{asked}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n".encode())
            return link.recv(4096).decode().partition("\r\n")[0]

    def stop(self) -> None:
        self.gate.stop()
        self.helix.stop()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    try:
        made = Stage()
    except ServerMissingError as error:
        missing = str(error)
    else:
        yield made
        made.stop()
        return
    fixtures.without("nginx", missing)


def test_who_has_the_key_puts_a_batch_and_reads_it(stage: Stage, tmp_path: Path) -> None:
    graph = stage.graph(tmp_path)
    graph.migrate()
    records = story() + [call(n, "Write", "many", file_path=f"/p/{'d' * 900}/{n}") for n in range(12, 100)]
    put(graph, records)
    assert graph.cursor() == cursor(len(records) + 1)
    assert {one.session for one in graph.touched("/p/a.py")} == {"s1", "s2"}
    found = graph.fingerprints(2, len(records) + 1)
    expected = {one.seq: graph.expected(one) for one in map(delivery, records)}
    assert found == {seq: print_ for seq, print_ in expected.items() if print_ is not None}
    told = graph.health()
    assert (told.ok, told.server) == (True, "HelixDB")
    assert told.skew_ms is not None
    assert abs(told.skew_ms - AHEAD_S * 1000) <= told.skew_error_ms < 1000, "the gate hands on HelixDB's own date"
    graph.close()


@pytest.mark.parametrize("key", ["", "wrong", HOSTILE[:-1], HOSTILE + "x", HOSTILE.upper(), "x" * len(HOSTILE)])
def test_who_has_not_is_refused_and_told_what_to_do(stage: Stage, tmp_path: Path, key: str) -> None:
    graph = stage.graph(tmp_path, key)
    with pytest.raises(StoreAuthError) as refused:
        graph.migrate()
    assert "LEVAITHAN_GRAPH_API_KEY" in str(refused.value.fix)
    with pytest.raises(StoreAuthError):
        graph.apply([delivery(one) for one in story()], cursor(12))
    assert not graph.health().ok
    graph.close()


def test_nothing_but_the_question_is_let_through(stage: Stage, tmp_path: Path) -> None:
    assert stage.status("/v2/query") == 400, "HelixDB itself has this answer: an empty question"
    others = ("/", "/readyz", "/healthz", "/v1/query", "/v2/query/", "/v2/queryx", "/v2/../v2/query/..")
    assert {stage.status(path) for path in others} == {404}
    assert {stage.status("/v2/query", method=one) for one in ("GET", "PUT", "DELETE")} == {405}
    for path in ("/", "/readyz", "/v2/query"):
        assert {stage.status(path, key) for key in ("", HOSTILE, f"Basic {HOSTILE}", "Bearer", "Bearer ")} == {401}
    elsewhere = helix_place.graph(f"{stage.gate.url()}/elsewhere", tmp_path / "state", api_key=HOSTILE)
    with pytest.raises(StoreUnsupportedError, match="no POST /v2/query"):
        elsewhere.current()
    elsewhere.close()


def test_what_is_large_passes_and_what_helixdb_would_not_take_is_halved(stage: Stage, tmp_path: Path) -> None:
    graph = stage.graph(tmp_path)
    graph.migrate()
    question = graph.reads.cursor.body(key="nobody")
    assert graph.link.ask(question + b" " * MIB) == graph.link.ask(question)
    assert (stage.first_line(16 * MIB), stage.first_line(16 * MIB + 1)) == (
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 413 Request Entity Too Large",
    )
    with pytest.raises(RefusedError, match="413") as refused:
        graph.link.ask(b"x" * (16 * MIB + 1))
    assert refused.value.status in ASKED_WRONGLY
    assert graph.cursor() is None, "the way is of use after that"
    graph.close()


def test_a_helixdb_that_is_away_or_stands_still_is_waited_for(stage: Stage, tmp_path: Path) -> None:
    graph = stage.graph(tmp_path, timeout_s=1.0)
    graph.migrate()
    asking.fetched(stage.gate.health_url())
    stage.helix.kill()
    try:
        batch = [delivery(one) for one in story()]
        with pytest.raises(StoreDownError, match="status 502"):
            graph.apply(batch, cursor(12))
        assert graph.dead_count() == 0
        with pytest.raises(urllib.error.HTTPError, match="502"):
            asking.fetched(stage.gate.health_url())
    finally:
        stage.helix.restart()
    homes.until(lambda: graph.health().ok)
    assert graph.apply(batch, cursor(12)) == []
    asking.fetched(stage.gate.health_url())
    stage.helix.pause()
    try:
        with pytest.raises(StoreTimeoutError):
            graph.cursor()
    finally:
        stage.helix.resume()
    assert graph.cursor() == cursor(12)
    graph.close()


def test_the_key_is_in_no_list_of_processes_and_in_no_file_of_others(stage: Stage) -> None:
    inside = stage.gate.data / "gate"
    assert [one.name for one in inside.iterdir() if one.is_file()] != []
    assert {one.stat().st_mode & 0o077 for one in inside.iterdir()} == {0}
    hidden = HOSTILE, "".join(f"\\x{one:02x}" for one in HOSTILE.encode())
    for pid in stage.gate.pids():
        listed = ["ps", "-o", "args=", "-p", str(pid)]
        shown = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
        environment = Path(f"/proc/{pid}/environ")
        shown += environment.read_text(errors="replace") if environment.exists() else ""
        assert "nginx" in shown
        assert not any(one in shown for one in hidden), shown
    assert not any(one in stage.gate.log_end() for one in hidden)
