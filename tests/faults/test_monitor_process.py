"""The monitor's process: it comes and goes with the service, starts again when it dies, and counts each event once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.support import calls, homes

from levaithan.hot.paths import home_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
ON: dict[str, object] = {"monitor": "on", "monitor_interval_s": 1, "metrics_listen": "127.0.0.1:0"}


@pytest.fixture
def root(tmp_path: Path) -> str:
    return homes.make_home(tmp_path / "home", **ON)


def monitor(root: str) -> dict[str, Any]:
    """What the monitor says of itself, once it watches."""
    found: dict[str, Any] = {}

    def there() -> bool:
        found.clear()
        found.update(((homes.control(root, "status") or {}).get("monitor")) or {})
        return bool(found.get("child")) and found["child"] == found.get("pid") and found.get("doing") == "watching"

    homes.until(there, 40, 0.1)
    return found


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def figure(root: str, name: str) -> float:
    """The sum of a family's samples on /metrics."""
    with urllib.request.urlopen(f"http://{monitor(root)['listening']}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0] == name)


def events(root: str) -> int:
    return sum(one["kind"] == "event" for one in homes.journal_records(root))


def test_it_is_gone_when_the_service_is_killed(root: str) -> None:
    service = homes.start_service(root)
    child = monitor(root)["child"]
    service.send_signal(signal.SIGKILL)
    service.wait(10)
    homes.until(lambda: gone(child), 15)


def test_one_that_is_killed_comes_back_and_counts_each_event_once(root: str) -> None:
    with homes.serving(root):
        for number in range(5):
            calls.call(root, "native", calls.tool_call(session_id=f"s-{number}"))
        first = monitor(root)
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)
        os.kill(first["child"], signal.SIGKILL)
        for number in range(5):
            calls.call(root, "native", calls.tool_call(calls.DANGEROUS, session_id=f"s-{number}"))
        homes.until(lambda: monitor(root)["child"] != first["child"], 40, 0.2)
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)
        assert homes.control(root, "status")["loops"]["monitor"]["restarts"] == 1  # type: ignore[index]
    calls.call(root, "oneshot", calls.tool_call(session_id="s-alone"))  # while nobody watches
    with homes.serving(root):
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)


def test_figures_that_a_command_reads_while_nobody_watches_are_not_lost_to_the_monitor(
    root: str, tmp_path: Path
) -> None:
    kept = Path(root, "state", "metrics.json")
    with homes.serving(root):
        calls.call(root, "native", calls.tool_call())
        homes.cli(root, "incident", "open", "--title", "The first", "--severity", "P2")
        homes.until(lambda: monitor(root)["incidents"] == {"P2": 1}, 20, 0.2)
    first = json.loads(kept.read_bytes())["more"]["incidents"]["book"]["incidents"][0]
    calls.call(root, "oneshot", calls.tool_call(session_id="s-alone"))
    homes.cli(root, "incident", "ack", first["id"])
    homes.cli(root, "incident", "open", "--title", "The second", "--severity", "P3")
    before = kept.read_bytes()
    told = homes.rows(root, "metrics", "show", "levaithan_hook_events_total")
    assert sum(one["value"] for one in told) == events(root), "a command reads on to the end"
    homes.cli(root, "metrics", "textfile", str(tmp_path / "x.prom"))
    assert kept.read_bytes() == before
    with homes.serving(root):
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)
        assert monitor(root)["incidents"] == {"P2": 1, "P3": 1}
    book = json.loads(kept.read_bytes())["more"]["incidents"]["book"]["incidents"]
    assert {one["title"]: one["state"] for one in book} == {"The first": "acknowledged", "The second": "open"}


def test_two_of_a_home_never_work_at_once(root: str) -> None:
    with homes.serving(root):
        first = monitor(root)
        second = subprocess.Popen(
            [sys.executable, "-P", "-m", "levaithan.monitor", "--home", root],
            stdin=subprocess.PIPE, env=homes.plain_environment(PYTHONPATH=str(homes.ROOT / "src")),
        )  # fmt: skip
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(5)
            assert monitor(root)["pid"] == first["pid"]
        finally:
            assert second.stdin is not None
            second.stdin.close()
            second.wait(10)


def test_a_port_that_is_taken_is_told_and_all_else_goes_on(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        root = homes.make_home(tmp_path / "home", **ON | {"metrics_listen": listen})
        with homes.serving(root):
            told = monitor(root)
            assert told["listening"] == ""
            assert listen in told["troubles"]["listener"]
            found = homes.cli(root, "status", check=False).stdout
            assert listen in found, "the operator is told"


def test_a_state_that_is_damaged_is_set_aside_and_made_anew(root: str) -> None:
    with homes.serving(root):
        calls.call(root, "native", calls.tool_call())
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)
    kept = Path(root, "state", "metrics.json")
    kept.write_bytes(kept.read_bytes()[:-100])
    with homes.serving(root):
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)
        assert "set" in monitor(root)["troubles"]["metrics"] or "kept as" in monitor(root)["troubles"]["metrics"]
    assert json.loads(kept.read_bytes())["version"]


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_journal_that_is_cut_while_it_is_followed_is_a_broken_chain(root: str, how: str) -> None:
    with homes.serving(root):
        for number in range(40):
            calls.call(root, "native", calls.tool_call(session_id=f"s-{number % 3}"))
        monitor(root)
        homes.until(lambda: figure(root, "levaithan_hook_events_total") == events(root), 20, 0.2)
        path = homes.journal_files(root)[-1]
        if how == "gone":
            path.unlink()
        else:
            os.truncate(path, path.stat().st_size // 2)
        calls.call(root, "native", calls.tool_call())
        homes.until(lambda: monitor(root)["incidents"].get("P0"), 60, 0.5)
        assert any(one["alert"] == "ChainBroken" for one in homes.rows(root, "incident", "list"))


def test_a_journal_that_cannot_be_written_is_a_p0_although_nothing_can_be_recorded(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", **ON)
    with homes.serving(root):
        calls.call(root, "native", calls.tool_call())
        monitor(root)
        journal = Path(home_at(root).journal)
        aside = journal.with_name("aside")
        journal.rename(aside)
        journal.write_text("in the way")
        try:
            homes.until(lambda: monitor(root)["incidents"].get("P0"), 120, 0.25)
        finally:
            journal.unlink()
            aside.rename(journal)
        recorded = 'kind":"incident"'

        def written() -> bool:
            return any(recorded in path.read_text("utf-8", "replace") for path in homes.journal_files(root))

        homes.until(written, 60, 0.5)


def test_switched_off_there_is_none(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "home", monitor="off")
    with homes.serving(root):
        calls.call(root, "native", calls.tool_call())
        time.sleep(3)
        told = homes.control(root, "status")
        assert told is not None
        assert told["monitor"] == {"child": None}
        assert told["loops"]["monitor"]["running"]
