"""The table of an incident's life: every step from every state, by a person and by the monitor, legal and not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from levaithan.incidents import effects, steps
from levaithan.incidents.book import Book
from levaithan.incidents.incident import STATES, Incident

AT = "2026-11-27T06:00:00.000000Z"
GOOD: dict[str, dict[str, Any]] = {
    "signal": {"firing": {}, "quiet": True},
    "ack": {},
    "assign": {"commander": "the on-call"},
    "note": {"note": "a word"},
    "mitigate": {"measure": "restarted it", "run": "run-1"},
    "resolve": {"fix": "commit 1", "verification": {"check": "c", "result": "pass"}, "regression": "tests/x.py"},
    "review": {},
    "close": {},
    "reopen": {"firing": {"evaluator/P3": 1.0}},
    "page": {"level": 1, "why": "unacknowledged"},
    "duplicate": {"of": "inc-other"},
    "false_positive": {"why": "a load test"},
    "draft": {"what": "draft"},
}
"""For each step a record that lacks nothing."""

PERSON: dict[str, dict[str, str]] = {
    "open": {"ack": "acknowledged", "assign": "open", "note": "open", "mitigate": "mitigated",
             "duplicate": "duplicate", "false_positive": "false_positive", "draft": "open"},
    "reopened": {"ack": "acknowledged", "assign": "reopened", "note": "reopened", "mitigate": "mitigated",
                 "duplicate": "duplicate", "false_positive": "false_positive", "draft": "reopened"},
    "acknowledged": {"assign": "acknowledged", "note": "acknowledged", "mitigate": "mitigated", "resolve": "resolved",
                     "duplicate": "duplicate", "false_positive": "false_positive", "draft": "acknowledged"},
    "mitigated": {"ack": "mitigated", "assign": "mitigated", "note": "mitigated", "resolve": "resolved",
                  "reopen": "reopened", "duplicate": "duplicate", "false_positive": "false_positive",
                  "draft": "mitigated"},
    "resolved": {"assign": "resolved", "note": "resolved", "review": "reviewed", "close": "closed",
                 "reopen": "reopened", "draft": "resolved"},
    "reviewed": {"assign": "reviewed", "note": "reviewed", "close": "closed", "draft": "reviewed"},
    "closed": {"note": "closed", "draft": "closed"},
    "duplicate": {"note": "duplicate"},
    "false_positive": {"note": "false_positive"},
}  # fmt: skip
"""What a person may do of an incident that owes nothing, and the state that it is in then."""

MONITOR: dict[str, dict[str, str]] = {
    "open": {"signal": "open", "note": "open", "mitigate": "mitigated", "resolve": "resolved", "page": "open",
             "draft": "open"},
    "reopened": {"signal": "reopened", "note": "reopened", "mitigate": "mitigated", "resolve": "resolved",
                 "page": "reopened", "draft": "reopened"},
    "acknowledged": {"signal": "acknowledged", "note": "acknowledged", "mitigate": "mitigated", "resolve": "resolved",
                     "page": "acknowledged", "draft": "acknowledged"},
    "mitigated": {"signal": "mitigated", "note": "mitigated", "resolve": "resolved", "reopen": "reopened",
                  "page": "mitigated", "draft": "mitigated"},
    "resolved": {"signal": "resolved", "note": "resolved", "close": "closed", "reopen": "reopened",
                 "draft": "resolved"},
    "reviewed": {"signal": "reviewed", "note": "reviewed", "close": "closed", "draft": "reviewed"},
    "closed": {"signal": "closed", "note": "closed", "draft": "closed"},
    "duplicate": {"signal": "duplicate", "note": "duplicate"},
    "false_positive": {"signal": "false_positive", "note": "false_positive"},
}  # fmt: skip


def standing(state: str, severity: str = "P3") -> tuple[Book, Incident]:
    """A book with an incident in `state` that lacks nothing for any step, and another one."""
    book = Book()
    made = Incident("inc-one", state=state, severity=severity, quiet=True, signals=1)
    made.actions = {"run-1": {"name": "restart", "phase": "verified", "at_s": 1.0}}
    book.incidents = {"inc-one": made, "inc-other": Incident("inc-other")}
    return book, made


def record(action: str, by: str, **more: Any) -> dict[str, Any]:
    """A step's record that lacks nothing."""
    return {"kind": "incident", "action": action, "incident": "inc-one", "by": by, "at": AT, **GOOD[action], **more}


@pytest.mark.parametrize(("state", "action"), list(itertools.product(STATES, steps.STEPS)))
@pytest.mark.parametrize("by", ["ada", "monitor"])
def test_every_step_from_every_state(state: str, action: str, by: str) -> None:
    allowed = (MONITOR if by == "monitor" else PERSON)[state].get(action)
    book, incident = standing(state)
    wrong = steps.refusal(incident, record(action, by), book.incidents, book.people)
    moved = book.take(record(action, by))
    if allowed is None:
        assert wrong is not None
        assert wrong.reason.endswith(".")
        assert wrong.fix
        assert (moved, incident.state) == (None, state)
        assert book.refused[-1]["action"] == action
    else:
        assert wrong is None
        assert (moved, incident.state) == (incident, allowed)
        assert book.refused == []


