"""What no record tells, looked at every few seconds: the machine, the stores, the journal's folder, budgets, leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.metrics.tally import Tally


def collect(tally: Tally, home: Home, settings: Any, now_s: float) -> None:
    """Bring the gauges to now_s (seconds since 1970)."""
