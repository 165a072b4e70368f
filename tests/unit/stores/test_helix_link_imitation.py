"""The way to a HelixDB server: certificates, the key, and answers that are none. The servers here are imitations, for
the real engine's wheel speaks neither TLS nor nonsense."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import certificates, fixtures
from tests.support import helix_place
from tests.support.ledger_records import cursor, delivery, event

from levaithan.stores.roles import (
    StoreAuthError,
    StoreBusyError,
    StoreDownError,
    StoreTimeoutError,
    StoreTlsError,
    StoreUnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

fixtures.driver("helix", "helixdb")

Answer = tuple[int, bytes]


@pytest.fixture
def imitation() -> Iterator[Callable[..., tuple[str, list[Any]]]]:
    """`imitation(answer, certificate)`: a server that answers by `answer(body)`; its URL and the requests it saw."""
    servers = []

    def start(answer: Callable[[dict[str, Any]], Answer], files: tuple[Path, ...] = ()) -> tuple[str, list[Any]]:
        seen: list[Any] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen.append((self.path, dict(self.headers), body, self.client_address))
                status, told = answer(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*files[1:])
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http{'s' if files else ''}://127.0.0.1:{server.server_address[1]}", seen

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


def current(_body: dict[str, Any]) -> Answer:
    return 200, b'{"version": [{"version": 1}]}'


def test_a_certificate_is_checked_against_the_named_authority(imitation: Any, tmp_path: Path) -> None:
    files = certificates.make(tmp_path / "one")
    url, seen = imitation(current, files)
    graph = helix_place.graph(f"{url}/behind/", tmp_path / "state", api_key="k-1", ca_file=str(files[0]))
    assert graph.current()
    assert graph.link.encrypted
    path, headers, body, _ = seen[0]
    assert (path, headers["Authorization"], body["request_type"]) == ("/behind/v2/query", "Bearer k-1", "read")
    stranger = certificates.make(tmp_path / "two")[0]
    for ca_file in ("", str(stranger)):
        strange = helix_place.graph(url, tmp_path / "state", api_key="k-1", ca_file=ca_file)
        with pytest.raises(StoreTlsError, match="certificate"):
            strange.current()
        strange.close()
    assert len(seen) == 1, "no key goes to a server that cannot show who it is"
    graph.close()


def test_the_url_s_own_key_goes_before_the_one_that_setup_makes(imitation: Any, tmp_path: Path) -> None:
    """Else an update of docker-compose.yml, for which setup makes a key, would lock out who has one in the URL."""
    url, seen = imitation(current)
    graph = helix_place.graph(url.replace("//", "//x:of-the-url@"), tmp_path / "state", api_key="made-by-setup")
    assert graph.current()
    assert seen[0][1]["Authorization"] == "Bearer of-the-url"
    graph.close()


def slowly(body: dict[str, Any]) -> Answer:
    time.sleep(0.1)
    return 200, b'{"version": [{"version": 1}], "count": 7, "numbers": []}'


def test_a_question_that_looks_at_all_of_a_kind_may_take_longer(imitation: Any, tmp_path: Path) -> None:
    """HelixDB looks at each node for it: with 300,000 of a kind a rebuild failed at its very end."""
    url, _ = imitation(slowly)
    graph = helix_place.graph(url, tmp_path / "state", timeout_s=0.05)
    graph.calls.patience_s = 20.0
    assert graph.calls.ask(graph.reads.count("File"))["count"] == 7
    assert next(graph.nodes(), None) is None
    with pytest.raises(StoreTimeoutError, match=r"0\.05 s"):
        graph.current()
    graph.calls.patience_s = 0.06
    with pytest.raises(StoreTimeoutError, match=r"0\.06 s") as late:
        graph.kinds()
    assert "30 times that" in late.value.fix
    graph.close()


@pytest.mark.parametrize(("timeout_s", "patience_s"), [(0.1, 3.0), (10.0, 300.0), (60.0, 300.0), (300.0, 300.0)])
def test_how_long_it_may_take(tmp_path: Path, timeout_s: float, patience_s: float) -> None:
    """Never longer than a gate lets pass, which is what the setting may be at most."""
    graph = helix_place.graph("http://127.0.0.1:1", tmp_path / "state", timeout_s=timeout_s)
    assert graph.calls.patience_s == pytest.approx(patience_s)


def test_connections_are_kept(imitation: Any, tmp_path: Path) -> None:
    url, seen = imitation(current)
    graph = helix_place.graph(url, tmp_path / "state")
    for _ in range(5):
        graph.current()
    assert len({peer for _, _, _, peer in seen}) == 1
    graph.close()


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, b"unauthorized", StoreAuthError, "status 401"),
        (403, b"", StoreAuthError, "status 403"),
        (404, b"not found", StoreUnsupportedError, "no POST /v2/query"),
        (400, b"planner error: unknown step", StoreUnsupportedError, "unknown step"),
        (502, b"", StoreDownError, "status 502"),
        (503, b"starting", StoreBusyError, "starting"),
        (500, b"Storage error: No space left on device", StoreBusyError, "No space left"),
        (500, b"writer mode required, current mode is reader", StoreUnsupportedError, "reader"),
        (500, b"Closed error: detected newer DB client", StoreUnsupportedError, "another program"),
        (500, b"writer_fenced_commit_outcome_unknown", StoreBusyError, "changes nothing that is there"),
        (200, b"<html>", StoreUnsupportedError, "not as HelixDB does"),
        (200, b"[1]", StoreUnsupportedError, "not as HelixDB does"),
    ],
)
def test_what_a_server_may_say(
    imitation: Any, tmp_path: Path, status: int, body: bytes, error: type[Exception], words: str
) -> None:
    url, _ = imitation(lambda _: (status, body))
    graph = helix_place.graph(url, tmp_path / "state", timeout_s=1.0)
    with pytest.raises(error, match=words):
        graph.current()
    told = graph.health()
    assert not told.ok
    assert told.fix
    graph.close()


def test_a_server_that_takes_no_write_of_ours_makes_no_dead_letters(imitation: Any, tmp_path: Path) -> None:
    """Else an update of the server would set the whole journal aside, record by record."""
    url, _ = imitation(lambda body: current(body) if body["request_type"] == "read" else (400, b"planner error"))
    graph = helix_place.graph(url, tmp_path / "state")
    records = [delivery(event(n, "PostToolUse", tool_name="Bash")) for n in range(1, 6)]
    for batch in (records, records[:1]):
        with pytest.raises(StoreUnsupportedError, match="refuses what is asked"):
            graph.apply(batch, cursor(6))
    assert graph.dead_count() == 0
    graph.close()


def test_a_write_that_clashes_each_time_is_busy_in_the_end(
    imitation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("levaithan.stores.helix_calls._CONFLICT_S", (0.0001, 0.0001))
    url, seen = imitation(lambda _: (500, b"Storage error: Transaction error: transaction conflict"))
    graph = helix_place.graph(url, tmp_path / "state")
    with pytest.raises(StoreBusyError, match="quicker 12 times"):
        graph.apply([], cursor(6))
    assert len(seen) == 12
    graph.close()