@pytest.mark.parametrize("name", ["measure", "fix", "why", "of", "commander"])
def test_a_step_that_lacks_what_it_needs_says_what(name: str) -> None:
    action = {"measure": "mitigate", "fix": "resolve", "why": "false_positive", "of": "duplicate",
              "commander": "assign"}[name]  # fmt: skip
    book, incident = standing("acknowledged")
    wrong = steps.refusal(incident, record(action, "ada", **{name: "  "}), book.incidents, book.people)
    assert wrong is not None
    assert wrong.reason == f"{action} lacks {name}."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verification": {"check": "c", "result": "fail"}}, "has not passed"),
        ({"verification": {"result": "pass"}}, "has not passed"),
        ({"verification": None}, "has not passed"),
    ],
)
def test_a_resolution_needs_a_check_that_passed(change: dict[str, Any], said: str) -> None:
    book, incident = standing("mitigated")
    wrong = steps.refusal(incident, record("resolve", "ada", **change), book.incidents, book.people)
    assert wrong is not None
    assert said in wrong.reason


def test_a_resolution_needs_a_quiet_detector_or_eyes() -> None:
    book, incident = standing("mitigated")
    incident.quiet, incident.signals = False, 1
    wrong = steps.refusal(incident, record("resolve", "ada"), book.incidents, book.people)
    assert wrong is not None
    assert "quiet" in wrong.reason
    seen = record("resolve", "ada", observed="the graph is flat")
    assert steps.refusal(incident, seen, book.incidents, book.people) is None
    by_itself = record("resolve", "monitor", observed="the graph is flat")
    assert steps.refusal(incident, by_itself, book.incidents, book.people) is not None


def test_what_is_about_an_address_that_nothing_uses_is_over_however_bad_it_was() -> None:
    """The monitor's step alone, and only for the very address that the incident is about."""
    gone = record("resolve", "monitor", left="redis-18ee2925")
    for change in (
        {"left": "embedded"}, {"left": ""}, {"left": None}, {"by": "ada"}, {"verification": None},
    ):  # fmt: skip
        book, incident = about_a_store()
        assert book.take(gone | change) is None, change
        assert incident.state == "open"
    book, incident = about_a_store()
    assert book.take(gone) is incident
    assert incident.state == "resolved"
    book, incident = about_a_store()
    incident.labels = {"store": "counters"}
    assert book.take(gone) is None


def about_a_store() -> tuple[Book, Incident]:
    book, incident = standing("open", "P1")
    incident.quiet, incident.store = False, "counters"
    incident.labels = {"store": "counters", "address": "redis-18ee2925"}
    return book, incident


OWED = [
    ({"severity": "P0"}, "P0"), ({"severity": "P1"}, "P1"), ({"data_loss": True}, "data loss"),
    ({"opened_by": "ada"}, "found by a person"), ({"ack_missed": True}, "acknowledgement timer missed"),
    ({"actions": {"r": {"name": "halt", "phase": "verified"}}}, "emergency stop"),
    ({"actions": {"r": {"name": "restart", "phase": "undone"}}}, "an action failed or was undone"),
    ({"actions": {"r": {"name": "restart", "phase": "failed"}}}, "an action failed or was undone"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "why"), OWED, ids=lambda one: one if isinstance(one, str) else "")
def test_what_owes_a_postmortem_is_neither_reviewed_nor_closed_without(change: dict[str, Any], why: str) -> None:
    from levaithan.incidents import owed

    book, incident = standing("resolved")
    assert owed.reasons(incident) == []
    for name, value in change.items():
        setattr(incident, name, value)
    assert why in owed.reasons(incident)
    for action in ("review", "close"):
        assert steps.refusal(incident, record(action, "ada"), book.incidents, book.people) is not None
    incident.state = "mitigated"
    assert steps.refusal(incident, record("resolve", "monitor"), book.incidents, book.people) is not None
    lacking = record("resolve", "ada", regression="")
    wrong = steps.refusal(incident, lacking, book.incidents, book.people)
    assert wrong is not None
    assert "fails when it comes again" in wrong.reason


def test_a_review_wants_a_second_pair_of_eyes_where_there_is_one() -> None:
    book, incident = standing("resolved", "P1")
    incident.postmortem = {"author": "ada", "missing": []}
    assert steps.refusal(incident, record("review", "ada"), book.incidents, {"ada": None, "monitor": None}) is None
    wrong = steps.refusal(incident, record("review", "ada"), book.incidents, {"ada": None, "bob": None})
    assert wrong is not None
    assert "somebody else" in wrong.fix
    assert steps.refusal(incident, record("review", "bob"), book.incidents, {"ada": None, "bob": None}) is None
    incident.postmortem["missing"] = ["Impact has a blank"]
    assert steps.refusal(incident, record("review", "bob"), book.incidents, {}) is not None


def test_action_items_are_done_or_accepted_until_a_day_that_has_not_passed() -> None:
    book, incident = standing("reviewed")
    incident.items = [{"what": "a", "status": "open"}, {"what": "b", "status": "open"}]
    for body in (
        {}, {"done": [1]}, {"done": [1], "accepted": {"2": "2020-01-01T00:00:00Z"}}, {"accepted": {"x": "y"}},
        {"done": [1, 3, "2"]},
    ):  # fmt: skip
        assert steps.refusal(incident, record("close", "ada", **body), book.incidents, {}) is not None
    good = record("close", "ada", done=[1], accepted={"2": "2100-01-01T00:00:00Z"})
    assert book.take(good) is incident
    assert [one["status"] for one in incident.items] == ["done", "accepted"]


def test_a_person_is_never_taken_for_the_monitor() -> None:
    from levaithan.incidents.incident import person_name

    assert person_name("ada") == "ada"
    assert person_name("monitor") != "monitor"


def test_every_step_has_an_effect_and_a_way_out() -> None:
    assert effects._EFFECTS.keys() == steps.STEPS.keys() == GOOD.keys()
    assert set(steps._WAY_OUT) == set(STATES)
