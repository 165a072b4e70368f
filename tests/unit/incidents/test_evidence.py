"""What is gathered around an incident's start, from ledger, graph and memory: bounded, and said where it is not."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support import homes
from tests.support.incident_records import START, START_S, records
from tests.support.ledger_records import JOURNAL, START_US, at, cursor, delivery, event

from levaithan.config import settings as settings_of
from levaithan.errors import StoreError
from levaithan.hot import paths
from levaithan.incidents import around, draft, evidence, markdown, measured, notes, offline, ready, request
from levaithan.incidents.book import Book
from levaithan.incidents.incident import Incident
from levaithan.metrics import kept_state
from levaithan.metrics.tally import Tally
from levaithan.metrics.vitals import KEPT, Vitals
from levaithan.stores import registry


class Room:
    """A home whose stores hold `records`."""

    def __init__(self, folder: Path) -> None:
        self.home = paths.home_at(homes.make_home(folder / "home", native=False))
        settings = settings_of.load(self.home.root, environ={})
        self.stores: dict[str, Any] = {}
        batch = [delivery(one) for one in records()]
        for role in ("ledger", "graph", "memory"):
            store = self.stores[role] = registry.open_store(role, settings, self.home)
            store.migrate()
            assert store.apply(batch, cursor(len(batch))) == []
        self.incident = Incident(
            "inc-now", title="Refusals in a burst", text="refusals", alert="DenyBurst", severity="P2",
            started_s=START_S,
            detected_s=START_S + 120, project="/p", detection="security violations",
        )  # fmt: skip
        self.incident.timeline = [{"at_s": START_S, "action": "open", "by": "monitor", "words": "x", "seq": 700}]
        self.measured()
        self.book = notes.book(self.stores["ledger"])
        self.book.incidents["inc-now"] = self.incident

    def measured(self) -> None:
        """What the monitor kept: an hour, and at the start the refusals rise while a disk is as it was."""
        kept = Vitals(Tally())
        for minute in range(-60, 15):
            bad = minute >= 0
            figures = {"hook_events_total deny": 4.0 * bad, "tool_calls_total": 1.0 if bad else 30.0}
            figures |= {"system_disk_free_bytes": 5e9 + minute, "store_up graph": 1.0}
            kept.rows.append((START_S + 60 * minute + 20, figures))
        kept_state.write(self.home, {"more": {KEPT: kept.dump()}})

    def gather(self, **more: Any) -> evidence.Evidence:
        given = {"graph": self.stores["graph"], "memory": self.stores["memory"], "home": self.home, **more}
        return evidence.gather(self.incident, self.book, self.stores["ledger"], now_s=START_S + 300, **given)

    def close(self) -> None:
        for store in self.stores.values():
            store.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Room(tmp_path_factory.mktemp("evidence"))
    yield made
    made.close()


def test_the_events_around_the_start_are_there_and_can_be_cited(room: Room) -> None:
    found = room.gather(deadline_s=30)
    assert found.left_out == []
    assert found.bad_events == 60
    assert len(found.events) == around.SHOWN
    assert {one["rule"] for one in found.events} == {"new.rule"}
    assert found.rules == [{"rule": "new.rule", "decision": "deny", "count": 60}]
    numbers = {int(one["ref"]) for one in found.events}
    rows = room.stores["ledger"].rows("SELECT seq FROM events WHERE rule = 'new.rule'", {})
    assert numbers <= {row[0] for row in rows}
    assert "700" in found.refs()


def test_what_changed_in_the_day_before_is_found(room: Room) -> None:
    said = [one["what"] for one in room.gather(deadline_s=30).changes]
    assert "ConfigChange user_settings /s.json" in said
    assert "budget set ada" in said
    for new in ("version 9.9.9", "model claude-new", "tool mcp__new__tool"):
        assert f"first seen: {new}" in said
    assert not any("old.rule" in one or "Bash" in one for one in said)
    assert [one["at"] for one in room.gather(deadline_s=30).changes] == sorted(
        one["at"] for one in room.gather(deadline_s=30).changes
    )


def test_files_of_the_home_that_were_written_that_day_are_changes(room: Room) -> None:
    import os

    policy = next(Path(room.home.context, "policies").glob("*.toml"))
    for one in Path(room.home.root).rglob("*"):  # they are as old as the checkout, which may be of that very day
        os.utime(one, (START_S - 864_000, START_S - 864_000))
    os.utime(policy, (START_S - 600, START_S - 600))
    said = [one["what"] for one in room.gather(deadline_s=30).changes]
    assert f"written: context/policies/{policy.name}" in said
    assert sum(one.startswith("written:") for one in said) == 1


def test_the_moment_of_the_change_and_what_the_bad_calls_share(room: Room) -> None:
    found = room.gather(deadline_s=30)
    assert found.divergence is not None
    assert found.divergence["at"][:16] == at(START)[:16]
    assert found.divergence["after_per_minute"] > 10 * found.divergence["before_per_minute"]
    lifts = {(one["dimension"], one["value"]): one["lift"] for one in found.contributors}
    assert lifts["rule", "new.rule"] > 5
    assert lifts["tool", "Bash"] > 1.5
    assert ("hook", "policy_check") not in lifts
    assert found.rates["bad_per_minute_before"] == 0
    assert found.rates["bad_per_minute_after"] == pytest.approx(4.0)


def test_the_figures_that_went_otherwise_at_the_start_are_shown_before_and_after(room: Room) -> None:
    found = room.gather(deadline_s=30)
    assert found.metrics == [
        {"name": "hook_events_total deny", "before": 0.0, "at": 4.0, "least_after": 4.0, "most_after": 4.0},
        {"name": "tool_calls_total", "before": 30.0, "at": 1.0, "least_after": 1.0, "most_after": 1.0},
    ]
    page = markdown.render(room.incident, offline.write(room.incident, found), found, origin="a test")
    assert "measured: tool\\_calls\\_total: 30 in the half hour before, 1 in the quarter after" in page
    sent = request.body(room.incident, found, "claude-opus-5-5")["messages"][0]["content"][0]["text"]
    assert json.loads(sent.split("\n", 1)[1].rsplit("\n", 1)[0])["evidence"]["metrics"] == found.metrics


def test_of_a_time_that_no_monitor_kept_it_says_so(room: Room, tmp_path: Path) -> None:
    bare = paths.home_at(homes.make_home(tmp_path / "bare", native=False))
    found = room.gather(home=bare, deadline_s=30)
    assert found.metrics == []
    assert [one.partition(":")[0] for one in found.left_out] == ["metrics"]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([], []),
        ([(START_S - 60, {"a": 1.0}), (START_S + 5, {"a": 1.1})], []),
        ([(START_S - 60, {"a": 1.0}), (START_S + 5, {"a": 1.3, "new": 2.0, "nought": 0.0})], ["new", "a"]),
        ([(START_S - 60, {"a": 5.0, "gone": 1.0})], []),
        ([(START_S - 30, {"a": 5.0}), (START_S - 2000, {"a": 1.0})], []),
        ([(START_S + 901, {"a": 5.0}), (START_S - 60, {"a": 1.0})], []),
    ],
)
def test_what_counts_as_otherwise(rows: Any, names: list[str]) -> None:
    assert [one["name"] for one in measured.around(rows, START_S)] == names


def test_what_is_connected_and_what_was_alike(room: Room) -> None:
    found = room.gather(deadline_s=30)
    assert {"File"} <= {one["kind"] for one in found.neighbours}
    assert "/p/a.py" in {one["key"] for one in found.neighbours}
    (nearest,) = found.nearest
    assert (nearest["id"], nearest["fix"]) == ("inc-before", "the rule was mended")
    alone = room.gather(deadline_s=30, graph=None, memory=None)
    assert alone.neighbours == []
    assert [one["id"] for one in alone.nearest] == ["inc-before"]


def test_a_draft_of_it_is_whole_and_every_claim_can_be_looked_up(room: Room) -> None:
    found = room.gather(deadline_s=30)
    made = offline.write(room.incident, found)
    assert draft.checked(made, found.refs()) == (made, 0, 0)
    for name in ("summary", "impact", "timeline", "detection", "trigger", "contributing_factors", "action_items"):
        assert getattr(made, name), name
    assert "the rule was mended" in str(made.action_items)


def test_a_store_that_fails_or_hangs_leaves_out_its_part_alone(room: Room) -> None:
    class Hangs:
        def blast(self, *_: Any) -> Any:
            time.sleep(120)

    class Fails:
        def hybrid(self, *_: Any, **__: Any) -> Any:
            raise StoreError(store="memory", reason="it is not there")

    begun = time.monotonic()
    found = room.gather(graph=Hangs(), memory=Fails(), deadline_s=4.0)
    assert time.monotonic() - begun < 60, "it was waited for"
    assert found.bad_events == 60
    assert [one.partition(":")[0] for one in found.left_out] == ["graph", "memory"]


def test_where_no_time_is_left_it_says_so(room: Room) -> None:
    found = room.gather(deadline_s=0.0)
    assert {one.partition(":")[0] for one in found.left_out} >= {"events", "changes", "rates", "contributors"}
    assert offline.write(room.incident, found).summary


def test_a_ledger_of_one_day_calls_nothing_new(tmp_path: Path) -> None:
    from levaithan.incidents import changed
    from levaithan.stores.sqlite_ledger import SqliteLedger

    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    ledger.migrate()
    ledger.apply([delivery(event(number)) for number in range(20)], cursor(20))
    assert changed.changes(ledger, START_US + 100_000_000, None) == []
    assert around.divergence({}, START_US) is None
    empty = evidence.gather(Incident("inc-x", started_s=START_S), Book(), ledger, deadline_s=30)
    assert (empty.bad_events, empty.divergence, empty.contributors) == (0, None, [])
    ledger.close()


def test_a_reference_to_another_machines_journal_names_it() -> None:
    assert evidence.ref(JOURNAL, 7, JOURNAL) == "7"
    assert evidence.ref("k" * 32, 7, JOURNAL) == "kkkkkkkk:7"
    assert evidence.ref(JOURNAL, 7, "") == "7"


def test_a_change_point_is_found_where_it_is_and_not_where_there_is_none() -> None:
    start = 10_000 * 60_000_000
    steady = {10_000 - minute: 2 for minute in range(181)}
    assert around.divergence(steady, start) is None
    jumped = {minute: 2 if minute < 9_950 else 9 for minute in range(9_820, 10_001)}
    found = around.divergence(jumped, start)
    assert found is not None
    assert found["at"] == around.iso(9_950 * 60_000_000)


def test_the_monitor_has_it_lie_ready(room: Room) -> None:
    settings = settings_of.load(room.home.root, environ={})
    path = Path(ready.prepare(room.home, settings, room.incident.as_dict()))
    assert path == Path(room.home.logs, "incidents", "inc-now.md")
    page = path.read_text()
    assert "rule new.rule is in 100% of the bad calls" in page
    assert "the rule was mended" in page


def test_what_people_did_on_other_machines_is_told_to_a_monitor(room: Room) -> None:
    assert notes.elsewhere(room.stores["ledger"], (0, "", 0)) == ([], (0, "", 0))

    class Shared:
        journal = "k" * 32

        def rows(self, sql: str, values: dict[str, object]) -> Any:
            return room.stores["ledger"].rows(sql, values)

    told, place = notes.elsewhere(Shared(), (0, "", 0))  # type: ignore[arg-type]
    assert [one["action"] for one in told] == ["ack", "resolve"]
    assert notes.elsewhere(Shared(), place) == ([], place)  # type: ignore[arg-type]


def test_a_storm_of_refusals_elsewhere_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read is neither counted as nothing nor taken for the moment of a change."""
    from levaithan.stores.sqlite_ledger import SqliteLedger

    monkeypatch.setattr(around, "_MOST_READ", 300)
    monkeypatch.setattr(around, "_MOST_COUNTED", 300)
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    ledger.migrate()
    loud = {"decision": "deny", "rule": "r", "reason": "no", "project": "/loud"}
    ledger.apply([delivery(event(number, at=at(number), **loud)) for number in range(3_600)], cursor(3_600))
    for project in ("/loud", "/quiet"):
        place = around.place_of(Incident("inc-x", started_s=START_US / 1e6 + 3_500, project=project))
        counts, first = around.by_minute(ledger, place)
        assert sum(counts.values()) == (300 if project == "/loud" else 0)
        assert first == (START_US // 1_000_000 + 3_300) // 60 + 1
        assert around.divergence(counts, place.start_us, first) is None
        told = around.rates(ledger, place, counts, first)
        assert "events_per_minute_before" not in told
        assert ("bad_per_minute_before" in told) is (first * 60_000_000 < place.start_us - 60_000_000)
    ledger.close()
