"""Signals become incidents: one a fingerprint, reopened or new, muted, correlated, flapping, in a storm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.incident_stage import Stage, kinds

from levaithan.incidents import correlate, intake
from levaithan.incidents import engine as engine_of


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_signal_opens_one_incident_and_repeating_it_is_the_same_one(stage: Stage) -> None:
    first = stage.fires(value=3.0, threshold=1.0, fix="levaithan store status", runbook="docs/x.md")
    assert kinds(first) == ["opened"]
    for _ in range(200):
        assert stage.fires() == []
    assert len(stage.engine.book.incidents) == 1
    assert stage.one().signals == 201
    opened = stage.of_action("open")[0]
    assert (opened["title"], opened["severity"], opened["value"]) == ("StoreDown of a test", "P1", 3.0)
    assert stage.one().command == "levaithan store status"


def test_evaluator_and_alertmanager_speak_of_the_same_incident_and_both_must_be_quiet(stage: Stage) -> None:
    stage.fires(source="evaluator")
    assert stage.fires(source="alertmanager", started_s=stage.now_s + 1) == []
    stage.ends(source="evaluator")
    assert stage.one().quiet_since_s is None
    stage.ends(source="alertmanager", started_s=stage.now_s + 1)
    assert stage.one().quiet_since_s == stage.now_s


def test_nothing_is_detected_before_it_began(stage: Stage) -> None:
    """Alertmanager told of it while the monitor looked, or its clock is ahead of ours."""
    stage.fires(source="alertmanager", started_s=stage.now_s + 7)
    assert stage.one().started_s == stage.one().detected_s == stage.now_s
    stage.ends(source="alertmanager", started_s=stage.now_s + 7)
    assert stage.one().quiet_since_s == stage.now_s, "it is known by what its source says"
    stage.fires("TaskFailures", source="alertmanager", started_s=stage.now_s - 7)
    (later,) = (one for one in stage.engine.book.incidents.values() if one.alert == "TaskFailures")
    assert later.detected_s - later.started_s == 7


def test_an_alert_that_is_told_again_after_it_ended_opens_and_reopens_nothing(stage: Stage) -> None:
    begun = stage.now_s
    stage.fires("TaskFailures", "P3", source="alertmanager", started_s=begun)
    stage.ends("TaskFailures", "P3", source="alertmanager", started_s=begun)
    stage.pass_s(1900)
    assert stage.one().state == "resolved"
    assert stage.fires("TaskFailures", "P3", source="alertmanager", started_s=begun) == []
    assert stage.one().state == "resolved"
    assert kinds(stage.fires("TaskFailures", "P3", source="alertmanager", started_s=stage.now_s)) == ["reopened"]


def test_a_value_that_is_no_number_is_left_out(stage: Stage) -> None:
    stage.fires(value=float("nan"), threshold=float("inf"))
    stage.fires(value=float("nan"))
    stage.pass_s(120)
    assert "NaN" not in json.dumps(stage.journal) + json.dumps(stage.engine.dump())
    assert "Infinity" not in json.dumps(stage.journal)


def test_the_watchdog_opens_nothing(stage: Stage) -> None:
    assert stage.fires("Watchdog", "none") == []
    assert stage.engine.book.incidents == {}


def test_p3_resolves_by_itself_when_its_detector_is_quiet_and_not_a_moment_before(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.ends("ToolFailures", "P3")
    assert "resolved" not in kinds(stage.pass_s(1799))
    assert kinds(stage.pass_s(1)) == ["quiet", "resolved"]
    done = stage.one()
    assert (done.state, done.resolved_by, done.verification["check"]) == ("resolved", "monitor", "detector quiet")


def test_an_alert_that_waits_long_must_be_quiet_for_three_times_as_long(stage: Stage) -> None:
    stage.fires("BudgetForecast", "P2", for_s=1000.0)
    stage.ends("BudgetForecast", "P2", for_s=1000.0)
    stage.pass_s(2999)
    assert stage.one().state == "open"
    stage.pass_s(1)
    assert stage.one().state == "resolved"


@pytest.mark.parametrize("severity", ["P0", "P1"])
def test_what_owes_a_review_is_not_resolved_by_itself(stage: Stage, severity: str) -> None:
    stage.fires("HookErrors", severity)
    stage.ends("HookErrors", severity)
    assert "quiet" in kinds(stage.pass_s(4000))
    assert stage.one().state == "open"
    assert stage.one().quiet


def test_within_half_an_hour_of_its_resolution_it_is_the_same_incident(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.ends("ToolFailures", "P3")
    stage.pass_s(1800)
    stage.pass_s(1799)
    assert kinds(stage.fires("ToolFailures", "P3")) == ["reopened"]
    assert stage.one().state == "reopened"
    assert stage.one().acknowledged_s is None


def test_later_it_is_another_one(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.ends("ToolFailures", "P3")
    stage.pass_s(1800)
    stage.pass_s(1831)
    assert kinds(stage.fires("ToolFailures", "P3")) == ["opened"]
    assert len(stage.engine.book.incidents) == 2


def test_three_reopenings_within_an_hour_freeze_automation_and_say_so(stage: Stage) -> None:
    stage.fires("StoreLag", "P2")
    told: list[str] = []
    for number in range(3):
        stage.action(stage.one().id, "verified", run=f"run-{number}")
        stage.pass_s(60)
        assert stage.one().state == "mitigated"
        stage.ends("StoreLag", "P2")
        stage.pass_s(60)
        assert stage.one().frozen is False
        told += kinds(stage.fires("StoreLag", "P2"))
    assert told == ["reopened", "reopened", "reopened", "flapping"]
    assert stage.one().frozen
    assert stage.read_again().incidents[stage.one().id].frozen


def test_an_action_of_before_a_reopening_does_not_mitigate_again(stage: Stage) -> None:
    stage.fires("StoreLag", "P2")
    stage.action(stage.one().id, "verified")
    stage.pass_s(30)
    stage.ends("StoreLag", "P2")
    stage.pass_s(30)
    stage.fires("StoreLag", "P2")
    stage.pass_s(120)
    assert stage.one().state == "reopened"


def test_a_verified_action_mitigates_and_a_failed_one_tells_more_people_once(stage: Stage) -> None:
    stage.fires()
    stage.action(stage.one().id, "failed", run="a")
    assert kinds(stage.pass_s(60)) == ["escalated"]
    assert (stage.one().page_level, stage.one().severity) == (1, "P1")
    stage.action(stage.one().id, "verified", run="b")
    assert kinds(stage.pass_s(30)) == ["mitigated"]
    assert "restart_projector" in stage.one().measure


def test_a_severity_that_rises_is_told_and_never_falls(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    assert kinds(stage.fires("ToolFailures", "P2")) == ["raised"]
    stage.ends("ToolFailures", "P2")
    stage.fires("ToolFailures", "P3")
    assert stage.one().severity == "P2"
    assert stage.read_again().incidents[stage.one().id].severity == "P2"


MUTED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"alert": "StoreDown", "severity": "P1", "labels": {"store": "graph"}},
        {"alert": "StoreLag", "severity": "P1", "detection": "performance", "labels": {"store": "graph"}},
    ),
    (
        {"alert": "StoreDown", "severity": "P1", "labels": {"store": "graph"}},
        {"alert": "DeadLetters", "severity": "P2", "detection": "performance", "labels": {"store": "graph"}},
    ),
    (
        {"alert": "JournalUnwritable", "severity": "P0"},
        {"alert": "StoreLag", "severity": "P1", "detection": "performance"},
    ),
    ({"alert": "ScrapeDown", "severity": "P1"}, {"alert": "Any", "severity": "P1", "source": "alertmanager"}),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), MUTED, ids=lambda one: one["alert"])
def test_what_the_greater_trouble_explains_opens_nothing(first: dict[str, Any], second: dict[str, Any]) -> None:
    stage = Stage()
    stage.fires(**first)
    assert stage.fires(**second) == []
    assert stage.one().muted == {second["alert"]: 1}
    stage.ends(**first)
    assert kinds(stage.fires(**second)) == ["opened"]


LESS_BAD = {"alert": "ToolFailures", "severity": "P3"}


def test_the_less_bad_of_the_same_opens_nothing_and_may_end_a_moment_later(stage: Stage) -> None:
    """Alertmanager may tell between the ends of two alerts of one trouble."""
    stage.fires("HookErrors", "P1")
    assert stage.fires(**LESS_BAD) == []
    stage.ends("HookErrors", "P1")
    assert stage.fires(**LESS_BAD) == []
    assert stage.one().muted == {"ToolFailures": 2}
    stage.ends(**LESS_BAD)
    assert "opened" not in kinds(stage.pass_s(3 * correlate.LINGERS_S))
    assert kinds(stage.fires(**LESS_BAD)) == ["opened"], "it is a trouble of its own"


@pytest.mark.parametrize("restarted", [False, True])
def test_the_less_bad_that_goes_on_is_told_a_moment_later_though_nobody_says_it_again(
    stage: Stage, restarted: bool
) -> None:
    """Alertmanager repeats itself after minutes or hours."""
    stage.fires("HookErrors", "P1")
    stage.ends("HookErrors", "P1")
    assert stage.fires(**LESS_BAD) == []
    if restarted:
        kept = json.loads(json.dumps(stage.engine.dump()))
        stage.engine = stage.another()
        assert stage.engine.load(kept)
    assert "opened" in kinds(stage.pass_s(2 * correlate.LINGERS_S))
    assert {one.alert for one in stage.engine.open()} == {"HookErrors", "ToolFailures"}
    assert stage.engine.held == {}


def test_no_more_is_held_back_than_fits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST_HELD", 2)
    stage.fires("HookErrors", "P1")
    stage.ends("HookErrors", "P1")
    for name in ("A", "B", "C"):
        stage.fires(name, "P3")
    assert [one.alert for one in stage.engine.open()] == ["HookErrors", "C"]


def test_what_was_resolved_at_once_mutes_the_less_bad_of_the_same_a_moment_longer() -> None:
    stage = Stage(incident_quiet_s=3)
    stage.fires("HookErrors", "P2")
    stage.ends("HookErrors", "P2")
    stage.pass_s(4, step_s=1)
    assert stage.one().state == "resolved"
    assert stage.fires(**LESS_BAD) == []
    assert stage.fires("StoreBehind", "P3", detection="performance"), "another trouble is told at once"
    assert "opened" in kinds(stage.pass_s(2 * correlate.LINGERS_S))


def test_an_incident_by_hand_has_no_detector_that_could_have_just_ended(stage: Stage) -> None:
    stage.by_hand("open", "inc-hand", title="seen", severity="P1", detection="high error rate")
    stage.fires(**LESS_BAD)
    assert [one.severity for one in stage.engine.open()] == ["P1", "P3"]


def test_what_is_mitigated_and_still_fires_mutes_as_before(stage: Stage) -> None:
    """A budget that is passed is throttled at once; that it is nearly spent, too, is no news."""
    budget = {"detection": "budget exceeded", "labels": {"project": "/p"}}
    stage.fires("BudgetSpent", "P1", **budget)
    stage.action(stage.one().id, "verified", name="throttle_session")
    stage.pass_s(30)
    assert stage.one().state == "mitigated"
    assert stage.fires("BudgetNearlySpent", "P2", **budget) == []
    assert stage.one().muted == {"BudgetNearlySpent": 1}


def test_another_stores_lag_is_not_muted(stage: Stage) -> None:
    stage.fires("StoreDown", "P1", labels={"store": "graph"})
    told = stage.fires("StoreLag", "P1", detection="performance", labels={"store": "search"})
    assert kinds(told) == ["opened"]


def test_where_everything_is_halted_nobody_is_told_that_tasks_do_not_succeed(stage: Stage) -> None:
    stage.write("halt", {"action": "set", "halt": {"id": "h1", "scope": "all", "expires_at": None}})
    stage.engine.fold(stage.journal[-1])
    assert stage.fires("TaskSuccess", "P2") == []
    stage.write("halt", {"action": "release", "halt": {"id": "h1"}})
    stage.engine.fold(stage.journal[-1])
    assert kinds(stage.fires("TaskSuccess", "P2")) == ["opened"]


def test_incidents_of_one_place_at_one_time_belong_together_and_are_paged_once(stage: Stage) -> None:
    stage.fires("HookErrors", "P1", labels={"project": "/p"})
    parent = stage.one()
    stage.pass_s(60)
    told = stage.fires("BudgetFast", "P2", detection="budget exceeded", labels={"project": "/p"})
    child = told[0].incident
    assert (child.parent, child.related, parent.related) == (parent.id, [parent.id], [child.id])
    paged = [one.incident.id for one in stage.pass_s(4000) if one.kind == "escalated"]
    assert paged
    assert set(paged) == {parent.id}


def test_far_apart_in_time_or_place_they_do_not(stage: Stage) -> None:
    stage.fires("HookErrors", "P1", labels={"project": "/p"})
    assert stage.fires("DiskLow", "P2", detection="performance", labels={"project": "/q"})[0].incident.parent == ""
    stage.pass_s(700)
    told = stage.fires("BudgetFast", "P2", detection="budget exceeded", labels={"project": "/p"})
    assert told[0].incident.parent == ""


def test_the_graphs_neighbours_bring_sessions_together(stage: Stage) -> None:
    stage.engine.alike = lambda session: {"s1"} if session == "s2" else set()
    stage.fires("Denied", "P2", session_id="s1")
    told = stage.fires("SecretSeen", "P2", detection="security violations", session_id="s2")
    assert told[0].incident.parent


def test_ten_thousand_alerts_of_a_few_fingerprints_write_few_records(stage: Stage) -> None:
    for number in range(10_000):
        stage.fires("HookErrors", "P1", labels={"project": f"/p{number % 20}"})
        if number % 500 == 0:
            stage.pass_s(1)
    stage.pass_s(60)
    assert len(stage.engine.book.incidents) == 20
    assert len(stage.journal) <= 3 * 20
    assert sum(one.signals for one in stage.engine.book.incidents.values()) == 10_000


def test_a_storm_of_ten_thousand_fingerprints_is_few_incidents_and_ends(stage: Stage) -> None:
    signals = [stage.signal("HookErrors", "P2", labels={"project": f"/p{number}"}) for number in range(10_000)]
    stage.engine.take(signals, stage.now_s)
    assert len(stage.engine.book.incidents) == intake.STORM_OPENS + 1
    stage.engine.take(signals, stage.now_s)
    stage.pass_s(60)
    assert len(stage.engine.book.incidents) == intake.STORM_OPENS + 1
    storm = stage.engine.book.current(intake.STORM)
    assert storm is not None
    assert (storm.alert, len(storm.firing)) == ("AlertStorm", 10_000 - intake.STORM_OPENS)
    assert len(stage.journal) < 4 * intake.STORM_OPENS
    assert max(len(str(record)) for record in stage.journal) < 20_000
    over = [stage.signal("HookErrors", "P2", firing=False, labels={"project": f"/p{n}"}) for n in range(10_000)]
    stage.engine.take(over, stage.now_s)
    stage.pass_s(1900)
    assert {one.state for one in stage.engine.book.incidents.values()} == {"resolved"}


def test_a_worse_alert_in_a_storm_makes_the_storm_worse(stage: Stage) -> None:
    for number in range(intake.STORM_OPENS + 1):
        stage.fires("HookErrors", "P2", labels={"project": f"/p{number}"})
    told = stage.fires("StoreDown", "P1", labels={"project": "/other"})
    assert kinds(told) == ["raised"]
    assert told[0].incident.severity == "P1"


def test_a_p0_opens_its_own_incident_even_in_a_storm_and_that_has_an_end(stage: Stage) -> None:
    for number in range(intake.STORM_OPENS + 1):
        stage.fires("HookErrors", "P2", labels={"project": f"/p{number}"})
    for number in range(intake.STORM_P0 - 1):
        assert kinds(stage.fires("GateFailing", "P0", labels={"project": f"/q{number}"})) == ["opened"]
    assert kinds(stage.fires("GateFailing", "P0", labels={"project": "/more"})) == ["raised"]


def test_alerts_that_never_end_fill_no_journal(stage: Stage) -> None:
    for number in range(3_000):
        stage.fires("HookErrors", "P2", labels={"project": f"/p{number}"}, source="alertmanager")
        if number % 50 == 49:
            stage.pass_s(60)
    assert len(stage.engine.open()) == intake.MOST_ACTIVE + 1
    stage.engine.load(stage.engine.dump())


def test_a_clock_that_jumps_makes_no_second_incident_of_what_comes_back(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.ends("ToolFailures", "P3")
    stage.pass_s(1800)
    stage.now_s += 7200
    stage.pass_s(60)
    assert kinds(stage.fires("ToolFailures", "P3")) == ["reopened"]


def test_what_was_resolved_long_before_the_monitor_began_is_not_reopened(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.ends("ToolFailures", "P3")
    stage.pass_s(1800)
    stage.engine = stage.another()
    for record in stage.journal:
        stage.engine.fold(record)
    stage.now_s += 7200
    assert kinds(stage.fires("ToolFailures", "P3")) == ["opened"]


def test_a_journal_that_cannot_be_written_keeps_no_incident_from_standing(stage: Stage) -> None:
    stage.full = True
    assert kinds(stage.fires("JournalUnwritable", "P0")) == ["opened"]
    assert "No space left" in stage.engine.trouble
    assert kinds(stage.pass_s(300)) == ["escalated"]
    assert stage.journal == []
    stage.full = False
    stage.pass_s(5)
    assert [one["action"] for one in stage.journal][:2] == ["open", "signal"]
    assert stage.engine.trouble == ""
    assert stage.read_again().incidents.keys() == stage.engine.book.incidents.keys()


def test_of_too_many_records_that_wait_counters_go_first_and_what_else_goes_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_of, "MOST_UNWRITTEN", 3)
    stage.full = True
    stage.fires("ToolFailures", "P2")
    (one,) = stage.engine.open()
    for number in range(5):
        stage.engine.step(one.id, "signal", stage.now_s, signals=number)
    assert [entry["action"] for entry in stage.engine.unwritten] == ["open", "signal", "signal"]
    assert stage.engine.dropped == 0
    for number in range(4):
        stage.engine.step(one.id, "note", stage.now_s, note=f"note {number}")
    assert stage.engine.dropped == 2
    assert "No space left" in stage.engine.trouble
    stage.full = False
    stage.engine.tick(stage.now_s)
    assert stage.engine.unwritten == []
    assert stage.engine.trouble.startswith("2 steps were not recorded")


def test_a_false_alarm_that_goes_on_opens_nothing_until_it_has_stopped(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.by_hand("false_positive", stage.one().id, why="a load test")
    assert kinds(stage.pass_s(60)) == ["false_positive"]
    assert stage.fires("ToolFailures", "P3") == []
    stage.ends("ToolFailures", "P3")
    stage.pass_s(60)
    assert kinds(stage.fires("ToolFailures", "P3")) == ["opened"]


def test_signals_of_a_duplicate_go_to_the_incident_that_it_is_one_of(stage: Stage) -> None:
    first = stage.fires("HookErrors", "P1", labels={"project": "/p"})[0].incident
    other = stage.fires("GateSlow", "P1", detection="performance", labels={"project": "/q"})[0].incident
    stage.by_hand("duplicate", other.id, of=first.id)
    assert kinds(stage.pass_s(1)) == ["duplicate"]
    before = first.signals
    assert stage.fires("GateSlow", "P1", detection="performance", labels={"project": "/q"}) == []
    assert first.signals == before + 1


def test_a_source_that_falls_silent_does_not_keep_an_incident_firing_for_ever(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.pass_s(299)
    assert stage.one().firing
    stage.pass_s(1)
    assert not stage.one().firing
    stage.pass_s(1800)
    assert stage.one().state == "resolved"


def test_what_was_resolved_by_itself_is_closed_after_a_day(stage: Stage) -> None:
    stage.fires("ToolFailures", "P3")
    stage.ends("ToolFailures", "P3")
    stage.pass_s(1800)
    stage.pass_s(86_400, step_s=60)
    assert stage.one().state == "closed"


def test_counters_are_written_once_a_minute_at_most(stage: Stage) -> None:
    stage.fires()
    for _ in range(40):
        stage.pass_s(15, step_s=5)
        stage.fires()
    assert len(stage.of_action("signal")) <= 10
    stage.by_hand("ack", stage.one().id)
    before = len(stage.of_action("signal"))
    for _ in range(80):
        stage.pass_s(15, step_s=5)
        stage.fires()
    assert len(stage.of_action("signal")) - before <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 5}, {"id": None}, {"id": []}, {"labels": 5}, {"labels": {"a": 1}}, {"firing": {"a": "x"}}, {"seen": 3},
        {"timeline": [5]}, {"timeline": [{}]}, {"timeline": [{"at_s": "x"}]}, {"actions": []}, {"detected_s": "now"},
        {"reopenings": ["x"]}, {"muted": {"a": None}}, {"unheard_s": []},
    ],
)  # fmt: skip
def test_a_state_with_a_damaged_incident_is_none(stage: Stage, wrong: dict[str, Any]) -> None:
    stage.fires("StoreDown", "P1")
    kept = json.loads(json.dumps(stage.engine.dump()))
    assert Stage().engine.load(kept) is True
    kept["book"]["incidents"][0] |= wrong
    fresh = Stage().engine
    assert fresh.load(kept) is False and fresh.book.incidents == {}


@pytest.mark.parametrize("part", ["incidents", "latest", "people", "halts", "spend", "waiting", "refused"])
@pytest.mark.parametrize("wrong", [5, None, "x", [5], {"a": []}, [[]], {"a": {"usd": "x"}}])
def test_a_state_with_a_damaged_part_is_none(stage: Stage, part: str, wrong: Any) -> None:
    stage.fires("StoreDown", "P1")
    kept = json.loads(json.dumps(stage.engine.dump()))
    kept["book"][part] = wrong
    assert Stage().engine.load(kept) is False


def test_what_another_home_has_at_an_address_that_was_left_is_an_incident_of_its_own(stage: Stage) -> None:
    """One Alertmanager tells of several homes, and one server may serve them."""
    labels = {"store": "ledger", "address": "postgresql-1f3a9c02"}
    stage.fires(source="alertmanager", started_s=stage.now_s, labels=labels)
    first = stage.one()
    stage.engine.left = {("ledger", labels["address"]): stage.now_s + 60}
    stage.pass_s(60)
    assert first.state == "resolved"
    stage.fires(source="alertmanager", started_s=stage.now_s - 60, labels=labels)
    stage.fires("StoreBehind", source="alertmanager", started_s=stage.now_s + intake.LATE_S - 1, labels=labels)
    assert stage.engine.open() == [], "what began before, or waited for figures of before"
    stage.pass_s(intake.LATE_S)
    stage.fires(source="alertmanager", started_s=stage.now_s, labels=labels)
    stage.fires("StoreBehind", source="evaluator", started_s=stage.now_s, labels=labels)
    stage.pass_s(120)
    assert stage.engine.open() == [first], "and it stays open"
