"""`levaithan status` says who watches, which incidents are open all the same, and what a mode holds back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes

from levaithan.cli import status_monitor
from levaithan.cli.state import STATE
from levaithan.hot import modes
from levaithan.hot.paths import Home, home_at


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = homes.make_home(tmp_path / "home", native=False, monitor="on")
    monkeypatch.setattr(STATE, "home_argument", root)
    return home_at(root)


def answer(*, old_s: float = 1, up_s: float = 900, **more: Any) -> dict[str, Any]:
    """What a service says whose monitor wrote its state `old_s` ago."""
    updated = (datetime.now(UTC) - timedelta(seconds=old_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = {"pid": 7, "child": 7, "updated": updated, "doing": "watching", "firing": 2, "incidents": {}, "every_s": 5}
    return {"uptime_s": up_s, "monitor": told | more, "loops": {"monitor": {"last_error": "the monitor ended with 1"}}}


def told(home: Home, said: dict[str, Any] | None) -> list[tuple[str, str, str, str]]:
    return [(one["item"], one["status"], one["value"], one["remedy"]) for one in status_monitor.rows(home, said)]


def rows(root: str) -> dict[str, dict[str, Any]]:
    done = homes.cli(root, "status", "--json", check=False)
    found = json.loads(done.stdout)["rows"]
    assert len([one for one in found if one["item"] == "mode"]) == 1
    return {one["item"]: one for one in found}


def opened(root: str) -> None:
    homes.cli(root, "incident", "open", "--title", "It burns", "--severity", "P1")


def test_a_monitor_that_works_is_a_row_with_incidents_open_too(home: Home) -> None:
    assert told(home, answer()) == [("monitor", "ok", "watching, 2 alerts firing", "")]
    found = told(home, answer(incidents={"P2": 2}))
    assert [one[:2] for one in found] == [("incidents", "warn"), ("monitor", "ok")]
    failed = told(home, answer(failures={"look": {"error": "OSError: full"}}))
    assert [one[:2] for one in failed] == [("monitor", "warn"), ("monitor", "warn")]


def test_a_monitor_that_is_silent_or_dead_is_a_failure(home: Home) -> None:
    ((item, state, words, remedy),) = told(home, answer(old_s=75))
    assert (item, state, remedy) == ("monitor", "fail", "levaithan restart")
    assert "75 s" in words and "no alerts" in words
    ((_, state, words, remedy),) = told(home, answer(child=None))
    assert (state, remedy) == ("fail", "levaithan restart")
    assert "does not run" in words and "ended with 1" in words
    assert told(home, answer(pid=6))[0][1] == "fail", "what another process wrote is not its own"
    assert told(home, answer(old_s=500, every_s=300))[0][1] == "ok", "it looks seldom because it was told so"


def test_a_service_that_has_just_begun_is_given_time(home: Home) -> None:
    ((_, state, words, _),) = told(home, answer(child=None, up_s=2))
    assert state == "warn"
    assert "begins" in words


def test_with_no_service_incidents_are_counted_and_it_says_that_nothing_watches(home: Home) -> None:
    opened(home.root)
    found = rows(home.root)
    assert found["incidents"]["status"] == "fail"
    assert found["incidents"]["value"] == "1 open incident of severity P1"
    assert "nothing watches" in found["monitor"]["value"]
    assert found["monitor"]["remedy"] == "levaithan start"


def test_a_monitor_that_is_switched_off_is_said(tmp_path: Path) -> None:
    root = homes.make_home(tmp_path / "off", native=False, monitor="off")
    opened(root)
    with homes.serving(root):
        found = rows(root)
    assert (found["service"]["status"], found["monitor"]["status"]) == ("ok", "warn")
    assert "switched off" in found["monitor"]["value"]
    assert "LEVAITHAN_MONITOR=on" in found["monitor"]["remedy"]
    assert found["incidents"]["status"] == "fail"


def test_a_store_that_is_held_back_says_so_and_why(home: Home) -> None:
    homes.cli(home.root, "mode", "set", "degraded", "--reason", "lunch")
    found = rows(home.root)
    assert found["memory"]["value"].startswith("held, ")
    assert "embeddings are off" in found["memory"]["value"]
    assert found["memory"]["remedy"] == found["mode"]["remedy"]
    assert "catches up" in found["graph"]["remedy"]
    modes.break_circuit(home, "graph", 2**52, by="me", reason="it errs")
    graph = rows(home.root)["graph"]
    assert "circuit is broken" in graph["value"]
    assert "action undo" not in graph["remedy"], "a person's own is closed by that person"
    modes.break_circuit(home, "graph", 2**52, by="monitor (a-0cbccddd)", reason="it errs")
    assert rows(home.root)["graph"]["remedy"].endswith("at once by `levaithan action undo a-0cbccddd`")


def test_a_question_to_a_store_that_is_held_back_says_why_it_is_behind(home: Home) -> None:
    root = home.root
    with homes.serving(root):
        homes.sync(root)
        modes.break_circuit(home, "memory", 2**52, by="me", reason="it errs")
        homes.cli(root, "memory", "add", "a note that the memory does not get")
        said = homes.cli(root, "memory", "search", "note").stderr
    assert "the memory store is behind the journal (its circuit is broken until" in said
    assert "it errs" in said


def test_the_mode_names_the_way_out_of_a_halt(home: Home) -> None:
    homes.cli(home.root, "mode", "set", "halted", "--reason", "lunch")
    found = rows(home.root)
    assert found["mode"]["remedy"] == found["halt"]["remedy"]
    assert found["mode"]["remedy"].startswith("levaithan halt release h-")
