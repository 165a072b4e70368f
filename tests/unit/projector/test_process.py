"""`python -m levaithan.projector` as a process: woken by a byte, gone at the end of the pipe, telling how it is."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from levaithan.projector import status
from levaithan.projector.__main__ import _harmless
from levaithan.projector.lock import ProjectionLock
from levaithan.projector.process import LOOK_S, Projector
from levaithan.projector.worker import GATHER_S
from levaithan.stores import registry
from levaithan.stores.registry import open_ledger


def wait_for(what: Callable[[], Any], seconds: float = 15) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest.fixture
def process(home: Any, journal: Any) -> Iterator[subprocess.Popen[bytes]]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LEVAITHAN_")}
    started = subprocess.Popen(
        [sys.executable, "-m", "levaithan.projector", "--home", home.root], stdin=subprocess.PIPE, env=environ
    )
    yield started
    if started.poll() is None:
        started.kill()
    started.wait()


def told(home: Any, store: str = "ledger") -> dict[str, Any]:
    return (status.read(home) or {"stores": {}})["stores"].get(store, {})


def test_it_projects_tells_and_ends_with_its_pipe(home: Any, settings: Any, journal: Any, process: Any) -> None:
    assert process.stdin is not None
    journal.events(20)
    process.stdin.write(b"x")
    process.stdin.flush()
    wait_for(lambda: told(home).get("seq") == 21 and told(home, "search").get("seq") == 21)
    began = time.monotonic()
    journal.events(1, first=21)
    process.stdin.write(b"x")
    process.stdin.flush()
    wait_for(lambda: told(home).get("seq") == 22)
    assert time.monotonic() - began < 0.9, "news by the pipe is not waited for"
    journal.events(1, first=22)
    wait_for(lambda: told(home).get("seq") == 23), "without a byte it looks by itself"
    found = status.read(home)
    assert found is not None
    assert found["pid"] == process.pid
    ledger = found["stores"]["ledger"]
    assert (ledger["state"], ledger["lag_events"], ledger["dead_letters"], ledger["error"]) == ("ok", 0, 0, None)
    process.stdin.close()
    assert process.wait(5) == 0
    assert json.loads(status.path_of(home).read_bytes())["doing"] == "stopped"
    assert open_ledger(settings, home).rows("SELECT count(*) FROM events") == [(22,)]


def test_it_ends_when_its_home_goes(home: Any, journal: Any, process: Any) -> None:
    wait_for(lambda: (status.read(home) or {}).get("doing") == "idle")
    shutil.rmtree(home.root)
    assert process.wait(10) == 0
    assert not Path(home.root).exists()


def test_killed_at_any_moment_it_goes_on_where_it_was(home: Any, settings: Any, journal: Any) -> None:
    journal.events(3000)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LEVAITHAN_")}
    for delay in (0.5, 0.65, 0.8):
        started = subprocess.Popen(
            [sys.executable, "-m", "levaithan.projector", "--home", home.root], stdin=subprocess.PIPE, env=environ
        )
        time.sleep(delay)
        started.kill()
        started.wait()
        started.stdin.close()  # type: ignore[union-attr]
        journal.events(500, first=3001 + 500 * [0.5, 0.65, 0.8].index(delay))
    from levaithan.projector.loop import catch_up

    assert catch_up(home, settings, stores=("ledger", "search")).errors == {}
    assert open_ledger(settings, home).rows("SELECT count(*), count(DISTINCT id) FROM events") == [(4500, 4500)]


def test_settings_that_cannot_be_used_are_said(home: Any, journal: Any) -> None:
    environ = {**os.environ, "LEVAITHAN_STORE_TIMEOUT_MS": "soon"}
    ended = subprocess.run(
        [sys.executable, "-m", "levaithan.projector", "--home", home.root],
        stdin=subprocess.DEVNULL, env=environ, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert ended.returncode == 4
    assert "store_timeout_ms = 'soon' is not allowed" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_says_that_it_waits_for_another(home: Any, settings: Any, journal: Any) -> None:
    journal.events(1)
    one = Projector(home, settings, None)
    with ProjectionLock(home) as other:
        other.take()
        one.turn()
        assert "another process" in (status.read(home) or {})["doing"]
    one.turn()
    assert (status.read(home) or {})["doing"] == "idle"
    assert told(home)["seq"] == 2


def test_what_trickles_in_is_gathered(home: Any, settings: Any, journal: Any) -> None:
    """A batch whenever there is anything would write the same pages for every few events."""
    journal.events(5)
    one = Projector(home, settings, None)
    ledger, steps = one.followers[0], []
    step = ledger.step

    def trickling() -> bool:
        steps.append(ledger.delivered)
        moved = bool(step())
        journal.events(1, first=100 + len(steps))
        return moved

    ledger.step = trickling  # type: ignore[method-assign]
    ledger.forget()
    one.turn()
    assert (len(steps), ledger.delivered) == (1, 6), "it does not run after each event"
    one.turn()
    assert (len(steps), ledger.delivered) == (2, 7)
    ledger.step = step  # type: ignore[method-assign]
    one.turn()
    one.turn()
    assert (status.read(home) or {})["doing"] == "idle"
    assert told(home)["seq"] == told(home, "search")["seq"] == 8


def test_two_events_shortly_after_each_other_are_soon_in_every_store(home: Any, settings: Any, journal: Any) -> None:
    one = Projector(home, settings, None)
    journal.events(1)
    one.turn()
    journal.events(1, first=50)
    one._others_at = time.monotonic()  # the others had theirs just now
    one.turn()
    assert one.status.doing == "projecting", "not idle: the others have the second one still to get"
    one.turn()
    assert told(home)["seq"] == told(home, "search")["seq"] == 3
    assert (status.read(home) or {})["doing"] == "idle"


def test_the_status_is_soon_written_again_while_a_store_on_a_server_gets_what_came(
    home: Any, settings: Any, journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for it (`control sync`) reads the status."""
    pauses: list[float] = []
    now = select.select

    def at_once(read: Any, write: Any, other: Any, pause: float) -> Any:
        pauses.append(pause)
        return now(read, write, other, 0)

    monkeypatch.setattr(select, "select", at_once)
    reading, writing = os.pipe()
    one = Projector(home, settings, reading)
    far = SimpleNamespace(news=threading.Event(), behind=False)
    one.workers = [far]  # type: ignore[list-item]
    one.turn()
    os.write(writing, b"x")
    for behind in (False, False, False, True):
        far.behind = behind
        assert one._wait()
    assert far.news.is_set()
    assert pauses == [LOOK_S, GATHER_S, LOOK_S, GATHER_S]
    os.close(writing)
    assert not one._wait(), "its end is the end"
    os.close(reading)


