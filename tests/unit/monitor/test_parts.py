"""The monitor takes up a changed alerts.toml by itself, and forgets nothing over it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import homes

from levaithan.actions import readings
from levaithan.config import settings as settings_of
from levaithan.detectors import log_patterns, shown
from levaithan.detectors.signal import WATCHDOG, Signal, fingerprint_of
from levaithan.hot import halts
from levaithan.hot.paths import home_at
from levaithan.install import watched
from levaithan.metrics import vitals
from levaithan.monitor.arrivals import Arrivals
from levaithan.monitor.parts import Parts
from levaithan.monitor.status import Status
from levaithan.stores.address import mark

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    root = homes.make_home(tmp_path / "home", native=False, monitor="on", action_dry_run="all")
    made = Parts(home_at(root), settings_of.load(root, environ={}))
    yield made
    made.stop()


def tune(parts: Parts, text: str) -> None:
    with open(parts.home.context + "/alerts.toml", "w", encoding="utf-8") as file:
        file.write(text)


def down(parts: Parts, from_s: float, seconds: int) -> float:
    """Look every 15 s of so many seconds, with a store that is down; when the last look was."""
    at_s = from_s
    for number in range(1, seconds // 15 + 1):
        parts.watching.tally.set("levaithan_store_up", ("graph", "embedded"), 0.0)
        at_s = from_s + number * 15
        parts.look(at_s)
    return at_s


def state(parts: Parts, alert: str) -> str:
    return next((str(one["state"]) for one in parts.evaluator.states() if one["alert"] == alert), "quiet")


def test_a_monitor_that_begins_makes_up_for_drafts_once_and_tells_the_timers(parts: Parts) -> None:
    at = halts.stamp(time.time_ns() // 1000)
    opened = {"action": "open", "incident": "inc-0123456789", "by": "operator", "at": at, "title": "Gone"}
    parts.take({"v": 1, "kind": "incident", "severity": "P1", "source": "person", **opened}, time.time())
    asked: list[list[str]] = []
    parts.companion.make_up = lambda found: asked.append([one.id for one in found])  # type: ignore[method-assign]
    parts.look(time.time())
    parts.look(time.time() + 5)
    assert asked == [["inc-0123456789"]]
    waited_s, paged_s, quiet_s = parts.tell()["timers"]["inc-0123456789"]
    assert waited_s >= 0 and paged_s == quiet_s == 0


def test_rules_that_a_setting_leaves_to_prometheus_are_not_told_as_looked_at(parts: Parts) -> None:
    parts.look(time.time())
    assert (shown.read(parts.home) or {})["evaluated"] is True
    parts.settings = parts.settings.model_copy(update={"alert_evaluation": False})
    parts.look(time.time())
    assert (shown.read(parts.home) or {})["evaluated"] is False


def test_a_shorter_wait_holds_from_the_next_look_on_with_what_was_seen(parts: Parts) -> None:
    at_s = down(parts, time.time(), 60)
    assert state(parts, "StoreDown") == "pending"
    tune(parts, '[alerts.StoreDown]\nfor = "45s"\n')
    at_s = down(parts, at_s, 15)
    assert state(parts, "StoreDown") == "firing", "it has been down for a minute already"
    assert (shown.read(parts.home) or {})["tuned"] == shown.in_force(parts.rules)
    assert "StoreDown" in shown.in_force(parts.rules)
    tune(parts, "")
    parts.look(at_s + 15)
    assert (shown.read(parts.home) or {})["tuned"] == {}


def test_what_fires_of_a_rule_that_is_switched_off_ends(parts: Parts) -> None:
    tune(parts, '[alerts.StoreDown]\nfor = "30s"\n')
    at_s = down(parts, time.time(), 60)
    (incident,) = [one for one in parts.engine.open() if one.alert == "StoreDown"]
    assert incident.firing
    tune(parts, "[alerts.StoreDown]\noff = true\n")
    down(parts, at_s, 30)
    assert not incident.firing
    assert state(parts, "StoreDown") == "quiet"


def test_what_is_about_a_store_that_was_taken_out_of_the_settings_is_over_at_once(parts: Parts) -> None:
    """The burning of the hour before it, too; and Alertmanager, which knows of nothing, opens none of it again."""
    url = "redis://127.0.0.1:1"
    there = ("counters", mark(url))
    now_s = time.time()
    with_redis = begun(parts, counters_url=url)
    for number in range(44):
        at_s = now_s + number * 15
        with_redis.watching.tally.set("levaithan_store_up", there, 0.0)
        with_redis.watching.tally.set("levaithan_store_up", ("graph", "embedded"), 0.0)
        with_redis.look(at_s)
    alerts = {"StoreDown", "StoreBurnFast"}
    assert {(one.alert, one.store) for one in with_redis.engine.open()} >= {
        (alert, store) for alert in alerts for store in ("counters", "graph")
    }
    gone = [one for one in with_redis.engine.open() if one.store == "counters"]
    with_redis.keep()
    with_redis.stop()

    without = begun(parts)
    without.watching.tally.set("levaithan_store_up", ("graph", "embedded"), 0.0)
    without.look(at_s + 15)
    assert {one["labels"]["store"] for one in without.evaluator.states() if "store" in one["labels"]} == {"graph"}
    assert {one.store for one in without.engine.open()} == {"graph"}, "what is about another store stands"
    assert {one.alert for one in without.engine.open()} >= alerts
    for one in gone:
        told = without.engine.book.incidents[one.id]
        assert (told.state, told.fix) == ("resolved", "that address is no longer used")
    record = [line for line in homes.journal_records(parts.home.root) if line.get("action") == "resolve"][-1]
    assert (record["by"], record["left"]) == ("monitor", there[1])

    labels = {"store": "counters", "address": there[1]}
    again = Signal(
        fingerprint_of("high_error_rate", "StoreDown", labels), "StoreDown", "high_error_rate", "P1", True, at_s, at_s,
        labels=labels, source="alertmanager",
    )  # fmt: skip
    without.sent.put([again])
    without.look(at_s + 30)
    assert {one.store for one in without.engine.open()} == {"graph"}
    assert not any(line.get("action") == "reopen" for line in homes.journal_records(parts.home.root))
    without.keep()
    without.stop()

    back = begun(parts, counters_url=url)
    assert not any("counters" in one["labels"].values() for one in back.evaluator.states())
    back.sent.put([again])
    back.look(at_s + 45)
    assert {one.alert for one in back.engine.open() if one.store == "counters"} == {"StoreDown"}
    back.stop()


def test_an_address_where_the_projector_goes_on_is_in_use(parts: Parts) -> None:
    """A monitor that is started alone knows the settings of now; the service works by those of its own start."""
    url = "redis://127.0.0.1:1"
    with_redis = begun(parts, counters_url=url)
    at_s = time.time()
    for _ in range(44):
        at_s += 15
        with_redis.watching.tally.set("levaithan_store_up", ("counters", mark(url)), 0.0)
        with_redis.look(at_s)
    (incident,) = [one for one in with_redis.engine.open() if one.alert == "StoreDown" and one.store == "counters"]
    with_redis.keep()
    with_redis.stop()

    def project(doing: str = "idle", **stores: dict[str, str]) -> None:
        at = datetime.now(UTC) - timedelta(minutes=2) * (doing == "stopped")
        told = {"updated": at.isoformat(), "doing": doing, "stores": stores}
        Path(parts.home.run, "projector.json").write_text(json.dumps(told))

    alone = begun(parts)
    for doing in ("idle", "stopped"):  # between its end and the first word of the next one nothing is left either
        project(doing, counters={"where": url, "state": "down"})
        alone.look(at_s + 15)
    assert alone.engine.book.incidents[incident.id].active
    assert any("counters" in one["labels"].values() for one in alone.evaluator.states())
    project()
    alone.look(at_s + 30)
    assert alone.engine.book.incidents[incident.id].state == "resolved"
    assert not any("counters" in one["labels"].values() for one in alone.evaluator.states())
    alone.stop()


def test_a_false_alarm_of_an_address_that_was_left_keeps_nobody_quiet_later(parts: Parts) -> None:
    url = "redis://127.0.0.1:1"
    before = begun(parts, counters_url=url)
    at_s = time.time()

    def down(of: Parts) -> set[str]:
        nonlocal at_s
        for _ in range(44):
            at_s += 15
            of.watching.tally.set("levaithan_store_up", ("counters", mark(url)), 0.0)
            of.look(at_s)
        return {one.id for one in of.engine.open() if one.alert == "StoreDown" and one.store == "counters"}

    (first,) = down(before)
    before.engine.fold({
        "v": 1, "kind": "incident", "action": "false_positive", "incident": first, "by": "person", "why": "moving",
        "ref": "1" * 16, "at": datetime.now(UTC).isoformat(),
    })  # fmt: skip
    for later in ({}, {"counters_url": url}):
        before.keep()
        before.stop()
        before = begun(parts, **later)
        before.look(at_s := at_s + 15)
        assert before.engine.book.incidents[first].state == "false_positive"
    assert down(before) - {first}, "it is down once more, and that is no false alarm"
    before.stop()


def test_what_the_monitor_sees_of_stores_is_there_for_who_looks_once(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.watching.tally.set("levaithan_store_up", ("graph", "embedded"), 0.0)
    Status(parts.home, parts).write("watching")
    found = watched.outside(parts.home).stores()
    assert found["graph"] == {"address": "embedded", "up": 0.0, "bytes": None}
    monkeypatch.setattr(watched, "FRESH_S", -1.0)
    assert watched.outside(parts.home).stores() == {}, "what was seen long ago is no word of now"
    monkeypatch.undo()
    Status(parts.home, parts).write("stopped")
    assert watched.outside(parts.home).stores() == {}


def begun(parts: Parts, **chosen: object) -> Parts:
    return Parts(parts.home, parts.settings.model_copy(update=chosen))


def test_what_is_not_followed_is_told_and_goes_when_it_is_mended(parts: Parts) -> None:
    now_s = time.time()
    parts.look(now_s)
    assert "rules" not in parts.tell()["troubles"]
    tune(parts, "[alerts.StoreDown]\nthreshold = 'much'\n")
    parts.look(now_s + 5)
    assert "StoreDown" in parts.tell()["troubles"]["rules"]
    tune(parts, '[alerts.StoreDown]\nfor = "2m"\n')
    parts.look(now_s + 10)
    assert "rules" not in parts.tell()["troubles"]


def test_a_full_disk_keeps_no_incident_from_opening(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shown, "write", full)
    monkeypatch.setattr(parts.writer, "write", full)
    monkeypatch.setattr(parts.engine, "_write", full)
    now_s = time.time()
    parts.sent.put([Signal("f" * 64, "DiskFull", "performance", "P1", True, now_s, now_s, source="alertmanager")])
    parts.look(now_s)
    assert [one.alert for one in parts.engine.open()] == ["DiskFull"]
    assert "No space left" in parts.tell()["troubles"]["shown"]
    monkeypatch.undo()
    parts.look(now_s + 5)
    assert "shown" not in parts.tell()["troubles"]


def test_alerts_that_nobody_takes_are_refused_in_the_end_and_none_of_a_message_is_lost(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = {"status": "firing", "labels": {"alertname": "A"}, "annotations": {}, "startsAt": "2026-11-27T10:00:00Z"}
    sent = json.dumps({"version": "4", "alerts": [{**alert, "labels": {"alertname": f"A{n}"}} for n in range(3)]})
    monkeypatch.setattr(parts, "sent", Arrivals(7))
    codes = [parts.take_alerts(sent.encode())[0] for _ in range(4)]
    assert codes == [200, 200, 503, 503]
    assert [one.alert for one in parts.sent.take()] == ["A0", "A1", "A2"] * 2
    assert parts.take_alerts(sent.encode())[0] == 200, "what was refused comes again"
    assert Arrivals(1).put(parts.sent.take()), "one message of any size is taken"


def test_detectors_go_on_with_their_memory(parts: Parts) -> None:
    now_s = time.time()
    assert parts.watchdog.heard(Signal("w", WATCHDOG, "meta", "P3", True, now_s, now_s))
    tune(parts, "[alerts.WatchdogSilent]\nthreshold = 400\n")
    before = parts.watch
    parts.look(now_s)
    assert parts.watch is not before
    assert parts.watchdog in parts.watch.detectors
    assert parts.watchdog.dump() == {"expected": True}
    same = parts.watch
    parts.look(now_s + 5)
    assert parts.watch is same, "nothing has changed"


def test_what_alertmanager_takes_back_is_heard_though_a_detector_says_the_same(parts: Parts) -> None:
    """Prometheus was the first to see it; then the detector here did, which names the session."""
    now_s = time.time()
    rule = parts.rules.get("CriticalDenialBurst")
    assert rule is not None
    seen = Signal("f" * 64, rule.alert, rule.detection, "P1", True, now_s, now_s, source="alertmanager")
    parts.sent.put([seen])
    parts.answer([], now_s)
    (incident,) = parts.engine.open()
    for number in range(12):
        parts.watch.take(refused(number), now_s)
    parts.look(now_s + 5)
    parts.sent.put([replace(seen, at_s=now_s + 6), replace(seen, fingerprint="e" * 64, at_s=now_s + 6)])
    parts.answer([], now_s + 6)
    assert len(parts.engine.open()) == 2, "the session's own, and no third one"
    parts.sent.put([replace(seen, firing=False, at_s=now_s + 7)])
    parts.answer([], now_s + 7)
    assert incident.firing == {}


def refused(number: int) -> dict[str, object]:
    return {"kind": "event", "event": "PreToolUse", "decision": "deny", "rule": "fs.delete-root", "session_id": "s1",
            "tool_use_id": f"t{number}"}  # fmt: skip


def test_how_slow_the_hooks_are_is_what_actions_are_verified_by(parts: Parts) -> None:
    now_s = time.time()
    parts.look(now_s - 60)
    assert readings.GATE_P99 not in parts.runner.world.readings(), "nothing was measured yet"
    parts.watching.tally.observe("levaithan_hook_duration_seconds", ("PreToolUse", "native"), 0.4, 100)
    parts.look(now_s)
    found = parts.runner.world.readings()
    assert 0.25 < found[readings.GATE_P99] <= 0.5
    assert readings.GATE_P99 in readings.outside(found, of=readings.of_alert("HooksVerySlow"))
    parts.forget()
    assert readings.GATE_P99 in parts.runner.world.readings(), "a journal that is read anew changes nothing of it"


def test_figures_are_kept_by_the_minute_and_gone_on_with(parts: Parts) -> None:
    now_s = time.time()
    for number in range(4):
        parts.watching.tally.set("levaithan_store_lag_seconds", ("graph", "embedded"), 10.0 * number)
        parts.look(now_s + 60 * number)
    parts.keep()
    rows = vitals.kept(parts.home)
    assert [figures["store_lag_seconds graph"] for _, figures in rows] == [10.0, 20.0, 30.0]
    again = Parts(parts.home, parts.settings)
    assert list(again.vitals.rows) == rows
    again.stop()


def test_a_new_form_of_a_loud_line_is_counted_and_an_incident(parts: Parts) -> None:
    now_s, log = time.time(), Path(parts.home.logs, "service.log")

    def said(text: str, count: int, at_s: float) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"event": text, "level": "error", "component": "service"}) + "\n" for _ in range(count)
            )
        parts.watching.gauges.log.collect(parts.watching.tally)
        parts.look(at_s)

    said("the disk is slow today", log_patterns.LEARN_LINES, now_s)
    said("the disk is slow today", 2, now_s + log_patterns.LEARN_S + 5)
    assert parts.watching.tally.value("levaithan_log_pattern_new_total", ("error", "service")) == 1
    assert [one.alert for one in parts.engine.open()] == []
    said("a wholly other sentence that nobody has ever read", 1, now_s + log_patterns.LEARN_S + 20)
    assert parts.watching.tally.value("levaithan_log_pattern_new_total", ("error", "service")) == 2
    (incident,) = parts.engine.open()
    assert (incident.alert, incident.severity) == ("NewLogPatterns", "P3")
    assert "a wholly other sentence" in incident.title
