"""Slow questions are noted, whoever asks them: without their words, once, and within bounds."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import calls, homes

from levaithan.config import settings as settings_of
from levaithan.hot import paths
from levaithan.metrics.log_lines import SlowQuestions
from levaithan.metrics.tally import Tally
from levaithan.stores import slow
from levaithan.stores.edge import Edge
from levaithan.stores.registry import open_ledger
from levaithan.stores.roles import StoreDownError


def noted(folder: Path) -> list[dict[str, Any]]:
    file = folder / slow.FILE
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def edge(folder: Path) -> Edge:
    return Edge("search", "there", lambda _error: None, logs=str(folder))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each look at the clock moves it by."""
    by, now = [0.0], [100.0]

    def monotonic() -> float:
        now[0] += by[0]
        return now[0]

    monkeypatch.setattr("levaithan.stores.edge.time", SimpleNamespace(monotonic=monotonic))
    return by


def test_a_question_over_the_threshold_is_noted_without_its_words(tmp_path: Path, clock: list[float]) -> None:
    clock[0] = 0.1
    edge(tmp_path).call(lambda: "secret")
    assert noted(tmp_path) == []
    clock[0] = 0.3
    edge(tmp_path).call(lambda: "secret")
    (one,) = noted(tmp_path)
    assert (one["store"], one["operation"], one["event"]) == ("search", "query", "slow question")
    assert one["ms"] >= 300 and "secret" not in json.dumps(one)
    assert (tmp_path / slow.FILE).stat().st_mode & 0o777 == 0o600


def test_one_that_fails_late_is_noted_too(tmp_path: Path, clock: list[float]) -> None:
    clock[0] = 5.0

    def ask() -> None:
        raise StoreDownError(store="search", role="SEARCH", where="there", reason="timed out")

    with pytest.raises(StoreDownError):
        Edge("search", "there", lambda error: error, logs=str(tmp_path)).call(ask)  # type: ignore[arg-type,return-value]
    assert len(noted(tmp_path)) == 1


def test_what_changes_things_and_what_is_counted_elsewhere_is_not(tmp_path: Path, clock: list[float]) -> None:
    clock[0] = 0.3
    one = edge(tmp_path)
    one.call(lambda: 1, again=False)
    with slow.unsaid():
        one.call(lambda: 1)
    assert noted(tmp_path) == []
    Edge("search", "there", lambda _error: None).call(lambda: 1)  # of no home


def test_only_the_thread_that_said_so_is_silent(tmp_path: Path) -> None:
    with slow.unsaid():
        other = threading.Thread(target=slow.asked, args=("graph", 1.0, str(tmp_path)))
        other.start()
        other.join(10)
        slow.asked("graph", 1.0, str(tmp_path))
    assert [one["store"] for one in noted(tmp_path)] == ["graph"]


def test_the_log_is_bounded_and_a_folder_that_is_not_there_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow, "MOST_BYTES", 2000)
    for _ in range(100):
        slow.asked("graph", 1.0, str(tmp_path))
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert set(sizes) <= {slow.FILE, slow.FILE + ".1"} and max(sizes.values()) < 2400
    slow.asked("graph", 1.0, str(tmp_path / "none"))


def test_a_persons_slow_question_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger in the home, asked as a command asks it; the projector's batches there count otherwise."""
    monkeypatch.setitem(slow.SLOW_S, "query", 0.0)
    root = homes.make_home(tmp_path / "home", native=False)
    home = paths.home_at(root)
    calls.call(root, "oneshot")
    homes.cli(root, "audit", "list")
    folder, tally = Path(home.logs), Tally()
    looks = SlowQuestions(home.logs)
    ledger = open_ledger(settings_of.load(root, environ={}), home)
    ledger.cursor()
    ledger.close()
    asked = len(noted(folder))
    assert asked >= 1 and {one["store"] for one in noted(folder)} == {"ledger"}
    for _ in range(2):
        looks.collect(tally)
    assert tally.value("levaithan_store_slow_queries_total", ("ledger", "query")) == asked


def test_the_projector_and_the_monitors_own_look_are_counted_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levaithan.metrics import store_looks
    from levaithan.projector import loop

    monkeypatch.setitem(slow.SLOW_S, "query", 0.0)
    home = paths.home_at(homes.make_home(tmp_path / "home", native=False))
    settings = settings_of.load(home.root, environ={})
    for follower in loop.followers(home, settings):
        while follower.step():
            pass
        follower.store.close()
    assert noted(Path(home.logs)) == []
    tally = Tally()
    looks = store_looks.StoreLooks(home, settings, threads=False)
    looks.collect(tally, 0, time.time())
    looks.stop()
    assert noted(Path(home.logs)) == []
    assert tally.value("levaithan_store_slow_queries_total", ("ledger", "query")) == 1


@pytest.mark.parametrize("line", ["[1]", "{", '{"store":"s1","operation":"query"}', '{"store":"ledger"}', "7"])
def test_a_line_of_somebody_else_counts_for_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / slow.FILE).write_text(line + "\n")
    tally = Tally()
    SlowQuestions(str(tmp_path)).collect(tally)
    assert not sum(tally.table("levaithan_store_slow_queries_total").values())
