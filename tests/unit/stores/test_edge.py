"""Errors wrapped once, what is transient tried again, a dead server left alone for a while."""

from __future__ import annotations

import pytest
import stamina

from levaithan.errors import StoreError
from levaithan.stores import full_disk
from levaithan.stores.edge import FAILURES, Edge, once
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
    assert "LEVAITHAN_GRAPH_API_KEY" in caught.value.fix


def test_a_look_asks_a_server_that_does_not_answer_once_and_a_busy_one_as_ever(edge: Edge) -> None:
    gone, busy, later = Server(*[ConnectionError("refused")] * 9), Server(TimeoutError("loading")), Server()
    with once():
        busy_one = Edge("memory", "http://m", translate)
        assert busy_one.call(busy) == "answer"
        assert busy.asked == 2
        for asked in (edge, Edge("graph", edge.where, translate)):  # another store object on the same server
            with once(), pytest.raises(StoreDownError, match="refused"):
                asked.call(gone)
        assert gone.asked == 1
        assert busy_one.call(later) == "answer", "another server is asked"
    gone.failures = [ConnectionError("restarting")]
    assert edge.call(gone) == "answer", "after the look it is asked, and tried again as ever"
    assert gone.asked == 3


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


FULL = "HTTP 500 for an event: i_o_exception: No space left on device"


def test_a_full_disk_is_named_as_long_as_the_server_is_silent(edge: Edge) -> None:
    with pytest.raises(StoreBusyError, match="No space left") as first:
        edge.call(Server(TimeoutError(FULL)), again=False)
    assert "free disk space" in first.value.fix
    for _ in range(FAILURES):
        with pytest.raises(StoreDownError, match=r"No space left on device.*since then: gone") as later:
            edge.call(Server(ConnectionError("gone")), again=False)
        assert "free disk space" in later.value.fix
    with pytest.raises(StoreDownError, match=f"No space left.*did not answer {FAILURES} times"):
        edge.call(Server(), again=False)
    edge._breaker.reset_timeout = 0
    assert edge.call(Server()) == "answer"
    with pytest.raises(StoreDownError) as other:
        edge.call(Server(ConnectionError("gone")), again=False)
    assert "space" not in f"{other.value} {other.value.fix}"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (FULL, True),
        ("index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has ...]", True),
        ("Generic LocalFileSystem error: No space left on device (os error 28)", True),
        ("MISCONF Errors writing to the AOF file: No space left on device", True),
        ("store is read-only due to: disk usage too high. Set to read-only at 100.00%", True),
        ("read timed out", False),
        ("blocked by: [SERVICE_UNAVAILABLE/2/no master]", False),
    ],
)
def test_servers_name_a_full_disk_each_in_its_way(words: str, named: bool) -> None:
    assert full_disk.is_named_in(words) is named
