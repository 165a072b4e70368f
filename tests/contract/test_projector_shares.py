"""The projector in several processes on real servers: shared anew, one killed, one status, nothing lost or twice; and
the modes that hold stores back."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes, postgres_place

from levaithan.actions.asking import service as ask
from levaithan.cli import recording
from levaithan.hot import modes, paths
from levaithan.projector import status


@pytest.fixture
def home(tmp_path: Path, postgres_server: Any, redis_server: Any) -> Any:
    counters = f"{redis_server.url}?prefix={secrets.token_hex(6)}"
    root = homes.make_home(
        tmp_path / "h", native=False, ledger_url=postgres_place.made(), counters_url=counters, canary_interval_s=0
    )
    return paths.home_at(root)


@pytest.fixture
def serving(home: Any) -> Iterator[Any]:
    with homes.serving(home.root):
        yield home


def note(home: Any, count: int) -> int:
    for number in range(count):
        assert recording.note(home, "note", {"by": "test", "text": f"n{number}"}) is None
    return head(home)


def head(home: Any) -> int:
    from levaithan.projector import feed

    return int(feed.last_seq(home.journal))


def told(home: Any) -> dict[str, Any]:
    return status.read(home) or {}


def stores(home: Any) -> dict[str, dict[str, Any]]:
    return told(home).get("stores") or {}


def caught_up(home: Any, *names: str, timeout_s: float = 30) -> None:
    homes.until(lambda: all(stores(home).get(name, {}).get("seq") == head(home) for name in names), timeout_s)


def parts(home: Any) -> list[int]:
    """The pids of the further processes that live."""
    found = []
    for path in sorted(Path(home.run).glob("projector-*.json")):
        pid = (status.read(home, int(path.stem.partition("-")[2])) or {}).get("pid")
        if pid and Path(f"/proc/{pid}").exists() and _is_projector(pid):
            found.append(pid)
    return found


def _is_projector(pid: int) -> bool:
    try:
        return b"--part" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_with_one_process_all_is_as_ever(serving: Any) -> None:
    note(serving, 5)
    caught_up(serving, "ledger", "counters", "search", "graph", "memory")
    assert told(serving)["workers"] == 1 and told(serving)["remote"] == 2 and parts(serving) == []
    assert not list(Path(serving.run).glob("projector-*.json"))


def test_the_stores_on_servers_are_shared_and_taken_back(serving: Any) -> None:
    for count, others in ((2, 1), (3, 2), (4, 2), (1, 0)):
        modes.set_workers(serving, count)
        homes.until(lambda others=others: len(parts(serving)) == others, 20)
        note(serving, 20)
        caught_up(serving, "ledger", "counters", "search", "graph", "memory")
        assert told(serving)["workers"] == min(count, 3), "two stores need two more at most"
        assert set(stores(serving)) == {"ledger", "counters", "search", "graph", "memory"}, "one status as ever"
        assert {one["state"] for one in stores(serving).values()} <= {"ok", "behind"}
    rows = homes.rows(serving.root, "store", "compare")
    assert {row["store"]: row["equal"] for row in rows} == dict.fromkeys(stores(serving), True), rows


def test_a_process_that_is_killed_is_started_again_and_nothing_is_lost(serving: Any) -> None:
    modes.set_workers(serving, 2)
    homes.until(lambda: len(parts(serving)) == 1, 20)
    for _ in range(2):
        (pid,) = parts(serving)
        os.kill(pid, signal.SIGKILL)
        note(serving, 10)
        homes.until(lambda pid=pid: parts(serving) not in ([], [pid]), 20)
        caught_up(serving, "ledger", "counters")
    homes.sync(serving.root)


def test_they_end_with_the_projector_however_that_ends(serving: Any) -> None:
    modes.set_workers(serving, 3)
    homes.until(lambda: len(parts(serving)) == 2, 20)
    before = parts(serving)
    os.kill(int(told(serving)["pid"]), signal.SIGKILL)
    homes.until(lambda: not set(before) & set(parts(serving)), 20)
    homes.until(lambda: len(parts(serving)) == 2, 30)
    note(serving, 5)
    caught_up(serving, "ledger", "counters")


def test_restarting_the_loop_restarts_them_all(serving: Any) -> None:
    modes.set_workers(serving, 2)
    homes.until(lambda: len(parts(serving)) == 1, 20)
    before = (told(serving)["pid"], *parts(serving))
    assert ask(serving, "restart_loop", 20.0, {"loop": "projector"}) == {"ok": True}
    homes.until(lambda: len(parts(serving)) == 1 and not {told(serving)["pid"], *parts(serving)} & set(before), 20)
    note(serving, 5)
    caught_up(serving, "ledger", "counters")


def test_local_only_holds_what_is_on_servers_and_what_is_here_goes_on(serving: Any) -> None:
    modes.set_mode(serving, modes.LEVELS[modes.LOCAL_ONLY], by="ann", reason="the network is down")
    homes.until(lambda: stores(serving).get("ledger", {}).get("state") == "held", 10)
    before = stores(serving)["ledger"]["seq"]
    note(serving, 10)
    caught_up(serving, "search", "graph")
    assert stores(serving)["ledger"]["seq"] == before and "local-only" in stores(serving)["counters"]["held"]
    assert stores(serving)["memory"]["state"] == "held", "embeddings are off, too"
    sync = homes.control(serving.root, "sync", 1.0)
    assert sync is not None and "local-only" in sync["error"], "who waits for it is told why"
    shared = homes.control(serving.root, "status")
    assert shared is not None
    homes.until(lambda: "local-only" in str((homes.control(serving.root, "status") or {}).get("sharing")), 10)
    modes.set_mode(serving, 0, by="ann", reason="it is back")
    caught_up(serving, "ledger", "counters", "memory")
    homes.until(lambda: (homes.control(serving.root, "status") or {})["sharing"]["answering"], 10)


def test_a_broken_circuit_holds_one_store_alone(serving: Any) -> None:
    import time

    modes.break_circuit(serving, "ledger", time.time_ns() // 1000 + 3_000_000, by="ann", reason="repairs")
    homes.until(lambda: stores(serving).get("ledger", {}).get("state") == "held", 10)
    note(serving, 5)
    caught_up(serving, "counters", "search", "memory")
    caught_up(serving, "ledger"), "and it ends by itself at its time"


def test_degraded_holds_the_memory_then_the_live_stream(serving: Any) -> None:
    modes.set_mode(serving, 1, by="ann", reason="x")
    homes.until(lambda: stores(serving).get("memory", {}).get("state") == "held", 10)
    assert stores(serving)["counters"]["held"] is None
    modes.set_mode(serving, 3, by="ann", reason="x")
    homes.until(lambda: stores(serving)["counters"]["state"] == "held", 10)
    note(serving, 5)
    caught_up(serving, "ledger", "search", "graph")
