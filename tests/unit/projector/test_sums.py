"""The sums and the nodes that a journal makes, held against what an embedded ledger and graph hold of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import ledger_records
from tests.support.ledger_records import JournalFiles, event

from levaithan.hot.paths import Home, home_at
from levaithan.projector import compare as comparing
from levaithan.projector import sums
from levaithan.projector.compare import compare
from levaithan.projector.loop import catch_up
from levaithan.stores import registry, rollups

SETTINGS = SimpleNamespace(ledger_url=None, ledger_max_field_bytes=1 << 20, search=False, fsync="always", graph=True,
                           memory=False, graph_url=None)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two hours of a journal in two segments."""
    made = home_at(str(tmp_path))
    files = JournalFiles(made.journal)
    files.add(event(1, "SessionStart", tool_name=None, tool_use_id=None, payload={"model": "opus"}))
    files.events(5, first=2)
    files.add(event(8, machine="older"))
    files.segment()
    files.events(5, first=4001)
    files.add(event(4006, "PostToolUse", payload={"duration_ms": 3}))
    catch_up(made, SETTINGS, stores=("ledger", "graph"))
    return made


def compared(home: Home, name: str) -> Any:
    store = registry.open_store(name, SETTINGS, home)
    try:
        return compare(home, store)
    finally:
        store.close()


def change(home: Home, name: str, sql: str) -> None:
    with sqlite3.connect(f"{home.state}/{name}.sqlite3") as link:
        assert link.execute(sql).rowcount
    link.close()


def test_each_measure_of_a_sum_is_looked_at(home: Home) -> None:
    assert sorted(sums.MEASURES) == sorted(rollups.MEASURES)
    for name in rollups.MEASURES[::6]:
        change(home, "ledger", f"UPDATE rollups SET {name} = {name} + 1 WHERE event = 'PostToolUse'")
        assert compared(home, "ledger").folds_differ == ["rollups 2026-11-23T10//p/Bash/PostToolUse/allow"], name
        change(home, "ledger", f"UPDATE rollups SET {name} = {name} - 1 WHERE event = 'PostToolUse'")
    assert compared(home, "ledger").equal


def test_what_pruned_records_made_is_no_difference_and_the_rest_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sorted(Path(home.journal).glob("*.log"))[0].unlink()
    for name in ("ledger", "graph"):
        done = compared(home, name)
        assert done.equal, done
        assert done.pruned > 5
        for page in (1, 3, 8):
            monkeypatch.setattr(comparing, "_PAGE", page)
            assert compared(home, name).pruned == done.pruned
    change(home, "ledger", "DELETE FROM events WHERE seq < 9")  # as retention does
    assert not [one for one in compared(home, "ledger").folds_differ if one.startswith("rollups")]
    change(home, "ledger", "UPDATE rollups SET events = events + 1")
    done = compared(home, "ledger")
    assert [one for one in done.folds_differ if one.startswith("rollups")] == [
        "rollups 2026-11-23T10//p/Bash/PostToolUse/allow", "rollups 2026-11-23T10//p/Bash/PreToolUse/allow",
    ]  # fmt: skip
    change(home, "ledger", "UPDATE rollups SET events = events - 1, model = 'of a pruned record'")
    assert not [one for one in compared(home, "ledger").folds_differ if one.startswith("rollups")]
    change(home, "graph", "UPDATE nodes SET props = json_set(props, '$.machine', 'older') WHERE kind = 'Session'")
    assert compared(home, "graph").equal, "a pruned record said it"


def test_a_first_record_of_a_clock_that_was_ahead_hides_no_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_at(str(tmp_path))
    files = JournalFiles(home.journal)
    files.events(2)
    monkeypatch.setattr(ledger_records, "at", lambda _number: "2026-11-25T00:00:00.000000Z")
    files.segment()
    monkeypatch.undo()
    files.events(3, first=4001)
    files.add(event(8001))
    catch_up(home, SETTINGS, stores=("ledger",))
    sorted(Path(home.journal).glob("*.log"))[0].unlink()
    change(home, "ledger", "UPDATE rollups SET events = events + 1")
    assert compared(home, "ledger").folds_differ == ["rollups 2026-11-23T11//p/Bash/PreToolUse/allow"]
