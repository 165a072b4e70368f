"""A home with a service that watches, by itself or through a real Prometheus and Alertmanager; and faults put into it.

The rules are those that are delivered, their waiting times (`for`) shortened by context/alerts.toml as an operator may;
thresholds and windows stay. Prometheus gets what `levaithan alerts compile` makes of the same home.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from tests.servers import alertmanager, prometheus
from tests.support import alert_config, calls, homes, promql
from tests.support.loopback import Receiver
from tests.support.transcripts import Transcript

from levaithan.hot import hotconf
from levaithan.hot.event import parse
from levaithan.hot.gate import Gate
from levaithan.hot.journal import Journal
from levaithan.hot.lease_book import Book
from levaithan.hot.paths import home_at
from levaithan.hot.wire import new_event_id
from levaithan.install import alertmanager_token
from levaithan.projector.lock import ProjectionLock

if TYPE_CHECKING:
    from tests.servers.process import Server

TUNED = """
[alerts.GateFailing]
for = "1s"
[alerts.LeaseStorm]
for = "1s"
window = "30s"
[alerts.LeaseDeadlock]
for = "1s"
[alerts.StoreBehind]
threshold = 3
for = "1s"
"""
"""The delivered rules wait for minutes, and count conflicts within five; and a store counts as late after a minute."""
WITHIN_S = 15.0
QUIET_S = 3
FAILING = '''"""A hook that fails, as a colleague's may."""


def run(event, context):
    raise RuntimeError("made to fail")
