"""The figures sent by OpenTelemetry's protocol (OTLP over HTTP), by setting; needs the extra `otel`.

What Claude Code's own telemetry has a name for goes under that name, the rest under ours; both are told apart by the
resource (`service.name` is levaithan). The only module that imports opentelemetry. Names: the client's documentation,
"Monitoring"; data model: the OpenTelemetry specification, Metrics Data Model.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from levaithan import __version__
from levaithan.errors import LevaithanError, NotConfigured
from levaithan.metrics.families import COUNTER, FAMILIES, HISTOGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levaithan.metrics.families import Family
    from levaithan.metrics.tally import Labels, Tally

LIMIT_S = 10
_UNITS = {"seconds": "s", "bytes": "By", "usd": "USD", "ratio": "1"}
_TOKEN_TYPES = {
    "input": "input", "output": "output", "cache_read": "cacheRead", "cache_write_5m": "cacheCreation",
    "cache_write_1h": "cacheCreation",
}  # fmt: skip
_WORK = {
    "lines_added": ("claude_code.lines_of_code.count", "count", {"type": "added"}),
    "lines_removed": ("claude_code.lines_of_code.count", "count", {"type": "removed"}),
    "commits": ("claude_code.commit.count", "count", {}),
    "pull_requests": ("claude_code.pull_request.count", "count", {}),
    "active_seconds": ("claude_code.active_time.total", "s", {}),
}
"""What the client calls what it counts itself: name, unit, attributes."""


class ExportFailed(LevaithanError):  # noqa: N818 - named for people, as all errors are
    """The metrics were not taken by {endpoint}."""

    code = "otel_export"
    fix = "see that an OpenTelemetry collector listens there for OTLP over HTTP (port 4318), or unset otel_endpoint"


class Exporter:
    """Sends the figures of a tally to `endpoint` (http://host:4318), as those of `machine` (its name in records, by
    which two homes of one host are two). Raises NotConfigured without the extra `otel`."""

    def __init__(self, endpoint: str, machine: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
            from opentelemetry.sdk.metrics import export  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise NotConfigured(
                f"Exporting metrics by OpenTelemetry needs the package {error.name}, which is not installed.",
                fix="install it: pip install 'levaithan[otel]' into its environment; or unset otel_endpoint",
            ) from None
        self.endpoint = endpoint.rstrip("/")
        self._export: Any = export
        self._sender = OTLPMetricExporter(endpoint=self.endpoint + "/v1/metrics", timeout=LIMIT_S)
        self._resource = Resource({
            "service.name": "levaithan", "service.version": __version__, "service.instance.id": machine,
            "host.name": os.uname().nodename,
        })  # fmt: skip
        self._scope = InstrumentationScope("levaithan", __version__)

    def send(self, tally: Tally, since_s: float, now_s: float | None = None) -> None:
        """Send all figures, counted since since_s (s since 1970). Raises ExportFailed."""
        times = (int(since_s * 1e9), int((time.time() if now_s is None else now_s) * 1e9))
        metrics = list(self._metrics(tally, *times))
        scoped = self._export.ScopeMetrics(scope=self._scope, metrics=metrics, schema_url="")
        whole = self._export.ResourceMetrics(resource=self._resource, scope_metrics=[scoped], schema_url="")
        done = self._sender.export(self._export.MetricsData(resource_metrics=[whole]), timeout_millis=LIMIT_S * 1000)
        if done is not self._export.MetricExportResult.SUCCESS:
            raise ExportFailed(endpoint=self.endpoint)

    def close(self) -> None:
        """Let go of the connection."""
        self._sender.shutdown()

    def _metrics(self, tally: Tally, begun: int, now: int) -> Iterator[Any]:
        plain: dict[tuple[str, str, str, str], dict[Any, Any]] = {}
        for family in FAMILIES:
            if family.kind == HISTOGRAM:
                binned = [self._bins(family, labels, bins, begun, now)
                          for labels, bins in tally.histograms(family.name).items()]  # fmt: skip
                if binned:
                    data = self._export.Histogram(data_points=binned, aggregation_temporality=_cumulative(self._export))
                    yield self._export.Metric(name_of(family), family.help, unit_of(family), data)
                continue
            for labels, value in tally.table(family.name).items():
                name, unit, attributes = called(family, labels)
                points = plain.setdefault((name, unit, family.help, family.kind), {})
                key = tuple(sorted(attributes.items()))
                if key in points:  # the client does not tell cache writes apart
                    value += points[key].value  # noqa: PLW2901
                points[key] = self._export.NumberDataPoint(attributes, begun, now, value)
        for (name, unit, words, kind), points in plain.items():
            yield self._export.Metric(name, words, unit, self._data(kind, list(points.values())))

    def _data(self, kind: str, points: list[Any]) -> Any:
        if kind == COUNTER:
            temporality = _cumulative(self._export)
            return self._export.Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=True)
        return self._export.Gauge(data_points=points)

    def _bins(self, family: Family, labels: Labels, bins: list[float], begun: int, now: int) -> Any:
        counts = [int(count) for count in bins[:-1]]
        return self._export.HistogramDataPoint(
            attributes=dict(zip(family.labels, labels, strict=True)), start_time_unix_nano=begun, time_unix_nano=now,
            count=sum(counts), sum=bins[-1], bucket_counts=counts, explicit_bounds=list(family.buckets),
            min=None, max=None,
        )  # fmt: skip


def name_of(family: Family) -> str:
    """The family's name as OpenTelemetry writes names; a collector's Prometheus makes ours of it again."""
    bare = family.name.removeprefix("levaithan_").removesuffix("_total")
    for suffix in _UNITS:
        bare = bare.removesuffix("_" + suffix)
    return "levaithan." + bare


def unit_of(family: Family) -> str:
    """The unit that the family's name ends in, in UCUM; "1" for what is only counted."""
    return _UNITS.get(family.name.removesuffix("_total").rpartition("_")[2], "1")


def called(family: Family, labels: Labels) -> tuple[str, str, dict[str, str]]:
    """(name, unit, attributes) of one sample: the client's own where it has them."""
    named = dict(zip(family.labels, labels, strict=True))
    if family.name == "levaithan_cost_usd_total":
        return "claude_code.cost.usage", "USD", named
    if family.name == "levaithan_tokens_total":
        kind = named.pop("kind")
        return "claude_code.token.usage", "tokens", {**named, "type": _TOKEN_TYPES.get(kind, kind)}
    if family.name == "levaithan_sessions_total":
        return "claude_code.session.count", "count", named
    if family.name == "levaithan_work_total" and named["kind"] in _WORK:
        name, unit, attributes = _WORK[named["kind"]]
        return name, unit, dict(attributes)
    return name_of(family), unit_of(family), named


def _cumulative(export: Any) -> Any:
    return export.AggregationTemporality.CUMULATIVE
