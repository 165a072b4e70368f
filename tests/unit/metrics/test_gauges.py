"""What is looked at: stores, journal, budgets, leases, halts, guards, log, cost; and that each name there is is fed."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.ledger_records import JournalFiles, at
from tests.support.transcripts import Transcript
from tests.unit.metrics.conftest import T0, denied, record

from levaithan.hot import budgets, halts
from levaithan.hot.paths import Home
from levaithan.metrics import journal_looks, names, store_looks
from levaithan.metrics.families import FAMILIES, HISTOGRAM
from levaithan.metrics.gauges import Gauges, Outside, collect
from levaithan.metrics.holdings import Leases, deadlocks
from levaithan.metrics.log_lines import LogLines, said_by
from levaithan.metrics.projection_lag import ProjectionLag
from levaithan.metrics.slo import TARGETS, Objectives
from levaithan.metrics.tally import Tally
from levaithan.metrics.watching import Watching
from levaithan.projector import loop
from levaithan.projector.follower import Follower
from levaithan.projector.status import Status
from levaithan.stores import edge
from levaithan.stores.address import mark
from levaithan.stores.roles import StoreDownError

NOW = time.time()


def value(tally: Tally, name: str, *labels: str) -> float:
    found = tally.table("levaithan_" + name)
    assert labels in found, f"{name}{labels} is not there: {list(found)[:5]}"
    return found[labels]


@pytest.fixture
def journal(home: Home) -> JournalFiles:
    return JournalFiles(home.journal)


def test_the_machine_is_looked_at(home: Home, settings: Any) -> None:
    """By its name in records: two homes of one host are two."""
    Path(home.state, "machine-id").write_text("ada\n")
    tally = Tally()
    collect(tally, home, settings, NOW)
    where = ("ada", os.uname().nodename)
    assert 0 <= value(tally, "system_cpu_idle_ratio", *where) <= 1
    assert value(tally, "system_load1", *where) >= 0
    assert 0 < value(tally, "system_memory_available_bytes", *where) < value(tally, "system_memory_size_bytes", *where)
    assert 0 < value(tally, "system_disk_free_bytes", *where) <= value(tally, "system_disk_size_bytes", *where)
    assert value(tally, "system_open_fds", *where) > 2


def test_stores_that_answer_and_their_sizes(home: Home, settings: Any, journal: JournalFiles) -> None:
    journal.events(20)
    loop.catch_up(home, settings, stores=("ledger", "search", "graph", "memory"))
    tally = Tally()
    collect(tally, home, settings, NOW)
    for role in ("ledger", "search", "graph", "memory"):
        assert value(tally, "store_up", role, "embedded") == 1
        assert value(tally, "store_size_bytes", role, "embedded") > 0
        assert sum(tally.bins("levaithan_store_latency_seconds", (role, "query"))[:-1]) == 1
    assert "counters" not in {store for store, _ in tally.table("levaithan_store_up")}  # there is none without a server


class _Slow:
    """A store whose answer waits, then fails."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.asked = 0
        self.closed = 0

    def cursor(self) -> None:
        self.asked += 1
        if self.asked > 1:
            self.gate.wait(20)

    def health(self) -> Any:
        return SimpleNamespace(bytes=7)

    def close(self) -> None:
        self.closed += 1