'''


@dataclass
class Watched:
    """One watched home. receiver: where people are told."""

    root: str
    receiver: Receiver
    service: subprocess.Popen[bytes]

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """What a command lists."""
        return homes.rows(self.root, *words)

    def until_listed(self, true: Callable[[list[dict[str, Any]]], bool], within_s: float, *words: str) -> None:
        """Wait until `true` of what a command lists of incidents or actions. All of that is in the journal, so it is
        asked again only once that has grown: a command costs what the service of the test needs."""
        asked = -1

        def there() -> bool:
            nonlocal asked
            size = sum(file.stat().st_size for file in homes.journal_files(self.root))
            grown, asked = size != asked, size
            return grown and true(self.rows(*words))

        homes.until(there, within_s, 0.1)

    def incident(
        self, alert: str, *states: str, store: str | None = None, within_s: float = WITHIN_S
    ) -> dict[str, Any]:
        """The one incident of `alert`, once it is in one of `states` (default: any that is open)."""
        found: list[dict[str, Any]] = []

        def there(rows: list[dict[str, Any]]) -> bool:
            found[:] = [one for one in rows if one["alert"] == alert and store in (None, one["store"])]
            return bool(found) and (not states or found[0]["state"] in states)

        try:
            self.until_listed(there, within_s, "incident", "list", "--all")
        except TimeoutError:
            raise AssertionError(f"no {alert} in {states} within {within_s} s: {found or self.told_of()}") from None
        assert len(found) == 1, found
        return found[0]

    def heard(self, alert: str) -> set[str]:
        """Who says now that `alert` fires, and how severe: "evaluator/P2"."""
        kept = json.loads(Path(self.root, "state", "metrics.json").read_bytes())["more"]["incidents"]["book"]
        return {key for one in kept["incidents"] if one["alert"] == alert for key in one["firing"]}

    def beats(self) -> bool:
        """Whether the Watchdog has come through Alertmanager."""
        kept = json.loads(Path(self.root, "state", "metrics.json").read_bytes())["more"]["watch"]["detectors"]
        return bool(kept["watchdog"]["expected"])

    def told_of(self) -> Any:
        """What the monitor says of itself."""
        return (homes.control(self.root, "status") or {}).get("monitor")

    def until_quiet(self, incident_id: str, within_s: float = 60.0) -> None:
        """Wait until the detectors of an incident are quiet for long enough."""

        def quiet(rows: list[dict[str, Any]]) -> bool:
            return any(one["quiet"] for one in rows if one["id"] == incident_id)

        self.until_listed(quiet, within_s, "incident", "list", "--all")

    def action(self, name: str, *phases: str, within_s: float = WITHIN_S) -> dict[str, Any]:
        """The one run of the action `name`, once it is in one of `phases`."""
        found: list[dict[str, Any]] = []

        def there(rows: list[dict[str, Any]]) -> bool:
            found[:] = [one for one in rows if one["action"] == name]
            return bool(found) and found[0]["phase"] in phases

        self.until_listed(there, within_s, "action", "list", "--all")
        assert len(found) == 1, found
        return found[0]

    def told(self, *words: str, within_s: float = WITHIN_S) -> str:
        """The message to people that holds all of `words`, once it is there."""

        def fits(text: str) -> bool:
            return all(word in text for word in words)

        self.receiver.wait(lambda got: any(fits(_text(one.body)) for one in got), within_s)
        return next(text for text in (_text(one.body) for one in self.receiver.calls) if fits(text))

    def timers(self, incident_id: str) -> None:
        """That the times of an incident that is resolved are in order, and are the figures that /metrics has of it."""
        (row,) = self.rows("incident", "show", incident_id)
        steps = ("started", "detected", "mitigated", "resolved")
        at_s = {step: datetime.fromisoformat(row[f"{step}_at"]).timestamp() for step in steps if row[f"{step}_at"]}
        assert list(at_s.values()) == sorted(at_s.values()), row
        assert at_s["resolved"] - at_s["detected"] >= QUIET_S, "it has to be quiet for so long"
        assert (row["page_level"], row["ack_left_s"]) == (0, None), "nobody was waited for too long"
        spans = {
            "detect": ("started", "detected"),
            "resolve": ("detected", "resolved"),
            "mitigate": ("detected", "mitigated"),
        }
        for step, (begin, end) in spans.items():
            if end in at_s:
                wanted = at_s[end] - at_s[begin]
                name = f'levaithan_incident_{step}_seconds_sum{{severity="{row["severity"]}"}} '
                homes.until(lambda name=name, wanted=wanted: self.figure(name) >= wanted - 0.5, 30, 0.5)

    def figure(self, line: str) -> float:
        """What stands on /metrics behind `line`."""
        with urllib.request.urlopen(f"http://{self.told_of()['listening']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(one.rpartition(" ")[2]) for one in text.splitlines() if one.startswith(line))

    def send(self, payload: dict[str, Any]) -> calls.Answered:
        """One event, as Claude Code sends it."""
        return calls.call(self.root, "native", payload)

    # -- faults; each gives what takes it away again

    def failing_hook(self, events: int = 12) -> Callable[[], None]:
        """A hook that fails at every prompt's end, and `events` ends."""
        hook = Path(self.root, "hooks", "made_to_fail.py")
        hook.write_text(FAILING)
        table = Path(self.root, "context", "workflows.toml")
        before = table.read_text()
        begin = "[workflow.SubagentStop]\nobservers = ["
        table.write_text(before.replace(begin, begin + '"made_to_fail", '))
        assert table.read_text() != before
        time.sleep(2.5)  # the service looks for other rules each second
        for number in range(events):
            self.send({"hook_event_name": "SubagentStop", "session_id": f"s-{number}", "cwd": "/tmp", "agent_id": "a",
                       "agent_type": "general-purpose"})  # fmt: skip

        def mend() -> None:
            table.write_text(before)
            hook.unlink()
            time.sleep(2.5)
            for number in range(200):  # the share of failures falls as calls go well again
                self.send(calls.tool_call(session_id=f"s-well-{number % 20}"))

        return mend

    def budget_passed(self, project: Path) -> Callable[[], None]:
        """A project's budget of a day, and a session that has spent it."""
        homes.cli(self.root, "budget", "set", "--scope", "project", "--target", str(project), "--usd", "0.50")
        spent = Transcript(project, "s-spends")
        spent.spend(0.60, at=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()))
        self.send({"hook_event_name": "Stop", "session_id": "s-spends", "cwd": str(project),
                   "transcript_path": str(spent.path)})  # fmt: skip

        def mend() -> None:
            homes.cli(self.root, "budget", "set", "--scope", "project", "--target", str(project), "--usd", "500")

        return mend

    def lease_storm(self, project: Path, calls_: int = 14) -> dict[str, Any]:
        """A session that fell silent a day ago holds a file for another day, others want it again and again; the call
        that they make, without its session."""
        edit = {"tool_name": "Write", "tool_input": {"file_path": str(project / "one.txt"), "content": "x"},
                "cwd": str(project)}  # fmt: skip
        now = time.time_ns() // 1000
        holder = {"session": "s-silent", "agent": None, "project": str(project), "since_us": now - 86_400_000_000}
        book = Book(home_at(self.root))
        book.one_step(lambda: book.take(os.path.realpath(project / "one.txt"), holder, now + 86_400_000_000))
        book.close()
        for number in range(calls_):
            assert self.send(calls.tool_call(**edit, session_id=f"s-wants-{number}")).denied
        return edit

    def lease_deadlock(self, project: Path) -> dict[str, dict[str, Any]]:
        """Two sessions that live write a file each, and then want the other's; the call that each waits with."""
        edits = {
            name: {"tool_name": "Write", "tool_input": {"file_path": str(project / f"{name}.txt"), "content": "x"},
                   "cwd": str(project)} for name in ("older", "younger")
        }  # fmt: skip
        wanted = {"s-older": edits["younger"], "s-younger": edits["older"]}
        for name, edit in edits.items():
            assert not self.send(calls.tool_call(**edit, session_id=f"s-{name}")).denied
        for session, edit in wanted.items():
            assert self.send(calls.tool_call(**edit, session_id=session)).denied
        return wanted

    def slow_store(self) -> Callable[[], None]:
        """The embedded stores take nothing: somebody else holds their lock. Events come on."""
        homes.sync(self.root)
        lock = ProjectionLock(home_at(self.root))
        assert lock.take(10)
        self.send(calls.tool_call(session_id="s-slow"))
        return lock.release

    def denied_burst(self, calls_: int = 13) -> None:
        """One session tries what is forbidden, again and again."""
        for _ in range(calls_):
            assert self.send(calls.tool_call(calls.DANGEROUS, session_id="s-burst")).denied


def _text(body: bytes) -> str:
    with contextlib.suppress(ValueError):
        return json.dumps(json.loads(body), ensure_ascii=False)
    return body.decode("utf-8", "replace")


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def denied_before(root: str, ago_s: float, session: str = "s-burst", calls_: int = 13) -> None:
    """One session tried what is forbidden, again and again, `ago_s` seconds ago and without a service: decided by the
    home's own gate and recorded by the journal's own writer, with the time of then."""
    home = home_at(root)
    gate, journal = Gate(home, hotconf.read(home.hot_conf), orjson.loads, orjson.dumps), Journal(home.journal)
    for number in range(calls_):
        payload = calls.tool_call(calls.DANGEROUS, session_id=session)
        event = parse({"id": new_event_id(), "event": "PreToolUse", "path": "oneshot"}, orjson.dumps(payload))
        event.received_ns = time.time_ns() - int((ago_s - number / 100) * 1e9)
        outcome, body = gate.decide(event)
        assert outcome.decision.verdict == "deny"
        journal.append([(event.id, body)])
    journal.close()


@contextlib.contextmanager
def watched(
    folder: Path, *, tuned: str = TUNED, before: Callable[[str], object] = lambda _root: None, **settings: object
) -> Iterator[Watched]:
    """A home that watches by itself, and tells people at a receiver. before(root): what was while no service ran."""
    with Receiver() as receiver:
        chosen = {
            "monitor": "on", "monitor_interval_s": 1, "metrics_listen": f"127.0.0.1:{free_port()}",
            "incident_quiet_s": QUIET_S, "action_dry_run": "off", "notify_urls": f"json://{receiver.address}/people",
            **settings,
        }  # fmt: skip
        root = homes.make_home(folder / "home", **chosen)
        Path(root, "context", "alerts.toml").write_text(tuned)
        before(root)
        service = homes.start_service(root)
        try:
            one = Watched(root, receiver, service)
            homes.until(lambda: (one.told_of() or {}).get("listening"), 30, 0.1)
            yield one
        finally:
            homes.stop_service(service)


@contextlib.contextmanager
def prometheus_watches(
    one: Watched, own_server: Callable[[str, Callable[[], Server]], Any], folder: Path, *, beat_s: int = 0
) -> Iterator[tuple[Any, Any]]:
    """The same home with a real Prometheus that scrapes it each second, and a real Alertmanager that tells it; beat_s:
    how often the Watchdog comes, and Prometheus says again what fires (default: as deployed, once a minute)."""
    address = one.told_of()["listening"]
    homes.cli(one.root, "alerts", "compile", "--to", str(folder / "rules"))
    rules = folder / "rules" / "levaithan.yml"
    rules.write_text(rules.read_text().replace("interval: 15s", "interval: 1s"))
    token = alertmanager_token.read(home_at(one.root))
    config = alert_config.deployed(f"http://{address}", {}, token)
    if beat_s:
        first = config["config"]["route"]["routes"][0]
        assert first["receiver"] == "dead-mans-switch"
        first |= {"group_interval": f"{beat_s}s", "repeat_interval": f"{beat_s}s"}
    manager = own_server("alertmanager", lambda: alertmanager.Alertmanager(**config))
    server = own_server(
        "prometheus",
        lambda: prometheus.Prometheus(
            targets={"levaithan": address},
            rules=[rules],
            alertmanagers=[manager.url().removeprefix("http://")],
            flags=[f"--rules.alert.resend-delay={beat_s}s"] if beat_s else [],
        ),
    )
    promql.awaited(server.url(), "up{job='levaithan'} == 1", 30)
    yield server, manager
