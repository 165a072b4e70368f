"""The five detections from end to end: a fault is put in, an incident stands within 15 s of the rule's window with the
severity that it should have, the action has run, people are told; the fault is taken away, and it resolves.

Here by the monitor's own evaluation; test_detections_prometheus has the same through real servers of Prometheus'
project: both must say the same.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import calls, homes
from tests.support.watched import Watched, denied_before, prometheus_watches, watched

if TYPE_CHECKING:
    from tests.servers.process import Server

    OwnServer = Callable[..., Server]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
FIXED = ("--fix", "what was put in is taken out", "--regression", "tests/faults/test_detections.py")


@pytest.fixture
def way() -> str:
    """Who evaluates the rules."""
    return "evaluator"


@contextlib.contextmanager
def watching(way: str, folder: Path, own_server: OwnServer, **settings: object) -> Iterator[Watched]:
    """A home that is watched in one of the two ways, once what watches it works."""
    with watched(folder, alert_evaluation="on" if way == "evaluator" else "off", **settings) as one:
        one.send(calls.tool_call(session_id="s-begin"))
        if way == "evaluator":
            yield one
        else:
            with prometheus_watches(one, own_server, folder):
                yield one


def test_a_hook_that_fails(way: str, tmp_path: Path, own_server: OwnServer) -> None:
    with watching(way, tmp_path, own_server) as one:
        mend = one.failing_hook()
        incident = one.incident("GateFailing")
        assert (incident["severity"], incident["detection"], incident["source"]) == (
            "P0", "high_error_rate", "evaluator" if way == "evaluator" else "alertmanager",
        )  # fmt: skip
        one.action("emergency_stop", "verified")
        assert one.send(calls.tool_call("touch x", session_id="s-anybody")).denied
        one.told("P0", "emergency_stop", f"levaithan incident ack {incident['id']}")
        one.incident("GateFailing", "mitigated")
        early = homes.cli(one.root, "incident", "resolve", incident["id"], *FIXED, check=False)
        assert early.returncode == 1, "the detector is not quiet"
        assert "still fires" in early.stderr
        (halt,) = one.rows("halt", "list")
        homes.cli(one.root, "halt", "release", halt["id"], "--yes")
        assert not one.send(calls.tool_call(session_id="s-anybody")).denied
        mend()
        one.until_quiet(incident["id"])
        homes.cli(one.root, "incident", "resolve", incident["id"], *FIXED)
        one.incident("GateFailing", "resolved")
        one.timers(incident["id"])


def test_a_budget_that_is_passed(way: str, tmp_path: Path, own_server: OwnServer) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with watching(way, tmp_path, own_server) as one:
        mend = one.budget_passed(project)
        incident = one.incident("BudgetSpent")
        assert (incident["severity"], incident["detection"]) == ("P1", "budget_exceeded")
        one.action("throttle_session", "verified")
        one.told("P1", "throttle_session", f"levaithan incident ack {incident['id']}")
        assert [row["kind"] for row in one.rows("restraint", "list")] == ["throttle"]
        mend()
        one.until_quiet(incident["id"])
        homes.cli(one.root, "incident", "resolve", incident["id"], *FIXED)
        one.incident("BudgetSpent", "resolved")
        one.timers(incident["id"])
        assert {row["alert"] for row in one.rows("incident", "list", "--all")} == {"BudgetSpent"}, (
            "one trouble, one incident"
        )


def test_a_lease_storm(way: str, tmp_path: Path, own_server: OwnServer) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with watching(way, tmp_path, own_server) as one:
        edit = one.lease_storm(project)
        incident = one.incident("LeaseStorm")
        assert (incident["severity"], incident["detection"]) == ("P2", "resource_conflicts")
        one.action("release_stale_lease", "verified")
        assert not one.send(calls.tool_call(**edit, session_id="s-after")).denied, "the file is free for the others"
        one.told("P2", "levaithan lease list", "release_stale_lease", incident["id"])
        one.incident("LeaseStorm", "resolved", within_s=90)  # its window of 30 s, then quiet for 3
        one.timers(incident["id"])


def test_sessions_that_wait_for_each_other(way: str, tmp_path: Path, own_server: OwnServer) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with watching(way, tmp_path, own_server) as one:
        wanted = one.lease_deadlock(project)
        incident = one.incident("LeaseDeadlock")
        assert (incident["severity"], incident["detection"]) == ("P1", "resource_conflicts")
        run = one.action("order_waiters", "verified")
        assert not one.send(calls.tool_call(**wanted["s-older"], session_id="s-older")).denied, "it gets on"
        said = one.send(calls.tool_call(**wanted["s-older"], session_id="s-younger"))
        assert said.denied and "was yours" in said.reason and f"levaithan action undo {run['run']}" in said.reason
        one.told("P1", "order_waiters", f"levaithan incident ack {incident['id']}")
        one.until_quiet(incident["id"])
        homes.cli(one.root, "incident", "resolve", incident["id"], *FIXED)
        one.incident("LeaseDeadlock", "resolved")
        one.timers(incident["id"])
        one.send({"hook_event_name": "Stop", "session_id": "s-older", "cwd": str(project)})
        homes.rows(one.root, "action", "undo", run["run"], "--yes")
        held = {Path(row["path"]).name: row["session"] for row in one.rows("lease", "list")}
        assert held == {"younger.txt": "s-younger"}, "it is free, so it has it back"


def test_a_slow_store(way: str, tmp_path: Path, own_server: OwnServer) -> None:
    script, told = tmp_path / "up.py", tmp_path / "told"
    script.write_text(f"open({str(told)!r}, 'a').write('up ')\n")
    with watching(way, tmp_path, own_server, action_platform_up=f"{sys.executable} {script}") as one:
        mend = one.slow_store()
        incident = one.incident("StoreBehind", store="ledger", within_s=25)
        assert (incident["severity"], incident["detection"]) == ("P2", "performance")
        one.action("scale_projector", "refused")  # no store of this home is on a server
        one.action("platform_hook", "verified")
        assert told.read_text() == "up ", "four stores are late, and it is scaled up once"
        one.told("P2", "scale_projector", "platform_hook", incident["id"])
        mend()
        one.incident("StoreBehind", "resolved", store="ledger", within_s=60)
        one.timers(incident["id"])


def test_a_burst_of_denied_commands(way: str, tmp_path: Path, own_server: OwnServer) -> None:
    with watching(way, tmp_path, own_server) as one:
        one.denied_burst()
        incident = one.incident("CriticalDenialBurst")
        assert (incident["severity"], incident["detection"]) == ("P1", "security")
        one.action("quarantine_session", "verified", "done")
        one.told("P1", "quarantine_session", f"levaithan incident ack {incident['id']}")
        assert one.send(calls.tool_call("touch x", session_id="s-burst")).denied, "it may only read"
        assert not one.send(calls.tool_call("touch x", session_id="s-other")).denied


def test_a_burst_of_denied_commands_that_ends(tmp_path: Path) -> None:
    """Its window of five minutes stays as delivered: the burst was four and a half ago, while no service ran. What
    judges is the events' own time, so it is found at once, and over soon after. (By Prometheus it is a gauge of the
    same window: see test_promtool_parity.)"""
    with watched(tmp_path, before=lambda root: denied_before(root, 270)) as one:
        incident = one.incident("CriticalDenialBurst", within_s=20)
        assert (incident["severity"], incident["detection"]) == ("P1", "security")
        run = one.action("quarantine_session", "verified", "done")
        assert one.send(calls.tool_call("touch x", session_id="s-burst")).denied, "it may only read"
        homes.cli(one.root, "incident", "ack", incident["id"])
        early = homes.cli(one.root, "incident", "resolve", incident["id"], *FIXED, check=False)
        assert early.returncode == 1, "the burst is not over"
        assert "still fires" in early.stderr
        one.until_quiet(incident["id"])
        homes.cli(one.root, "incident", "resolve", incident["id"], *FIXED)
        one.incident("CriticalDenialBurst", "resolved")
        one.timers(incident["id"])
        (row,) = one.rows("incident", "show", incident["id"])
        at_s = [datetime.fromisoformat(row[f"{step}_at"]).timestamp() for step in ("started", "detected", "resolved")]
        assert 270 <= at_s[1] - at_s[0] < 300, "it began when the first was refused, not when that was found"
        assert at_s[2] - at_s[0] >= 300, "the window has passed"
        homes.rows(one.root, "action", "undo", run["run"], "--yes")
        assert not one.send(calls.tool_call("touch x", session_id="s-burst")).denied
