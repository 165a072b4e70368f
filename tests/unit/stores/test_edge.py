"""Errors wrapped once, what is transient tried again, a dead server left alone for a while."""

from __future__ import annotations

import pytest
import stamina

from levaithan.errors import StoreError
from levaithan.stores.edge import FAILURES, Edge
from levaithan.stores.roles import StoreAuthError, StoreBusyError, StoreDownError


class Server:
    """Answers after some failures."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def translate(error: BaseException) -> StoreError | None:
    if isinstance(error, ConnectionError):
        return StoreDownError(store="graph", role="GRAPH", where="http://h", reason=str(error))
    if isinstance(error, PermissionError):
        return StoreAuthError(store="graph", role="GRAPH", where="http://h", reason=str(error))
    if isinstance(error, TimeoutError):
        return StoreBusyError(store="graph", reason=str(error))
    return None


@pytest.fixture(autouse=True)
def no_waiting():
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def edge() -> Edge:
    return Edge("graph", "http://h", translate)


def test_what_is_transient_is_tried_again(edge: Edge) -> None:
    server = Server(ConnectionError("gone"), TimeoutError("busy"))
    assert edge.call(server) == "answer"
    assert server.asked == 3


def test_what_must_not_be_repeated_is_asked_once(edge: Edge) -> None:
    server = Server(ConnectionError("gone"))
    with pytest.raises(StoreDownError, match="does not answer: gone"):
        edge.call(server, again=False)
    assert server.asked == 1


def test_a_refused_password_is_not_tried_again(edge: Edge) -> None:
    server = Server(PermissionError("no"))
    with pytest.raises(StoreAuthError) as caught:
        edge.call(server)
    assert server.asked == 1
    assert "LEVAITHAN_GRAPH_PASSWORD" in caught.value.fix


def test_the_datas_fault_passes_as_it_is(edge: Edge) -> None:
    with pytest.raises(ValueError, match="poison"):
        edge.call(Server(ValueError("poison")))


def test_a_dead_server_is_left_alone_and_then_tried(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(FAILURES):
        with pytest.raises(StoreDownError):
            edge.call(Server(ConnectionError("gone")), again=False)
    server = Server()
    with pytest.raises(StoreDownError, match=f"did not answer {FAILURES} times"):
        edge.call(server, again=False)
    assert server.asked == 0
    edge._breaker.reset_timeout = 0
    assert edge.call(server) == "answer"
    assert edge._breaker.current_state == "closed"


def test_poison_and_busy_do_not_open_the_circuit(edge: Edge) -> None:
    for _ in range(FAILURES + 1):
        with pytest.raises(ValueError, match="poison"):
            edge.call(Server(ValueError("poison")), again=False)
        with pytest.raises(StoreBusyError):
            edge.call(Server(TimeoutError("busy")), again=False)
    assert edge.call(Server()) == "answer"
