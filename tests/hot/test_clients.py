"""The hook clients, Python and native in each way it is linked: the same answers, byte for byte, from an imitation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hook_process import CLIENT, PYTHON, journal, make_home, run, sound
from imitation_service import HANG, ImitationService

from levaithan.hot.wire import pack_answer

Payload = Callable[..., dict[str, Any]]
Client = Callable[..., list[str]]
DENY = (
    json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny"}}).encode() + b"\n"
)
ENVIRON = {
    "CLAUDE_PROJECT_DIR": "/home/dev/de\nmo",
    "CLAUDE_PID": "42",
    "AI_AGENT": "claude-code_2-1-330_harness",
    "CLAUDE_EFFORT": "high",
    "CLAUDE_CODE_SESSION_ATTENDED": "0",
    "ANTHROPIC_API_KEY": "sk-ant-never",
}


@pytest.mark.parametrize(
    ("code", "out", "err"), [(0, b"", b""), (0, DENY, b""), (2, b"", b"no\n"), (0, b"x" * 300_000, b"y" * 200_000)]
)
def test_the_answer_is_repeated_byte_for_byte(
    client: Client, home: Path, tool_call: Payload, code: int, out: bytes, err: bytes
) -> None:
    with ImitationService(home, pack_answer(code, out, err)) as service:
        done = run(client(home), tool_call(), **ENVIRON)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
    ((header, payload),) = service.got
    assert json.loads(payload) == tool_call()
    assert int(header.pop("started_ns")) <= time.time_ns()
    assert len(header.pop("id")) == 32
    assert header == {
        "event": "PreToolUse",
        "path": client.path,  # type: ignore[attr-defined]
        "project": "/home/dev/de mo",
        "pid": "42",
        "agent": "claude-code_2-1-330_harness",
        "effort": "high",
        "attended": "0",
    }
    assert not (home / "logs" / "journal").exists(), "the service records, not the client"


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_000, 5 << 20])
def test_a_payload_of_any_size_arrives_whole(client: Client, home: Path, size: int) -> None:
    data = os.urandom(size)
    with ImitationService(home, pack_answer(0, b"", b"")) as service:
        assert run(client(home, "Stop"), data).returncode == 0
    assert service.got[0][1] == data


def test_too_long_a_stdin_is_cut_and_said(client: Client, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", max_stdin_bytes=1 << 20)
    data = os.urandom(3 << 20)
    with ImitationService(home, pack_answer(0, b"", b"")) as service:
        assert run(client(home, "Stop"), data).returncode == 0
    ((header, payload),) = service.got
    assert (header["truncated"], payload) == (str(3 << 20), data[: 1 << 20])
    done = run(client(home), data)
    assert "allows" in json.dumps(sound(done))
    assert journal(home)[0]["problem"].startswith(f"the input has {3 << 20} bytes")


def test_values_of_the_environment_are_bounded(client: Client, home: Path) -> None:
    with ImitationService(home, pack_answer(0, b"", b"")) as service:
        assert run(client(home), b"{}", CLAUDE_PROJECT_DIR="/" + "p" * 30_000).returncode == 0
    assert len(service.got[0][0]["project"]) == 8192


def _falls_back(client: Client, home: Path, tool_call: Payload) -> dict[str, Any]:
    """Runs a call that must be denied with no help of a service; gives its record."""
    done = run(client(home), tool_call("rm -rf /"), **ENVIRON)
    said = sound(done)
    assert said is not None
    assert said["hookSpecificOutput"]["permissionDecision"] == "deny"
    (record,) = journal(home)
    assert (record["decision"], record["path"]) == ("deny", "oneshot")
    assert (record["client_version"], record["project"]) == ("2.1.330", "/home/dev/de\nmo")
    return record


def test_without_a_service_the_one_shot_decides(client: Client, home: Path, tool_call: Payload) -> None:
    _falls_back(client, home, tool_call)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_service_of_another_user_is_not_believed(client: Client, home: Path, tool_call: Payload) -> None:
    """The folder keeps others out; this is the second fence. Who listens is who is asked for (SO_PEERCRED)."""
    with ImitationService(home, pack_answer(0, b"", b""), listen_as=65534) as service:
        done = run(client(home), tool_call("rm -rf /"))
    assert service.got == [], "what an agent does is nothing for another user's eyes"
    answer = sound(done)
    assert answer is not None
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert len(journal(home)) == 1


def test_a_large_payload_reaches_the_one_shot(client: Client, home: Path, tool_call: Payload) -> None:
    payload = tool_call(tool_name="Write", tool_input={"file_path": "/tmp/x", "content": "x" * 900_000})
    assert sound(run(client(home), payload)) is None
    assert journal(home)[0]["payload"] == payload


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"LVA1",
        b"XXXX" + b"\0" * 12,
        pack_answer(0, b"x" * 50, b"")[:40],
        b"LVA1" + b"\0\0\0\0" + b"\xff" * 8,
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_a_broken_answer_is_none(client: Client, home: Path, tool_call: Payload, answer: bytes) -> None:
    with ImitationService(home, answer) as service:
        record = _falls_back(client, home, tool_call)
    assert service.got[0][0]["id"] == record["id"], "so that whoever recorded it first is found"


def test_a_service_that_hangs_costs_wait_ms(client: Client, tmp_path: Path, tool_call: Payload) -> None:
    home = make_home(tmp_path / "home", wait_ms=300)
    with ImitationService(home, HANG):
        began = time.monotonic()
        _falls_back(client, home, tool_call)
        assert 0.3 <= time.monotonic() - began < 2


def test_an_unknown_exit_code_is_the_fail_direction(client: Client, home: Path) -> None:
    with ImitationService(home, pack_answer(1, b"", b"")):
        done = run(client(home), b"{}")
        assert (done.returncode, b"unknown exit code" in done.stderr) == (2, True)
        assert run(client(home, "Stop"), b"{}").returncode == 0


def test_a_dead_socket_or_an_open_folder_is_no_service(client: Client, home: Path, tool_call: Payload) -> None:
    with ImitationService(home, pack_answer(0, b"", b"")) as service:
        (home / "run").chmod(0o755)
        _falls_back(client, home, tool_call)
        assert service.got == [], "a folder that others may enter could hold anybody's socket"
    (home / "run").chmod(0o700)
    (home / "run" / "hook.sock").write_text("no socket")
    assert sound(run(client(home), tool_call())) is None


def test_a_long_home_has_its_socket_elsewhere(client: Client, tmp_path: Path, tool_call: Payload) -> None:
    home = make_home(tmp_path / ("h" * 120))
    with ImitationService(home, pack_answer(0, DENY, b"")) as service:
        assert run(client(home), tool_call()).stdout == DENY
    assert len(service.got) == 1


def test_a_link_to_the_home_finds_the_same_service(client: Client, home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home)
    with ImitationService(home, pack_answer(0, DENY, b"")):
        for path in (tmp_path / "link", tmp_path / "link" / ".." / "link", Path(str(home) + "//")):
            assert run(client(path), b"{}").stdout == DENY


def test_a_home_below_hidden_folders_and_links_is_the_same_home(client: Client, tmp_path: Path) -> None:
    """A long one: the socket's place is made of the real path, so that who takes another path for it finds nobody."""
    (tmp_path / ".hidden").mkdir()
    home = make_home(tmp_path / ".hidden" / ("h" * 120))
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    ways = (str(home), f"{tmp_path}/link/{home.name}", f"{home.parent}/./{home.name}", f"{home}/../{home.name}/.")
    with ImitationService(home, pack_answer(0, DENY, b"")):
        for way in ways:
            command = [way if word == str(home) else word for word in client(home)]
            assert run(command, b"{}").stdout == DENY, way


