"""The evaluator beyond what Prometheus is asked: clocks that jump, pauses, flapping, restarts, bounds of memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import plants, scenarios

from levaithan.detectors import banks, samples, tuning
from levaithan.detectors import rules as rules_of
from levaithan.detectors.evaluator import Evaluator
from levaithan.detectors.rules import Rules
from levaithan.detectors.signal import fingerprint, fingerprint_of

if TYPE_CHECKING:
    from levaithan.detectors.signal import Signal

T0 = 1_790_000_000.0
STEP = 15


def only(*alerts: str) -> Rules:
    every = rules_of.default()
    return Rules(tuple(one for one in every.rules if one.alert in alerts), every.slos)


def run(
    evaluator: Evaluator, alert: str, states: list[str], *, begin: float = T0, step: int = STEP, first: int = 0
) -> list[list[Signal]]:
    """What is said at each step; `first` steps are played before, and not shown to the evaluator."""
    seen = []
    for number, row in enumerate(plants.played(plants.PLANTS[alert], states, step)):
        if number < first:
            continue
        at = begin + number * step
        if row is not None:
            evaluator.observe(at, row)
        seen.append(evaluator.evaluate(at))
    return seen


def firing(seen: list[list[Signal]]) -> list[int]:
    return [at for at, signals in enumerate(seen) if any(one.firing for one in signals)]


def ended(seen: list[list[Signal]]) -> list[int]:
    return [at for at, signals in enumerate(seen) if any(not one.firing for one in signals)]


def test_a_signal_says_what_it_is_since_when_and_what_to_do() -> None:
    seen = run(Evaluator(only("StoreDown")), "StoreDown", ["good"] * 4 + ["bad"] * 50)
    (signal,) = seen[-1]
    rule = rules_of.default().get("StoreDown")
    assert rule is not None
    assert signal.firing
    assert signal.labels == {"store": "ledger", "address": "postgresql-1f3a9c02"}
    assert signal.started_s == T0 + 4 * STEP, "since the first bad look, not since it waited long enough"
    assert signal.at_s == T0 + 53 * STEP
    assert (signal.severity, signal.detection, signal.source) == ("P1", "high_error_rate", "evaluator")
    assert signal.summary.startswith("Store ledger does not answer")
    assert (signal.fix, signal.for_s, signal.threshold, signal.value) == (rule.fix, 600, 0, 0)
    assert signal.fingerprint == fingerprint(
        "high_error_rate", "StoreDown", store="ledger", more="address=postgresql-1f3a9c02"
    )
    assert signal.fingerprint == fingerprint_of("high_error_rate", "StoreDown", {**signal.labels, "job": "levaithan"})


def played_out(states: list[str], *, failed: float, taken: float) -> list[list[Signal]]:
    """What is said of a store that takes six batches a minute while all is well, and in a bad minute `taken`, and
    fails at `failed`."""
    plant = [
        plants.counter("store_errors_total", 0, failed, "store=search,reason=timeout"),
        plants.counter("store_latency_seconds_count", 6, taken, "store=search,operation=put"),
    ]
    evaluator, seen = Evaluator(only("StoreFlapping")), []
    for number, row in enumerate(plants.played(plant, states, STEP)):
        assert row is not None
        evaluator.observe(T0 + number * STEP, row)
        seen.append(evaluator.evaluate(T0 + number * STEP))
    return seen


def test_a_store_that_fails_at_every_second_batch_is_told_and_neither_one_failure_nor_one_outage_is() -> None:
    before = ["zero", *["good"] * 40]
    flapping = played_out([*before, *["bad"] * 60], failed=4, taken=4)
    (signal,) = flapping[-1]
    assert (signal.severity, signal.detection, signal.labels) == ("P1", "high_error_rate", {"store": "search"})
    assert firing(flapping)[0] < 41 + 40, "within ten minutes"
    assert firing(played_out([*before, "bad", *["good"] * 60], failed=4, taken=0)) == []
    assert firing(played_out([*before, *["bad"] * 60, *["good"] * 40], failed=60, taken=0)) == [], "it is down"
    assert firing(played_out([*before, *["bad"] * 60], failed=1, taken=5)) == [], "one in six"


def test_what_has_ended_is_said_once() -> None:
    seen = run(Evaluator(only("ChainBroken")), "ChainBroken", ["good"] * 3 + ["bad"] * 3 + ["good"] * 5)
    assert firing(seen) == [3, 4, 5]
    assert ended(seen) == [6]


def test_what_flaps_within_its_time_is_one_alert() -> None:
    """Bad for six minutes, well for eight, ten times over: `for` is five minutes, so it goes on for ten after."""
    states = ["good"] * 4 + (["bad"] * 24 + ["good"] * 32) * 10 + ["good"] * 60
    rules = tuning.tuned({"alerts": {"StoreDown": {"for": "5m"}}})
    seen = run(
        Evaluator(Rules(tuple(one for one in rules.rules if one.alert == "StoreDown"), rules.slos)), "StoreDown", states
    )
    begun = [at for at in firing(seen) if at - 1 not in firing(seen)]
    assert len(begun) == 1
    assert len(ended(seen)) == 1
    assert len({one.fingerprint for signals in seen for one in signals}) == 1


@pytest.mark.parametrize("jump_s", [3600.0, 86_400.0, 400.0])
@pytest.mark.parametrize("alert", ["StoreDown", "HookErrors", "GateBurnFast", "DiskLow", "LeaseStorm"])
def test_a_clock_that_is_set_forward_fires_nothing_that_had_not_waited(alert: str, jump_s: float) -> None:
    """Bad for less than `for` before, and not again after: the time between is not time in which it was bad."""
    evaluator = Evaluator(only(alert))
    rule = rules_of.default().get(alert)
    assert rule is not None
    short = max(2, int(rule.for_s * 0.5 / STEP))
    later = "good" if rule.window_s else "bad"  # a window over the jump would rightly hold what was bad before
    states = ["zero", *["good"] * 30, *["bad"] * short, *[later] * short, *["good"] * 60]
    before = 31 + short
    first = run(evaluator, alert, states[:before])
    after = run(evaluator, alert, states, begin=T0 + jump_s, first=before)
    assert firing(first) == []
    assert firing(after) == []


@pytest.mark.parametrize("jump_s", [3600.0, 86_400.0])
def test_a_clock_that_is_set_forward_ends_nothing_that_still_holds(jump_s: float) -> None:
    evaluator = Evaluator(only("StoreDown"))
    first = run(evaluator, "StoreDown", ["bad"] * 60)
    after = run(evaluator, "StoreDown", ["bad"] * 10, begin=T0 + jump_s + 60 * STEP)
    assert firing(first)[-1] == 59
    assert firing(after) == list(range(10))
    assert ended(first) == ended(after) == []


@pytest.mark.parametrize("jump_s", [3600.0, 86_400.0 * 30])
def test_a_clock_that_is_set_back_goes_on_being_watched(jump_s: float) -> None:
    """It neither ends what fires, nor fires, nor is blind until the old time comes again; then all is as ever."""
    evaluator = Evaluator(only("StoreDown", "HookErrors"))
    states = ["zero", *["good"] * 60]
    assert firing(run(evaluator, "HookErrors", states)) == []
    back = T0 - jump_s
    plant = ["zero", *["good"] * 60, *["good"] * 20, *["bad"] * 60]
    seen = run(evaluator, "HookErrors", plant, begin=back, first=61)
    found = firing(seen)
    assert found
    assert found[0] > 20, "not by the jump"
    assert found[0] <= 20 + (300 + 60) / STEP + 2
    said = next(one for one in seen[-1] if one.firing)
    assert abs(said.at_s - (back + 140 * STEP)) < 1
    assert said.started_s < said.at_s


def test_a_small_step_back_is_one_sample_less() -> None:
    evaluator = Evaluator(only("ChainBroken"))
    evaluator.observe(T0, [("levaithan_journal_chain_ok", (), 1.0)])
    evaluator.observe(T0 - 2, [("levaithan_journal_chain_ok", (), 0.0)])
    assert evaluator.evaluate(T0 - 2) == []
    evaluator.observe(T0 + 15, [("levaithan_journal_chain_ok", (), 0.0)])
    assert [one.alert for one in evaluator.evaluate(T0 + 15)] == ["ChainBroken"]


def test_what_happened_while_nobody_looked_stands_at_its_own_time() -> None:
    """An outage of three hours with 60 failures in it, replayed in a second at the times of its records, is no burst;
    the same failures at one moment are one."""
    quiet = plants.played(plants.PLANTS["HookErrors"], ["zero", *["good"] * 720], STEP)
    rows = [row or [] for row in quiet]

    def told(failures: list[int]) -> set[str]:
        evaluator, said = Evaluator(only("GateFailing", "HookErrors")), set()
        for number, (row, count) in enumerate(zip(rows, failures, strict=True)):
            more = [(name, pairs, value + count * name.endswith("failures_total")) for name, pairs, value in row]
            evaluator.observe(T0 + number * STEP, more)
            said |= {one.alert for one in evaluator.evaluate(T0 + number * STEP)}
        return said

    assert told([number // 12 for number in range(721)]) == set()
    assert told([0 if number < 400 else 60 for number in range(721)]) == {"GateFailing"}


def test_a_restart_forgets_nothing_and_is_small() -> None:
    rules = rules_of.default()
    whole, parted = Evaluator(rules), Evaluator(rules)
    everything = [
        one for alert in ("GateBurn", "StoreDown", "LatencyBurn", "BudgetForecast") for one in plants.PLANTS[alert]
    ]
    unique = list({(one.name, one.pairs): one for one in everything}.values())
    states = ["zero", *["good"] * 200, *["bad"] * 150, "bad reset", *["bad"] * 150, *["good"] * 100]
    for number, row in enumerate(plants.played(unique, states, STEP)):
        at = T0 + number * STEP
        for evaluator in (whole, parted):
            evaluator.observe(at, row or [])
        expected = [one.as_dict() for one in whole.evaluate(at)]
        assert [one.as_dict() for one in parted.evaluate(at)] == expected
        if number % 31 == 0:
            whole.dump()  # what is kept of it must not be what is given later
        if number % 97 == 0:
            kept = json.dumps(parted.dump())
            assert len(kept) < 40_000
            parted = Evaluator(rules)
            assert parted.load(json.loads(kept))
    assert whole.states()
    again = Evaluator(rules)
    assert again.load(json.loads(json.dumps(whole.dump())))
    assert [one.as_dict() for one in again.evaluate(at)] == expected


@pytest.mark.parametrize(
    "harm",
    [
        lambda state: state.pop("tracks"),
        lambda state: state.update(version=99),
        lambda state: state.update(order="middle"),
        lambda state: state["samples"].__setitem__(0, state["samples"][0][:-8]),
        lambda state: state.update(samples=state["samples"][:-1]),
        lambda state: state.update(samples="!!!"),
        lambda state: state["samples"].__setitem__(1, "!!!"),
        lambda state: state.update(tracks="AAAA"),
        lambda state: state["banks"][0].__setitem__(2, 10_000_000),
        lambda state: state.update(active=[["StoreDown", [["store", "x"]], 0, 1.0, "no such state", -1]]),
        lambda state: state.update(active="x"),
        lambda state: state.update(banks=[]),
    ],
)
def test_a_damaged_state_is_not_taken(harm: Any) -> None:
    evaluator = Evaluator(rules_of.default())
    run(evaluator, "StoreDown", ["bad"] * 50)
    state = json.loads(json.dumps(evaluator.dump()))
    harm(state)
    fresh = Evaluator(rules_of.default())
    assert fresh.load(state) is False
    assert fresh.samples.tracks == {}
    assert fresh.states() == []


def test_a_state_of_other_rules_is_taken_as_far_as_it_fits() -> None:
    before = Evaluator(only("StoreDown", "HookErrors", "GateBurn"))
    run(before, "StoreDown", ["bad"] * 50)
    run(before, "HookErrors", ["zero", *["bad"] * 50], begin=T0 + 50 * STEP)
    after = Evaluator(only("HookErrors", "DiskLow"))
    assert after.load(json.loads(json.dumps(before.dump())))
    assert {name for name, _ in after.samples.tracks} == {
        "levaithan_hook_failures_total",
        "levaithan_hook_events_total",
    }
    assert set(after.active) == {"HookErrors", "DiskLow"}
    plant = ["zero", *["bad"] * 60]
    assert firing(run(after, "HookErrors", plant, begin=T0 + 50 * STEP, first=51))


def test_memory_is_bounded_by_windows_and_by_a_number_of_series() -> None:
    evaluator = Evaluator(only("GateBurnSlow", "HookErrors"))
    labels = (("event", "PreToolUse"), ("decision", "allow"))
    for number in range(3 * 86_400 // 60 + 2_000):
        evaluator.observe(T0 + number * 60, [("levaithan_hook_events_total", labels, float(number))])
    (track,) = evaluator.samples.tracks.values()
    kept = {number: len(column.values) for number, column in track.columns.items()}
    steps = {number: max(step, 60_000) for number, (step, _) in enumerate(banks.BANKS)}
    for number, count in kept.items():
        assert count <= (banks.BANKS[number][1] + 500_000) / steps[number] + 40
    for number in range(banks._MOST_RESETS + 300):
        evaluator.observe(
            T0 + 400_000 + number * 15, [("levaithan_hook_events_total", labels, float(1000 - number % 2 * 999))]
        )
    assert len(track.resets) <= banks._MOST_RESETS


def test_series_that_ended_are_forgotten_and_floods_of_them_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MOST_SERIES", 50)
    evaluator = Evaluator(only("StoreDown", "StoreBurnFast"))
    for number in range(200):
        row = [("levaithan_store_up", (("store", f"s{number}-{one}"),), 1.0) for one in range(3)]
        evaluator.observe(T0 + number * 60, row)
        evaluator.evaluate(T0 + number * 60)
    assert len(evaluator.samples.tracks) <= 50
    assert evaluator.samples.dropped
    for number in range(200, 400):
        evaluator.observe(T0 + number * 60, [("levaithan_store_up", (("store", "one"),), 1.0)])
    assert [track.labels for track in evaluator.samples.tracks.values()] == [(("store", "one"),)]


def test_series_that_no_rule_reads_are_not_kept() -> None:
    evaluator = Evaluator(rules_of.default())
    evaluator.observe(T0, [("levaithan_build_info", (("version", "1"),), 1.0), ("go_goroutines", (), 5.0)])
    assert evaluator.samples.tracks == {}


def test_one_rule_that_cannot_be_computed_takes_no_other_down() -> None:
    """Two limits for one project's month: which of them holds is not to be guessed."""
    evaluator = Evaluator(rules_of.default())
    limits = [
        (
            "levaithan_budget_limit_usd",
            (("period", "month"), ("project", "a"), ("scope", "project"), ("x", str(one))),
            5.0,
        )
        for one in range(2)
    ]
    for number in range(30):
        at = T0 + number * STEP
        cost = ("levaithan_cost_usd_total", (("model", "m"), ("project", "a")), float(number))
        evaluator.observe(at, [*limits, cost, ("levaithan_journal_writable", (), 0.0)])
        said = evaluator.evaluate(at)
    assert "JournalUnwritable" in {one.alert for one in said}
    assert set(evaluator.failed) == {"BudgetFast"}
    assert "several series" in evaluator.failed["BudgetFast"]