def test_a_store_that_hangs_is_down_and_holds_nobody_up(
    home: Home, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(store_looks.registry, "known", lambda: ("ledger",))
    monkeypatch.setattr(store_looks.registry, "open_store", lambda *_: _Slow(gate))
    monkeypatch.setattr(store_looks, "LIMIT_S", 0.05)
    looks = store_looks.StoreLooks(home, settings)
    tally = Tally()
    deadline = time.monotonic() + 20
    while ("ledger", "embedded") not in tally.table("levaithan_store_up") and time.monotonic() < deadline:
        begun = time.monotonic()
        looks.collect(tally, 0, NOW)
        assert time.monotonic() - begun < 1
        time.sleep(0.02)
    assert value(tally, "store_up", "ledger", "embedded") == 0
    gate.set()
    while not value(tally, "store_up", "ledger", "embedded") and time.monotonic() < deadline:
        looks.collect(tally, 0, NOW)
        time.sleep(0.02)
    assert value(tally, "store_up", "ledger", "embedded") == 1
    looks.stop()


def test_who_looks_once_asks_all_stores_side_by_side_and_a_silent_server_once(
    home: Home, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, once = threading.Barrier(4, timeout=10), []

    class Silent(_Slow):
        def cursor(self) -> None:
            together.wait()
            once.append(edge._silent.get() is not None)
            raise StoreDownError(store="ledger", role="LEDGER", where="there", reason="silence")

    monkeypatch.setattr(store_looks.registry, "open_store", lambda *_: Silent(threading.Event()))
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False)
    looks.collect(tally, 0, NOW)
    assert once == [True] * 4
    assert set(tally.table("levaithan_store_up").values()) == {0.0}


def test_who_looks_once_takes_what_a_monitor_saw_of_the_store_in_use(
    home: Home, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def opened(role: str, *_: object) -> None:
        asked.append(role)
        raise StoreDownError(store=role, role=role.upper(), where="there", reason="silence")

    monkeypatch.setattr(store_looks.registry, "open_store", opened)
    seen: dict[str, Any] = {
        "ledger": {"address": "embedded", "up": 1.0, "bytes": 7.0},
        "search": {"address": "http-1f3a9c02", "up": 1.0, "bytes": None}, "graph": "?",
        "memory": {"address": "embedded", "up": 0.0, "bytes": None},
    }  # fmt: skip
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False, seen=lambda: seen)
    looks.collect(tally, 0, NOW)
    assert sorted(asked) == ["graph", "search"], "of these it knew nothing"
    up = {role: one for (role, _), one in tally.table("levaithan_store_up").items()}
    assert up == {"ledger": 1, "memory": 0, "search": 0, "graph": 0}
    assert value(tally, "store_size_bytes", "ledger", "embedded") == 7
    assert looks.seen(tally)["ledger"] == seen["ledger"]


def test_what_a_projector_said_of_stores_that_are_elsewhere_now_is_no_word_of_these(home: Home, settings: Any) -> None:
    """Its URLs were taken out of the settings since: it was the last to see the server, and a counters' store."""
    gone = {"state": "down", "where": "postgresql://ada:5432/levaithan", "lag_events": 900, "dead_letters": 3}
    here = {"state": "ok", "where": home.state + "/search.sqlite3", "lag_events": 0, "seq": 0}
    told = {"updated": at(0), "stores": {"ledger": gone, "counters": gone | {"where": "redis://ada"}, "search": here}}
    Path(home.run, "projector.json").write_text(json.dumps(told))
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False)
    looks._projector(tally, 900, NOW)
    assert list(tally.table("levaithan_store_lag_events")) == [("search", "embedded")]
    assert tally.table("levaithan_store_dead_letters") == {("search", "embedded"): 0.0}
    assert tally.table("levaithan_store_up") == {}


def test_a_store_is_told_where_the_running_projector_has_it(home: Home, settings: Any) -> None:
    """One of the two was started since the settings changed: its figures must not stand still."""

    def say(where: str, behind: int) -> None:
        one = {"state": "down", "where": where, "lag_events": behind, "dead_letters": 3, "pool": [1, 2]}
        now = datetime.now(UTC).isoformat()
        Path(home.run, "projector.json").write_text(json.dumps({"updated": now, "stores": {"ledger": one}}))

    there = "postgresql://ada:5432/levaithan"
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False)
    tally.set("levaithan_store_up", ("ledger", "embedded"), 1.0)
    say(there, 900)
    looks._projector(tally, 0, NOW)
    assert tally.table("levaithan_store_lag_events") == {("ledger", mark(there)): 900}
    assert tally.table("levaithan_store_up") == {("ledger", "embedded"): 1, ("ledger", mark(there)): 0}
    say(home.state + "/ledger.sqlite3", 0)
    looks._projector(tally, 0, NOW)
    for name in ("lag_events", "dead_letters", "pool_size"):
        assert list(tally.table(f"levaithan_store_{name}")) == [("ledger", "embedded")]
    assert tally.table("levaithan_store_up") == {("ledger", "embedded"): 1}, "which is asked for, and it answers"


