"""What leaves the monitor by its settings: the text, a file for node_exporter, an OpenTelemetry collector; none of them
in the way of the others."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.support import homes

from levaithan.metrics import exposition
from levaithan.metrics.tally import Tally
from levaithan.monitor import outward
from levaithan.monitor.outward import Outward

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_790_000_000.0


class Collector:
    """Takes OTLP over HTTP on loopback. got: the names of each export."""

    def __init__(self) -> None:
        self.got: list[set[str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                (whole,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
                collector.got.append({metric.name for scope in whole.scope_metrics for metric in scope.metrics})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing: tests are quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Clock:
    """The monotonic clock of the module, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(outward, "time", made)
    return made


def made(**settings: Any) -> tuple[Outward, Tally]:
    chosen = {"metrics_listen": "off", "metrics_textfile": None, "metrics_textfile_interval_s": 15,
              "otel_endpoint": None, "otel_interval_s": 60, **settings}  # fmt: skip
    tally = Tally()
    watching: Any = SimpleNamespace(
        tally=tally, newborn=frozenset(), since_s=NOW, exposition=lambda: exposition.text(tally)
    )
    return Outward(watching, SimpleNamespace(**chosen), "m"), tally


def sent(one: Outward) -> None:
    """One look, and what it began has ended."""
    one.send(NOW)
    thread = one._exporting
    homes.until(lambda: thread is None or not thread.is_alive(), 30)


def test_without_settings_nothing_leaves(clock: Clock, tmp_path: Path) -> None:
    one, _ = made()
    sent(one)
    assert one.troubles() == {}
    assert list(tmp_path.iterdir()) == []
    assert one._exporting is None


def test_the_file_of_the_settings_is_written_anew_at_its_interval(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "levaithan.prom"
    one, tally = made(metrics_textfile=str(path))
    tally.set("levaithan_system_load1", ("m", "h"), 0.25)
    sent(one)
    assert 'levaithan_system_load1{host="h",machine="m"} 0.25' in path.read_text()
    tally.set("levaithan_system_load1", ("m", "h"), 0.75)
    clock.now += 14
    sent(one)
    assert "} 0.25" in path.read_text()
    clock.now += 1
    sent(one)
    assert 'levaithan_system_load1{host="h",machine="m"} 0.75' in path.read_text()


def test_a_file_that_cannot_be_written_is_told_until_it_can(clock: Clock, tmp_path: Path) -> None:
    folder = tmp_path / "collector"
    one, _ = made(metrics_textfile=str(folder / "levaithan.prom"))
    sent(one)
    assert "cannot be written" in one.troubles()["textfile"]
    folder.mkdir()
    clock.now += 15
    sent(one)
    assert one.troubles() == {}


def test_the_collector_of_the_settings_gets_the_figures_at_its_interval(clock: Clock, collector: Collector) -> None:
    one, tally = made(otel_endpoint=collector.url)
    tally.add("levaithan_cost_usd_total", ("claude-opus-5-5", "/p"), 1.25)
    sent(one)
    assert len(collector.got) == 1
    assert {"claude_code.cost.usage", "levaithan.hook_events"} <= collector.got[0]
    clock.now += 59
    sent(one)
    assert len(collector.got) == 1
    clock.now += 1
    sent(one)
    assert len(collector.got) == 2
    assert one.troubles() == {}


def test_a_collector_that_is_gone_is_told_and_the_file_goes_on(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levaithan.metrics import otel

    monkeypatch.setattr(otel, "LIMIT_S", 1)
    path = tmp_path / "levaithan.prom"
    one, _ = made(otel_endpoint="http://127.0.0.1:9", metrics_textfile=str(path))
    sent(one)
    assert "127.0.0.1:9" in one.troubles()["otel"]
    assert path.exists()
    assert one._fetch("Prometheus/3")[0].startswith(b"# HELP")