def test_another_store_that_is_far_behind_catches_up_while_the_first_gets_what_trickles_in(
    home: Any, settings: Any, journal: Any
) -> None:
    journal.events(5)
    one = Projector(home, settings, None)
    one.turn()
    ledger, search = one.followers[0], next(each for each in one.followers if each.store.name == "search")
    journal.events(600, first=1000)
    while ledger.step():
        pass
    search.batch_bytes = 2_000
    search.step()
    step, count = ledger.step, [0]

    def trickling() -> bool:
        count[0] += 1
        journal.events(1, first=5000 + count[0])
        return bool(step())

    ledger.step = trickling  # type: ignore[method-assign]
    before = search.delivered
    one.turn()
    assert search.delivered - before > 10, "it does not wait for a time when the first has nothing"


def test_search_gets_its_share_while_the_ledger_is_busy(home: Any, settings: Any, journal: Any) -> None:
    journal.events(2500)
    one = Projector(home, settings, None)
    for follower in one.followers:
        follower.batch_bytes = 20_000
    steps: list[str] = []
    for follower in one.followers:
        step = follower.step

        def counted(step: Any = step, name: str = follower.store.name) -> bool:
            steps.append(name)
            return bool(step())

        follower.step = counted  # type: ignore[method-assign]
    one.turn()
    first = steps[:20]
    assert first.count("ledger") >= 18
    assert "search" in steps


