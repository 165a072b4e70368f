"""deploy/alertmanager, taken and run by the real Alertmanager: who is told what, when, and in which words."""

from __future__ import annotations

import json
import re
import subprocess
import time
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.servers import asking
from tests.servers.alertmanager import Alertmanager
from tests.support.alert_config import FILE, FOLDER, MONITOR, deployed
from tests.support.loopback import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    OwnServer = Callable[..., Any]

CONFIG: Any = yaml.safe_load(FILE.read_text("utf-8"))
DETECTIONS = ("high_error_rate", "budget_exceeded", "resource_conflicts", "performance", "security", "meta")
SEVERITIES = ("P0", "P1", "P2", "P3")
INTAKE = "/api/v1/alertmanager"
PEOPLE = "/people"


def run(*command: object) -> str:
    """What a tool printed. It must exit 0."""
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def routed(amtool: Path, **labels: str) -> list[str]:
    """The receivers of an alert with these labels."""
    asked = [f"{name}={value}" for name, value in labels.items()]
    return run(amtool, "config", "routes", "test", f"--config.file={FILE}", *asked).strip().split(",")


def alert(name: str, severity: str, detection: str = "high_error_rate", **labels: str) -> dict[str, Any]:
    """An alert as Prometheus sends it."""
    given = {"alertname": name, "severity": severity, "detection": detection, "job": "levaithan", **labels}
    told = {"summary": f"{name} happened", "fix": "levaithan doctor", "runbook_url": f"docs/runbooks.md#{name.lower()}"}
    return {"labels": given, "annotations": told, "generatorURL": "http://p.test/graph?g0.expr=" + "x" * 300}


def post(server: Alertmanager, *alerts: dict[str, Any]) -> None:
    body = json.dumps(list(alerts)).encode()
    asking.fetched(f"{server.url()}/api/v2/alerts", body=body, **{"Content-Type": "application/json"})


def everybody(receiver: Receiver) -> dict[str, dict[str, Any]]:
    """Receivers for people: each severity at a path of its own."""
    return {f"people-p{n}": {"webhook_configs": [{"url": f"{receiver.url}{PEOPLE}/p{n}"}]} for n in range(4)}


def test_amtool_takes_it_and_its_templates(amtool: Path) -> None:
    said = run(amtool, "check-config", FILE)
    assert "SUCCESS" in said
    assert "1 templates" in said
    assert "6 receivers" in said


def test_amtool_takes_every_receiver_that_is_shown_as_an_example(amtool: Path, tmp_path: Path) -> None:
    head, begin, shown = FILE.read_text("utf-8").partition("\nreceivers:\n")
    text = head + begin + re.sub(r"^( +)#(?=\S| {2,})", r"\1", shown, flags=re.MULTILINE)
    told = yaml.safe_load(text)
    assert {key for one in told["receivers"] for key in one} == {
        "name", "webhook_configs", "slack_configs", "email_configs",
    }  # fmt: skip
    assert [len(one.get("webhook_configs", ())) for one in told["receivers"]] == [1, 2, 0, 0, 0, 0]
    (tmp_path / "templates").symlink_to(FOLDER / "templates")
    (tmp_path / "shown.yml").write_text(text.replace("url_file: ", "url: http://dead.mans"))  # 0.25 has no url_file
    assert "SUCCESS" in run(amtool, "check-config", tmp_path / "shown.yml")


@pytest.mark.parametrize(("severity", "detection"), list(product(SEVERITIES, DETECTIONS)))
def test_every_severity_of_every_detection_reaches_the_monitor_and_its_people(
    amtool: Path, severity: str, detection: str
) -> None:
    for more in ({}, {"project": "a"}, {"store": "ledger"}):
        sent = routed(amtool, alertname="Any", severity=severity, detection=detection, **more)
        assert sent == ["levaithan", f"people-{severity.lower()}"]


def test_the_watchdog_goes_to_the_dead_man_s_switch_alone(amtool: Path) -> None:
    assert routed(amtool, alertname="Watchdog", severity="none", detection="meta") == ["dead-mans-switch"]


@pytest.mark.parametrize("labels", [{}, {"severity": "P4"}, {"severity": "critical"}, {"severity": "none"}])
def test_an_alert_of_unknown_severity_is_told_to_people_as_a_p1(amtool: Path, labels: dict[str, str]) -> None:
    assert routed(amtool, alertname="Any", **labels) == ["levaithan", "people-p1"]


