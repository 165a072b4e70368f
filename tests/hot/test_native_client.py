"""The native client against an imitation of the service and of the one-shot: what goes over the wire, how it fails."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from levaithan.hot.paths import run_dir
from levaithan.hot.wire import RequestParser, pack_answer
from levaithan.install.native import SOURCE, WAYS, build

ALLOW = pack_answer(0, b"", b"")
GUARDS = ("PreToolUse", "UserPromptSubmit", "ConfigChange")


@pytest.fixture(scope="session", params=WAYS)
def client(request, tmp_path_factory) -> Path:
    """The client, linked in each of the ways that an installation may have it."""
    if not shutil.which("cc"):
        pytest.fail("these tests need a C compiler: apt install gcc libc6-dev (or run the Python client's tests only)")
    made = tmp_path_factory.mktemp("client") / "levaithan-hook"
    how, said = build(made, ways=(request.param,))
    assert how == request.param, said
    return made


@pytest.fixture
def home(tmp_path) -> Path:
    root = tmp_path / "h"
    for name in ("state", "run"):
        (root / name).mkdir(parents=True, mode=0o700)
    run = Path(run_dir(str(root)))
    run.parent.mkdir(mode=0o700, exist_ok=True)
    run.mkdir(mode=0o700, exist_ok=True)
    return root


def configure(home: Path, **values: object) -> None:
    (home / "state/hot.conf").write_text("".join(f"{key}={value}\n" for key, value in values.items()))


def oneshot(home: Path, code: str) -> None:
    """An imitation of the one-shot, reached the way the real one is."""
    script = home / "src/levaithan/hot/oneshot.py"
    script.parent.mkdir(parents=True)
    script.write_text(code)
    configure(home, python=sys.executable, src=home / "src", wait_ms=300)


class Service:
    """An imitation of the service: takes frames, gives the answer it was told (bytes or a function of the socket)."""

    def __init__(self, home: Path, answer=ALLOW) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(run_dir(str(home)) + "/hook.sock")
        self.socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            parser = RequestParser()
            while data := connection.recv(1 << 16):
                frames = parser.feed(data)
                self.got += frames
                if frames:
                    if callable(self.answer):
                        self.answer(connection)
                    else:
                        connection.sendall(self.answer)
                    break
            connection.close()

    def close(self) -> None:
        self.socket.close()


def call(client: Path, home: Path, event: str | None = "PreToolUse", payload: bytes = b"{}", **more):
    environ = {"PATH": "/usr/bin:/bin", **more.pop("env", {})}
    arguments = [str(client), *([event] if event else []), "--home", str(home)]
    return subprocess.run(arguments, input=payload, capture_output=True, env=environ, check=False, timeout=20, **more)


def test_sends_the_event_and_repeats_the_answer(client, home):
    service = Service(home, pack_answer(2, b'{"a":1}', "nein \U0001f6d1\n".encode()))
    env = {
        "CLAUDE_PROJECT_DIR": "/p\nid=forged",
        "AI_AGENT": "claude-code_2-1-330_harness",
        "CLAUDE_PID": "7",
        "CLAUDE_EFFORT": "high\r",
        "CLAUDE_CODE_SESSION_ATTENDED": "0",
        "ANTHROPIC_API_KEY": "must-not-be-read",
    }
    before = time.time_ns()
    done = call(client, home, payload=b'{"x": "y"}', env=env)
    assert (done.returncode, done.stdout, done.stderr) == (2, b'{"a":1}', "nein \U0001f6d1\n".encode())
    header, payload = service.got[0]
    assert payload == b'{"x": "y"}'
    assert before <= int(header.pop("started_ns")) <= time.time_ns()
    event_id = header.pop("id")
    assert len(event_id) == 32 and abs(int(event_id[:12], 16) - before // 1_000_000) < 20_000
    assert header == {
        "event": "PreToolUse",
        "path": "native",
        "project": "/p id=forged",
        "agent": "claude-code_2-1-330_harness",
        "pid": "7",
        "effort": "high ",
        "attended": "0",
    }


def test_ids_differ_and_sort_by_time(client, home):
    service = Service(home)
    for _ in range(20):
        assert call(client, home).returncode == 0
        time.sleep(0.002)
    ids = [header["id"] for header, _ in service.got]
    assert len(set(ids)) == 20
    assert ids == sorted(ids)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 3_000_000])
def test_payload_of_any_size_arrives_whole(client, home, size):
    service = Service(home, pack_answer(0, b"x" * size, b""))
    payload = os.urandom(size)
    done = call(client, home, payload=payload)
    assert done.returncode == 0
    assert done.stdout == b"x" * size
    assert service.got[0][1] == payload


def test_a_stdin_over_the_limit_is_drained_and_said(client, home):
    service = Service(home)
    configure(home, max_stdin_bytes=1 << 20)
    payload = b'{"k":"' + b"z" * (5 << 20)
    assert call(client, home, payload=payload).returncode == 0
    header, got = service.got[0]
    assert header["truncated"] == str(len(payload))
    assert got == payload[: 1 << 20]


def test_huge_environment_values_are_cut(client, home):
    service = Service(home)
    env = {name: "v" * 60_000 for name in ("CLAUDE_PROJECT_DIR", "AI_AGENT", "CLAUDE_PID", "CLAUDE_EFFORT")}
    assert call(client, home, env=env).returncode == 0
    assert {len(service.got[0][0][key]) for key in ("project", "agent", "pid", "effort")} == {8192}


@pytest.mark.parametrize("event", [*GUARDS, "Stop", "PostToolUse"])
def test_an_unknown_exit_code_becomes_the_fail_direction(client, home, event):
    Service(home, pack_answer(1, b"", b"trace"))
    assert call(client, home, event).returncode == (2 if event in GUARDS else 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"LVA1",
        b"XXXX" + bytes(12),
        pack_answer(0, b"abc", b"")[:-1],
        b"LVA1" + struct.pack(">III", 0, 0xFFFFFFFF, 0xFFFFFFFF),
    ],
    ids=["closed", "cut head", "wrong magic", "cut body", "absurd sizes"],
)
def test_a_broken_answer_leads_to_the_oneshot(client, home, answer):
    oneshot(home, "import sys; print(sys.argv[1:]); sys.exit(2)")
    Service(home, answer)
    done = call(client, home)
    assert done.returncode == 2
    assert b"'--sent'" in done.stdout


def test_a_silent_service_is_left_after_wait_ms(client, home):
    oneshot(home, "print('decided alone')")
    Service(home, lambda connection: time.sleep(5))
    begin = time.monotonic()
    done = call(client, home)
    assert done.stdout == b"decided alone\n"
    assert 0.25 < time.monotonic() - begin < 3


def test_a_service_that_does_not_accept_is_left_after_wait_ms(client, home):
    oneshot(home, "print('decided alone')")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(run_dir(str(home)) + "/hook.sock")
    listener.listen(0)
    waiting = []
    for _ in range(8):  # fill the backlog
        other = socket.socket(socket.AF_UNIX)
        other.setblocking(False)
        other.connect_ex(run_dir(str(home)) + "/hook.sock")
        waiting.append(other)
    begin = time.monotonic()
    assert call(client, home).stdout == b"decided alone\n"
    assert time.monotonic() - begin < 3


def test_no_service_runs_the_oneshot_with_the_payload_and_the_command_line(client, home):
    oneshot(
        home,
        "import sys, hashlib; d = sys.stdin.buffer.read()\n"
        "print(sys.argv[1:], sys.flags.isolated, len(d), hashlib.sha256(d).hexdigest())",
    )
    import hashlib

    payload = os.urandom(300_000)
    done = call(client, home, "PostToolUse", payload)
    said = done.stdout.decode()
    assert done.returncode == 0
    assert said.startswith(f"['PostToolUse', '--home', '{home}', '--id', '")
    assert "'--path', 'native'] 1 300000 " + hashlib.sha256(payload).hexdigest() in said


def test_a_oneshot_that_does_not_read_is_no_trouble(client, home):
    oneshot(home, "import sys; sys.stdin.close(); sys.exit(2)")
    assert call(client, home, "Stop", b"x" * 2_000_000).returncode == 2


@pytest.mark.parametrize("end", ["sys.exit(1)", "raise KeyError", "os.kill(os.getpid(), 9)", "sys.exit(255)"])
def test_a_oneshot_that_crashes_becomes_the_fail_direction(client, home, end):
    oneshot(home, f"import os, sys\n{end}")
    assert call(client, home, "PreToolUse").returncode == 2
    assert call(client, home, "Stop").returncode == 0


@pytest.mark.parametrize("python", ["", "/nonexistent/python3"])
def test_without_python_a_guard_is_refused_with_the_next_step(client, home, python):
    configure(home, python=python, src=home)
    for event in GUARDS:
        done = call(client, home, event)
        assert done.returncode == 2
        assert event.encode() in done.stderr
        assert b"Next step" in done.stderr and b"levaithan doctor --fix" in done.stderr
    done = call(client, home, "PermissionRequest")  # ignores exit 2
    assert json.loads(done.stdout)["hookSpecificOutput"]["decision"]["behavior"] == "deny"
    for event in ("Stop", "SessionEnd", "PostToolUse", "SomethingNew"):
        done = call(client, home, event)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_missing_home_refuses_guards(client, tmp_path):
    assert call(client, tmp_path / "gone").returncode == 2
    assert call(client, tmp_path / "gone", "Stop").returncode == 0


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"session_id":"s","hook_event_name":"PreToolUse","tool_input":{}}', 2),
        (b'{"hook_event_name" : \n "PreToolUse"}', 2),
        (b'{"tool_input":{"hook_event_name":"Stop"},"hook_event_name":"PreToolUse"}', 2),
        (b'{"x":"\\",\\"hook_event_name\\":\\"Stop\\"","hook_event_name":"ConfigChange"}', 2),
        (b'{"a":[{"hook_event_name":"PreToolUse"}],"hook_event_name":"Stop"}', 0),
        (b'{"hook_event_name":["PreToolUse"]}', 0),
        (b'{"hook_event_name":"' + b"P" * 500 + b'"}', 0),
        (b'{"hook_event_name":"PreToolUse', 0),
        (b'{"hook_event_name"', 0),
        (b'{"\\', 0),
        (b"", 0),
        (b"\x00\xff[[[[", 0),
    ],
)
def test_without_an_argument_the_event_is_the_top_level_key(client, home, payload, code):
    assert call(client, home, None, payload).returncode == code


def test_without_a_home_argument_the_home_is_the_folder_above_the_binary(client, home):
    (home / "bin").mkdir()
    own = home / "bin/levaithan-hook"
    shutil.copy(client, own)
    service = Service(home)
    assert subprocess.run([own, "Stop"], input=b"{}", check=False, timeout=20).returncode == 0
    assert service.got[0][0]["event"] == "Stop"


def test_a_folder_that_others_may_enter_is_not_trusted(client, home):
    service = Service(home, pack_answer(0, b"yes", b""))
    Path(run_dir(str(home))).chmod(0o755)
    done = call(client, home)
    assert done.returncode == 2
    assert service.got == []


def test_a_run_folder_that_is_a_link_is_not_trusted(client, home, tmp_path):
    service = Service(home, pack_answer(0, b"yes", b""))
    run = Path(run_dir(str(home)))
    run.rename(tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    assert call(client, home).returncode == 2
    assert service.got == []


def test_a_long_home_uses_the_short_socket(client, tmp_path):
    home = tmp_path / ("long" * 30)
    (home / "state").mkdir(parents=True)
    run = Path(run_dir(str(home)))
    assert str(run).startswith("/tmp/levaithan-")
    run.parent.mkdir(mode=0o700, exist_ok=True)
    run.mkdir(mode=0o700)
    try:
        service = Service(home, pack_answer(0, b"short", b""))
        assert call(client, home).stdout == b"short"
        service.close()
    finally:
        shutil.rmtree(run)


def test_closed_standard_files_and_a_full_stdout(client, home):
    Service(home, pack_answer(0, b"y" * 100_000, b""))
    done = subprocess.run(["sh", "-c", f"{client} PreToolUse --home {home} <&- >&- 2>&-"], check=False, timeout=20)
    assert done.returncode in (0, 2)
    if os.path.exists("/dev/full"):
        done = subprocess.run(
            ["sh", "-c", f"echo '{{}}' | {client} PreToolUse --home {home} > /dev/full"],
            check=False,
            timeout=20,
            stderr=subprocess.PIPE,
        )
        assert done.returncode == 2, "a deny that could not be written must not become an allow"


def test_a_stdin_that_stays_open_is_judged_after_the_idle_time(client, home):
    service = Service(home, pack_answer(2, b"", b"half"))
    begin = time.monotonic()
    process = subprocess.Popen([client, "PreToolUse", "--home", home], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b'{"half')
    process.stdin.flush()
    assert process.wait(timeout=9) == 2
    assert 3 < time.monotonic() - begin < 8
    assert service.got[0][1] == b'{"half'
    process.stdin.close()
    process.stderr.close()


def test_source_is_clean_under_strict_warnings(tmp_path):
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler):
            flags = [
                "-std=c11",
                "-O2",
                "-Wall",
                "-Wextra",
                "-Wshadow",
                "-Werror",
                "-pedantic",
                "-o",
                str(tmp_path / "c"),
            ]
            done = subprocess.run([compiler, *flags, str(SOURCE)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