@pytest.mark.parametrize(("took", "slow"), [(0.2, 0), (0.3, 1)])
def test_a_question_that_takes_long_is_a_slow_one(
    home: Home, settings: Any, monkeypatch: pytest.MonkeyPatch, took: float, slow: int
) -> None:
    class Clock:
        """Each question takes so long, by this clock."""

        now = 0.0

        def monotonic(self) -> float:
            self.now += took
            return self.now

    monkeypatch.setattr(store_looks.registry, "known", lambda: ("ledger",))
    gate = threading.Event()
    gate.set()
    monkeypatch.setattr(store_looks.registry, "open_store", lambda *_: _Slow(gate))
    monkeypatch.setattr(store_looks, "time", Clock())
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False)
    looks.collect(tally, 0, NOW)
    looks.stop()
    assert value(tally, "store_up", "ledger", "embedded") == 1
    assert value(tally, "store_slow_queries_total", "ledger", "query") == slow
    assert sum(tally.bins("levaithan_store_latency_seconds", ("ledger", "query"))[:-1]) == 1


def test_a_store_that_fails_is_down_and_its_failures_are_counted(
    home: Home, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levaithan.stores.roles import StoreDownError

    def down(*_: Any) -> Any:
        raise StoreDownError(store="ledger", reason="no route")

    monkeypatch.setattr(store_looks.registry, "open_store", down)
    tally = Tally()
    collect(tally, home, settings, NOW)
    assert value(tally, "store_up", "ledger", "embedded") == 0
    assert value(tally, "store_errors_total", "ledger", "down") == 1
    assert store_looks.reason_of("store_schema_newer") == "schema"
    assert store_looks.reason_of("whatever") == "other"


def test_what_the_projector_tells_is_taken_up(home: Home, settings: Any, journal: JournalFiles) -> None:
    journal.events(10)
    followers = loop.followers(home, settings, ("ledger", "search"))
    status = Status(home, followers)
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False)
    status.update(force=True)
    looks.collect(tally, 11, NOW)
    assert value(tally, "store_lag_events", "ledger", "embedded") == 11
    for one in followers:
        while one.step():
            pass
    status.update(force=True)
    looks.collect(tally, 11, NOW)
    assert value(tally, "store_lag_events", "ledger", "embedded") == 0
    assert value(tally, "store_lag_seconds", "ledger", "embedded") == 0
    assert value(tally, "store_dead_letters", "ledger", "embedded") == 0
    puts = sum(tally.bins("levaithan_store_latency_seconds", ("ledger", "put"))[:-1])
    assert puts == sum(followers[0].puts[:-1]) > 0
    looks.collect(tally, 11, NOW)
    assert sum(tally.bins("levaithan_store_latency_seconds", ("ledger", "put"))[:-1]) == puts  # counted once
    followers[0].failures["store_timeout"] = 3
    status.update(force=True)
    looks.collect(tally, 11, NOW)
    assert value(tally, "store_errors_total", "ledger", "timeout") == 3
    looks.collect(tally, 500, time.time() + 100)  # a projector that has fallen silent
    assert value(tally, "store_lag_events", "ledger", "embedded") == 489
    assert value(tally, "store_lag_seconds", "ledger", "embedded") > 60
    for one in followers:
        one.store.close()


def test_a_projector_that_delivered_nothing_since_its_start_is_late_all_the_same(
    home: Home, settings: Any, journal: JournalFiles
) -> None:
    tally, looks = Tally(), store_looks.StoreLooks(home, settings, threads=False)
    followers = loop.followers(home, settings, ("ledger",))
    status = Status(home, followers)
    journal.add(record("PreToolUse", 0))
    for seconds, late_s in ((0, 0), (40, 40)):
        status.update(force=True)  # it waits for the lock that another process has
        looks.collect(tally, 5, time.time() + seconds)
        assert value(tally, "store_lag_events", "ledger", "embedded") == 5
        assert value(tally, "store_lag_seconds", "ledger", "embedded") == pytest.approx(
            late_s + (seconds > 10) * seconds, abs=2
        )
    followers[0].step()
    status.update(force=True)
    looks.collect(tally, 0, time.time() + 50)
    assert value(tally, "store_lag_seconds", "ledger", "embedded") == 0
    followers[0].store.close()


def test_a_pool_of_connections_is_told() -> None:
    told = Follower(SimpleNamespace(name="ledger", found=[], pool=lambda: (2, 4)), SimpleNamespace())  # type: ignore[arg-type]
    from levaithan.projector.status import _store

    assert _store(told, 0)["pool"] == (2, 4)


