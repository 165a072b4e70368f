"""The settings of the monitor's process (see settings)."""

from __future__ import annotations

from pydantic import Field

from levaithan.config.store_settings import StoreSettings


class MonitorSettings(StoreSettings):
    """Whether a home is monitored, and how closely."""

    monitor: bool = Field(
        default=True, description="Count metrics, evaluate alerts, open incidents and act on them (on, off)"
    )
    monitor_interval_s: int = Field(
        default=5, ge=1, le=300, description="Seconds between two looks of the monitor at metrics and alerts"
    )
    alert_evaluation: bool = Field(
        default=True,
        description="Evaluate the alert rules in the monitor too (on, off); off where Prometheus does and its "
        "Alertmanager sends here",
    )
    watchdog_url: str | None = Field(
        default=None,
        description="A dead man's switch that is asked (GET) each minute while the monitor works, and alarms somebody "
        "when it stays away; unset = none",
    )