def test_nothing_measured_is_no_alert_but_the_watchdog() -> None:
    evaluator = Evaluator(rules_of.default())
    for number in range(100):
        evaluator.observe(T0 + number * STEP, [])
        assert [one.alert for one in evaluator.evaluate(T0 + number * STEP)] == ["Watchdog"]


def test_every_plant_is_quiet_when_all_is_well() -> None:
    for rule in rules_of.default().rules:
        if rule.shape == "always":
            continue
        evaluator = Evaluator(scenarios.rules_for(rule), everywhere=True)
        assert firing(run(evaluator, rule.alert, ["zero", *["good"] * 240], begin=0.0)) == [], rule.alert


def test_a_journal_that_is_read_anew_begins_a_new_time() -> None:
    """Years back, and counters at 0 again: nothing of before counts, what fires goes on until it no longer holds."""
    evaluator = Evaluator(only("ChainBroken", "StoreDown", "HookErrors"))
    run(evaluator, "StoreDown", ["bad"] * 30)
    run(evaluator, "ChainBroken", ["bad"] * 3, begin=T0 + 30 * STEP)
    evaluator.forget()
    back = T0 - 1e8
    seen = run(evaluator, "ChainBroken", ["bad"] * 2 + ["good"] * 3, begin=back)
    assert [[(one.alert, one.firing) for one in signals] for signals in seen] == [
        [("ChainBroken", True)], [("ChainBroken", True)], [("ChainBroken", False)], [], [],
    ]  # fmt: skip
    assert all(one.started_s <= one.at_s for signals in seen for one in signals)
    assert firing(run(evaluator, "StoreDown", ["good"] * 5 + ["bad"] * 39, begin=back + 600)) == []


def test_what_is_dropped_while_it_fires_is_said_to_have_ended() -> None:
    """Else an incident that waits for that word, a storm's or a false alarm's, would take it to fire on."""
    evaluator = Evaluator(only("StoreDown"))
    (signal,) = run(evaluator, "StoreDown", ["good"] * 4 + ["bad"] * 50)[-1]
    at_s = T0 + 54 * STEP
    assert evaluator.drop(lambda labels: labels.get("store") == "search", at_s) == []
    (told,) = evaluator.drop(lambda labels: labels.get("store") == "ledger", at_s)
    assert (told.firing, told.fingerprint, told.at_s) == (False, signal.fingerprint, at_s)
    assert evaluator.states() == []
    run(evaluator, "StoreDown", ["bad"] * 60, first=55)
    assert [one["state"] for one in evaluator.states()] == ["pending"]
    assert evaluator.drop(lambda _: True, at_s) == [], "what only waited was never said"
