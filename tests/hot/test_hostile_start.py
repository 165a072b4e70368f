"""Hook processes started in a hostile way: signals, limits, libraries and modules that whoever starts them may set.

Nothing here may let a guarded call pass: what cannot be decided is refused, in the way that its event understands.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_process import CLIENT, PYTHON, SOURCES, journal, run, sound

Payload = Callable[..., dict[str, Any]]
Client = Callable[..., list[str]]
GUARDS = ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange")
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def _refused(done: subprocess.CompletedProcess[bytes], event: str) -> bool:
    """Whether the client that reads this answer refuses: PermissionRequest does not know exit 2."""
    said = sound(done)
    if said is None:
        return done.returncode == 2 and event != "PermissionRequest"
    special = said.get("hookSpecificOutput", {})
    if event == "PermissionRequest":
        return special.get("hookEventName") == event and special["decision"]["behavior"] == "deny"
    return special.get("permissionDecision") == "deny" or said.get("decision") == "block"


def _start(
    command: list[str], data: bytes, before: Callable[[], object], **environ: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, input=data, capture_output=True, env=BARE | environ, timeout=30, check=False, preexec_fn=before
    )


def _ignore_signals() -> None:
    for number in (signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)


def _block_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


@pytest.mark.parametrize("before", [_ignore_signals, _block_signals])
def test_inherited_signal_settings_change_no_decision(
    client: Client, home: Path, tool_call: Payload, before: Callable[[], None]
) -> None:
    done = _start(client(home), json.dumps(tool_call("rm -rf /")).encode(), before)
    assert _refused(done, "PreToolUse")
    assert _start(client(home), json.dumps(tool_call("ls")).encode(), before).returncode == 0
    assert [record["decision"] for record in journal(home)] == ["deny", "allow"]


@pytest.mark.parametrize("before", [None, _block_signals], ids=["plain", "signals blocked"])
@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_a_slow_stdin_is_refused_before_the_timeout(
    client: Client, home: Path, before: Callable[[], None] | None, drips: bool
) -> None:
    """The registered timeout is 10 s, and Claude Code lets the tool run when it is over."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        client(home),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=BARE,
        preexec_fn=before,  # noqa: PLW1509 - no thread yet
    )
    assert process.stdin is not None
    write, ended, began = process.stdin.fileno(), threading.Event(), time.monotonic()

    def drip() -> None:
        while not ended.wait(0.3):
            try:
                os.write(write, b" ")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    if drips:
        dripping.start()
    try:
        process.wait(9.5)
    finally:
        ended.set()
        if drips:
            dripping.join()
        process.kill()
    took = time.monotonic() - began
    out, err = process.communicate()
    assert took < 9.5
    assert _refused(subprocess.CompletedProcess([], process.returncode, out, err), "PreToolUse")


@pytest.mark.parametrize("event", GUARDS)
def test_without_room_for_a_gate_guards_are_refused(client: Client, home: Path, event: str) -> None:
    """Files enough for the client and none for the one-shot that it has to start."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))

    assert _refused(_start(client(home, event), b'{"session_id":"s"', few), event)


@pytest.mark.parametrize("event", GUARDS)
def test_when_the_python_of_the_one_shot_dies_guards_are_refused(client: Client, home: Path, event: str) -> None:
    (home / "state" / "hot.conf").write_text(f"python=/bin/false\nsrc={SOURCES}\n")
    assert _refused(run(client(home, event), b"{}"), event)


def test_a_preloaded_library_does_not_decide(
    native: Callable[[str], str], home: Path, tool_call: Payload, tmp_path: Path
) -> None:
    """Settings of a project may set the environment of its hooks. The client without a libc loads no library at all;
    the one-shot that it starts must not either."""
    source, library = tmp_path / "evil.c", tmp_path / "evil.so"
    source.write_text("#include <unistd.h>\n__attribute__((constructor)) static void end(void) { _exit(0); }\n")
    compiler = shutil.which("cc")
    assert compiler
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    command = [native("static"), "PreToolUse", "--home", str(home)]
    done = run(command, tool_call("rm -rf /"), LD_PRELOAD=str(library), LD_AUDIT=str(library))
    assert _refused(done, "PreToolUse")
    assert journal(home)[0]["decision"] == "deny"


def test_modules_in_the_folder_and_the_path_are_not_loaded(
    client: Client, home: Path, tool_call: Payload, tmp_path: Path
) -> None:
    evil = tmp_path / "evil"
    (evil / "levaithan").mkdir(parents=True)
    for name in (
        "sitecustomize",
        "usercustomize",
        "os",
        "posix",
        "json",
        "time",
        "_signal",
        "re",
        "levaithan/__init__",
    ):
        (evil / f"{name}.py").write_text("import os\nos._exit(0)\n")
    names = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "LEVAITHAN_HOME", "XDG_STATE_HOME")
    environ = dict.fromkeys(names, str(evil)) | {"PYTHONINSPECT": "1", "PYTHONSTARTUP": str(evil / "os.py")}
    done = _start(client(home), json.dumps(tool_call("rm -rf /")).encode(), lambda: os.chdir(evil), **environ)
    assert _refused(done, "PreToolUse")
    assert journal(home)[0]["decision"] == "deny"


@pytest.mark.parametrize("event", GUARDS)
@pytest.mark.parametrize("missing", ["ask.py", "ask.py oneshot.py", "ask.py oneshot.py paths.py"])
def test_the_python_client_alone_in_its_folder_refuses_guards(
    home: Path, tmp_path: Path, event: str, missing: str
) -> None:
    """Half an installation, or half an uninstallation. Exit 2 is all that is left when even oneshot.py is gone."""
    there = tmp_path / "src"
    shutil.copytree(SOURCES / "levaithan" / "hot", there / "levaithan" / "hot")
    for name in missing.split():
        (there / "levaithan" / "hot" / name).unlink()
    client = str(there / "levaithan" / "hot" / os.path.basename(CLIENT))
    done = run([PYTHON, "-I", "-S", client, event, "--home", str(home)], b"{}")
    assert b"Traceback" not in done.stderr
    assert done.returncode == 2 or _refused(done, event)
    assert run([PYTHON, "-I", "-S", client, "Stop", "--home", str(home)], b"{}").returncode == 0
