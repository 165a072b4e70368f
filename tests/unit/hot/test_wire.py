"""The frames between hook clients and the service: what is packed is what arrives, however the bytes are cut."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levaithan.hot import wire

KEYS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
VALUES = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(st.dictionaries(KEYS, VALUES, max_size=4), st.binary(max_size=300)), max_size=5), st.data())
def test_frames_survive_any_cut_of_the_stream(frames: list[tuple[dict[str, str], bytes]], data: st.DataObject) -> None:
    stream = b"".join(wire.pack_request(header, payload) for header, payload in frames)
    parser = wire.RequestParser()
    got = []
    at = 0
    while at < len(stream):
        step = data.draw(st.integers(1, 64))
        got += parser.feed(stream[at : at + step])
        at += step
    assert got == frames
    assert parser.waiting == 0


def test_a_line_break_in_a_value_cannot_forge_a_header_line() -> None:
    frame = wire.pack_request({"project": "/tmp/a\nop=stop\r\nx=1"}, b"")
    [(header, _)] = wire.RequestParser().feed(frame)
    assert header == {"project": "/tmp/a op=stop  x=1"}


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        wire.REQUEST + (1 << 20).to_bytes(4, "big") + bytes(4),
        wire.REQUEST + bytes(4) + b"\xff" * 4,
    ],
)
def test_a_foreign_or_giant_frame_is_refused(head: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.RequestParser().feed(head)


def test_event_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = []
    for _ in range(3):
        ids.append(wire.new_event_id())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert len({wire.new_event_id() for _ in range(1000)}) == 1000
    assert all(len(one) == 32 and one == one.lower() for one in ids)


def _serve_once(path: str, answer: bytes, delay: float = 0.0) -> threading.Thread:
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def run() -> None:
        connection, _ = server.accept()
        connection.recv(1 << 16)
        time.sleep(delay)
        with contextlib.suppress(BrokenPipeError):  # the late case: the other side has left
            connection.sendall(answer)
        connection.close()
        server.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_request_gets_its_answer(tmp_path: os.PathLike[str]) -> None:
    path = f"{tmp_path}/s"
    thread = _serve_once(path, wire.pack_answer(2, b"out", b"err"))
    assert wire.request(path, wire.pack_request({"event": "Stop"}, b"{}"), 5) == (2, b"out", b"err")
    thread.join()


def test_a_late_half_or_missing_answer_is_told_apart(tmp_path: os.PathLike[str]) -> None:
    frame = wire.pack_request({}, b"")
    with pytest.raises(ConnectionRefusedError):
        wire.request(f"{tmp_path}/none", frame, 1)
    thread = _serve_once(f"{tmp_path}/late", wire.pack_answer(0, b"", b""), delay=0.5)
    with pytest.raises(TimeoutError):
        wire.request(f"{tmp_path}/late", frame, 0.05)
    thread.join()
    thread = _serve_once(f"{tmp_path}/half", wire.pack_answer(0, b"12345", b"")[:-2])
    with pytest.raises(wire.WireError):
        wire.request(f"{tmp_path}/half", frame, 5)
    thread.join()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_service_of_another_user_is_asked_nothing(tmp_path: os.PathLike[str]) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{tmp_path}/s")
    try:
        os.seteuid(65534)
        server.listen()  # who listens is who the other side is told of
    finally:
        os.seteuid(0)
    with pytest.raises(ConnectionRefusedError, match="another user"):
        wire.request(f"{tmp_path}/s", wire.pack_request({"event": "Stop"}, b"{}"), 5)
    connection, _ = server.accept()
    assert connection.recv(1) == b""
    connection.close()
    server.close()
