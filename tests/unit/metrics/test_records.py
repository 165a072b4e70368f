"""What each kind of record adds to the figures."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import payloads
from tests.support.ledger_records import at
from tests.unit.metrics.conftest import T0, denied, record

from levaithan.metrics import names
from levaithan.metrics.labels import Labels
from levaithan.metrics.records import Fold
from levaithan.metrics.tally import MOST_SERIES, Tally


def value(fold: Fold, name: str, *labels: str) -> float:
    return fold.tally.value("levaithan_" + name, labels)


def took(fold: Fold, name: str, *labels: str) -> tuple[float, float]:
    """(count, sum) of a histogram."""
    bins = fold.tally.bins("levaithan_" + name, labels)
    return sum(bins[:-1]), bins[-1]


def test_a_hook_call_counts_by_event_decision_and_path(fold: Fold) -> None:
    fold.take(record(duration_ms=2.0))
    fold.take(record(duration_ms=60.0, path="oneshot"))
    fold.take(denied("fs.delete-root"))
    assert value(fold, "hook_events_total", "PreToolUse", "allow") == 2
    assert value(fold, "hook_events_total", "PreToolUse", "deny") == 1
    count, total = took(fold, "hook_duration_seconds", "PreToolUse", "native")
    assert count == 2
    assert total == pytest.approx(0.0025)
    assert took(fold, "hook_duration_seconds", "PreToolUse", "oneshot") == (1, pytest.approx(0.06))
    assert value(fold, "journal_records_total") == 3


def test_an_edge_of_a_histogram_belongs_to_the_bucket_below_it(fold: Fold) -> None:
    fold.take(record(duration_ms=50.0))
    bins = fold.tally.bins("levaithan_hook_duration_seconds", ("PreToolUse", "native"))
    assert bins[6] == 1  # le="0.05"


def test_a_failed_hook_counts_by_how_it_failed(fold: Fold) -> None:
    errors = {
        "crash": "ZeroDivisionError: division by zero (policy_check.py:12)",
        "timeout": "Overrun: it took too long",
        "invalid_output": "HookError: it returned 'yes' where an Opinion or None is expected",
    }
    for why in errors.values():
        fold.take(record(hooks=[{"hook": "policy_check", "ms": 1, "error": why}, {"hook": "halt_check", "ms": 1}]))
    fold.take(record(hooks=[{"hook": "invented by an agent", "ms": 1, "error": "x"}]))
    for reason in errors:
        assert value(fold, "hook_failures_total", "policy_check", reason) == 1
    assert value(fold, "hook_failures_total", "other", "crash") == 1
    assert value(fold, "hook_failures_total", "halt_check", "crash") == 0


def test_each_hook_s_runs_and_their_time_are_counted(fold: Fold) -> None:
    ran = [{"hook": "policy_check", "ms": 1.5}, {"hook": "invented", "ms": 4}, {"hook": "halt_check"}]
    fold.take(record(hooks=ran))
    fold.take(
        record(hooks=[{"hook": "policy_check", "ms": 0.5, "error": "ValueError"}, {"hook": "halt_check", "ms": -1}])
    )
    fold.take(record(hooks=[{"hook": "policy_check", "ms": "long"}]))
    runs = {hook: value(fold, "hook_runs_total", hook) for hook in ("policy_check", "halt_check", "other")}
    assert runs == {"policy_check": 3, "halt_check": 2, "other": 1}
    seconds = {hook: value(fold, "hook_run_seconds_total", hook) for hook in runs}
    assert seconds == pytest.approx({"policy_check": 0.002, "halt_check": 0.0, "other": 0.004})


def test_the_gates_own_words_for_failures_are_known(made_home: str) -> None:
    """The reasons are told apart by what workflow.py says: here they come from it."""
    from levaithan.hot import hotconf
    from levaithan.hot.event import parse
    from levaithan.hot.hook_file import Hook
    from levaithan.hot.opinion import Opinion
    from levaithan.hot.paths import home_at
    from levaithan.hot.plain_json import dumps, loads
    from levaithan.hot.timelimit import TimeLimit
    from levaithan.hot.workflow import Context, Flow, Runner

    home = home_at(made_home)
    context = Context(home, hotconf.read(home.hot_conf), loads, dumps)

    def failing(function: Any, part: str = "checks") -> str:
        hook = Hook.__new__(Hook)
        hook.name, hook.path, hook.error, hook.function, hook.undo = "x", "x.py", None, function, None
        parts: dict[str, list[Hook]] = {name: [] for name in ("checks", "reserves", "observers", "record")}
        parts[part] = [hook]
        limit = TimeLimit(resident=False)
        limit.begin(0.05)
        try:
            outcome = Runner(parse({"event": "PreToolUse"}, b'{"tool_name":"x"}'), context, limit).run(Flow(parts))
        finally:
            limit.end()
        return str(outcome.hooks[0]["error"])

    def spin(*_: Any) -> None:
        while True:
            pass

    fold = Fold(Tally(), Labels(home))
    wanted = {
        "crash": failing(lambda *_: 1 / 0), "timeout": failing(spin), "invalid_output": failing(lambda *_: "yes"),
    }  # fmt: skip
    for why in (*wanted.values(), failing(lambda *_: Opinion("deny", "no"), "observers")):
        fold.take(record(hooks=[{"hook": "policy_check", "error": why}]))
    found = {reason: value(fold, "hook_failures_total", "policy_check", reason) for reason in wanted}
    assert found == {"crash": 1, "timeout": 1, "invalid_output": 2}


def test_a_decision_counts_under_the_pack_of_its_rule(fold: Fold) -> None:
    fold.take(record())
    fold.take(denied("fs.delete-root"))
    fold.take(denied("pace.calls", hook="pace_reserve"))
    fold.take(denied("halt.all", decision="halt", hook="halt_check"))
    fold.take(denied("restraint.throttle", hook="restraint_check"))
    fold.take(denied("made.up"))
    fold.take(denied("hook-failed"))
    shadow = "shadow, would deny: `rm -rf /` ..."
    fold.take(record(rule="fs.delete-root", reason=shadow, hook="policy_check"))
    for labels in (
        ("allow", "none", "enforce"), ("deny", "base", "enforce"), ("deny", "pace", "enforce"),
        ("deny", "restraint", "enforce"), ("halt", "halt", "enforce"), ("deny", "other", "enforce"),
        ("deny", "gate", "enforce"), ("deny", "base", "shadow"),
    ):  # fmt: skip
        assert value(fold, "gate_decisions_total", *labels) == 1, labels


def test_a_refusal_is_no_failure_of_a_tool_and_an_interrupt_neither(fold: Fold) -> None:
    fold.take(denied("fs.delete-root"))
    fold.take(record("PostToolUse", payload={"duration_ms": 1500}))
    fold.take(record("PostToolUseFailure", payload={"duration_ms": 20, "error": "no", "is_interrupt": False}))
    fold.take(record("PostToolUseFailure", payload={"error": "stopped", "is_interrupt": True}))
    fold.take(record("PostToolUse", tool_name="mcp__server__tool"))
    fold.take(record("PostToolUse", tool_name="Invented"))
    assert value(fold, "tool_calls_total", "Bash") == 3
    assert value(fold, "tool_failures_total", "Bash") == 1
    assert value(fold, "tool_calls_total", "mcp") == 1
    assert value(fold, "tool_calls_total", "other") == 1
    assert took(fold, "tool_duration_seconds", "Bash") == (2, pytest.approx(1.52))


def test_loops_limits_and_conflicts_count_by_what_refused(fold: Fold) -> None:
    fold.take(denied("pace.loop", hook="pace_reserve"))
    fold.take(denied("pace.pingpong", hook="pace_reserve"))
    fold.take(denied("pace.calls", hook="pace_reserve"))
    fold.take(record(rule="pace.loop", hooks=[{"hook": "pace_reserve", "decision": "allow", "rule": "pace.loop"}]))
    fold.take(denied("lease.held", hook="lease_reserve"))
    warned = {"hook": "lease_reserve", "decision": "allow", "rule": "lease.held"}
    fold.take(record(rule="lease.held", hooks=[warned]))
    assert value(fold, "loop_breaks_total", "loop") == 1  # the warning broke nothing
    assert value(fold, "loop_breaks_total", "pingpong") == 1
    assert value(fold, "rate_limited_total", "calls") == 1
    assert value(fold, "lease_conflicts_total", "/p") == 2


def test_the_worst_session_of_a_window_is_told_without_its_name(fold: Fold) -> None:
    for n in range(12):
        fold.take(denied("fs.delete-root", n, session_id="bad"))
    for n in range(25):
        fold.take(denied("made.up", n, session_id="worse"))
    fold.take(denied("pace.calls", 30, session_id="fast", hook="pace_reserve"))
    for n in range(40):  # what a halt, a lease or a restraint refuses says nothing of what was attempted
        fold.take(denied("halt.all", n, "halt", "halt_check", session_id="halted"))
        fold.take(denied("lease.held", n, hook="lease_reserve", session_id="waiting"))
        fold.take(denied("restraint.read_only", n, hook="restraint_check", session_id="quarantined"))
    fold.settle(T0 + 30)
    assert value(fold, "session_denies_max", "5m", "critical") == 12
    assert value(fold, "session_denies_max", "10m", "any") == 25
    fold.settle(T0 + 305)
    assert value(fold, "session_denies_max", "5m", "any") == 19  # those of second 5.. are left, the window is half open
    fold.settle(T0 + 700)
    assert [value(fold, "session_denies_max", *one) for one in (("5m", "any"), ("10m", "any"))] == [0, 0]


def test_what_a_person_should_hear_of(fold: Fold) -> None:
    fold.take(denied("self.edit"))
    fold.take(denied("guard.client-setting", decision="ask"))
    fold.take(record("ConfigChange", payload={"source": "local_settings"}, call=None, tool_use_id=None))
    fold.take(record("ConfigChange", payload={"source": "skills"}, tool_use_id=None))
    watched = [{"hook": "output_watch", "ms": 0.2, "rule": "secrets.in-output"}]
    fold.take(record("PostToolUse", hooks=watched, tool_use_id="t-unknown"))
    fold.take(denied("secrets.in-prompt", decision="ask"))
    fold.take(record("StopFailure", payload={"error": "authentication_failed"}, tool_use_id=None))
    fold.take(record("StopFailure", payload={"error": "rate_limit"}, tool_use_id=None))
    fold.damaged()
    found = {kind: value(fold, "security_events_total", kind) for kind in names.SECURITY}
    assert found == {
        "self_protection": 2, "settings_changed": 1, "secret_seen": 2, "auth_failed": 1, "chain_broken": 1,
        "new_deny": 1, "guard_bypassed": 0,
    }  # fmt: skip


def test_a_critical_refusal_is_new_once(fold: Fold) -> None:
    for rule in ("fs.delete-root", "fs.delete-root", "self.edit", "git.force-push"):
        fold.take(denied(rule))
    critical = sum(fold.labels.critical(rule) for rule in ("fs.delete-root", "self.edit", "git.force-push"))
    assert critical >= 2
    assert value(fold, "security_events_total", "new_deny") == critical


def test_a_call_that_nobody_asked_about_is_a_bypassed_guard(fold: Fold) -> None:
    fold.take(record("PostToolUse", 1, call="midway"))  # the session is met midway
    fold.take(record("SessionStart", 2, tool_use_id=None))
    fold.take(record("PostToolUse", 3, call="old", payload={"duration_ms": 2000}))  # it began before
    fold.take(record("PreToolUse", 4, call="asked"))
    fold.take(record("PostToolUse", 5, call="asked"))
    assert value(fold, "security_events_total", "guard_bypassed") == 0
    fold.take(record("PostToolUse", 6, call="bypass", payload={"duration_ms": 10}))
    assert value(fold, "security_events_total", "guard_bypassed") == 1
    fold.take(denied("fs.delete-root", 7, call="refused"))
    fold.take(record("PostToolUse", 8, call="refused"))
    assert value(fold, "security_events_total", "guard_bypassed") == 2
    fold.take(denied("fs.delete-root", 9, call="refused2"))
    fold.take(record("PostToolUseFailure", 10, call="refused2"))
    fold.take({"kind": "gap", "at": at(20), "dropped": 3, "first_at": at(11), "last_at": at(20)})
    fold.take(record("PostToolUse", 21, call="lost", payload={"duration_ms": 5000}))
    assert value(fold, "security_events_total", "guard_bypassed") == 2
    assert value(fold, "journal_dropped_total") == 3


def test_redactions_count_where_they_were(fold: Fold) -> None:
    fold.take(record("UserPromptSubmit", redactions=2, tool_use_id=None))
    fold.take(record(redactions=1))
    both = {
        "tool_input": {"command": "echo [redacted:aws]"},
        "tool_response": {"stdout": "[redacted:aws] [redacted:x]"},
    }
    fold.take(record("PostToolUse", redactions=3, payload=both))
    found = {where: value(fold, "redactions_total", "secret", where) for where in names.WHERE}
    assert found == {"prompt": 2, "tool_input": 2, "tool_output": 2, "other": 0}


def test_a_task_goes_from_a_prompt_to_a_stop(fold: Fold) -> None:
    def tell(name: str, seconds: float, session: str = "s1", **over: Any) -> None:
        fold.take(record(name, seconds, session_id=session, tool_use_id=None, **over))

    tell("UserPromptSubmit", 0)
    tell("Stop", 60)
    tell("UserPromptSubmit", 100)
    tell("StopFailure", 130, payload={"error": "rate_limit"})
    tell("UserPromptSubmit", 200, decision="deny", rule="secrets.in-prompt")
    tell("UserPromptSubmit", 300)
    tell("UserPromptSubmit", 310)  # a person broke the one before off
    tell("SubagentStop", 311, agent_id="a1")
    tell("SessionEnd", 320, payload={"reason": "clear"})
    tell("UserPromptSubmit", 400, "s2")
    tell("SessionEnd", 420, "s2", payload={"reason": "other"})
    tell("UserPromptSubmit", 500, "s3")
    fold.settle(T0 + 500 + 86_399)
    assert value(fold, "tasks_total", "/p", "abandoned") == 0
    fold.settle(T0 + 500 + 86_400)
    found = {outcome: value(fold, "tasks_total", "/p", outcome) for outcome in names.OUTCOMES}
    assert found == {"completed": 1, "failed": 2, "blocked": 1, "cancelled": 2, "abandoned": 1}
    assert value(fold, "work_total", "active_seconds") == pytest.approx(60 + 30 + 10 + 10 + 20)


def test_a_task_that_met_a_halt_was_blocked(fold: Fold) -> None:
    fold.take(record("UserPromptSubmit", 0, tool_use_id=None))
    fold.take(denied("halt.all", 1, "halt", "halt_check"))
    fold.take(record("Stop", 2, tool_use_id=None))
    assert value(fold, "tasks_total", "/p", "blocked") == 1
    assert value(fold, "tasks_total", "/p", "completed") == 0


def test_a_clock_that_jumps_ends_no_task_and_keeps_no_alarm(fold: Fold) -> None:
    fold.take(record("UserPromptSubmit", 0, tool_use_id=None))
    for n in range(15):
        fold.take(denied("fs.delete-root", 3 * 86_400 + n))  # the clock is three days ahead
    fold.sessions.jumped(3 * 86_400)
    fold.settle(T0 + 3 * 86_400 + 20)
    assert value(fold, "tasks_total", "/p", "abandoned") == 0
    assert value(fold, "session_denies_max", "5m", "critical") == 15
    fold.sessions.jumped(-3 * 86_400)
    fold.settle(T0 + 40)  # and set right: what it said lies in the future
    assert value(fold, "session_denies_max", "5m", "critical") == 15
    fold.settle(T0 + 400)
    assert value(fold, "session_denies_max", "5m", "critical") == 0
    fold.settle(T0 + 2000)
    assert value(fold, "sessions_active", "/p") == 0
    fold.settle(T0 + 86_401)
    assert value(fold, "tasks_total", "/p", "abandoned") == 1


def test_a_session_lives_while_it_is_heard_of(fold: Fold) -> None:
    fold.take(record("SessionStart", 0, tool_use_id=None))
    fold.take(record("SubagentStart", 1, agent_id="a1", tool_use_id=None))
    fold.take(record("PreToolUse", 2, session_id="s2", project="/q"))
    fold.settle(T0 + 3)
    assert value(fold, "sessions_active", "/p") == 1
    assert value(fold, "sessions_active", "/q") == 1
    assert value(fold, "agents_active", "/p") == 1
    fold.take(record("SubagentStop", 4, agent_id="a1", tool_use_id=None))
    fold.take(record("SessionEnd", 5, session_id="s2", payload={"reason": "clear"}, tool_use_id=None, project="/q"))
    fold.settle(T0 + 6)
    assert value(fold, "sessions_active", "/p") == 1
    assert value(fold, "sessions_active", "/q") == 0
    assert value(fold, "agents_active", "/p") == 0
    fold.settle(T0 + 905)
    assert value(fold, "sessions_active", "/p") == 0


def test_sessions_that_begin_are_counted(fold: Fold) -> None:
    for source in ("startup", "resume", "clear", "compact"):
        fold.take(record("SessionStart", payload={"source": source}, tool_use_id=None))
    assert value(fold, "sessions_total", "/p") == 2


def test_work_is_what_the_journal_shows(fold: Fold) -> None:
    recorded = [one for one in payloads.names("PostToolUse") if payloads.payload(one)["tool_name"] in ("Edit", "Write")]
    assert len(recorded) >= 2
    for name in recorded:
        given = payloads.payload(name)
        fold.take(record("PostToolUse", tool_name=given["tool_name"], payload=given))
    for command in ("git commit -m x", "cd a && git -C b commit", "echo git commit", "gh pr create -f", "git commits"):
        fold.take(record("PostToolUse", payload={"tool_input": {"command": command}}))
    assert value(fold, "work_total", "lines_added") == 2  # one of the new file, one of the edit
    assert value(fold, "work_total", "lines_removed") == 1
    assert value(fold, "work_total", "commits") == 2
    assert value(fold, "work_total", "pull_requests") == 1


def test_the_value_of_tasks_is_what_the_operator_assumes(made_home: str) -> None:
    class Assumed:
        value_minutes_per_task, value_usd_per_hour = 30, 80

    fold = Fold(Tally(), Labels(), Assumed())
    fold.take(record("UserPromptSubmit", 0, tool_use_id=None))
    fold.take(record("Stop", 1, tool_use_id=None))
    assert value(fold, "value_usd_total", "/p") == pytest.approx(40.0)
    assert value(fold, "time_saved_seconds_total", "/p") == 1800


def test_incidents_and_actions_are_measured_step_by_step(fold: Fold) -> None:
    def tell(action: str, seconds: float, **over: Any) -> None:
        fold.take({"kind": "incident", "at": at(seconds), "incident": "i1", "action": action, **over})

    tell("open", 100, severity="P1", started_at=at(70), title="x")
    fold.settle(T0 + 100)
    assert value(fold, "incidents_open", "P1") == 1
    tell("ack", 160, by="a person")
    tell("ack", 170, by="another")
    tell("mitigate", 400)
    tell("resolve", 1000)
    fold.settle(T0 + 1000)
    assert value(fold, "incidents_open", "P1") == 0
    assert took(fold, "incident_detect_seconds", "P1") == (1, 30.0)
    assert took(fold, "incident_ack_seconds", "P1") == (1, 60.0)
    assert took(fold, "incident_mitigate_seconds", "P1") == (1, 300.0)
    assert took(fold, "incident_resolve_seconds", "P1") == (1, 900.0)
    tell("reopen", 2000)
    fold.settle(T0 + 2000)
    assert value(fold, "incidents_open", "P1") == 1
    fold.take({"kind": "incident", "at": at(1), "id": "f" * 32, "title": "by hand", "text": "as the format had it"})
    fold.settle(T0 + 2000)
    assert value(fold, "incidents_open", "P3") == 1
    for phase in ("intent", "done", "verified", "dry_run"):
        fold.take({"kind": "action", "at": at(3), "phase": phase, "action": "halt", "run": "r1"})
    assert value(fold, "actions_total", "halt", "verified") == 1
    assert value(fold, "actions_total", "halt", "dry_run") == 1
    assert sum(fold.tally.table("levaithan_actions_total").values()) == 2


def test_our_own_probes_are_nobodys_work(fold: Fold) -> None:
    fold.take(denied("fs.delete-root", canary=True, session_id="levaithan-canary-1"))
    fold.settle(T0 + 1)
    assert value(fold, "hook_events_total", "PreToolUse", "deny") == 1
    assert value(fold, "gate_decisions_total", "deny", "base", "enforce") == 0
    assert value(fold, "session_denies_max", "5m", "any") == 0
    assert value(fold, "security_events_total", "new_deny") == 0


def test_the_recorded_sessions_raise_no_alarm(fold: Fold) -> None:
    """A quiet hour: nothing in what the real client sent looks like trouble, but a change of settings that it tells."""
    seconds = 0.0
    for turn in range(5):
        for name in payloads.sessions():
            for told in payloads.session(name):
                seconds += 0.5
                over: dict[str, Any] = {key: told.get(key) for key in ("tool_name", "agent_id")}
                call = f"{told['tool_use_id']}-{turn}" if "tool_use_id" in told else None
                over |= {"session_id": f"{told['session_id']}-{turn}", "call": call}
                fold.take(record(told["hook_event_name"], seconds, payload=told | {"tool_use_id": call}, **over))
    fold.settle(T0 + seconds)
    security = {kind: value(fold, "security_events_total", kind) for kind in names.SECURITY}
    assert {kind for kind, count in security.items() if count} <= {"settings_changed"}
    assert value(fold, "journal_odd_records_total") == 0
    ended = {outcome: value(fold, "tasks_total", "/p", outcome) for outcome in names.OUTCOMES}
    assert ended["completed"] > 0
    assert ended["abandoned"] == 0


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = (
    "kind", "at", "event", "decision", "hooks", "payload", "session_id", "tool_use_id", "duration_ms", "path", "rule",
    "reason", "redactions", "agent_id", "tool_name", "project", "action", "incident", "phase", "severity", "dropped",
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["event", "incident", "action", "gap"]), st.dictionaries(st.sampled_from(_KEYS), _ODD))
def test_nothing_in_a_record_raises(fold: Fold, kind: str, over: dict[str, Any]) -> None:
    before = value(fold, "journal_records_total")
    fold.take({**record("PostToolUse"), "kind": kind, **over})
    fold.settle(T0)
    assert value(fold, "journal_records_total") >= before
    fold.tally.exposition()


def test_ten_thousand_hostile_events_make_few_series(fold: Fold) -> None:
    """An agent that invents names of tools, hooks, projects, sessions, rules, models, actions floods nothing."""
    chance = random.Random(5)
    events = ("PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "Stop", "SessionEnd")
    for n in range(10_000):
        over: dict[str, Any] = {
            "tool_name": f"Tool{n}" if n % 3 else f"mcp__s{n}__t{n}", "project": f"/p{n}", "session_id": f"s{n}",
            "agent_id": f"a{n}", "decision": chance.choice(names.DECISIONS), "rule": f"r{n}.x{n}",
            "path": chance.choice([*names.PATHS, f"p{n}"]), "hooks": [{"hook": f"h{n}", "error": f"e{n}"}],
            "duration_ms": chance.random() * 1e4, "redactions": 1,
        }  # fmt: skip
        fold.take(record(chance.choice(events) if n % 5 else f"Event{n}", n / 100, **over))
        if n % 10 == 0:
            fold.take({"kind": "action", "at": at(n / 100), "phase": "verified", "action": f"act{n}"})
            fold.take(
                {"kind": "incident", "at": at(n / 100), "incident": f"i{n}", "action": "open", "severity": f"P{n}"}
            )
        fold.labels.pair(f"claude-{n}", f"/p{n}")
        fold.tally.add("levaithan_tokens_total", (*fold.labels.pair("claude-opus-5", f"/p{n}"), "input"))
    fold.settle(T0 + 100)
    series = list(fold.tally.series())
    assert len(series) == fold.tally.count()
    assert len(series) <= MOST_SERIES <= 5000
    words = {word for _, pairs, _ in series for _, word in pairs}
    assert not [
        word for word in words - {*names.TOOLS} if word.startswith(("Tool", "mcp__", "h9", "r9", "a9", "s9", "Event"))
    ]
    assert len([word for word in words if word.startswith("/p")]) <= 50
