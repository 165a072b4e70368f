"""The acknowledgement timers, on clocks that stand, jump and sleep."""

from __future__ import annotations

import pytest
from tests.support.incident_stage import Stage, kinds

from levaithan.incidents import timers

MINUTES = [("P0", 5), ("P1", 15), ("P2", 60), ("P3", 1440)]


@pytest.mark.parametrize(("severity", "minutes"), MINUTES)
def test_a_timer_lapses_at_its_minute_and_not_a_second_before(severity: str, minutes: int) -> None:
    stage = Stage()
    stage.fires("HookErrors", severity, source="alertmanager")
    assert "escalated" not in kinds(stage.pass_s(minutes * 60 - 1))
    assert stage.one().page_level == 0
    assert kinds(stage.pass_s(1)) == ["escalated"]
    assert (stage.one().page_level, stage.one().severity) == (1, severity)
    page = stage.of_action("page")[0]
    assert (page["level"], page["why"], page["by"]) == (1, "unacknowledged", "monitor")


def test_14_59_and_15_00_of_a_p1() -> None:
    stage = Stage()
    stage.fires()
    stage.pass_s(14 * 60 + 59, step_s=1)
    assert stage.one().page_level == 0
    stage.pass_s(1, step_s=1)
    assert stage.one().page_level == 1


def test_each_lapse_tells_the_next_and_there_is_an_end_to_it() -> None:
    stage = Stage()
    stage.fires("GateFailing", "P0", source="alertmanager")
    stage.pass_s(15 * 60)
    assert stage.one().page_level == 3
    stage.pass_s(24 * 3600, step_s=60)
    assert stage.one().page_level == timers.MOST_LEVELS
    assert stage.one().severity == "P0"
    assert len(stage.of_action("page")) == timers.MOST_LEVELS


def test_an_acknowledgement_stops_the_timer() -> None:
    stage = Stage()
    stage.fires()
    stage.pass_s(899)
    stage.by_hand("ack", stage.one().id)
    assert kinds(stage.pass_s(7200)) == ["acknowledged", "quiet"]
    assert stage.one().page_level == 0


def test_a_p0_that_was_stopped_by_itself_still_wants_a_person_others_do_not() -> None:
    for severity, pages in (("P0", True), ("P1", False)):
        stage = Stage()
        stage.fires("GateFailing", severity)
        stage.action(stage.one().id, "verified", name="halt")
        told = kinds(stage.pass_s(1200))
        assert ("escalated" in told) is pages
        assert stage.one().state == "mitigated"


def test_whoever_mitigates_has_it() -> None:
    stage = Stage()
    stage.fires("GateFailing", "P0", source="alertmanager")
    stage.by_hand("mitigate", stage.one().id, measure="turned it off")
    assert "escalated" not in kinds(stage.pass_s(1200))
    assert (stage.one().commander, stage.one().state) == ("ada", "mitigated")


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 86_400.0 * 365, -86_400.0 * 365])
def test_a_wall_clock_that_jumps_neither_pages_nor_resolves(jump_s: float) -> None:
    stage = Stage()
    stage.fires("HookErrors", "P1")
    stage.fires("BudgetNear", "P3", detection="budget exceeded")
    stage.ends("BudgetNear", "P3", detection="budget exceeded")
    stage.pass_s(300)
    stage.now_s += jump_s
    assert kinds(stage.engine.tick(stage.now_s)) == []
    assert kinds(stage.pass_s(500)) == []
    assert "escalated" in kinds(stage.pass_s(130))
    assert {one.state for one in stage.engine.open()} == {"open"}


def test_a_laptop_that_slept_wakes_to_no_page_and_no_resolution() -> None:
    stage = Stage()
    stage.fires("HookErrors", "P1")
    stage.fires("BudgetNear", "P3", detection="budget exceeded")
    stage.ends("BudgetNear", "P3", detection="budget exceeded")
    stage.pass_s(60)
    assert kinds(stage.pass_s(8 * 3600, asleep=True)) == []
    assert len(stage.engine.open()) == 2


def test_a_process_that_was_held_up_counts_a_minute_of_it() -> None:
    stage = Stage()
    stage.fires()
    stage.now_s, stage.mono_s = stage.now_s + 7200, stage.mono_s + 7200
    assert kinds(stage.engine.tick(stage.now_s)) == []
    assert stage.one().waited_s == timers.GAP_S


def test_a_restart_goes_on_with_the_time_that_was_waited() -> None:
    stage = Stage()
    stage.fires(source="alertmanager")
    stage.pass_s(600)
    saved = stage.engine.dump()
    stage.engine = stage.another()
    assert stage.engine.load(saved)
    assert "escalated" not in kinds(stage.pass_s(299))
    assert "escalated" in kinds(stage.pass_s(31))


def test_a_monitor_that_crashes_without_a_saved_state_loses_a_minute_at_most() -> None:
    stage = Stage()
    stage.fires(source="alertmanager")
    for _ in range(17):
        stage.pass_s(70, step_s=5)
        stage.engine = stage.another()
        for record in stage.journal:
            stage.engine.fold(record)
    assert stage.one().page_level >= 1


def test_quiet_and_acknowledgement_are_told_in_words() -> None:
    assert timers.ack_left_s("P1", 100, 0) == 800
    assert timers.ack_left_s("P0", 900, 600) == 0
    assert timers.quiet_needed_s(60) == 1800
    assert timers.quiet_needed_s(3600) == 10_800