def test_the_status_tells_lag_and_errors(home: Any, settings: Any, journal: Any, monkeypatch: Any) -> None:
    from levaithan.stores.roles import StoreBusyError

    journal.events(10)

    def down(*_: Any) -> Any:
        raise StoreBusyError(store="ledger", reason="disk full")

    monkeypatch.setattr("levaithan.stores.sqlite_ledger.SqliteLedger.apply", down)
    one = Projector(home, settings, None)
    one.turn()
    one.status.update(force=True)
    ledger, search = told(home), told(home, "search")
    assert (ledger["state"], ledger["lag_events"], ledger["error"]["code"]) == ("down", 11, "store_busy")
    assert ledger["error"]["message"].endswith("now: disk full. Nothing is lost, it is tried again.")
    assert ledger["error"]["fix"]
    assert (search["state"], search["lag_events"]) == ("ok", 0)


def test_a_ledger_that_cannot_be_used_is_a_lag_and_stops_no_other_store(
    home: Any, settings: Any, journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its URL cannot be used; then its driver cannot be loaded, at the same URL; then it can be used again."""
    settings.memory_model = "hashing"
    journal.events(5)
    projected(home, settings)
    journal.events(2, first=6)
    wrong = SimpleNamespace(**{**vars(settings), "ledger_url": "oracle://me:hunter2@host/x"})
    assert projected(home, wrong) == "idle"
    ledger = told(home)
    assert (ledger["state"], ledger["error"]["code"], ledger["seq"]) == ("down", "not_configured", 0)
    assert ledger["lag_events"] == 8, "of what is at another address nobody knows anything"
    assert "LEVAITHAN_LEDGER_URL begin with" in ledger["error"]["fix"]
    assert "then `levaithan restart`" in ledger["error"]["fix"]
    assert "hunter2" not in str(status.read(home))
    assert [told(home, name)["seq"] for name in OTHERS] == [8, 8, 8]
    part = Projector(home, wrong, None, part=1, stores=("ledger",))
    assert part.status.tell()["stores"]["ledger"]["state"] == "down", "the process that has it says it, too"
    assert _harmless(home, wrong, "journal-9.log") == 0, "the others' dead letters are delivered all the same"
    projected(home, settings)
    journal.events(3, first=8)
    with monkeypatch.context() as patch:
        patch.setitem(registry.ADAPTERS, ("ledger", "sqlite"), "no_such_driver.room:opened")
        projected(home, settings)
        ledger = told(home)
        assert (ledger["state"], ledger["seq"], ledger["lag_events"]) == ("down", 8, 3), "from where it was"
        assert "needs the package no_such_driver, which is not installed" in ledger["error"]["message"]
        assert "./setup.sh" in ledger["error"]["fix"] and "levaithan[postgres]" in ledger["error"]["fix"]
        journal.events(1, first=11)
        projected(home, settings)
        assert told(home)["lag_events"] == 4, "it grows, and the place is known across a restart"
    assert [told(home, name)["seq"] for name in OTHERS] == [12, 12, 12]
    one = Projector(home, settings, None)
    one.turn()
    assert one.followers[0].delivered == 4, "it goes on where it was"
    assert told(home)["lag_events"] == 0
    assert one.followers[0].store.rows("SELECT count(*), count(DISTINCT id) FROM events") == [(11, 11)]


OTHERS = ("search", "graph", "memory")


def projected(home: Any, settings: Any) -> str:
    """One turn of a projector that is started and ends; what it says that it does."""
    one = Projector(home, settings, None)
    one.turn()
    one.status.update(force=True)
    for follower in one.followers:
        follower.store.close()
    return one.status.doing


def test_one_store_that_cannot_be_opened_holds_up_no_other(home: Any, settings: Any, journal: Any) -> None:
    journal.events(5)
    one = Projector(home, SimpleNamespace(**{**vars(settings), "search_url": "nosuch://me:hunter2@host"}), None)
    one.turn()
    told = status.read(home)["stores"]  # type: ignore[index]
    assert told["ledger"]["seq"] == 6
    assert told["search"]["state"] == "down"
    assert told["search"]["lag_events"] == 6
    assert "no search adapter" in told["search"]["error"]["message"]
    assert "hunter2" not in str(told)
    for follower in one.followers:
        follower.store.close()
