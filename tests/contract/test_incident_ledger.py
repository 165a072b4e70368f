"""Incidents and their evidence out of any ledger: the same fold, the same questions, whatever it is made of."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.incident_records import START_S, records
from tests.support.ledger_records import cursor, delivery

from levaithan.incidents import evidence, notes
from levaithan.incidents.incident import Incident
from levaithan.queries import notes as queries_notes


@pytest.fixture
def ledger(ledger_place: Any) -> Any:
    opened = ledger_place.open()
    opened.migrate()
    batch = [delivery(one) for one in records()]
    assert opened.apply(batch, cursor(len(batch))) == []
    yield opened
    opened.close()


def test_incidents_are_read_by_the_same_fold(ledger: Any) -> None:
    book = notes.book(ledger)
    (one,) = book.incidents.values()
    assert (one.id, one.state, one.fix) == ("inc-before", "resolved", "the rule was mended")
    assert [line["action"] for line in one.timeline] == ["open", "ack", "resolve"]
    assert all(line["seq"] for line in one.timeline)


def test_pages_of_records_go_on_where_the_last_one_ended(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [place for place, _ in queries_notes.records(ledger, "incident")]
    monkeypatch.setattr(queries_notes, "STEP", 1)
    assert [place for place, _ in queries_notes.records(ledger, "incident")] == whole
    assert len(whole) == 3


def test_the_evidence_is_the_same_from_each(ledger: Any) -> None:
    incident = Incident("inc-now", title="Refusals in a burst", alert="DenyBurst", started_s=START_S, project="/p")
    found = evidence.gather(incident, notes.book(ledger), ledger, now_s=START_S + 300, deadline_s=60)
    assert found.left_out == []
    assert (found.bad_events, found.rules[0]["count"]) == (60, 60)
    assert found.divergence is not None
    assert {one["value"] for one in found.contributors} >= {"new.rule", "Bash"}
    said = [one["what"] for one in found.changes]
    for new in ("version 9.9.9", "model claude-new", "tool mcp__new__tool"):
        assert f"first seen: {new}" in said
    assert "ConfigChange user_settings /s.json" in said
    assert found.rates["bad_per_minute_after"] == 4.0
    assert [one["id"] for one in found.nearest] == ["inc-before"]


def test_notes_are_found_by_an_index(ledger: Any) -> None:
    if ledger.name == "ledger" and not getattr(ledger, "shared", False):
        plan = " ".join(str(row) for row in ledger.rows("EXPLAIN QUERY PLAN " + queries_notes._SQL, {
            "kind": "incident", "at_us": 0, "journal": "", "seq": 0, "step": 10,
        }))  # fmt: skip
        assert "ix_journal_notes_kind" in plan
    else:
        rows = ledger.rows("SELECT indexname FROM pg_indexes WHERE tablename = 'journal_notes'", {})
        assert "ix_journal_notes_kind" in {row[0] for row in rows}
