"""The five detections from end to end, as in test_detections, through a real Prometheus and a real Alertmanager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.test_detections import (
    test_a_budget_that_is_passed,
    test_a_burst_of_denied_commands,
    test_a_hook_that_fails,
    test_a_lease_storm,
    test_a_slow_store,
)
from tests.support import calls, homes, promql
from tests.support.watched import prometheus_watches, watched

if TYPE_CHECKING:
    from tests.servers.process import Server

    OwnServer = Callable[..., Server]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
__all__ = [
    "test_a_budget_that_is_passed",
    "test_a_burst_of_denied_commands",
    "test_a_hook_that_fails",
    "test_a_lease_storm",
    "test_a_slow_store",
]


@pytest.fixture
def way() -> str:
    """Who evaluates the rules."""
    return "prometheus"


def test_both_at_once_are_one_incident(tmp_path: Path, own_server: OwnServer) -> None:
    with watched(tmp_path) as one:
        one.send(calls.tool_call(session_id="s-begin"))
        with prometheus_watches(one, own_server, tmp_path) as (server, _):
            mend = one.slow_store()
            one.incident("StoreBehind", store="ledger", within_s=25)
            fires = 'ALERTS{alertname="StoreBehind", store="ledger", alertstate="firing"}'
            promql.awaited(server.url(), fires)
            homes.until(lambda: one.heard("StoreBehind") >= {"evaluator/P2", "alertmanager/P2"}, 30, 0.5)
            mend()
            one.incident("StoreBehind", "resolved", store="ledger", within_s=60)
