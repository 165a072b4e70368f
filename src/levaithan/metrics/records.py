"""Journal records as counters and histograms: each record adds to the tally once, in the order of the journal.

All times are the records' own. What must be remembered between records is bounded, see sessions.py, calls.py and
lifecycle.py. Nothing in a record may raise here: its payload is an agent's to write. Imports the event catalogue.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from levaithan.hot.catalogue import GUARDS
from levaithan.metrics import names
from levaithan.metrics.calls import Calls
from levaithan.metrics.families import HOOK_S
from levaithan.metrics.labels import Labels
from levaithan.metrics.lifecycle import Lifecycle
from levaithan.metrics.moments import Moments
from levaithan.metrics.sessions import Sessions
from levaithan.metrics.work import done_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.metrics.tally import Tally

VERSION = 1
_MOST_RULES = 4096
FOLDED = frozenset(
    "levaithan_" + name
    for name in (
        "hook_events_total", "hook_duration_seconds", "hook_failures_total", "hook_runs_total",
        "hook_run_seconds_total", "gate_decisions_total", "tool_calls_total", "tool_failures_total",
        "tool_duration_seconds", "loop_breaks_total", "rate_limited_total", "redactions_total", "security_events_total",
        "journal_records_total", "journal_bytes_total", "journal_odd_records_total",
        "journal_dropped_total", "tasks_total", "work_total", "time_saved_seconds_total", "value_usd_total",
        "incident_detect_seconds", "incident_ack_seconds", "incident_mitigate_seconds", "incident_resolve_seconds",
        "actions_total", "lease_conflicts_total", "sessions_total",
    )
)  # fmt: skip
"""What is counted from the journal alone, so that it can be counted again."""
_REFUSED = ("deny", "halt")
_ASKED_WHAT = frozenset((*GUARDS, "PermissionRequest"))
_LEASE_RULES = ("lease.held", "lease.partition")
_NOT_ATTEMPTS = frozenset(("halt", "pace", "budget", "lease", "approval", "restraint", "gate", names.NONE))
"""Packs whose refusals say nothing of what was attempted: a halted or throttled session is no attacker."""
_FROM_SETTINGS = ("user_settings", "project_settings", "local_settings", "policy_settings")


class Fold:
    """Takes the journal's records, one after the other. at_s: the time of the last one, seconds since 1970."""

    def __init__(self, tally: Tally, labels: Labels | None = None, settings: Any = None) -> None:
        self.tally = tally
        self.labels = labels or Labels()
        self._settings = settings
        self.sessions = Sessions(tally, self.labels, settings)
        self.calls = Calls(tally)
        self.lifecycle = Lifecycle(tally, self.labels)
        self.at_s = 0.0
        self._moments = Moments()
        self._denied_rules: dict[str, None] = {}
        self._events = tally.table("levaithan_hook_events_total")
        self._durations = tally.histograms("levaithan_hook_duration_seconds")
        self._runs = tally.table("levaithan_hook_runs_total")
        self._run_s = tally.table("levaithan_hook_run_seconds_total")

    def take(self, record: Mapping[str, Any]) -> None:
        """Count one record. What is not as it should be in it counts for nothing; never raises for that."""
        try:
            self.at_s = self._moments.seconds(record.get("at"), self.at_s)
            self.tally.add("levaithan_journal_records_total")
            if record.get("kind") == "event":
                self._event(record)
            else:
                self._other(record)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError):
            self.tally.add("levaithan_journal_odd_records_total")

    def settle(self, now_s: float) -> None:
        """Bring what changes with time alone to `now_s` (seconds since 1970): windows, heartbeats, lost tasks."""
        self.sessions.settle(now_s)
        self.lifecycle.settle()

    def _event(self, record: Mapping[str, Any]) -> None:
        name, decision = record["event"], record["decision"]
        hooks = record.get("hooks") or ()
        self._answered(record, name, decision, hooks)
        if record.get("canary"):
            return
        if name in _ASKED_WHAT:
            self._decided(record, decision, hooks)
        self.sessions.heard(record, self.at_s)
        if "tool_use_id" in record:
            self.calls.take(record, name, decision, self.at_s, self.sessions.since(record.get("session_id")))
            if name in ("PostToolUse", "PostToolUseFailure"):
                self._ran(record, name, hooks)
        elif name == "ConfigChange":
            if record["payload"].get("source") in _FROM_SETTINGS:
                self._security("settings_changed")
        elif name == "StopFailure" and "auth" in str(record["payload"].get("error"))[:64]:
            self._security("auth_failed")

    def _answered(self, record: Mapping[str, Any], name: str, decision: str, hooks: Any) -> None:
        """What holds for every hook call, a probe of ours too."""
        key = (name, decision)
        known = self._events.get(key)
        if known is not None:
            self._events[key] = known + 1
        else:
            self.tally.add("levaithan_hook_events_total", (names.OTHER, names.OTHER))
        self._took(name, record)
        for entry in hooks:
            self._ran_hook(entry)
            if "error" in entry:
                self._failed(entry)
        if "redactions" in record:
            self._redacted(record)

    def _took(self, name: str, record: Mapping[str, Any]) -> None:
        """How long the hook call took."""
        seconds = record["duration_ms"] / 1000
        key = (name, record["path"])
        bins = self._durations.get(key)
        if bins is None:
            event = name if (name, "allow") in self._events else names.OTHER
            path = key[1] if key[1] in names.PATHS else names.OTHER
            self.tally.observe("levaithan_hook_duration_seconds", (event, path), seconds)
            return
        bins[bisect_left(HOOK_S, seconds)] += 1
        bins[-1] += seconds

    def _ran_hook(self, entry: Mapping[str, Any]) -> None:
        """One atomic hook that ran, and how long it took."""
        name = (self.labels.hook(entry.get("hook")),)
        took: Any = entry.get("ms")
        seconds = took / 1000 if type(took) in (int, float) and 0 <= took < 1e7 else 0.0
        if name in self._runs and name in self._run_s:
            self._runs[name] += 1
            self._run_s[name] += seconds
        else:
            self.tally.add("levaithan_hook_runs_total", name)
            self.tally.add("levaithan_hook_run_seconds_total", name, seconds)

    def _failed(self, entry: Mapping[str, Any]) -> None:
        """A hook that did not do its work: which, and how."""
        why = str(entry["error"])
        reason = "crash"
        if "took too long" in why or "no time was left" in why or why.startswith("Overrun"):
            reason = "timeout"
        elif "it returned " in why or "an observer cannot" in why:
            reason = "invalid_output"
        self.tally.add("levaithan_hook_failures_total", (self.labels.hook(entry.get("hook")), reason))

    def _decided(self, record: Mapping[str, Any], decision: str, hooks: Any) -> None:
        """A guard event: by which pack it was decided, and what follows from a refusal."""
        rule = record.get("rule")
        pack = self.labels.pack(rule) if rule is not None else names.NONE
        if rule is None or decision != "allow":
            self.tally.add("levaithan_gate_decisions_total", (decision, pack, "enforce"))
        else:
            would = _shadowed(record.get("reason"))
            self.tally.add(
                "levaithan_gate_decisions_total", (would or decision, pack, "shadow" if would else "enforce")
            )
        if decision != "allow" and rule is not None:
            self._refused(record, decision, rule, pack)
        for entry in hooks:
            if entry.get("rule") in _LEASE_RULES:
                self.tally.add("levaithan_lease_conflicts_total", (self.labels.project(record.get("project")),))
        if rule == "secrets.in-prompt":
            self._security("secret_seen")

    def _refused(self, record: Mapping[str, Any], decision: str, rule: str, pack: str) -> None:
        if rule.startswith(("self.", "guard.")):
            self._security("self_protection")
        if decision not in _REFUSED:
            return
        begin, _, kind = rule.partition(".")
        if begin == "pace":
            if kind in names.LOOPS:
                self.tally.add("levaithan_loop_breaks_total", (kind,))
            elif kind in names.LIMITS:
                self.tally.add("levaithan_rate_limited_total", (kind,))
        if pack in _NOT_ATTEMPTS:
            return
        critical = self.labels.critical(rule)
        session = record.get("session_id")
        if session:
            self.sessions.denied(session, self.at_s, critical=critical)
        if critical and rule not in self._denied_rules and len(self._denied_rules) < _MOST_RULES:
            self._denied_rules[rule] = None
            self._security("new_deny")

    def _ran(self, record: Mapping[str, Any], name: str, hooks: Any) -> None:
        """A tool call that was carried out."""
        payload = record["payload"]
        tool = self.labels.tool(record.get("tool_name"))
        self.tally.add("levaithan_tool_calls_total", (tool,))
        failed = name == "PostToolUseFailure"
        if failed and not payload.get("is_interrupt"):
            self.tally.add("levaithan_tool_failures_total", (tool,))
        took = payload.get("duration_ms")
        if type(took) in (int, float) and 0 <= took < 1e10:
            self.tally.observe("levaithan_tool_duration_seconds", (tool,), took / 1000)
        for entry in hooks:
            if entry.get("rule") == "secrets.in-output":
                self._security("secret_seen")
        if not failed:
            for kind, amount in done_by(tool, payload):
                self.tally.add("levaithan_work_total", (kind,), amount)

    def _redacted(self, record: Mapping[str, Any]) -> None:
        count = record["redactions"]
        if type(count) is not int or not 0 < count < 1 << 32:
            return
        where = _WHERE.get(record["event"], names.OTHER)
        given = str(record["payload"].get("tool_input")).count("[redacted:") if where == "tool_output" else 0
        if given:
            given = min(given, count)
            self.tally.add("levaithan_redactions_total", ("secret", "tool_input"), given)
        if count > given:
            self.tally.add("levaithan_redactions_total", ("secret", where), count - given)

    def _security(self, kind: str) -> None:
        self.tally.add("levaithan_security_events_total", (kind,))

    def moment(self, at: Any) -> float:
        """A record's time in seconds since 1970; that of the last record for what is none."""
        return self._moments.seconds(at, self.at_s)

    def forget(self) -> None:
        """Begin anew, in the tally too: the journal will be read from its start."""
        self.tally.forget(FOLDED)
        self.sessions = Sessions(self.tally, self.labels, self._settings)
        self.calls = Calls(self.tally)
        self.lifecycle = Lifecycle(self.tally, self.labels)
        self._denied_rules = {}
        self.at_s = 0.0

    def missed(self, at: Any) -> None:
        """Records up to the time `at` could not be read: calls until then may have been asked about all the same."""
        self.calls.lost(self.moment(at))

    def damaged(self) -> None:
        """The journal has a line that does not follow from the one before it."""
        self._security("chain_broken")

    def _other(self, record: Mapping[str, Any]) -> None:
        """Every record that is no event."""
        kind = record.get("kind")
        if kind == "gap":
            dropped = record.get("dropped")
            self.calls.lost(self.at_s)
            self.tally.add("levaithan_journal_dropped_total", (), dropped if type(dropped) is int else 1)
        elif kind == "incident":
            self.lifecycle.incident(record, self.at_s)
        elif kind == "action":
            self.lifecycle.action(record)

    def dump(self) -> dict[str, Any]:
        """What a later fold needs to go on, as JSON takes it; the tally is dumped by itself."""
        return {
            "version": VERSION, "at_s": self.at_s, "labels": self.labels.dump(), "rules": list(self._denied_rules),
            "sessions": self.sessions.dump(), "calls": self.calls.dump(), "lifecycle": self.lifecycle.dump(),
        }  # fmt: skip

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError, KeyError and AttributeError for what is none."""
        if dumped["version"] != VERSION:
            raise ValueError(f"a dump of version {dumped['version']!r}")
        self.labels.load(dumped["labels"])
        self.sessions.load(dumped["sessions"])
        self.calls.load(dumped["calls"])
        self.lifecycle.load(dumped["lifecycle"])
        self._denied_rules = dict.fromkeys(map(str, dumped["rules"][:_MOST_RULES]))
        self.at_s = float(dumped["at_s"])


_WHERE = {
    "UserPromptSubmit": "prompt", "UserPromptExpansion": "prompt", "PreToolUse": "tool_input",
    "PermissionRequest": "tool_input", "PermissionDenied": "tool_input", "PostToolUse": "tool_output",
    "PostToolUseFailure": "tool_output", "PostToolBatch": "tool_output",
}  # fmt: skip


def _shadowed(reason: Any) -> str:
    """What a rule in shadow mode would have decided, "" where the rule is in force."""
    if type(reason) is str and reason.startswith("shadow, would "):
        would = reason[14:18].rstrip(":")
        return {"deny": "deny", "ask": "ask", "warn": "allow"}.get(would, "")
    return ""
