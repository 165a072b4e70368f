"""The fold takes any record, in any order, once or twice, and stands the same after it was put away and taken out."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.incident_stage import Stage

from levaithan.cli import incident_rows
from levaithan.incidents import markdown, offline
from levaithan.incidents.book import Book
from levaithan.incidents.engine import Engine
from levaithan.incidents.evidence import Evidence
from levaithan.incidents.steps import STEPS

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
IDS = st.sampled_from(["inc-a", "inc-b", "inc-c", ""])
FIELDS = ("title", "severity", "firing", "verification", "fix", "measure", "of", "why", "done", "accepted", "items",
          "level", "run", "quiet", "signals", "spend", "muted", "ended", "labels", "value", "postmortem", "what",
          "halt", "phase", "observed", "missing", "related", "frozen", "ref", "id", "seq", "waited_s")  # fmt: skip
RECORDS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["incident", "incident", "incident", "action", "halt", "event"]),
        "action": st.sampled_from([*STEPS, "open", "open", "set", "nonsense"]) | JUNK,
        "incident": IDS | JUNK,
        "by": st.sampled_from(["ada", "bob", "monitor", ""]) | JUNK,
        "at": st.sampled_from(["2026-11-27T06:00:00.000000Z", "2026-11-27T05:00:00.000000Z", "yesterday"]) | JUNK,
    },
    optional={name: JUNK for name in FIELDS},
)
GOOD = st.builds(
    lambda action, one, by, n: {
        "kind": "incident", "action": action, "incident": one, "by": by, "id": f"{n:032x}", "title": "t",
        "at": f"2026-11-27T06:{n % 60:02d}:00.000000Z", "severity": "P3", "fix": "f", "measure": "m", "of": "inc-b",
        "why": "w", "commander": "c", "verification": {"check": "c", "result": "pass"}, "observed": "o",
        "regression": "r", "level": 1,
    },
    st.sampled_from([*STEPS, "open", "open", "open"]), IDS, st.sampled_from(["ada", "bob", "monitor"]),
    st.integers(0, 200),
)  # fmt: skip


def folded(records: list[Any]) -> Book:
    book = Book()
    for record in records:
        book.take(record)
    return book


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS | GOOD | JUNK, max_size=40))
def test_any_records_fold_without_an_exception_and_can_be_put_away(records: list[Any]) -> None:
    book = folded(records)
    text = json.dumps(book.dump())
    again = Book.load(json.loads(text))
    assert json.dumps(again.dump()) == text
    for one in book.incidents.values():  # and whatever it is, it can be shown
        json.dumps(incident_rows.whole(one))
        assert list(incident_rows.lines(one))
        assert markdown.render(one, offline.write(one, Evidence(one.id)), origin="a test")


@settings(max_examples=200, deadline=None)
@given(st.lists(GOOD, max_size=40), st.integers(0, 40))
def test_a_restart_in_the_middle_changes_nothing(records: list[Any], at: int) -> None:
    first = folded(records[:at])
    second = Book.load(json.loads(json.dumps(first.dump())))
    for record in records[at:]:
        second.take(record)
    assert second.dump() == folded(records).dump()


@settings(max_examples=200, deadline=None)
@given(st.lists(GOOD, max_size=30, unique_by=lambda one: one["id"]))
def test_each_record_twice_is_each_record_once(records: list[Any]) -> None:
    twice = folded([one for record in records for one in (record, record)])
    once = folded(records)
    for book in (twice, once):
        book.refused.clear()
        book.waiting.clear()
    assert twice.dump() == once.dump()


def test_a_step_that_comes_before_its_incident_waits_for_it() -> None:
    stage = Stage()
    one = stage.fires()[0].incident.id
    stage.by_hand("ack", one)
    late = folded(stage.journal[::-1])
    assert late.incidents[one].state == "acknowledged"
    assert late.incidents[one].commander == "ada"


def test_a_record_without_a_number_of_an_older_version_is_an_incident_too() -> None:
    book = folded([{"kind": "incident", "id": "a" * 32, "at": "2026-11-27T06:00:00Z", "title": "t", "text": "x"}])
    assert book.incidents["a" * 32].title == "t"


def test_the_monitor_and_whoever_reads_its_journal_see_the_same() -> None:
    stage = Stage()
    chance = random.Random(5)
    for _ in range(400):
        alert = f"Alert{chance.randrange(12)}"
        severity = chance.choice(("P0", "P1", "P2", "P3"))
        what = chance.randrange(5)
        if what < 2:
            stage.fires(alert, severity)
        elif what == 2:
            stage.ends(alert, severity)
        elif stage.engine.open():
            one = chance.choice(stage.engine.open())
            stage.by_hand(chance.choice(("ack", "mitigate", "close")), one.id, measure="m")
        stage.pass_s(chance.choice((5, 90, 700)), step_s=60)
    read = stage.read_again()
    mine = stage.engine.book
    assert len(mine.incidents) > 15
    for one in mine.incidents.values():
        other = read.incidents[one.id]
        same = ("state", "severity", "page_level", "acknowledged_s", "mitigated_s", "fix", "commander", "ack_missed")
        assert {name: getattr(one, name) for name in same} == {name: getattr(other, name) for name in same}
        assert [line["action"] for line in one.timeline] == [line["action"] for line in other.timeline]


def test_a_restart_opens_nothing_twice_and_says_what_stands() -> None:
    stage = Stage()
    stage.fires()
    stage.pass_s(120)
    saved = json.loads(json.dumps(stage.engine.dump()))
    cut = len(stage.journal) - 1
    stage.engine = stage.another()
    assert stage.engine.load(saved)
    for record in stage.journal[cut:]:  # what the saved state has already comes again
        stage.engine.fold(record)
    told = stage.engine.tick(stage.now_s)
    assert [change.kind for change in told] == ["standing"]
    assert stage.fires() == []
    assert len(stage.engine.book.incidents) == 1


@pytest.mark.parametrize("values", [{}, {"format": 2}, {"format": 1, "book": {"incidents": [{}]}, "unwritten": []}])
def test_a_saved_state_that_cannot_be_read_is_none(values: dict[str, Any]) -> None:
    engine = Engine(lambda _kind, _body: None)
    assert engine.load(values) is False
    assert engine.book.incidents == {}


def test_two_machines_journals_make_one_list() -> None:
    one, two = Stage(), Stage()
    one.fires("HookErrors", "P1")
    two.fires("HookErrors", "P1")
    two.fires("StoreLag", "P2", detection="performance")
    one.by_hand("ack", one.one().id)
    one.write(
        "incident", {"action": "note", "incident": two.engine.open()[0].id, "by": "bob", "note": "seen from afar"}
    )
    both = sorted([*one.journal, *two.journal], key=lambda record: (record["at"], record["seq"]))
    book = folded(both)
    assert len(book.incidents) == 3
    assert {incident.state for incident in book.incidents.values()} == {"open", "acknowledged"}
    noted = book.incidents[two.engine.open()[0].id]
    assert noted.timeline[-1]["words"] == "seen from afar"
    two.engine.fold(one.journal[-1])  # a monitor that is told of another machine's record takes it, too
    assert two.engine.book.incidents[noted.id].timeline[-1]["words"] == "seen from afar"
