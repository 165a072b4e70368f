"""The Prometheus and the Alertmanager that tests run on: real ones, that scrape, judge, deliver and can be hurt."""

from __future__ import annotations

import json
import time
import urllib.error
from typing import TYPE_CHECKING, Any

import pytest
from tests.servers import asking
from tests.servers.alertmanager import Alertmanager
from tests.servers.process import alive
from tests.servers.prometheus import Prometheus
from tests.support import promql
from tests.support.loopback import Exporter, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.endpoint import Endpoint

    OwnServer = Callable[..., Any]

PATH = "/api/v1/alertmanager"


def told(endpoint: Endpoint) -> None:
    """For whoever reads the log with -rA: which servers these were."""
    print(f"{endpoint.store} {endpoint.version} ({endpoint.source})")


def sends_to(receiver: Receiver, **more: Any) -> dict[str, Any]:
    """A configuration that sends everything there at once."""
    hook = {"url": receiver.url + PATH, "send_resolved": True, **more}
    route = {"receiver": "here", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    return {"route": route, "receivers": [{"name": "here", "webhook_configs": [hook]}]}


def post(server: Alertmanager, *alerts: dict[str, Any]) -> None:
    """What Prometheus would send to it."""
    body = json.dumps(list(alerts)).encode()
    asking.fetched(f"{server.url()}/api/v2/alerts", body=body, **{"Content-Type": "application/json"})


def test_the_run_s_servers_answer(prometheus_server: Endpoint, alertmanager_server: Endpoint) -> None:
    told(prometheus_server)
    told(alertmanager_server)
    assert promql.instant(prometheus_server.url, "1 + 1") == [({}, 2.0)]
    assert asking.alertmanager(alertmanager_server.url)


def test_prometheus_scrapes_and_keeps_it_through_sigkill(own_server: OwnServer) -> None:
    with Exporter('seen_total{what="a"} 3\n') as exporter:
        server = own_server("prometheus", lambda: Prometheus(targets={"levaithan": exporter.address}, interval_s=0.2))
        told(server.endpoint())
        found = promql.awaited(server.url(), "seen_total")
        assert found == [
            ({"__name__": "seen_total", "what": "a", "job": "levaithan", "instance": exporter.address}, 3.0)
        ]
    promql.awaited(server.url(), 'up{job="levaithan"} == 0')
    before, at_s = server.pids(), time.time()
    server.kill()
    assert not any(map(alive, before)), before
    server.restart()
    assert promql.instant(server.url(), "count_over_time(seen_total[1m])", at_s)[0][1] >= 1


def test_prometheus_refuses_rules_that_are_wrong_and_goes_on(own_server: OwnServer, tmp_path: Path) -> None:
    server = own_server("prometheus", lambda: Prometheus(interval_s=0.2))
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, rules: [{record: r, expr: 'vector(1'}]}]")
    server.rules = [rules]
    with pytest.raises(urllib.error.HTTPError, match="500"):
        server.reload()
    rules.write_text("groups: [{name: g, rules: [{record: r, expr: 'vector(7)'}]}]")
    server.reload()
    assert promql.awaited(server.url(), "r")[0][1] == 7


def test_an_alert_goes_from_a_scrape_to_a_receiver_and_is_resolved(own_server: OwnServer, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "groups: [{name: g, rules: [{alert: Broken, expr: 'broken > 0', labels: {severity: P0}, "
        "annotations: {summary: '{{ $value }} broken'}}]}]"
    )
    with Receiver() as receiver, Exporter("broken 0\n") as exporter:
        alertmanager = own_server("alertmanager", lambda: Alertmanager(config=sends_to(receiver)))
        own_server(
            "prometheus",
            lambda: Prometheus(
                targets={"levaithan": exporter.address}, rules=[rules], interval_s=0.2,
                alertmanagers=[alertmanager.endpoint().url.removeprefix("http://")],
            ),
        )  # fmt: skip
        exporter.text = "broken 2\n"
        receiver.wait(lambda calls: len(calls) >= 1)
        fired = receiver.alerts(PATH)[0]
        assert (fired["status"], fired["labels"]["severity"]) == ("firing", "P0")
        assert fired["annotations"]["summary"] == "2 broken"
        exporter.text = "broken 0\n"
        receiver.wait(lambda _: receiver.alerts()[-1]["status"] == "resolved")
        assert receiver.alerts()[-1]["fingerprint"] == fired["fingerprint"]


def test_alertmanager_tries_again_where_the_receiver_answers_500_or_nothing(own_server: OwnServer) -> None:
    with Receiver(status=500) as receiver:
        server = own_server("alertmanager", lambda: Alertmanager(config=sends_to(receiver)))
        post(server, {"labels": {"alertname": "A"}})
        receiver.wait(lambda calls: len(calls) >= 2)
        receiver.status = 200
        tried = len(receiver.calls)
        receiver.wait(lambda calls: len(calls) > tried)
        receiver.hang()
        post(server, {"labels": {"alertname": "B"}})
        hung = receiver.wait(lambda calls: any(b'"B"' in one.body for one in calls))
        receiver.release()
        assert hung[-1].headers["content-type"] == "application/json"
