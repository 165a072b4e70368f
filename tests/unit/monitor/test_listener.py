"""The monitor's listener: what it gives away, to whom it listens, and what it does with too much."""

from __future__ import annotations

import http.client
import json
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from tests.support import homes

from levaithan.monitor import listener as of_listener
from levaithan.monitor.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "made-up-token"


@pytest.fixture
def taken() -> list[bytes]:
    return []


@pytest.fixture
def listener(taken: list[bytes]) -> Iterator[Listener]:
    def take(payload: bytes) -> tuple[HTTPStatus, str]:
        taken.append(payload)
        return (HTTPStatus.OK, "1 alert") if payload.startswith(b"{") else (HTTPStatus.BAD_REQUEST, "no JSON object")

    one = Listener(("127.0.0.1", 0), lambda _by: (b"up 1\n", "text/plain; version=0.0.4"), take, lambda: TOKEN)
    one.start()
    yield one
    one.stop()


def ask(listener: Listener, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", listener.server_address[1], timeout=5)
    try:
        connection.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_metrics_and_health(listener: Listener) -> None:
    assert ask(listener, "GET", "/metrics?x=1") == (200, b"up 1\n")
    assert ask(listener, "GET", "/-/healthy")[0] == 200
    assert ask(listener, "GET", "/etc/passwd")[0] == 404
    assert ask(listener, "PUT", "/metrics")[0] == 501


def test_alerts_need_the_token(listener: Listener, taken: list[bytes]) -> None:
    alert = b'{"alerts": []}'
    where = "/api/v1/alertmanager"
    assert ask(listener, "POST", where, alert)[0] == 401
    assert ask(listener, "POST", where, alert, Authorization="Bearer made-up-toke")[0] == 401
    assert ask(listener, "POST", where, alert, Authorization="Bearer \u00e9")[0] == 401
    assert taken == []
    code, said = ask(listener, "POST", where, alert, Authorization=f"Bearer {TOKEN}")
    assert (code, json.loads(said)) == (200, {"ok": True, "message": "1 alert"})
    assert taken == [alert]
    code, said = ask(listener, "POST", where, b"[]", Authorization=f"Bearer {TOKEN}")
    assert (code, json.loads(said)["ok"]) == (400, False)
    assert ask(listener, "POST", "/elsewhere", alert, Authorization=f"Bearer {TOKEN}")[0] == 404


def test_without_a_token_file_nobody_is_let_in(taken: list[bytes]) -> None:
    one = Listener(("127.0.0.1", 0), lambda _by: (b"", "text/plain"), lambda _: (HTTPStatus.OK, ""), lambda: "")
    one.start()
    try:
        assert ask(one, "POST", "/api/v1/alertmanager", b"{}", Authorization="Bearer ")[0] == 401
    finally:
        one.stop()


def test_too_much_is_refused_unread(listener: Listener, taken: list[bytes]) -> None:
    with socket.create_connection(listener.server_address[:2], timeout=5) as connection:
        head = f"POST /api/v1/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: {of_listener.MOST_BYTES + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(200)
    with socket.create_connection(listener.server_address[:2], timeout=5) as connection:
        connection.sendall(b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b" 411 " in connection.recv(200)
    assert taken == []


def test_who_sends_one_byte_now_and_then_is_hung_up_on(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_listener, "TIMEOUT_S", 1.0)
    with socket.create_connection(listener.server_address[:2], timeout=10) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n")

        def hung_up() -> bool:
            try:
                connection.sendall(b"X: y\r\n")
            except OSError:
                return True
            return False

        homes.until(hung_up, 10, 0.2)
    assert ask(listener, "GET", "/metrics")[0] == 200
    homes.until(lambda: not listener._until, 5)


def test_silent_clients_do_not_keep_others_out(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [socket.create_connection(listener.server_address[:2], timeout=5) for _ in range(of_listener.MOST_AT_ONCE)]
    try:
        with pytest.raises((http.client.HTTPException, OSError)):  # hung up on, at once
            for _ in range(3):
                ask(listener, "GET", "/metrics")
    finally:
        for one in silent:
            one.close()
    homes.until(lambda: _answers(listener))


def _answers(listener: Listener) -> bool:
    try:
        return ask(listener, "GET", "/metrics")[0] == 200
    except (http.client.HTTPException, OSError):
        return False