def test_waits_and_repetitions_are_those_that_were_promised() -> None:
    routes = {one["receiver"]: one for one in reversed(CONFIG["route"]["routes"])}
    kept = {name: (one["group_wait"], one["repeat_interval"]) for name, one in routes.items()}
    assert kept["people-p0"] == ("0s", "15m")
    assert kept["people-p1"] == ("10s", "1h")
    assert kept["people-p2"] == ("5m", "12h")
    assert routes["people-p3"]["group_interval"] == "24h"
    assert kept["levaithan"][0] == "0s"
    assert CONFIG["route"]["group_by"] == ["detection", "project", "store"]


def told(receiver: Receiver) -> set[tuple[str, str]]:
    """Alert and project (else store) of everything that reached the monitor."""
    alerts = [one["labels"] for one in receiver.alerts(INTAKE)]
    return {(one["alertname"], one.get("project", one.get("store", ""))) for one in alerts}


def settled(server: Alertmanager, receiver: Receiver) -> None:
    """Once this returns, whatever was posted before and has a group of its own has been sent, or is muted."""
    post(server, alert("Marker", "P1", "resource_conflicts"))
    receiver.wait(lambda _: ("Marker", "") in told(receiver))
    time.sleep(0.5)


def test_a_p0_is_told_at_once_with_the_token_and_mutes_what_is_less_bad(own_server: OwnServer) -> None:
    with Receiver() as receiver:
        given = deployed(receiver.url, everybody(receiver), token="s3cret")
        server = own_server("alertmanager", lambda: Alertmanager(**given))
        begun = time.monotonic()
        post(server, alert("GateFailing", "P0", project="a"))
        receiver.wait(lambda calls: {one.path for one in calls} >= {INTAKE, f"{PEOPLE}/p0"})
        assert time.monotonic() - begun < 10
        time.sleep(0.3)  # what mutes hears of it by a way of its own
        intake = [one for one in receiver.calls if one.path == INTAKE]
        assert {one.headers["authorization"] for one in intake} == {"Bearer s3cret"}
        assert {one.headers.get("authorization") for one in receiver.calls if one.path != INTAKE} == {None}
        for project in "ab":  # each with a store, so that it is a group of its own and told at once, if at all
            post(server, alert("HookErrors", "P1", project=project, store="ledger"))
        settled(server, receiver)
        assert told(receiver) == {("GateFailing", "a"), ("HookErrors", "b"), ("Marker", "")}


@pytest.mark.parametrize(
    ("cause", "muted", "kept"),
    [
        (
            alert("HooksVerySlow", "P1", "performance"),
            alert("StoreBehind", "P2", "performance", store="graph"),
            alert("HooksSlow", "P2", "performance", project="a"),
        ),
        (
            alert("StoreFarBehind", "P1", "performance", store="graph"),
            alert("StoreBehind", "P2", "performance", store="graph"),
            alert("StoreBehind", "P2", "performance", store="ledger"),
        ),
        (
            alert("StoreDown", "P1", store="graph"),
            alert("StoreBehind", "P2", "performance", store="graph"),
            alert("StoreBehind", "P2", "performance", store="ledger"),
        ),
        (
            alert("JournalUnwritable", "P0"),
            alert("StoreFarBehind", "P1", "performance", store="graph"),
            alert("HooksSlow", "P2", "performance"),
        ),
        (
            alert("ScrapeDown", "P1", "meta"),
            alert("HooksSlow", "P2", "performance"),
            alert("ChainBroken", "P0", "security"),
        ),
    ],
    ids=lambda one: one["labels"]["alertname"] if isinstance(one, dict) else None,
)
def test_what_follows_from_a_cause_is_muted_and_the_rest_is_not(
    own_server: OwnServer, cause: dict[str, Any], muted: dict[str, Any], kept: dict[str, Any]
) -> None:
    with Receiver() as receiver:
        server = own_server("alertmanager", lambda: Alertmanager(**deployed(receiver.url)))
        post(server, cause)
        receiver.wait(bool)
        time.sleep(0.3)  # what mutes hears of it by a way of its own
        post(server, muted, kept)
        receiver.wait(lambda _: len(told(receiver)) >= 2)
        time.sleep(0.5)
        told_by = [(one["labels"]["alertname"], one["labels"]) for one in (cause, kept)]
        assert told(receiver) == {(name, of.get("project", of.get("store", ""))) for name, of in told_by}


