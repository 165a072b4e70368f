"""The table of modes, and the file that says where on it a home is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from levaithan.hot import modes
from levaithan.hot.paths import home_at


@pytest.fixture
def home(tmp_path: Path) -> Any:
    return home_at(str(tmp_path))


def test_what_decides_records_and_redacts_is_in_no_rung() -> None:
    off = {what for rung in modes.RUNGS for what in rung.off}
    optional = "embeddings log-patterns live-stream context-injection server-stores shared-state agents"
    assert off == set(optional.split())
    for never in ("gate", "journal", "redaction", "rules", "halts"):
        assert not any(never in what for what in off)


def test_things_go_off_in_the_promised_order_and_stay_off_further_down() -> None:
    assert modes.off_at(4) == ("embeddings", "log-patterns", "live-stream", "context-injection")
    for level in range(1, len(modes.RUNGS)):
        assert modes.off_at(level)[: len(modes.off_at(level - 1))] == modes.off_at(level - 1)
    assert [modes.RUNGS[level].mode for level in sorted(modes.LEVELS.values())] == list(modes.MODES)


def test_without_a_file_all_is_on(home: Any) -> None:
    assert modes.look(home)["mode"] == "normal" and modes.workers(home) == 1
    assert modes.held(home, "memory", remote=True) == "" and not modes.is_off(home, modes.EMBEDDINGS)


def test_a_mode_is_set_seen_and_only_where_it_is_what_was_expected(home: Any) -> None:
    assert modes.set_mode(home, 2, by="ann", reason="load") == (0, 2)
    now = modes.look(home)
    assert (now["mode"], now["level"], now["by"], now["reason"]) == ("degraded", 2, "ann", "load")
    assert modes.set_mode(home, 1, by="bob", reason="x", expect=3) == (2, 2)
    assert modes.is_off(home, modes.LOG_PATTERNS) and not modes.is_off(home, modes.LIVE_STREAM)


@pytest.mark.parametrize(
    ("level", "held"),
    list(enumerate(["", "memory", "memory", "memory counters", "memory counters", "ledger memory counters"])),
)
def test_which_stores_wait(home: Any, level: int, held: str) -> None:
    modes.set_mode(home, level, by="ann", reason="x")
    remote = {"ledger": True, "search": False, "memory": True, "counters": True}
    assert [name for name, far in remote.items() if modes.held(home, name, remote=far)] == held.split()


@pytest.mark.parametrize("level", [-1, 6, 7])
def test_a_rung_that_there_is_not(home: Any, level: int) -> None:
    with pytest.raises(ValueError, match="rung"):
        modes.set_mode(home, level, by="ann", reason="x")


@pytest.mark.parametrize("count", [0, 5])
def test_workers_are_bounded(home: Any, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 4"):
        modes.set_workers(home, count)


@pytest.mark.parametrize("text", [b"", b"{", b'{"level": 9}', b"\xff" * 100])
def test_a_damaged_file_is_the_normal_mode(home: Any, text: bytes) -> None:
    modes.set_mode(home, 3, by="ann", reason="x")
    Path(home.state, "mode.json").write_bytes(text)
    assert modes.look(home)["mode"] == "normal"
    assert modes.set_mode(home, 1, by="ann", reason="x") == (0, 1)


def test_a_circuit_is_broken_until_its_time_and_closed_by_whom_it_was_broken(home: Any) -> None:
    now = time.time_ns() // 1000
    modes.break_circuit(home, "search", now + 60_000_000, by="a", reason="slow")
    assert list(modes.breakers(home, now)) == ["search"] and modes.breakers(home, now + 61_000_000) == {}
    assert modes.close_circuit(home, "search", by="b") is False
    assert modes.close_circuit(home, "search", by="a") is True and modes.breakers(home) == {}


def test_the_modes_of_two_homes_are_apart(tmp_path: Path) -> None:
    one, two = home_at(str(tmp_path / "a")), home_at(str(tmp_path / "b"))
    modes.set_mode(one, 2, by="ann", reason="x")
    assert modes.look(two)["level"] == 0


def test_a_circuit_holds_the_address_that_it_was_broken_for_and_none_other(home: Any) -> None:
    until = time.time_ns() // 1000 + 60_000_000
    modes.break_circuit(home, "search", until, by="a", reason="slow", where="http://h:9200")
    assert modes.breakers(home)["search"]["where"] == "http://h:9200"
    for where, held in (("http://h:9200", True), ("http://h:9201", False), ("", True)):
        assert bool(modes.held(home, "search", remote=True, where=where)) is held
        assert bool(modes.circuit(home, "search", where)) is held


def test_a_circuit_that_names_no_address_holds_wherever_the_store_is(home: Any) -> None:
    """One of an older version, and one that a person breaks by hand."""
    modes.break_circuit(home, "search", time.time_ns() // 1000 + 60_000_000, by="a", reason="slow")
    assert set(modes.breakers(home)["search"]) == {"until", "by", "reason"}
    assert "slow" in modes.held(home, "search", remote=True, where="http://h:9200")
