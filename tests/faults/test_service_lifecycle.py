"""Starts, stops, deaths and lost ground: one service whatever happens, and never an orphan."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support import homes
from tests.unit.service.conftest import Client, event

from levaithan.hot import paths
from levaithan.hot.paths import Home
from levaithan.service import instance, lifecycle
from levaithan.service.problems import NotStarted

pytestmark = pytest.mark.faults
START = "import sys; from levaithan.hot.paths import home_at; from levaithan.service import lifecycle as l; "


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return paths.home_at(homes.make_home(tmp_path / "h", native=False))


@pytest.fixture(autouse=True)
def stopped(home: Home) -> object:
    yield
    if instance.running(home):
        lifecycle.stop(home)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def projector_of(home: Home) -> int:
    told: list[int] = []

    def there() -> bool:
        status = homes.control(home.root, "status")
        child = (status or {}).get("projector", {}).get("child")
        told[:] = [child] if child else []
        return bool(child)

    homes.until(there)
    return told[0]


def test_fifty_starts_at_once_leave_one(home: Home) -> None:
    code = START + "print(l.start(home_at(sys.argv[1]), wait_s=60).pid)"
    started = [
        subprocess.Popen([sys.executable, "-c", code, home.root], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(50)
    ]
    said = [(one.communicate(timeout=120), one.returncode) for one in started]
    assert [(err, code) for (_, err), code in said if code] == []
    pids = {int(out) for (out, _), _ in said}
    assert len(pids) == 1
    told = homes.control(home.root, "ping")
    assert told is not None
    assert told["ready"] is True
    assert {told["pid"]} == pids
    log = Path(home.logs, "service.log").read_text().splitlines()
    assert sum(json.loads(line)["event"] == "started" for line in log) == 1


def test_fifty_in_the_foreground_at_once_leave_one(home: Home) -> None:
    command = [sys.executable, "-m", "levaithan.service", "--home", home.root]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(50)]
    try:
        homes.until(lambda: sum(one.poll() is None for one in started) == 1, 60)
        homes.until(lambda: lifecycle.ping(home) is not None)
        (left,) = [one for one in started if one.poll() is None]
        for one in started:
            if one is not left:
                assert one.wait() == 1
                assert b"runs already" in (one.stderr.read() if one.stderr else b"")
        left.send_signal(signal.SIGINT)
        assert left.wait(20) == 0
    finally:
        for one in started:
            one.kill()
            one.wait()
            if one.stderr:
                one.stderr.close()


def test_after_sigkill_the_next_start_works_and_the_child_is_gone(home: Home) -> None:
    for _ in range(3):
        one = lifecycle.start(home)
        assert one.fresh
        assert one.ready
        child = projector_of(home)
        with Client(home) as client:
            client.send(event() * 10)
            os.kill(one.pid, signal.SIGKILL)
        homes.until(lambda pid=one.pid: not alive(pid))
        homes.until(lambda pid=child: not alive(pid), 5)
        assert os.path.exists(home.socket)
    assert lifecycle.start(home).fresh
    assert lifecycle.stop(home).how == "asked"
    assert homes.verify(home.root).ok


@pytest.mark.parametrize("what", ["root", "run", "hook.sock", "service.lock", "root replaced"])
def test_it_ends_with_its_child_when_its_ground_goes(home: Home, what: str) -> None:
    one = lifecycle.start(home)
    child = projector_of(home)
    homes.until(Path(home.keys, "journal.pub").exists)  # made at the start: not while the root is copied
    begun = time.monotonic()
    if what.startswith("root"):
        os.rename(home.root, home.root + ".away")
        if what == "root replaced":
            shutil.copytree(home.root + ".away", home.root, ignore=lambda *_: ["run"])
        shutil.rmtree(home.root + ".away")
    elif what == "run":
        shutil.rmtree(home.run)
    else:
        os.unlink(f"{home.run}/{what}")
    homes.until(lambda: not alive(one.pid) and not alive(child), 6)
    assert time.monotonic() - begun < 4
    if what != "root":
        shutil.rmtree(home.run, ignore_errors=True)
        assert lifecycle.start(home).fresh


def test_a_projector_that_dies_comes_back(home: Home) -> None:
    lifecycle.start(home)
    child = projector_of(home)
    os.kill(child, signal.SIGKILL)
    homes.until(lambda: (homes.control(home.root, "status") or {})["projector"]["child"] not in (None, child), 15)
    told = homes.control(home.root, "status")
    assert told is not None
    assert told["loops"]["projector"]["restarts"] == 1
    assert "-9" in told["loops"]["projector"]["last_error"]
    with Client(home) as client:
        client.send(event())
        client.answer()
    homes.sync(home.root)


def test_what_was_taken_is_answered_before_the_end(home: Home) -> None:
    service = homes.start_service(home.root)
    with Client(home, 20) as client:
        client.send(b"".join(event() for _ in range(400)))
        client.answer()
        service.send_signal(signal.SIGTERM)
        answered = 1
        try:
            while True:
                client.answer()
                answered += 1
        except ConnectionError:
            pass
    assert service.wait(20) == 0
    events = [one for one in homes.journal_records(home.root) if one["kind"] == "event"]
    assert answered == len(events)
    assert answered >= 64
    assert not os.path.exists(home.socket)
    assert homes.verify(home.root).ok


def test_a_service_that_hangs_is_ended_by_force(home: Home) -> None:
    one = lifecycle.start(home)
    os.kill(one.pid, signal.SIGSTOP)
    assert lifecycle.stop(home, wait_s=0.5) == lifecycle.Stopped(one.pid, "killed")
    assert lifecycle.start(home).fresh


def test_a_start_that_fails_says_why(home: Home) -> None:
    Path(home.root, ".env").write_text("LEVAITHAN_FSYNC=sometimes\n")
    with pytest.raises(NotStarted) as told:
        lifecycle.start(home)
    assert "sometimes" in told.value.message
    assert "LEVAITHAN_FSYNC" in told.value.fix
    assert not instance.running(home)


def test_a_start_waits_for_the_one_that_is_under_way(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: lifecycle.start(home), range(8)))
    assert sum(one.fresh for one in told) == 1
    assert len({one.pid for one in told}) == 1


def test_the_background_service_has_nothing_of_its_starter(home: Home) -> None:
    code = START + "print(l.start(home_at(sys.argv[1])).pid)"
    environ = homes.plain_environment(ANTHROPIC_API_KEY="sk-ant-x", CLAUDE_PID="1", LEVAITHAN_LOG_LEVEL="debug")
    done = subprocess.run([sys.executable, "-c", code, home.root], env=environ, capture_output=True, check=True)
    pid = int(done.stdout)
    place = Path(f"/proc/{pid}")
    if not place.exists():
        assert sys.platform == "darwin"
        return
    given = place.joinpath("environ").read_bytes()
    assert b"sk-ant" not in given
    assert b"CLAUDE_PID" not in given
    assert b"LEVAITHAN_LOG_LEVEL=debug" in given
    assert os.readlink(place / "cwd") == "/"
    # It lets go of its starter's pipe once it has said through it that it runs.
    homes.until(lambda: {os.readlink(place / "fd" / str(number)) for number in (0, 1)} == {"/dev/null"}, 10)
    fields = place.joinpath("stat").read_text().rpartition(")")[2].split()
    assert int(fields[3]) != os.getsid(0)
    assert "Umask:\t0077" in place.joinpath("status").read_text()
