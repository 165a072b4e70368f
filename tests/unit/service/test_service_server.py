"""The socket's side: answers in order, control requests between events, and clients that mean no good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support import homes
from tests.unit.service.conftest import Client, control, event

from levaithan.hot import wire

if TYPE_CHECKING:
    from pathlib import Path

    from levaithan.hot.paths import Home


def denied(answer: tuple[int, bytes, bytes]) -> bool:
    return b'"deny"' in answer[1]


def test_pipelined_frames_are_answered_in_order(served: Home) -> None:
    wanted = [number % 7 == 0 for number in range(300)]
    with Client(served) as client:
        client.send(b"".join(event(command="rm -rf /" if deny else "echo x") for deny in wanted))
        assert [denied(client.answer()) for _ in wanted] == wanted


def test_control_requests_keep_their_place_between_events(served: Home) -> None:
    with Client(served) as client:
        client.send(
            event(command="rm -rf /") + control("ping") + event() + control("sync", timeout_ms="20000") + event()
        )
        answers = [client.answer() for _ in range(5)]
    assert denied(answers[0])
    assert json.loads(answers[1][1])["ready"] is True
    assert answers[2] == (0, b"", b"")
    assert json.loads(answers[3][1])["ok"] is True
    assert answers[4] == (0, b"", b"")


def test_a_frame_in_single_bytes_is_a_frame(served: Home) -> None:
    with Client(served) as client:
        for at in event(command="rm -rf /"):
            client.send(bytes((at,)))
        assert denied(client.answer())


def test_what_was_asked_before_the_end_is_answered(served: Home) -> None:
    with Client(served) as client:
        client.send(event() * 40)
        client.socket.shutdown(1)
        assert len({client.answer() for _ in range(40)}) == 1
        assert client.closed(5)


def test_a_client_that_goes_at_once_is_still_recorded(served: Home) -> None:
    name = wire.new_event_id()
    with Client(served) as client:
        client.send(event(id=name))
    homes.until(lambda: any(one.get("id") == name for one in homes.journal_records(served.root)))


@pytest.mark.parametrize(
    "bad",
    [b"GET / HTTP/1.1\r\n\r\n", b"LVH1" + b"\xff" * 8, b"LVH1\x00\x00\x00\x01\xff\xff\xff\xff", os.urandom(4096)],
    ids=["http", "giant", "giant payload", "noise"],
)
def test_what_is_no_frame_is_closed_and_hurts_nobody(served: Home, bad: bytes) -> None:
    with Client(served) as good, Client(served) as hostile:
        hostile.send(bad)
        assert hostile.closed(5)
        good.send(event())
        assert good.answer() == (0, b"", b"")


def test_bad_input_is_refused_where_it_matters(served: Home) -> None:
    with Client(served) as client:
        client.send(event(b"{") + event(b"", name="PostToolUse") + event(b"[1]"))
        assert denied(client.answer())
        assert client.answer() == (0, b"", b"")
        assert denied(client.answer())


def test_thousands_of_idle_connections_do_not_keep_a_hook_out(served: Home) -> None:
    idle = [Client(served) for _ in range(1100)]
    try:
        begun = time.monotonic()
        with Client(served) as client:
            client.send(event())
            assert client.answer() == (0, b"", b"")
        assert time.monotonic() - begun < 2
        told = homes.control(served.root, "status")
        assert told is not None
        assert told["connections"]["open"] <= 901
        assert told["connections"]["refused"]["too many"] >= 200
    finally:
        for one in idle:
            one.socket.close()


def test_a_client_that_takes_no_answers_is_not_read_on_and_hurts_nobody(served: Home) -> None:
    with Client(served) as deaf:
        deaf.socket.setblocking(False)
        frames, sent = event(b"{") * 64, 0  # each is denied: an answer of some hundred bytes
        until = time.monotonic() + 3
        while time.monotonic() < until:
            try:
                sent += deaf.socket.send(frames[sent % len(frames) :])
            except BlockingIOError:
                time.sleep(0.05)
        with Client(served) as client:
            client.send(event())
            assert client.answer() == (0, b"", b"")
        told = homes.control(served.root, "status")
        assert told is not None
        assert told["memory"]["rss_bytes"] < 200 << 20
        assert told["queue"]["events"] <= 4200


def test_an_unknown_operation_is_said(served: Home) -> None:
    with Client(served) as client:
        client.send(control("dance"))
        code, said, _ = client.answer()
    assert (code, json.loads(said)["ok"]) == (1, False)
    assert "ping" in json.loads(said)["error"]


def test_status_tells_everything(served: Home) -> None:
    with Client(served) as client:  # the service is every test's, and this one may be the first of its process
        client.send(event())
        client.answer()
    homes.until(lambda: "ledger" in ((homes.control(served.root, "status") or {})["projector"].get("stores") or {}))
    told = homes.control(served.root, "status")
    assert told is not None
    assert told["ready"] is True
    assert told["home"] == served.root
    assert told["journal"]["seq"] > 0
    assert told["journal"]["last_error"] is None
    assert told["journal"]["bytes"] > 0
    assert told["events"]["total"] == sum(told["events"]["decisions"].values())
    assert {"watch", "projector", "sealer", "pruner", "canary", "refresh", "sweep"} <= set(told["loops"])
    assert all(loop["running"] for loop in told["loops"].values())
    assert told["projector"]["stores"]["ledger"]["state"] in ("ok", "behind")


def test_sync_says_when_time_is_over(served: Home) -> None:
    with Client(served) as client:
        client.send(event() * 500 + control("sync", timeout_ms="0"))
        for _ in range(500):
            client.answer()
        code, said, _ = client.answer()
    told = json.loads(said)
    assert (code == 0) == told["ok"]
    assert told["ok"] or "store is at record" in told["error"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused(served: Home, tmp_path: Path) -> None:
    """The folder keeps others out; this is the second fence, so the socket gets a second name in an open folder."""
    asked = (
        "import os, socket, sys\n"
        "connection = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(sys.argv[1])\n"
        "os.setuid(65534)\n"
        "connection.connect('hook.sock')\n"
        "connection.settimeout(5)\n"
        "try:\n"
        "    connection.sendall(bytes.fromhex(sys.argv[2])); print(len(connection.recv(100)))\n"
        "except ConnectionError:\n"
        "    print(0)\n"
    )
    os.chmod(served.socket, 0o666)
    os.chmod(tmp_path, 0o755)
    os.link(served.socket, tmp_path / "hook.sock")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", asked, str(tmp_path), control("ping").hex()],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    finally:
        os.chmod(served.socket, 0o600)
    assert done.stdout.strip() == "0"
    told = homes.control(served.root, "status")
    assert told is not None
    assert told["connections"]["refused"]["uid"] == 1