def test_from_record_to_readable() -> None:
    tally, lag = Tally(), ProjectionLag()
    stores: dict[str, dict[str, Any]] = {"ledger": {"seq": 0}, "search": {"seq": 0}}
    lag.reached(tally, stores, NOW)
    lag.mark(NOW, 10, 10, NOW + 1)
    lag.mark(NOW + 0.1, 15, 5, NOW + 1)
    lag.mark(NOW - 3600, 20, 5, NOW + 1)  # read late: nobody knows
    lag.reached(tally, {"ledger": {"seq": 14}, "search": {"seq": 15}}, NOW + 3)
    assert sum(tally.bins("levaithan_projection_latency_seconds", ("ledger",))[:-1]) == 0
    assert tally.bins("levaithan_projection_latency_seconds", ("search",))[2] == 15  # within 5 s
    lag.reached(tally, {"ledger": {"seq": 30}, "search": {"seq": 30}}, NOW + 45)
    assert tally.bins("levaithan_projection_latency_seconds", ("ledger",))[5] == 15  # within 60 s


def test_a_journal_that_cannot_be_written_is_an_emergency(
    home: Home, settings: Any, journal: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally()
    collect(tally, home, settings, NOW)
    assert value(tally, "journal_writable") == 1
    assert sum(tally.bins("levaithan_journal_fsync_seconds")[:-1]) == 1
    assert not [name for name in os.listdir(home.logs) if "probe" in name]

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(journal_looks.os, "write", full)
        collect(tally, home, settings, NOW)
    assert value(tally, "journal_writable") == 0
    collect(tally, home, settings, NOW)
    assert value(tally, "journal_writable") == 1
    os.rename(journal.path, journal.path + ".away")
    os.mkdir(journal.path, 0o700)
    collect(tally, home, settings, NOW)
    assert value(tally, "journal_writable") == 0


def test_a_disk_that_hangs_is_an_emergency_too(
    home: Home, settings: Any, journal: JournalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, inside = threading.Event(), threading.Event()

    def hang(_home: Home) -> float:
        inside.set()
        gate.wait(20)
        return 0.001

    monkeypatch.setattr(journal_looks, "probe", hang)
    monkeypatch.setattr(journal_looks, "LIMIT_S", 0.05)
    looks, tally = journal_looks.JournalLooks(home), Tally()
    assert inside.wait(20)
    time.sleep(0.1)
    looks.collect(tally)
    assert value(tally, "journal_writable") == 0
    gate.set()
    until = time.monotonic() + 20
    while not value(tally, "journal_writable") and time.monotonic() < until:
        time.sleep(0.02)
        looks.collect(tally)
    assert value(tally, "journal_writable") == 1
    looks.stop()


def test_events_that_were_just_lost_say_so_too(home: Home, journal: JournalFiles) -> None:
    from levaithan.hot import gap

    assert journal_looks.probe(home) is not None
    gap.add(gap.files(home.journal), gap.Count(2, at(0), at(1), "full"))
    with pytest.raises(OSError, match="could not be recorded"):
        journal_looks.probe(home)
    for path in gap.files(home.journal):
        if os.path.exists(path):
            os.utime(path, (NOW - 3600, NOW - 3600))
    assert journal_looks.probe(home) is not None


def test_the_services_own_syncs_are_what_counts(home: Home, settings: Any) -> None:
    looks = journal_looks.JournalLooks(home, threads=False)
    tally = Tally()
    syncs = [0.0] * 14 + [0.5]
    syncs[5] = 100.0
    looks._served(tally, {"pid": 7, "journal": {"syncs": syncs}})
    syncs[6] = 10.0
    looks._served(tally, {"pid": 7, "journal": {"syncs": syncs}})
    looks._served(tally, {"pid": 8, "journal": {"syncs": syncs}})  # started anew: all of it is new
    bins = tally.bins("levaithan_journal_fsync_seconds")
    assert (bins[5], bins[6]) == (200, 20)
    assert looks.service_pid == 8


def test_budgets_are_shown_by_scope_and_period(home: Home, settings: Any) -> None:
    from levaithan.hot.spend import Spend

    month = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    limits = {
        "month": {"scope": "month", "usd": 100.0}, "day:/p": {"scope": "day", "usd": 5.0, "target": "/p"},
        "project": {"scope": "project", "usd": 20.0}, "session": {"scope": "session", "usd": 3.0},
        "agent": {"scope": "agent", "usd": 2.0},
    }  # fmt: skip
    budgets.state_file(home).change(lambda state: bool(state.update(limits=limits)) or True)
    transcript = Transcript(Path(home.root, "t"), "s1")
    transcript.spend(1.5, at=month)
    spend = Spend(home, json.loads)
    spend.one_step(lambda: spend.settle("s1", str(transcript.path), "/p"))
    spend.one_step(lambda: spend.reserve("s1/main", ["session:s1"], 250_000_000, time.time_ns() // 1000 + 10**8))
    spend.close()
    tally = Tally()
    gauges = Gauges(tally, home, settings, threads=False)
    gauges.labels.project("/p")
    gauges.collect(NOW)
    assert value(tally, "budget_limit_usd", "all", "none", "month") == 100
    assert value(tally, "budget_spent_usd", "all", "none", "month") == pytest.approx(1.5)
    assert value(tally, "budget_limit_usd", "project", "/p", "day") == 5
    assert value(tally, "budget_spent_usd", "project", "/p", "day") == pytest.approx(1.5)
    assert value(tally, "budget_spent_usd", "project", "/p", "none") == pytest.approx(1.5)
    assert value(tally, "budget_reserved_usd", "session", "none", "none") == pytest.approx(0.25)
    assert value(tally, "budget_limit_usd", "agent_type", "none", "none") == 2
    assert 0 < value(tally, "budget_period_remaining_seconds", "all", "none", "month") <= 31 * 86_400 + 3600
    assert ("session", "none", "none") not in tally.table("levaithan_budget_period_remaining_seconds")
    gauges.stop()


def _held(path: str, session: str, until_us: int, project: str = "/p", **waiting: int) -> dict[str, Any]:
    return {"path": path, "session": session, "agent": None, "project": project, "since_us": 0, "until_us": until_us,
            "fence": hash(path) % 1000, "waiting": waiting}  # fmt: skip


def test_circles_of_waiting_sessions_are_deadlocks() -> None:
    now = 10**12
    a, b, c = (_held(f"/{name}", name, now + 1) for name in "abc")
    assert deadlocks([a, b, c], now) == []
    a["waiting"], b["waiting"] = {"b": now}, {"a": now}
    assert len(deadlocks([a, b, c], now)) == 1
    b["waiting"], c["waiting"] = {"c": now}, {"a": now}
    assert len(deadlocks([a, b, c], now)) == 1  # three in a circle are one
    b["waiting"] = {"c": now - 901 * 10**6}  # it did not ask again
    assert deadlocks([a, b, c], now) == []
    d, e = _held("/d", "d", now + 1, "/q", e=now), _held("/e", "e", now + 1, "/q", d=now)
    a["waiting"], b["waiting"], c["waiting"] = {"b": now}, {"a": now}, {"a": now}
    assert sorted(map(str, deadlocks([a, b, c, d, e], now))) == ["/p", "/q"]


def test_leases_are_held_and_run_out(home: Home, settings: Any) -> None:
    from levaithan.hot.lease_book import Book

    now = time.time_ns() // 1000
    book = Book(home)
    holder = {"session": "s1", "agent": None, "project": "/p", "since_us": now}
    book.one_step(lambda: [book.take(f"/p/{name}", holder, now + 10**9) for name in ("a", "b")])
    book.close()
    tally = Tally()
    gauges = Gauges(tally, home, settings, threads=False)
    gauges.collect(NOW)
    assert value(tally, "leases_held", "/p") == 2
    assert value(tally, "lease_deadlocks", "/p") == 0
    assert value(tally, "lease_expired_total", "/p") == 0
    gauges.stop()
    leases = Leases()
    a, b = _held("/a", "a", now + 10), _held("/b", "b", now + 1000)
    leases.show(tally, gauges.labels, [a, b], now)
    leases.show(tally, gauges.labels, [], now + 20)  # b was given back before its time
    assert value(tally, "lease_expired_total", "/p") == 1
    assert tally.table("levaithan_leases_held") == {("none",): 0.0}


def test_halts_by_scope_and_a_file_that_cannot_be_read(home: Home, settings: Any) -> None:
    tally = Tally()
    halts.set_halt(home, "session", "s1", "a drill", "somebody")
    halts.set_halt(home, "session", "s2", "a drill", "somebody")
    collect(tally, home, settings, NOW)
    assert value(tally, "halts_active", "session") == 2
    assert value(tally, "halts_active", "all") == 0
    Path(home.halts).write_text("{broken")
    collect(tally, home, settings, NOW)
    assert value(tally, "halts_active", "all") == 1


def test_what_models_cost(home: Home, settings: Any, tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    transcript = Transcript(projects / "-p", "s1")
    transcript.spend(2.0)
    transcript.spend(1.0, model="claude-opus-5-5-20260101")
    transcript.spend(1.0, model="made-up-9")
    path = next((projects / "-p").glob("*.jsonl"))
    lines = [json.loads(line) | {"cwd": "/p"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    tally = Tally()
    gauges = Gauges(tally, home, settings, outside=Outside(transcripts=str(projects)), threads=False)
    gauges.collect(NOW)
    assert value(tally, "cost_usd_total", "claude-opus-5-5", "/p") == pytest.approx(3.0)
    assert value(tally, "tokens_total", "claude-opus-5-5", "/p", "output") == 150_000
    assert value(tally, "cost_usd_total", "other", "/p") == 0  # no price is guessed
    assert value(tally, "tokens_total", "other", "/p", "output") == 50_000
    transcript.spend(0.5)
    transcript.spend(0.5, model="claude-sonnet-5-5")
    gauges.collect(NOW)
    assert value(tally, "cost_usd_total", "claude-opus-5-5", "/p") == pytest.approx(3.5)
    assert value(tally, "cost_usd_total", "claude-sonnet-5-5", "/p") == 0  # it begins at 0, so that its increase shows
    gauges.collect(NOW)
    assert value(tally, "cost_usd_total", "claude-sonnet-5-5", "/p") == pytest.approx(0.25)
    gauges.stop()


def test_the_sums_agree_with_the_report_of_costs(home: Home, tmp_path: Path) -> None:
    """Grouped by SQLite, or call by call: the same money, prices by length of the prompt and by mode included."""
    import random

    from levaithan.cost import calls as record_of
    from levaithan.cost import report, scan
    from levaithan.hot.prices import Prices
    from levaithan.metrics import money

    chance = random.Random(3)
    transcript = Transcript(tmp_path / "projects" / "-p", "s1")
    for _ in range(300):
        usage = {
            "input_tokens": chance.choice([10, 90_000, 150_000, 250_000]), "output_tokens": chance.randrange(5000),
            "cache_read_input_tokens": chance.randrange(9000), "speed": chance.choice(["standard", "fast"]),
            "cache_creation_input_tokens": chance.randrange(500),
        }  # fmt: skip
        model = chance.choice(["claude-sonnet-4-5", "claude-haiku-5-5", "claude-opus-5-5", "made-up"])
        name = f"m{chance.random()}"
        transcript.line(name, usage, at=f"2026-11-{chance.randrange(10, 25)}T10:00:00.000Z", model=model)
    sources = scan.Sources()
    scan.of_folder(str(tmp_path / "projects"), sources)
    with record_of.opened(home) as calls:
        scan.scan(calls, sources)
        prices = Prices.load(home)
        rows = report.report(calls.all(), prices, "model")
        sums = money.sums_of(calls, prices)
    wanted = sum(row["nano_usd"] for row in rows if row["kind"] == "usage")
    assert sum(nano for _, _, nano, _ in sums) == pytest.approx(wanted, abs=300)
    assert sum(sum(tokens) for _, _, _, tokens in sums) == sum(row[name] for row in rows for name in names.TOKENS)


def test_the_log_by_level_and_component(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.write_bytes(b'{"event":"ready","level":"info"}\n{"event":"projector said","level":"warning"}\nhalf')
    tally, log = Tally(), LogLines(str(tmp_path))
    log.collect(tally)
    log.collect(tally)
    assert value(tally, "log_messages_total", "info", "service") == 1
    assert value(tally, "log_messages_total", "warning", "projector") == 1
    with path.open("ab") as file:
        file.write(b' a line\n{"event":"x","level":"error","component":"monitor"}\n')
    path.rename(tmp_path / "service.log.1")
    path.write_bytes(b'{"event":"y","level":"info","component":"invented"}\n')
    log.collect(tally)
    assert value(tally, "log_messages_total", "error", "monitor") == 1
    assert value(tally, "log_messages_total", "error", "other") == 1  # what is no JSON
    assert value(tally, "log_messages_total", "info", "other") == 1
    again = LogLines(str(tmp_path))
    again.load(json.loads(json.dumps(log.dump())))
    before = sum(tally.table("levaithan_log_messages_total").values())
    again.collect(tally)
    assert sum(tally.table("levaithan_log_messages_total").values()) == before
    assert said_by(b'{"event":"z","level":"shouting"}') == ("error", "service")
    assert said_by(b"[1]") == ("error", "other")


def test_what_is_left_of_the_error_budgets() -> None:
    tally, slo = Tally(), Objectives()
    slo.collect(tally, T0)
    tally.add("levaithan_hook_events_total", ("PreToolUse", "allow"), 10_000)
    tally.add("levaithan_hook_failures_total", ("policy_check", "crash"), 5)
    tally.add("levaithan_tasks_total", ("/p", "completed"), 90)
    tally.add("levaithan_tasks_total", ("/p", "failed"), 10)
    tally.add("levaithan_tasks_total", ("/p", "cancelled"), 50)
    tally.observe("levaithan_hook_duration_seconds", ("PreToolUse", "native"), 0.05, 99)
    tally.observe("levaithan_hook_duration_seconds", ("PreToolUse", "native"), 0.06, 1)
    tally.set("levaithan_store_up", ("ledger", "embedded"), 1.0)
    slo.collect(tally, T0 + 10)
    left = tally.table("levaithan_slo_error_budget_remaining_ratio")
    assert left["gate",] == pytest.approx(0.5)
    assert left["tasks",] == pytest.approx(-1.0)
    assert left["latency",] == pytest.approx(0.0)
    assert left["store",] == 1
    again = Objectives()
    again.load(json.loads(json.dumps(slo.dump())))
    again.collect(tally, T0 + 29 * 86_400)
    assert left["gate",] == pytest.approx(0.5)
    again.collect(tally, T0 + 31 * 86_400)
    tally.add("levaithan_hook_events_total", ("PreToolUse", "allow"), 10)
    again.collect(tally, T0 + 31 * 86_400)
    assert left["gate",] == 1
    assert set(TARGETS) == set(names.SLOS)


def test_guards_that_are_in_force_are_counted(home: Home, settings: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from levaithan.hot.catalogue import GUARDS
    from levaithan.install import command, hooks, watched

    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.setattr("levaithan.install.places.managed_places", list)
    client = Path(command.native_client(home))
    client.write_text("#!/bin/sh\nexit 0\n")
    client.chmod(0o755)
    project = Path(os.path.realpath(tmp_path)) / "project"
    project.mkdir()
    hooks.install(home, hooks.place_of(str(project)))
    outside = watched.outside(home)
    assert outside.transcripts == str(tmp_path / "person" / ".claude" / "projects")
    tally = Tally()
    collect(tally, home, settings, NOW, outside)
    everything = float(len(GUARDS))
    assert value(tally, "guards_expected", str(project)) == everything
    assert value(tally, "guards_installed", str(project)) == everything
    path = project / ".claude" / "settings.json"
    whole = json.loads(path.read_text())
    for change, left in (
        ({"disableAllHooks": True}, 0.0),
        ({"hooks": {name: told for name, told in whole["hooks"].items() if name != "PreToolUse"}}, everything - 1),
    ):
        path.write_text(json.dumps(whole | change))
        collect(tally, home, settings, NOW, outside)
        assert value(tally, "guards_installed", str(project)) == left
    path.write_text("{broken")
    collect(tally, home, settings, NOW, outside)
    assert value(tally, "guards_installed", str(project)) == 0
    path.unlink()
    collect(tally, home, settings, NOW, outside)
    assert value(tally, "guards_installed", str(project)) == 0
    path.parent.rmdir()
    project.rmdir()
    collect(tally, home, settings, NOW, outside)
    assert tally.table("levaithan_guards_expected") == {}


def test_every_name_there_is_is_fed(home: Home, journal: JournalFiles, tmp_path: Path) -> None:
    """After a rich journal and one look around each family has a sample that its code made: no dead names. What needs
    a source that may be absent has it here."""
    from levaithan.config import settings as settings_of
    from levaithan.hot.lease_book import Book

    chosen = settings_of.load(home.root, environ={}, value_usd_per_hour=80, value_minutes_per_task=30)
    for one in (
        record("UserPromptSubmit", 0, tool_use_id=None, redactions=1),
        denied("fs.delete-root", 1), denied("pace.loop", 1), denied("pace.calls", 1), denied("lease.held", 1),
        record("PreToolUse", 2, hooks=[{"hook": "policy_check", "error": "x"}], call="c"),
        record("PostToolUse", 3, call="c", payload={"duration_ms": 5, "tool_input": {"command": "git commit"}}),
        record("PostToolUseFailure", 3, call="d"), record("SubagentStart", 4, agent_id="a", tool_use_id=None),
        record("SessionStart", 0, tool_use_id=None, payload={"source": "startup"}),
        record("Stop", 5, tool_use_id=None), {"kind": "gap", "at": at(6), "dropped": 1}, {"kind": "event"},
        {"kind": "incident", "at": at(7), "incident": "i", "action": "open", "severity": "P1", "started_s": T0},
        *({"kind": "incident", "at": at(8), "incident": "i", "action": act} for act in ("ack", "mitigate", "resolve")),
        {"kind": "action", "at": at(9), "action": "halt", "phase": "verified", "run": "r"},
    ):  # fmt: skip
        journal.add(one)
    transcript = Transcript(tmp_path / "projects" / "-p", "s1")
    transcript.spend(2.0)
    line = json.loads(transcript.path.read_text())
    transcript.path.write_text(json.dumps(line | {"cwd": "/p"}) + "\n")
    budgets.state_file(home).change(
        lambda state: bool(state.update(limits={"day": {"scope": "day", "usd": 9.0}})) or True
    )
    book = Book(home)
    now = time.time_ns() // 1000
    holder = {"session": "s1", "agent": None, "project": "/p", "since_us": now}
    book.one_step(lambda: book.take("/p/a", holder, now + 10**9))
    book.close()
    Path(home.logs, "service.log").write_text('{"event":"ready","level":"info"}\n')
    outside = Outside(guards=lambda: {"": (4, 4)}, transcripts=str(tmp_path / "projects"))

    watching = Watching(home, chosen, outside=outside, threads=False)
    touched = _recording(watching.tally)
    while not watching.step().end:
        pass
    followers = loop.followers(home, chosen, ("ledger",))
    followers[0].store.pool = lambda: (0, 4)
    followers[0].failures["store_down"] = 1
    followers[0].puts[-2] += 1  # a batch over ten seconds
    while followers[0].step():
        pass
    Status(home, followers).update(force=True)
    watching.gauges.lag._know(["ledger"])
    watching.gauges.lag.mark(NOW, 1, 1, NOW)
    from levaithan.metrics import verification

    verification.slowly(home)
    watching.collect(NOW + 1)
    watching.gauges._leases._known["/p/gone", 1] = (now - 1, "/p")
    watching.collect(NOW + 2)
    watching.tally.set("levaithan_detector_last_run_timestamp_seconds", (), NOW)  # the monitor's to say, as is this:
    watching.tally.add("levaithan_log_pattern_new_total", ("error", "service"))
    touched.add("levaithan_build_info")  # said when the looks begin
    assert watching.tally.value("levaithan_store_slow_queries_total", ("ledger", "put")) == 1
    assert {family.name for family in FAMILIES} - touched == set()
    samples = {name for name, _, _ in watching.tally.series()}
    for family in FAMILIES:
        assert (family.name + "_count" if family.kind == HISTOGRAM else family.name) in samples, family.name
    followers[0].store.close()
    watching.stop()


def _recording(tally: Tally) -> set[str]:
    """The names that code adds to, sets or observes from now on; some are added to their tables."""
    touched = {
        "levaithan_hook_events_total", "levaithan_hook_duration_seconds", "levaithan_hook_runs_total",
        "levaithan_hook_run_seconds_total",
    }  # fmt: skip
    for method in ("add", "set", "observe", "replace", "raise_to", "add_bins"):
        inner = getattr(tally, method)

        def noting(name: str, *given: Any, _inner: Any = inner, _method: str = method) -> Any:
            nothing = (_method == "add" and given[1:] == (0.0,)) or (_method == "replace" and not given[0])
            if not nothing:
                touched.add(name)
            return _inner(name, *given)

        setattr(tally, method, noting)
    return touched


def test_the_log_s_lines_are_there_for_who_reads_what_they_say(tmp_path: Path) -> None:
    tally, log, file = Tally(), LogLines(str(tmp_path)), tmp_path / "service.log"

    def lines() -> list[bytes]:
        log.collect(tally)
        return log.lines

    assert lines() == []
    file.write_bytes(b"one\ntwo\nhal")
    assert lines() == [b"one", b"two"]
    assert lines() == []
    with file.open("ab") as more:
        more.write(b"f\n")
    assert lines() == [b"half"]
    with file.open("ab") as more:
        more.write(b"last\n")
    file.rename(tmp_path / "service.log.1")
    file.write_bytes(b"anew\n")
    assert lines() == [b"last", b"anew"]
    file.unlink()
    file.symlink_to("/etc/passwd")
    assert lines() == [], "a link is not followed"