def test_each_alert_that_mutes_or_is_muted_exists() -> None:
    from levaithan.detectors import rules

    named = re.findall(r'alertname !?=~? "([^"]+)"', FILE.read_text("utf-8"))
    assert len(named) >= 6
    alerts = [one.alert for one in rules.default().rules]
    for pattern in {part for one in named for part in re.split(r"\|(?![^(]*\))", one)}:
        assert any(re.fullmatch(pattern, alert) for alert in alerts), pattern


def test_the_rules_have_no_severity_or_detection_that_the_routes_were_not_tried_with() -> None:
    from levaithan.detectors import rules

    made = rules.default().rules
    assert {one.severity for one in made} == {*SEVERITIES, "none"}
    assert {one.detection for one in made} <= set(DETECTIONS)
    assert [one.alert for one in made if one.severity == "none"] == ["Watchdog"]


def test_it_tells_the_monitor_where_the_monitor_listens() -> None:
    from levaithan.config.metrics_settings import LISTEN

    assert f"http://{LISTEN}" == MONITOR


def test_the_watchdog_s_beat_arrives_and_opens_nothing_for_people(own_server: OwnServer) -> None:
    with Receiver() as receiver:
        given = deployed(receiver.url, everybody(receiver), token="s3cret")
        server = own_server("alertmanager", lambda: Alertmanager(**given))
        post(server, alert("Watchdog", "none", "meta"))
        calls = receiver.wait(lambda calls: len(calls) >= 1)
        assert (calls[0].path, calls[0].json()["receiver"]) == (INTAKE, "dead-mans-switch")
        assert calls[0].headers["authorization"] == "Bearer s3cret"
        assert {one.path for one in receiver.calls} == {INTAKE}


@pytest.mark.slow
def test_a_storm_while_the_monitor_is_broken_arrives_whole_afterwards(own_server: OwnServer) -> None:
    with Receiver(status=500) as receiver:
        server = own_server("alertmanager", lambda: Alertmanager(**deployed(receiver.url)))
        storm = [alert("HookErrors", "P1", instance=f"i{n}") for n in range(10_000)]
        for start in range(0, len(storm), 1000):
            post(server, *storm[start : start + 1000])
        receiver.wait(lambda calls: len(calls) >= 2)
        receiver.status = 200

        def whole(_: object) -> bool:
            bodies = [one.json() for one in receiver.calls[-3:]]
            return any(len(body["alerts"]) == len(storm) and not body["truncatedAlerts"] for body in bodies)

        receiver.wait(whole, 60)
        print(f"{max(len(one.body) for one in receiver.calls) / 1e6:.1f} MB in one message")


def test_hostile_text_stays_text_for_people(own_server: OwnServer) -> None:
    hostile = 'a <!channel> & `rm -rf /`\n\x1b[31m*P0*\u202e <https://evil.example|click> "q" ' + "x" * 2000
    slack = {
        "channel": "#c", "send_resolved": True, "title_link": "",
        "title": '{{ template "levaithan.slack.title" . }}', "text": '{{ template "levaithan.slack.text" . }}',
        "fallback": '{{ template "levaithan.title" . }}', "footer": '{{ template "levaithan.text" . }}',
    }  # fmt: skip
    with Receiver() as receiver:
        people = {"people-p0": {"slack_configs": [slack | {"api_url": f"{receiver.url}/slack"}]}}
        server = own_server("alertmanager", lambda: Alertmanager(**deployed(receiver.url, people)))
        post(server, alert("GateFailing", "P0", project=hostile))
        receiver.wait(lambda calls: any(one.path == "/slack" for one in calls))
        call = next(one for one in receiver.calls if one.path == "/slack")
    said = call.json()["attachments"][0]
    assert said["title"].startswith(
        "[P0] 1 firing: high_error_rate, GateFailing in a &lt;!channel&gt; &amp; 'rm -rf /'"
    )
    assert "GateFailing happened" in said["text"]
    assert "run: `levaithan doctor`" in said["text"]
    for words in (said["title"], said["text"]):
        assert not {"<", ">", "\x1b", "\u202e"} & set(words)
        assert len(words) < 3000
    assert said["text"].count("`") == 4
    for words in (said["fallback"], said["footer"]):
        assert not {"\x1b", "\u202e"} & set(words)
    assert "\n" not in said["title"] + said["fallback"]
    assert "run   levaithan doctor" in said["footer"]
