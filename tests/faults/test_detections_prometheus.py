"""The five detections from end to end, as in test_detections, through a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import time
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
from tests.support.watched import TUNED, WITHIN_S, prometheus_watches, watched

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


SILENT = (
    TUNED
    + """
[alerts.WatchdogSilent]
threshold = 10
"""
)


@pytest.mark.timeout(300)
def test_an_alertmanager_that_goes_away_is_missed_and_what_was_said_meanwhile_arrives(
    tmp_path: Path, own_server: OwnServer
) -> None:
    """Prometheus' own Watchdog shows that the way to people lives; without an Alertmanager it is missed."""
    with watched(tmp_path, tuned=SILENT, alert_evaluation="off") as one:
        one.send(calls.tool_call(session_id="s-begin"))
        with prometheus_watches(one, own_server, tmp_path, beat_s=2) as (_, manager):
            homes.until(one.beats, 60, 0.5)
            time.sleep(15)
            assert one.rows("incident", "list", "--all") == [], "it is heard, and none is opened for it"
            manager.kill()
            missed = one.incident("WatchdogSilent", within_s=10 + WITHIN_S)
            assert (missed["severity"], missed["source"]) == ("P1", "detector")
            one.told("P1", "Watchdog is no longer heard", missed["id"])
            mend = one.slow_store()
            time.sleep(10)
            rows = one.rows("incident", "list", "--all")
            assert {row["alert"] for row in rows} == {"WatchdogSilent"}, "nobody can say so"
            manager.restart()
            behind = one.incident("StoreBehind", store="ledger", within_s=60)
            assert behind["source"] == "alertmanager"
            one.told("P2", behind["id"])
            one.until_quiet(missed["id"])
            mend()
            one.incident("StoreBehind", "resolved", store="ledger", within_s=60)
            places = [(row["alert"], row["store"]) for row in one.rows("incident", "list", "--all")]
            assert len(places) == len(set(places)), "one trouble, one incident"
            assert {alert for alert, _ in places} == {"WatchdogSilent", "StoreBehind"}
