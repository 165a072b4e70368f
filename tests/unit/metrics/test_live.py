"""The metrics beside a service that runs: real hooks decided, recorded, projected, and seen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import calls, homes

from levaithan.config import settings as settings_of
from levaithan.hot.paths import home_at
from levaithan.metrics.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_S = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Iterator[str]:
    made = homes.make_home(tmp_path / "h", native=False)
    with homes.serving(made):
        yield made


def until(watching: Watching, wanted: Callable[[], bool]) -> None:
    """Watch, as the monitor does, until something holds."""
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        while not watching.step().end:
            pass
        watching.collect(time.time())
        if wanted():
            return
        time.sleep(0.2)
    shown = [
        line for line in watching.exposition().decode().splitlines() if line[0] != "#" and not line.endswith(" 0.0")
    ]
    pytest.fail("it did not come to that:\n" + "\n".join(shown))


def test_what_the_service_does_is_seen(root: str) -> None:
    home = home_at(root)
    watching = Watching(home, settings_of.load(root, environ={}))
    tally = watching.tally
    try:
        until(watching, lambda: tally.value("levaithan_store_up", ("ledger", "embedded")) == 1)
        for number in range(5):
            calls.call(root, "python", calls.tool_call(f"echo {number}"))
            watching.step()
        refused = calls.call(root, "python", calls.tool_call("rm -rf /"))
        assert refused.recorded
        events = tally.table("levaithan_hook_events_total")
        until(watching, lambda: events["PreToolUse", "deny"] == 1 and events["PreToolUse", "allow"] == 5)
        durations = tally.bins("levaithan_hook_duration_seconds", ("PreToolUse", "python"))
        assert sum(durations[:-1]) == 6
        assert tally.value("levaithan_gate_decisions_total", ("deny", "base", "enforce")) == 1
        assert tally.value("levaithan_session_denies_max", ("5m", "critical")) == 1
        projected = tally.histograms("levaithan_projection_latency_seconds")
        until(watching, lambda: sum(projected["ledger",][:-1]) >= 6 and sum(projected["search",][:-1]) >= 6)
        until(watching, lambda: sum(tally.bins("levaithan_journal_fsync_seconds")[:-1]) >= 6)
        assert watching.gauges.journal.service_pid is not None
        until(watching, lambda: sum(tally.bins("levaithan_store_latency_seconds", ("ledger", "put"))[:-1]) >= 1)
        assert tally.value("levaithan_journal_writable") == 1
        assert tally.value("levaithan_journal_chain_ok") == 1
        assert tally.value("levaithan_store_lag_events", ("ledger", "embedded")) == 0
        assert tally.value("levaithan_log_messages_total", ("info", "service")) >= 1
        text = watching.exposition()
        assert b"process_resident_memory_bytes" in text or not Path("/proc/self/stat").exists()
    finally:
        watching.stop()


def test_what_ran_while_nothing_watched_is_counted(root: str) -> None:
    home = home_at(root)
    settings = settings_of.load(root, environ={})
    first = Watching(home, settings, threads=False)
    while not first.step().end:
        pass
    assert first.own()
    first.save()
    first.stop()
    for way in ("python", "oneshot"):
        calls.call(root, way, calls.tool_call("echo x"))
    second = Watching(home, settings, threads=False)
    while not second.step().end:
        pass
    second.stop()
    assert second.tally.value("levaithan_hook_events_total", ("PreToolUse", "allow")) == 2