BROKEN = {
    "no such python": {"python": "/nowhere/python"},
    "a python that fails": {"python": shutil.which("false") or "/bin/false"},
    "no sources": {"src": "/nowhere"},
}


@pytest.mark.parametrize("case", BROKEN)
def test_when_nobody_can_decide_guards_are_refused(
    client: Client, tmp_path: Path, tool_call: Payload, case: str
) -> None:
    home = make_home(tmp_path / "home", **BROKEN[case])
    done = run(client(home), tool_call())
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Next step" in done.stderr
    assert run(client(home, "Stop"), tool_call()).returncode == 0
    named = run(client(home, ""), tool_call())
    assert named.returncode == 2, "without an argument the payload says which event it is"
    half = run(client(home, ""), b'{"a":{"hook_event_name":"Stop"},"hook_event_name":"PreToolUse","tool_na')
    assert half.returncode == 2
    assert run(client(home, ""), b'{"prompt":"\\"hook_event_name\\":\\"PreToolUse\\""').returncode == 0


def test_no_event_on_the_command_line(client: Client, home: Path, tool_call: Payload) -> None:
    said = sound(run(client(home, ""), tool_call("rm -rf /")))
    assert said is not None
    assert journal(home)[0]["event"] == "PreToolUse"


def test_a_silent_stdin_does_not_use_up_the_time(client: Client, home: Path) -> None:
    process = subprocess.Popen(client(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b'{"hook_event_name":"PreToolUse","tool_name":"Bash"')
    process.stdin.flush()
    began = time.monotonic()
    process.wait(timeout=9)
    assert 3 < time.monotonic() - began < 8
    assert process.stdout is not None
    assert b"deny" in process.stdout.read()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_descriptor_is_no_allow(client: Client, home: Path, closed: str) -> None:
    with ImitationService(home, pack_answer(0, DENY, b"")) as service:
        shell = subprocess.run(
            ["sh", "-c", f"{' '.join(client(home))} {closed}"],
            input=b"{}",
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert shell.stdout == DENY or shell.returncode == 2
    assert all(b"LVH1" not in text for text in (shell.stdout, shell.stderr))
    assert len(service.got) <= 1


def test_many_at_once(client: Client, home: Path, tool_call: Payload) -> None:
    with ImitationService(home, pack_answer(0, DENY, b"")) as service, ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda _: run(client(home), tool_call()), range(48)))
    assert all((one.returncode, one.stdout) == (0, DENY) for one in done)
    assert len({header["id"] for header, _ in service.got}) == 48


def test_the_python_client_loads_next_to_nothing(tmp_path: Path, tool_call: Payload) -> None:
    home = make_home(tmp_path / ".hidden")
    command = [PYTHON, "-I", "-S", "-X", "importtime", CLIENT, "Stop", "--home", str(home)]
    bare = [PYTHON, "-I", "-S", "-X", "importtime", "-c", "pass"]
    with ImitationService(home, pack_answer(0, b"", b"")):
        run(command, tool_call())
        mine, least = (
            {line.rsplit(b"|", 1)[1].strip() for line in run(one, tool_call()).stderr.splitlines() if b"|" in line}
            for one in (command, bare)
        )
    assert mine - least <= {b"time", b"_socket", b"_signal", b"posix"}
