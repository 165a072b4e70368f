"""The runner: intents before and results after, bounds, dry runs, idempotence, verification, expiry, crashes, time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from levaithan.actions import registry
from levaithan.actions.action import MONITOR, Action
from levaithan.errors import NotFound, UsageProblem
from levaithan.hot import halts, restraints


def held(place: Any) -> list[str]:
    return [one.kind for one in restraints.active(place.home)]


def test_an_intent_with_its_undo_is_in_the_journal_before_the_deed_and_the_result_after(place: Any) -> None:
    runner = place.runner()
    run = runner.run("throttle_session", {"session": "s1"}, by="ann", reason="too fast")
    intent, done, verified = place.records()
    assert [one["phase"] for one in (intent, done, verified)] == ["intent", "done", "verified"]
    assert intent["undo"] == {"restraint": f"t-{run.id}"} and intent["target"] == {"session": "s1"}
    assert {"bound", "verify", "deadline_s", "expires_s", "reason", "at"} <= set(intent) and intent["by"] == "ann"
    assert held(place) == ["throttle"] and run.phase == "verified"


def test_nothing_is_done_where_the_intent_cannot_be_written(place: Any) -> None:
    place.full = True
    run = place.runner().run("throttle_session", {"session": "s1"}, by="ann", reason="x")
    assert run.phase == "refused" and "journal cannot be written" in run.why and held(place) == []


def test_a_stop_is_set_all_the_same_and_its_records_follow(place: Any) -> None:
    """The journal that cannot be written may be the very reason for the stop."""
    runner = place.runner()
    place.full = True
    place.opened(runner, place.incident("P0", "high_error_rate", "JournalUnwritable"))
    assert [halt.scope for halt in halts.active(place.home)] == ["all"]
    place.full = False
    place.passes(2, runner)
    assert place.phases() == ["intent", "done", "verified"]


def test_the_same_again_is_the_same_run(place: Any) -> None:
    runner = place.runner()
    first = runner.run("quarantine_session", {"session": "s1"}, by="ann", reason="x")
    assert runner.run("quarantine_session", {"session": "s1"}, by="bob", reason="y") is first
    assert runner.run("quarantine_session", {"session": "s2"}, by="bob", reason="y") is not first
    assert held(place) == ["read_only", "read_only"]


def test_what_holds_already_is_not_done_again(place: Any) -> None:
    halts.set_halt(place.home, "all", "", "a person stopped", "ann")
    run = place.runner().run("emergency_stop", {"session": "s1"}, by="bob", reason="x")
    assert run.phase == "refused" and len(halts.active(place.home)) == 1


@pytest.mark.parametrize(
    ("name", "target", "error"),
    [
        ("destroy", {}, NotFound),
        ("block_tool", {"session": "s1"}, UsageProblem),
        ("release_stale_lease", {}, UsageProblem),
    ],
)
def test_what_cannot_be_meant_is_said(place: Any, name: str, target: dict[str, str], error: type) -> None:
    with pytest.raises(error):
        place.runner().run(name, target, by="ann", reason="x")
    assert place.records() == []


def test_a_dry_run_leaves_its_record_and_no_other_trace(place: Any) -> None:
    before = sorted(path for path in _files(place) if "journal" not in path)
    for name, target in {
        "emergency_stop": {"all": ""}, "throttle_session": {"session": "s"}, "quarantine_session": {"session": "s"},
        "block_tool": {"tool": "Bash", "all": ""}, "degrade": {},
    }.items():  # fmt: skip
        run = place.runner().run(name, target, by="ann", reason="x", dry_run=True)
        assert run.phase == "dry_run"
    assert place.phases() == ["dry_run"] * 5
    assert sorted(path for path in _files(place) if "journal" not in path) == before
    assert halts.active(place.home) == [] and held(place) == []


def _files(place: Any) -> list[str]:
    from pathlib import Path

    others = ("__pycache__", "state/gap")  # the journal's own
    found = [str(path) for path in Path(place.home.root).rglob("*") if path.is_file()]
    return [path for path in found if not any(other in path for other in others)]


# --- what the monitor does by itself ---------------------------------------------------------------------------------


def test_what_stops_work_is_a_dry_run_by_default_but_for_p0(place: Any) -> None:
    runner = place.runner()
    place.opened(runner, place.incident("P1", "security", "CriticalDenialBurst", session_id="s1"))
    assert place.phases() == ["dry_run"] and held(place) == []
    assert "only recorded" in place.told[-1].body
    place.opened(runner, place.incident("P0", "security", "ChainBroken"))
    assert [halt.scope for halt in halts.active(place.home)] == ["all"]


@pytest.mark.parametrize(("setting", "phases"), [("off", ["intent", "done", "verified"]), ("all", ["dry_run"])])
def test_the_setting_decides_what_is_dry(place: Any, setting: str, phases: list[str]) -> None:
    runner = place.runner(action_dry_run=setting)
    place.opened(runner, place.incident("P1", "security", "CriticalDenialBurst", session_id="s1"))
    assert place.phases() == phases


def test_all_makes_even_a_p0_stop_a_dry_one(place: Any) -> None:
    place.opened(place.runner(action_dry_run="all"), place.incident("P0", "security", "ChainBroken"))
    assert halts.active(place.home) == [] and place.phases() == ["dry_run"]


@pytest.mark.parametrize(
    ("more", "scope"),
    [
        ({"session_id": "s9"}, "session"),
        ({"project": "/tmp"}, "project"),
        ({"project": "name-only"}, "all"),
        ({}, "all"),
    ],
)
def test_a_stop_is_of_the_smallest_scope_that_holds_the_cause(place: Any, more: dict[str, str], scope: str) -> None:
    place.opened(place.runner(), place.incident("P0", "security", "ChainBroken", **more))
    assert [halt.scope for halt in halts.active(place.home)] == [scope]


@pytest.mark.parametrize("alert", ["ChainBroken", "GateFailing", "JournalUnwritable"])
def test_three_alerts_stop_agents_by_themselves(place: Any, alert: str) -> None:
    place.opened(place.runner(), place.incident("P0", "security", alert))
    assert [halt.scope for halt in halts.active(place.home)] == ["all"]


@pytest.mark.parametrize(
    ("alert", "detection", "more", "kinds"),
    [
        ("GuardMissing", "security", {"project": "/tmp"}, ["emergency_stop"]),
        ("GuardMissing", "security", {"labels": {"project": "/tmp"}}, ["emergency_stop"]),
        ("GuardMissing", "security", {"project": "name-only", "session_id": "s1"}, []),
        ("GuardMissing", "security", {}, []),
        ("DiskFull", "performance", {}, ["degrade"]),
        ("BudgetSpentAll", "budget_exceeded", {"project": "/tmp"}, []),
        ("SelfProtectionHit", "security", {"session_id": "s1"}, []),
        ("SomebodysOwn", "high_error_rate", {"project": "/tmp", "source": "alertmanager"}, []),
        ("AlertStorm", "alert storm", {}, []),
        ("", "found by a person", {"project": "/tmp", "opened_by": "ann", "source": "person"}, []),
    ],
)
def test_any_other_p0_stops_nobody(
    place: Any, alert: str, detection: str, more: dict[str, Any], kinds: list[str]
) -> None:
    place.opened(place.runner(), place.incident("P0", detection, alert, **more))
    assert [one["action"] for one in place.records() if one["phase"] == "intent"] == kinds
    scopes = [halt.scope for halt in halts.active(place.home)]
    assert scopes == (["project"] if "emergency_stop" in kinds else [])
    assert len(place.told) == 1, "people are told in any case"


def test_ten_automatic_actions_an_hour_then_people_only(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    for number in range(14):
        place.opened(runner, place.incident("P2", "security", "DenialBurst", id=f"i{number}", session_id=f"s{number}"))
    assert len(held(place)) == 10
    assert "10 automatic actions" in place.told[-1].body and "not done" in place.told[-1].body
    assert place.phases().count("refused") == 1, "a storm does not fill the journal"
    assert place.runner(action_dry_run="off").run(
        "throttle_session", {"session": "by-hand"}, by="ann", reason="x"
    ).phase == "verified"  # fmt: skip


def test_a_stop_is_done_though_the_ten_are_used_up_but_not_three_times_on_one_target(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    for number in range(12):
        place.opened(runner, place.incident("P2", "security", "DenialBurst", id=f"i{number}", session_id=f"s{number}"))
    for number in range(3):
        place.opened(runner, place.incident("P0", "security", "ChainBroken", id=f"c{number}"))
        assert len(halts.active(place.home)) == (1 if number < 2 else 0)
        for run in [one for one in runner.runs.open() if one.action == "emergency_stop"]:
            runner.undo(run.id, "ann", "a false alarm")
    assert "2 runs of it on this target" in place.told[-1].body


def test_what_was_refused_is_remembered_within_bounds(place: Any) -> None:
    from levaithan.actions import runner as module

    runner = place.runner(action_hourly_limit=100_000)
    for number in range(module.MOST_REFUSED + 50):
        run = runner._made(
            registry.ACTIONS["degrade"],
            {"session": f"s{number}"},
            by=MONITOR,
            reason="x",
            incident="i",
            now_s=place.now,
        )
        runner.record = lambda *_told, **_more: True
        runner._refuse(run, "why: not")
    assert len(runner._refused) == module.MOST_REFUSED and "s1049" in list(runner._refused)[-1]


def test_the_bounds_survive_a_restart_and_end_after_an_hour(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    for number in range(10):
        place.opened(runner, place.incident("P2", "security", "DenialBurst", id=f"i{number}", session_id=f"s{number}"))
    again = place.runner(action_dry_run="off")
    place.opened(again, place.incident("P2", "security", "DenialBurst", id="i11", session_id="s11"))
    assert len(held(place)) == 10
    place.now += 3601
    place.mono += 3601
    place.opened(again, place.incident("P2", "security", "DenialBurst", id="i12", session_id="s12"))
    assert len(held(place)) == 11


def test_two_of_a_kind_on_one_target_an_hour(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    for number in range(4):
        place.opened(runner, place.incident("P2", "security", "DenialBurst", id=f"i{number}", session_id="s1"))
        for run in runner.runs.open():
            runner.undo(run.id, "ann", "enough")
        place.now += 1
    assert place.phases().count("intent") == 2 and place.phases().count("refused") == 1


def test_bounds_count_what_another_start_of_the_clock_wrote_in_the_future(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    place.now += 86_400  # the clock was ahead
    for number in range(10):
        place.opened(runner, place.incident("P2", "security", "DenialBurst", id=f"i{number}", session_id=f"s{number}"))
    place.now -= 86_400
    again = place.runner(action_dry_run="off")
    place.opened(again, place.incident("P2", "security", "DenialBurst", id="i11", session_id="s11"))
    assert len(held(place)) == 10


def test_flapping_freezes_automation(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    incident = place.incident("P1", "security", "SelfProtectionHit", session_id="s1", frozen=True)
    place.opened(runner, incident, "reopened")
    assert held(place) == [] and place.phases() == ["refused"] and "flapping" in place.told[-1].body


def test_an_incident_is_answered_once_however_often_it_is_told(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    incident = place.incident("P1", "security", "SelfProtectionHit", session_id="s1")
    for kind in ("opened", "standing", "reopened", "raised", "noted", "acknowledged", "assigned"):
        place.opened(runner, incident, kind)
    assert held(place) == ["read_only"] and place.phases().count("intent") == 1


def test_a_monitor_that_was_down_does_at_its_start_what_was_not_done(place: Any) -> None:
    runner = place.runner(action_dry_run="off")
    place.opened(runner, place.incident("P1", "security", "SelfProtectionHit", session_id="s1"), "standing")
    assert held(place) == ["read_only"]


def test_resolved_is_told_and_nothing_is_done(place: Any) -> None:
    runner = place.runner()
    place.opened(runner, place.incident(), "resolved")
    assert place.records() == [] and place.told[-1].happened.startswith("resolved: ")


def test_every_step_of_the_tables_is_an_action_that_there_is() -> None:
    from levaithan.actions import responses

    tables: list[dict[Any, Any]] = [responses.CRITICAL, responses.REMEDIES, responses.RESPONSES]
    named = {step.action for table in tables for steps in table.values() for step in steps}
    assert named <= set(registry.ACTIONS)
    for detection in responses.DETECTIONS:
        for severity in ("P1", "P2"):
            assert (detection, severity) in responses.RESPONSES


# --- verification, expiry, undo --------------------------------------------------------------------------------------


def _without_check(place: Any) -> None:
    """A home whose workflows do not hold calls against restraints: setting one has no effect there."""
    from pathlib import Path

    flows = Path(place.home.context, "workflows.toml")
    flows.write_text(flows.read_text().replace(', "restraint_check"', ""))


def test_what_is_not_verified_in_time_is_undone_and_marked_failed(place: Any) -> None:
    _without_check(place)
    runner = place.runner()
    run = runner.run("quarantine_session", {"session": "s1"}, by="ann", reason="x")
    assert run.phase == "done" and held(place) == ["read_only"]
    place.passes(899, runner, step=30)
    assert place.phases() == ["intent", "done"]
    place.passes(60, runner, step=30)
    assert place.phases() == ["intent", "done", "failed", "undone"] and held(place) == []


def test_a_failure_raises_who_is_told_of_its_incident(place: Any) -> None:
    """By the engine, which reads the record: the runner and it need nothing else in common."""
    from levaithan.incidents.engine import Engine

    engine = Engine(place.write, None, lambda: place.now, mono=lambda: place.mono)
    place.write("incident", {"action": "open", "incident": "INC-1", "by": "ann", "title": "t", "severity": "P1"})
    _without_check(place)
    runner = place.runner()
    runner.run("quarantine_session", {"session": "s1"}, by="ann", reason="x", incident="INC-1")
    for _ in range(40):  # as the monitor goes round
        place.passes(30, runner, step=30)
        for record in place.records(""):
            engine.fold(record)
        engine.tick(place.now)
    assert place.phases()[-2:] == ["failed", "undone"]
    assert sum("failed" in one.get("why", "") for one in place.records("incident")) == 1
    assert engine.book.incidents["INC-1"].page_level >= 1


def test_a_verified_action_mitigates_its_incident(place: Any) -> None:
    from levaithan.incidents.engine import Engine

    engine = Engine(place.write, None, lambda: place.now, mono=lambda: place.mono)
    place.write("incident", {"action": "open", "incident": "INC-1", "by": "ann", "title": "t", "severity": "P1"})
    place.runner().run("quarantine_session", {"session": "s1"}, by="ann", reason="x", incident="INC-1")
    for record in place.records(""):
        engine.fold(record)
    engine.tick(place.now)
    assert engine.book.incidents["INC-1"].state == "mitigated"


def test_a_stop_that_cannot_be_verified_stays(place: Any) -> None:
    from pathlib import Path

    flows = Path(place.home.context, "workflows.toml")
    flows.write_text(flows.read_text().replace('"halt_check", ', ""))
    runner = place.runner()
    place.opened(runner, place.incident("P0", "security", "ChainBroken"))
    place.passes(10, runner)
    assert place.phases() == ["intent", "done", "failed"] and len(halts.active(place.home)) == 1


def test_it_is_undone_by_itself_at_its_expiry_and_a_person_is_told(place: Any) -> None:
    runner = place.runner()
    run = runner.run("throttle_session", {"session": "s1"}, by="ann", reason="x")
    place.passes(1790, runner, step=30)
    assert run.phase == "verified"
    place.passes(30, runner, step=5)
    assert place.phases(run.id)[-1] == "expired" and "a person decides" in place.told[-1].body


def test_a_stop_never_ends_by_itself_and_not_by_the_monitor(place: Any) -> None:
    runner = place.runner()
    place.opened(runner, place.incident("P0", "security", "ChainBroken"))
    (run,) = runner.runs.open()
    place.passes(90 * 86_400, runner, step=40_000)
    assert len(halts.active(place.home)) == 1
    with pytest.raises(UsageProblem):
        runner.undo(run.id, MONITOR, "x")
    runner.undo(run.id, "ann", "it was a false alarm")
    assert halts.active(place.home) == [] and place.records()[-1]["by"] == "ann"


def test_undo_by_command_and_only_once(place: Any) -> None:
    runner = place.runner()
    run = runner.run("quarantine_session", {"session": "s1"}, by="ann", reason="x")
    runner.undo(run.id, "bob", "it was me")
    assert held(place) == [] and place.records()[-1]["by"] == "bob"
    with pytest.raises(UsageProblem):
        runner.undo(run.id, "bob", "again")
    with pytest.raises(NotFound):
        runner.undo("a-none", "bob", "x")


def test_what_cannot_be_undone_yet_is_tried_again_and_said_once(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    runner = place.runner()
    run = runner.run("throttle_session", {"session": "s1"}, by="ann", reason="x")
    good = Path(place.home.restraints).read_text()
    Path(place.home.restraints).write_text("{")
    place.passes(1900, runner, step=10)
    assert run.phase == "verified" and sum("cannot be undone yet" in one.body for one in place.told) == 1
    Path(place.home.restraints).write_text(good)
    place.passes(700, runner, step=10)
    assert run.phase == "expired"


def test_what_hangs_holds_nobody_up_and_has_failed_at_its_deadline(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    from dataclasses import replace
    from types import MappingProxyType

    let_go = threading.Event()

    def hangs(_world: Any, _run: Any) -> dict[str, Any]:
        let_go.wait(30)
        return {}

    slow = replace(registry.ACTIONS["restart_projector"], plan=lambda *_: {}, do=hangs)
    for module in ("runner", "following"):
        actions = dict(registry.ACTIONS) | {slow.name: slow}
        monkeypatch.setattr(f"levaithan.actions.{module}.ACTIONS", MappingProxyType(actions))
    runner = place.runner()
    place.opened(runner, place.incident("P1", "performance", "StoreFarBehind"))
    place.passes(119, runner, step=10)
    assert place.phases() == ["intent"]
    place.passes(10, runner, step=5)
    assert place.phases() == ["intent", "failed"]
    let_go.set()
    place.passes(3, runner)
    runner.close()
    assert place.phases() == ["intent", "failed"]


def test_a_restart_tells_again_only_what_nobody_was_told(place: Any) -> None:
    place.write("action", {"phase": "done", "action": "human_alert", "run": "n-1", "by": "monitor", "incident": "told"})
    runner = place.runner()
    for one in ("told", "untold"):
        place.opened(runner, place.incident("P2", "meta", "ScrapeDown", id=one), "standing")
    assert [message.incident for message in place.told] == ["untold"]
    again = place.runner()
    again._told.clear()
    assert again.load(json.loads(json.dumps(runner.dump()))) and list(again._told) == ["told"]


@pytest.mark.parametrize("waiting", [5, [5], [{}], [{"message": 5}], [{"message": {}}], "x"])
def test_a_damaged_outbox_keeps_nobody_from_being_told(place: Any, waiting: Any) -> None:
    from pathlib import Path

    Path(place.home.state).mkdir(exist_ok=True)
    Path(place.home.state, "outbox.json").write_text(json.dumps({"waiting": waiting}))
    place.opened(place.runner(), place.incident("P2", "meta", "ScrapeDown"), "standing")
    assert len(place.told) == 1


# --- crashes, clocks, restarts ---------------------------------------------------------------------------------------


def _crashing(action: Action, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """The process dies within the deed: before it does anything, or after it has done it."""
    from dataclasses import replace
    from types import MappingProxyType

    def do(world: Any, run: Any) -> dict[str, Any]:
        if after:
            action.do(world, run)
        raise KeyboardInterrupt

    actions = dict(registry.ACTIONS) | {action.name: replace(action, do=do)}
    for module in ("runner", "following"):
        monkeypatch.setattr(f"levaithan.actions.{module}.ACTIONS", MappingProxyType(actions))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("alert", "severity", "more"),
    [("ChainBroken", "P0", {}), ("SelfProtectionHit", "P1", {"session_id": "s1"}), ("DiskLow", "P2", {})],
)
def test_a_crash_between_intent_and_result_is_finished_at_the_next_start(
    place: Any, monkeypatch: pytest.MonkeyPatch, after: bool, alert: str, severity: str, more: dict[str, str]
) -> None:
    detection = "performance" if alert == "DiskLow" else "security"
    incident = place.incident(severity, detection, alert, **more)
    name = {"P0": "emergency_stop", "P1": "quarantine_session", "P2": "degrade"}[severity]
    with monkeypatch.context() as broken:
        _crashing(registry.ACTIONS[name], broken, after=after)
        with pytest.raises(KeyboardInterrupt):
            place.opened(place.runner(action_dry_run="off"), incident)
    assert place.phases() == ["intent"]
    again = place.runner(action_dry_run="off")
    place.passes(3, again)
    assert place.phases() == ["intent", "done", "verified"]
    assert len(halts.active(place.home)) + len(held(place)) == (0 if name == "degrade" else 1)
    if name == "degrade":
        from levaithan.hot import modes

        assert modes.look(place.home)["level"] == 1, "one rung, not two"


def test_an_intent_whose_time_is_over_is_undone_instead(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        _crashing(registry.ACTIONS["throttle_session"], broken, after=True)
        with pytest.raises(KeyboardInterrupt):
            place.opened(
                place.runner(action_dry_run="off"), place.incident("P2", "security", "DenialBurst", session_id="s1")
            )
    assert held(place) == ["throttle"]
    place.now += 3000
    again = place.runner()
    place.passes(2, again)
    assert place.phases() == ["intent", "failed", "undone"] and held(place) == []


def test_a_persons_intent_is_left_alone_while_the_command_may_be_at_it(place: Any) -> None:
    body = {"phase": "intent", "action": "degrade", "run": "a-1", "by": "ann", "target": {}, "undo": {"level": 0}}
    place.write("action", body | {"deadline_s": place.now + 600, "at": "2026-09-21T14:13:20Z"})
    place.now = 1_790_000_000.0
    runner = place.runner()
    place.passes(50, runner)
    assert place.phases() == ["intent"]
    place.passes(20, runner)
    assert place.phases()[:2] == ["intent", "done"]


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0, 10 * 365 * 86_400.0])
def test_a_clock_that_jumps_ends_and_fails_nothing(place: Any, jump: float) -> None:
    runner = place.runner(action_dry_run="off")
    place.opened(runner, place.incident("P1", "security", "SelfProtectionHit", session_id="s1"))
    _without_check(place)
    waiting = runner.run("throttle_session", {"session": "s2"}, by="ann", reason="x")
    place.passes(5, runner)
    place.now += jump
    for _ in range(5):
        place.now += 1
        place.mono += 1
        runner.tick(place.now)
    assert set(place.phases()) == {"intent", "done", "verified"} and waiting.phase == "done"


def test_a_sleeping_laptop_expires_nothing_at_once(place: Any) -> None:
    runner = place.runner()
    run = runner.run("throttle_session", {"session": "s1"}, by="ann", reason="x")
    place.passes(3, runner)
    place.now, place.mono = place.now + 30_000, place.mono + 30_000
    runner.tick(place.now)
    assert run.phase == "verified"


@pytest.mark.parametrize("recorded", [True, False])
def test_a_stop_that_a_person_releases_is_over_for_the_runner_too(place: Any, recorded: bool) -> None:
    runner = place.runner()
    place.opened(runner, place.incident("P0", "security", "ChainBroken"))
    (halt,) = halts.active(place.home)
    halts.release_halt(place.home, halt.id)
    if recorded:
        record = {"kind": "halt", "action": "release", "by": "ann", "halt": halt.as_dict()}
        runner.fold(record)
    place.passes(3, runner)
    last = place.records()[-1]
    assert (last["phase"], last["by"]) == ("undone", "ann" if recorded else "person")
    assert last["why"] == ("released by a person" if recorded else "released; no record here says by whom")
    assert runner.runs.open() == [] and place.phases().count("undone") == 1


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("throttle_session", {"session": "s1"}),
        ("quarantine_session", {"session": "s1"}),
        ("block_tool", {"session": "s1", "tool": "Bash"}),
    ],
)
def test_a_restraint_that_a_person_releases_is_over_for_the_runner_too(
    place: Any, name: str, target: dict[str, str]
) -> None:
    runner = place.runner()
    run = runner.run(name, target, by="ann", reason="x")
    place.passes(5, runner)
    assert run.phase == "verified"
    (one,) = restraints.release_restraint(place.home, f"t-{run.id}")
    runner.fold({"kind": "restraint", "action": "release", "by": "bob", "restraint": one.as_dict()})
    place.passes(3, runner)
    assert place.phases(run.id)[-1] == "undone" and place.records()[-1]["why"] == "released by a person"


def test_halts_that_cannot_be_read_are_released_by_nobody(place: Any) -> None:
    from pathlib import Path

    runner = place.runner()
    place.opened(runner, place.incident("P0", "security", "ChainBroken"))
    Path(place.home.halts).write_text("{")
    place.passes(5, runner)
    assert place.phases() == ["intent", "done", "verified"]


def test_a_saved_state_goes_on_where_it_was(place: Any) -> None:
    runner = place.runner()
    run = runner.run("quarantine_session", {"session": "s1"}, by="ann", reason="x")
    kept = json.loads(json.dumps(runner.dump()))
    again = place.runner()
    again.runs.by_id.clear()
    assert again.load(kept) and again.runs.by_id[run.id] == run
    for name, values in (
        ("runs", [5, [5], [{"id": 5, "action": "degrade", "target": {}}], [{**kept["runs"][0], "phase": "odd"}]]),
        ("runs", [[{**kept["runs"][0], "deadline_s": "soon"}], [{**kept["runs"][0], "target": {"a": [1]}}]]),
        ("told", [5, [[1]], [{}], None]), ("unwritten", ["x", [5], None]),
        ("well_s", [[], {"degrade": []}, {"a": "x"}]),
    ):  # fmt: skip
        for value in values:
            fresh = place.runner()
            before = json.dumps(fresh.dump())
            assert fresh.load({**kept, name: value}) is False and json.dumps(fresh.dump()) == before
    for wrong in ({}, {"format": 2}, {"format": 1, "runs": [{"x": 1}], "well_s": {}, "unwritten": [], "told": []}, []):
        assert place.runner().load(wrong) is False


def test_its_own_records_met_again_in_the_journal_change_nothing(place: Any) -> None:
    runner = place.runner()
    runner.run("quarantine_session", {"session": "s1"}, by="ann", reason="x")
    before = json.dumps(runner.dump())
    for record in place.records(""):
        runner.fold(record)
    assert json.dumps(runner.dump()) == before


@pytest.mark.parametrize(
    "record",
    [
        {}, {"kind": "action"}, {"kind": "action", "run": 3},
        {"kind": "action", "run": "a", "phase": "done", "at": "x"},
        {"kind": "action", "run": "a", "phase": ["intent"], "at": "2026-01-01T00:00:00Z"},
        {"kind": "action", "run": "a", "phase": "intent", "at": "2026-01-01T00:00:00Z", "target": [1], "undo": 3},
        {"kind": "action", "run": "a", "phase": "intent", "at": "2026-01-01T00:00:00Z", "expires_s": "nan"},
        {"kind": "action", "run": "a", "phase": "intent", "at": "2026-01-01T00:00:00Z", "action": "rm"},
    ],
)  # fmt: skip
def test_a_record_may_hold_anything(place: Any, record: dict[str, Any]) -> None:
    runner = place.runner()
    runner.fold(record)
    place.passes(3, runner)
    assert json.dumps(runner.dump())
