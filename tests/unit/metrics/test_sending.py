"""The figures on their way out: a file, a Pushgateway, OpenTelemetry; each against what really reads it."""

from __future__ import annotations

import base64
import gzip
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.unit.metrics.conftest import T0
from tests.unit.metrics.test_tally import parsed

from levaithan.errors import NotConfigured
from levaithan.metrics import otel
from levaithan.metrics.families import BY_NAME
from levaithan.metrics.push import PushRefused, push
from levaithan.metrics.tally import Tally
from levaithan.metrics.textfile import TextfileUnwritable, write

if TYPE_CHECKING:
    from collections.abc import Iterator


class Receiver:
    """What stands on loopback and takes what is sent. got: (method, path, headers, body)."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.got.append((self.command, self.path, dict(self.headers), body))
                self.send_response(receiver.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT = _take  # noqa: N815 - the names that http.server asks for

            def log_message(self, *_: Any) -> None:
                """Nothing: tests are quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    made.add("levaithan_hook_events_total", ("PreToolUse", "deny"), 3)
    made.observe("levaithan_hook_duration_seconds", ("PreToolUse", "native"), 0.002, 4)
    made.set("levaithan_system_load1", ("m", "h"), 0.5)
    made.add("levaithan_cost_usd_total", ("claude-opus-5-5", "/p"), 1.25)
    for kind, count in (("input", 10), ("cache_write_5m", 20), ("cache_write_1h", 30)):
        made.add("levaithan_tokens_total", ("claude-opus-5-5", "/p", kind), count)
    made.add("levaithan_work_total", ("lines_added",), 7)
    made.add("levaithan_work_total", ("commits",), 2)
    made.add("levaithan_sessions_total", ("/p",), 4)
    return made


def test_a_file_is_replaced_whole_and_everybody_may_read_it(tally: Tally, tmp_path: Path) -> None:
    path = tmp_path / "levaithan.prom"
    path.write_text("old")
    before = os.umask(0o077)
    try:
        write(tally, str(path))
    finally:
        os.umask(before)
    assert parsed(path.read_bytes()) == {(name, pairs): value for name, pairs, value in tally.series()}
    assert path.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["levaithan.prom"]


def test_a_file_that_cannot_be_written_says_what_to_do(tally: Tally, tmp_path: Path) -> None:
    for path in (tmp_path / "levaithan.txt", tmp_path / "none" / "x.prom"):
        with pytest.raises(TextfileUnwritable) as refused:
            write(tally, str(path))
        assert refused.value.fix
    (tmp_path / "x.prom").mkdir()
    with pytest.raises(TextfileUnwritable):
        write(tally, str(tmp_path / "x.prom"))


def test_a_gateway_gets_all_of_it_under_job_and_machine(tally: Tally, receiver: Receiver) -> None:
    shown = push(tally, receiver.url.replace("//", "//someone:a%20word@"), "ada", job="night")
    assert shown == receiver.url
    method, path, headers, body = receiver.got[0]
    assert (method, path) == ("PUT", f"/metrics/job/night/instance/{os.uname().nodename}/machine/ada")
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"someone:a word").decode()
    assert parsed(body) == {(name, pairs): value for name, pairs, value in tally.series()}
    push(tally, receiver.url, "ada")
    assert receiver.got[1][1].startswith("/metrics/job/levaithan/")
    assert "Authorization" not in receiver.got[1][2]


def test_a_gateway_that_refuses_or_is_not_there_is_said_without_the_password(tally: Tally, receiver: Receiver) -> None:
    receiver.answer = 500
    for url in (
        receiver.url.replace("//", "//u:geheim@"),
        "http://u:geheim@127.0.0.1:1",
        "ftp://u:geheim@x",
        "nonsense",
    ):
        with pytest.raises(PushRefused) as refused:
            push(tally, url, "ada", timeout_s=5)
        assert "geheim" not in f"{refused.value} {refused.value.fix} {refused.value.as_dict()}"


def exported(receiver: Receiver) -> tuple[dict[str, str], dict[str, Any]]:
    """The resource and the metrics by name of the last export, from its protobuf."""
    _method, path, headers, body = receiver.got[-1]
    assert path == "/v1/metrics"
    body = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    request = ExportMetricsServiceRequest.FromString(body)
    (whole,) = request.resource_metrics
    resource = {one.key: one.value.string_value for one in whole.resource.attributes}
    return resource, {metric.name: metric for scope in whole.scope_metrics for metric in scope.metrics}


def points(metric: Any) -> dict[tuple[tuple[str, str], ...], float]:
    data = getattr(metric, metric.WhichOneof("data"))
    return {
        tuple(sorted((one.key, one.value.string_value) for one in point.attributes)): point.as_double or point.as_int
        for point in data.data_points
    }


def test_a_collector_gets_the_clients_own_names_where_it_has_them(tally: Tally, receiver: Receiver) -> None:
    exporter = otel.Exporter(receiver.url, machine="m")
    exporter.send(tally, T0, T0 + 60)
    exporter.close()
    resource, found = exported(receiver)
    assert resource["service.name"] == "levaithan"
    assert (resource["service.instance.id"], resource["host.name"]) == ("m", os.uname().nodename)
    cost = found["claude_code.cost.usage"]
    assert cost.unit == "USD"
    assert cost.sum.is_monotonic
    assert cost.sum.aggregation_temporality == 2  # cumulative
    assert points(cost) == {(("model", "claude-opus-5-5"), ("project", "/p")): 1.25}
    tokens = points(found["claude_code.token.usage"])
    assert tokens[("model", "claude-opus-5-5"), ("project", "/p"), ("type", "cacheCreation")] == 50
    assert points(found["claude_code.lines_of_code.count"])[("type", "added"),] == 7
    assert points(found["claude_code.commit.count"]) == {(): 2}
    assert found["claude_code.active_time.total"].unit == "s"
    assert points(found["claude_code.session.count"]) == {(("project", "/p"),): 4}
    first = cost.sum.data_points[0]
    assert (first.start_time_unix_nano, first.time_unix_nano) == (int(T0 * 1e9), int((T0 + 60) * 1e9))


def test_a_collector_gets_the_rest_under_our_names(tally: Tally, receiver: Receiver) -> None:
    exporter = otel.Exporter(receiver.url + "/", "m")
    exporter.send(tally, T0)
    exporter.close()
    _, found = exported(receiver)
    assert points(found["levaithan.hook_events"])[("decision", "deny"), ("event", "PreToolUse")] == 3
    assert found["levaithan.system_load1"].WhichOneof("data") == "gauge"
    histogram = found["levaithan.hook_duration"]
    assert histogram.unit == "s"
    (point,) = [
        one for one in histogram.histogram.data_points
        if {pair.key: pair.value.string_value for pair in one.attributes} == {"event": "PreToolUse", "path": "native"}
    ]  # fmt: skip
    assert point.count == 4
    assert point.sum == pytest.approx(0.008)
    assert list(point.explicit_bounds) == list(BY_NAME["levaithan_hook_duration_seconds"].buckets)
    assert list(point.bucket_counts)[2] == 4
    assert not point.HasField("min")


def test_a_collector_that_refuses_is_said(tally: Tally, receiver: Receiver) -> None:
    receiver.answer = 400
    exporter = otel.Exporter(receiver.url, "m")
    with pytest.raises(otel.ExportFailed, match=r"127\.0"):
        exporter.send(tally, T0)
    exporter.close()


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", None)
    with pytest.raises(NotConfigured, match="not installed") as refused:
        otel.Exporter("http://127.0.0.1:4318", "m")
    assert "levaithan[otel]" in (refused.value.fix or "")
