"""The settings of the metrics: where they can be fetched, where they are sent, what a finished task is worth."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, Field

from levaithan.config.store_settings import StoreSettings

OFF = "off"
LISTEN = "127.0.0.1:9465"
"""9464 is what Claude Code's own exporter takes."""


def _loopback(value: object) -> object:
    """`off`, or HOST:PORT of this machine alone. Raises ValueError."""
    if not isinstance(value, str) or value.strip().lower() in (OFF, ""):
        return OFF if isinstance(value, str) else value
    host, colon, port = value.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("it has no port")
    bare = host.strip("[]")
    if bare != "localhost" and not ipaddress.ip_address(bare).is_loopback:
        raise ValueError("it is no address of this machine alone")
    return f"{host}:{port}"


Listen = Annotated[str, BeforeValidator(_loopback)]


class MetricsSettings(StoreSettings):
    """What becomes of the metrics."""

    metrics_listen: Listen = Field(
        default=LISTEN,
        description="Where /metrics can be fetched: an address of this machine alone, port 0 = a free one; off = "
        "nowhere",
        examples=["off", "127.0.0.1:PORT", "[::1]:PORT", "localhost:PORT"],
    )
    metrics_textfile: str | None = Field(
        default=None,
        description="A file for node_exporter's textfile collector (its name ends in .prom), written anew every "
        "metrics_textfile_interval_s; unset = none",
    )
    metrics_textfile_interval_s: int = Field(
        default=15, ge=1, le=86_400, description="Seconds between two writes of metrics_textfile"
    )
    metrics_push_url: str | None = Field(
        default=None, description="The Pushgateway that `levaithan metrics push` sends to, as http://host:9091"
    )
    otel_endpoint: str | None = Field(
        default=None,
        description="Where metrics are exported to by OTLP over HTTP (the extra `otel`), as http://host:4318; unset = "
        "nowhere",
    )
    otel_interval_s: int = Field(default=60, ge=1, le=86_400, description="Seconds between two such exports")
    value_usd_per_hour: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="What an hour of a person's time is taken to be worth, USD; 0 = unknown",
    )
    value_minutes_per_task: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Minutes of a person's time that a completed task is taken to save; 0 = unknown",
    )
    journal_verify_hours: int = Field(
        default=24,
        ge=0,
        le=8760,
        description="Hours after which the monitor proves the whole journal again, slowly, beside its work; 0 = never",
    )
