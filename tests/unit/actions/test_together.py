"""Signals, the incidents' engine, the runner and the notifier together, as the monitor goes round: one trouble, one
incident, its action, its page; a storm, flapping, a receiver that fails, and a restart in the middle of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.unit.actions.receiver import receiving

from levaithan.actions.notify import Notifier
from levaithan.actions.runner import Runner
from levaithan.detectors.signal import Signal, fingerprint
from levaithan.hot import halts, restraints
from levaithan.incidents.engine import Engine


class Round:
    """What the monitor has, and one turn of it. Every record that is written is met again in the journal."""

    def __init__(self, place: Any, url: str, **settings: Any) -> None:
        self.place, self.folded = place, 0
        chosen = place.settings.model_copy(update={"notify_urls": url, **settings})
        self.notifier = Notifier(place.home, chosen, place.write, lambda: place.now)
        self.engine = Engine(place.write, chosen, lambda: place.now, mono=lambda: place.mono)
        self.runner = Runner(
            place.home, chosen, place.write, lambda: place.now, self.notifier.tell,
            mono=lambda: place.mono, ask=place.ask, look=lambda: place.readings,
        )  # fmt: skip
        self.read()

    def read(self) -> None:
        records = self.place.records("")
        for record in records[self.folded :]:
            self.engine.fold(record)
            self.runner.fold(record)
        self.folded = len(records)

    def turn(self, *signals: Signal, seconds: float = 1.0) -> None:
        self.place.now += seconds
        self.place.mono += seconds
        self.read()
        changes = [*self.engine.take(signals, self.place.now), *self.engine.tick(self.place.now)]
        self.runner.respond(changes, self.place.now)
        self.runner.tick(self.place.now)
        self.notifier.tick()

    def quiet(self, seconds: float, step: float = 20.0, *signals: Signal) -> None:
        for _ in range(int(seconds / step)):
            self.turn(*signals, seconds=step)

    def delivered(self, one: Any, count: int, timeout_s: float = 10.0) -> None:
        """Wait (real time) until the receiver has so many."""
        end = time.monotonic() + timeout_s
        while len(one.taken) < count:
            assert time.monotonic() < end, f"{len(one.taken)} of {count}"
            self.turn(seconds=0.05)
            time.sleep(0.01)


def signal(place: Any, alert: str, severity: str, *, firing: bool = True, **more: Any) -> Signal:
    detection = more.pop("detection", "security")
    mark = fingerprint(detection, alert, more=more.get("session_id", ""))
    return Signal(
        mark, alert, detection, severity, firing, more.pop("started_s", place.now), place.now,
        summary=f"{alert} was seen", fix="levaithan status", source="detector", **more,
    )  # fmt: skip


def test_a_trouble_is_an_incident_is_answered_is_told_and_is_mitigated(place: Any) -> None:
    with receiving() as one:
        monitor = Round(place, one.url, action_dry_run="off")
        monitor.turn(signal(place, "SelfProtectionHit", "P1", session_id="s1"))
        assert [held.kind for held in restraints.active(place.home)] == ["read_only"]
        monitor.delivered(one, 1)
        monitor.turn()
        (incident,) = monitor.engine.open()
        assert incident.state == "mitigated" and incident.severity == "P1"
        text = one.taken[0]["message"]
        assert "SelfProtectionHit was seen" in text and "quarantine_session session s1: done and verified" in text
        assert f"levaithan incident ack {incident.id}" in text and "Run: levaithan status" in text


@pytest.mark.parametrize("scope", [{"session_id": "s1"}, {}])
def test_a_p0_stops_within_the_turn(place: Any, scope: dict[str, str]) -> None:
    with receiving() as one:
        monitor = Round(place, one.url)
        monitor.turn(signal(place, "ChainBroken", "P0", **scope))
        assert [halt.scope for halt in halts.active(place.home)] == ["session" if scope else "all"]
        monitor.delivered(one, 1)
        assert one.taken[0]["title"].startswith("[P0]")


def test_an_unread_p1_is_told_to_more_people_and_never_becomes_a_stop(place: Any) -> None:
    with receiving() as one, receiving() as two:
        monitor = Round(place, one.url, action_dry_run="off", notify_urls_next=two.url)
        monitor.turn(signal(place, "GuardBypassed", "P1"))
        monitor.delivered(one, 1)
        monitor.quiet(880)
        assert two.taken == []
        monitor.quiet(60)
        monitor.delivered(two, 1)
        monitor.quiet(3600, 20, signal(place, "GuardBypassed", "P1"))
        assert halts.active(place.home) == [] and "nobody has acknowledged" in two.taken[0]["title"]


def test_a_storm_is_bounded_in_actions_messages_and_records(place: Any) -> None:
    with receiving() as one:
        one.how = "fails"
        monitor = Round(place, one.url, action_dry_run="off")
        signals = [signal(place, "DenialBurst", "P2", session_id=f"s{number}") for number in range(2_000)]
        began = time.monotonic()
        monitor.turn(*signals)
        monitor.turn(*signals)
        assert time.monotonic() - began < 60
        assert len(restraints.active(place.home)) <= 10
        assert len(monitor.engine.open()) < 100, "a storm is few incidents"
        before = len(place.records("action"))
        monitor.quiet(300, 5, *signals[:50])
        assert len(place.records("action")) - before < 60, "a receiver that fails makes no loop"


def test_flapping_ends_automation_and_not_the_incident(place: Any) -> None:
    with receiving() as one:
        monitor = Round(place, one.url, action_dry_run="off", incident_quiet_s=60)
        done = 0
        for _ in range(6):
            monitor.turn(signal(place, "DenialBurst", "P2", session_id="s1"))
            monitor.turn()
            for run in monitor.runner.runs.open():
                done += 1
                monitor.runner.undo(run.id, "ann", "let it try again")
            monitor.turn(signal(place, "DenialBurst", "P2", session_id="s1", firing=False))
            monitor.quiet(120)
        assert 1 <= done <= 3
        assert len({record["incident"] for record in place.records("action") if record.get("incident")}) == 1


def test_a_restart_in_the_middle_repeats_nothing(place: Any) -> None:
    with receiving() as one:
        first = Round(place, one.url, action_dry_run="off")
        first.turn(signal(place, "SelfProtectionHit", "P1", session_id="s1"))
        first.delivered(one, 1)
        while first.notifier.outbox.waiting():  # killed before the receipt is noted, it is told twice, never not at all
            first.turn(seconds=0.05)
        again = Round(place, one.url, action_dry_run="off")
        for _ in range(5):
            again.turn(signal(place, "SelfProtectionHit", "P1", session_id="s1"))
        again.quiet(60, 1)
        assert len(one.taken) == 1 and place.phases().count("intent") == 1
        assert len(again.engine.open()) == 1 and again.engine.open()[0].state == "mitigated"


def test_a_clock_that_jumps_answers_nothing_twice_and_escalates_nothing(place: Any) -> None:
    with receiving() as one:
        monitor = Round(place, one.url, action_dry_run="off")
        monitor.turn(signal(place, "SelfProtectionHit", "P1", session_id="s1"))
        monitor.delivered(one, 1)
        for jump in (86_400.0, -86_400.0):
            place.now += jump
            for _ in range(5):
                monitor.turn(signal(place, "SelfProtectionHit", "P1", session_id="s1", started_s=place.now))
        assert place.phases().count("intent") == 1
        assert monitor.engine.open()[0].page_level == 0


def test_a_monitor_killed_between_the_stop_and_the_outbox_tells_at_its_next_start_and_once(place: Any) -> None:
    """SIGKILL after the stop is on the disk and before the message is: what was done is no proof that anybody knows."""
    with receiving() as one:
        first = Round(place, one.url)
        first.runner.tell = lambda _message: (_ for _ in ()).throw(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            first.turn(signal(place, "ChainBroken", "P0"))
        assert len(halts.active(place.home)) == 1 and first.notifier.outbox.waiting() == []
        again = Round(place, one.url)
        again.delivered(one, 1)
        assert "emergency_stop all: done" in one.taken[0]["message"]
        assert place.phases().count("intent") == 1 and len(halts.active(place.home)) == 1
        while again.notifier.outbox.waiting():
            again.turn(seconds=0.05)
        third = Round(place, one.url)
        third.quiet(30, 1)
        assert len(one.taken) == 1


def test_a_stop_that_a_person_lifted_is_not_made_again_for_the_page_that_is_owed(place: Any) -> None:
    with receiving() as one:
        first = Round(place, one.url)
        first.runner.tell = lambda _message: False
        first.turn(signal(place, "ChainBroken", "P0"))
        (run,) = first.runner.runs.open()
        first.runner.undo(run.id, "ann", "it was a test")
        again = Round(place, one.url)
        again.delivered(one, 1)
        assert halts.active(place.home) == [] and "undone" in one.taken[0]["message"]


def test_a_monitor_killed_between_the_delivery_and_its_receipt_pages_once(place: Any) -> None:
    with receiving() as one:
        first = Round(place, one.url)
        first.notifier._record = lambda *_told: None  # type: ignore[method-assign] - it is gone before it writes it
        first.turn(signal(place, "GuardBypassed", "P1"))
        first.delivered(one, 1)
        while first.notifier.outbox.waiting():
            first.turn(seconds=0.05)
        again = Round(place, one.url)
        again.quiet(60, 1)
        assert len(one.taken) == 1
