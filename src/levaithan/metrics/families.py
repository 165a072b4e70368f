"""Every metric there is: name, type, labels, buckets, meaning. One table, from which code, tests and docs are made.

A name that is not here cannot be counted, and a test holds that each one here is. Base units (seconds, bytes, USD),
counters end in `_total` (prometheus.io/docs/practices/naming). Labels are few and closed, see labels.py: never a
session, an agent's id, a path of a file, a command or the text of an error. Imports the event catalogue only.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from levaithan.hot.catalogue import EVENTS
from levaithan.metrics import names
from levaithan.projector.follower import PUT_S

Known = tuple[tuple[str, ...], ...]

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
HOOK_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
TOOL_S = (0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
STORE_S = PUT_S
SYNC_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
PROJECTION_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
DETECT_S = (1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
RESPOND_S = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0, 604_800.0)


class Family(NamedTuple):
    """One metric. known: label sets that are there from the start, at 0, since Prometheus sees no increase in a series
    that is born at 1; needs: what must be there for it to have a sample, "" for nothing."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    known: Known = ((),)
    needs: str = ""


def _of(name: str, kind: str, help: str, labels: str = "", known: Known | None = None, **more: object) -> Family:
    named = tuple(labels.split())
    sets = (((),) if not named else ()) if known is None else known
    return Family("levaithan_" + name, kind, help, named, known=sets, **more)  # type: ignore[arg-type]


def _each(*parts: tuple[str, ...]) -> Known:
    return tuple(product(*parts))


def _one(values: tuple[str, ...]) -> Known:
    return tuple((value,) for value in values)


_PROJECT = "project"
_ROOMS = _one(names.STORES)
_MACHINE = "machine host"
"""The name that records have, by which two homes of one host are two, and the host's."""
_PLACED = "store address"
"""A store's gauges are of the one in use: at another address it is another series (stores/address.py)."""

HOOKS = (
    _of("hook_events_total", COUNTER, "Hook calls answered.", "event decision",
        _each(tuple(EVENTS), names.DECISIONS)),
    _of("hook_duration_seconds", HISTOGRAM, "From the client's start to the record, of each hook call.", "event path",
        _each(("PreToolUse", "UserPromptSubmit"), names.PATHS), buckets=HOOK_S),
    _of("hook_failures_total", COUNTER, "Atomic hooks that crashed, overran or answered nonsense.", "hook reason",
        _each((*names.GATE_PARTS, names.OTHER), names.FAILURES)),
    _of("hook_runs_total", COUNTER, "Runs of atomic hooks, those that failed included.", "hook",
        _one((*names.GATE_PARTS, names.OTHER))),
    _of("hook_run_seconds_total", COUNTER, "Time that atomic hooks took.", "hook",
        _one((*names.GATE_PARTS, names.OTHER))),
    _of("gate_decisions_total", COUNTER, "Decisions on guard events, by the pack of the rule that made them; of a rule "
        "in shadow mode what it would have decided.", "decision rule_pack mode",
        (*_each(names.DECISIONS, (names.NONE,), ("enforce",)),
         *_each(("deny", "ask"), names.PACKS, names.MODES), *_each(("halt",), ("halt", "budget"), ("enforce",)))),
    _of("tool_calls_total", COUNTER, "Calls of tools that were carried out, failed ones included.", "tool",
        _one(names.TOOLS)),
    _of("tool_failures_total", COUNTER, "Calls that the tool failed at; a refusal is none, nor a person's interrupt.",
        "tool", _one(names.TOOLS)),
    _of("tool_duration_seconds", HISTOGRAM, "How long tools ran, as the client says.", "tool", buckets=TOOL_S),
    _of("sessions_active", GAUGE, "Sessions heard of in the last 15 minutes and not ended.", _PROJECT),
    _of("sessions_total", COUNTER, "Sessions that began, resumed ones included.", _PROJECT),
    _of("agents_active", GAUGE, "Subagents heard of in the last 15 minutes and not ended.", _PROJECT),
    _of("loop_breaks_total", COUNTER, "Calls refused because they only repeat.", "reason", _one(names.LOOPS)),
    _of("rate_limited_total", COUNTER, "Calls refused because they came too fast.", "reason", _one(names.LIMITS)),
    _of("session_denies_max", GAUGE, "Refusals by rules of what was attempted, in the session with the most of them.",
        "window level", _each(tuple(names.WINDOWS), names.LEVELS)),
    _of("guards_expected", GAUGE, "Guard events that must be registered, of a place that hooks were installed in.",
        _PROJECT, needs="hooks installed in a project or for the user"),
    _of("guards_installed", GAUGE, "Guard events that are registered there, in force and closed on failure.",
        _PROJECT, needs="hooks installed in a project or for the user"),
)  # fmt: skip

SYSTEM = (
    _of("system_cpu_idle_ratio", GAUGE, "Share of the processors' time that was idle since the last look.", _MACHINE),
    _of("system_load1", GAUGE, "Load average of the last minute.", _MACHINE),
    _of("system_memory_available_bytes", GAUGE, "Memory that can be had without swapping.", _MACHINE),
    _of("system_memory_size_bytes", GAUGE, "Memory there is.", _MACHINE),
    _of("system_disk_free_bytes", GAUGE, "Room on the home's file system, for its user.", _MACHINE),
    _of("system_disk_size_bytes", GAUGE, "Size of the home's file system.", _MACHINE),
    _of("system_open_fds", GAUGE, "Open file handles of the service and its children.", _MACHINE),
)  # fmt: skip

STORES = (
    _of("store_up", GAUGE, "Whether the store answered the last question (1) or not (0).", _PLACED,
        needs="the store in use"),
    _of("store_latency_seconds", HISTOGRAM, "A batch put into the store, or a question there and back.",
        "store operation", _each(names.STORES, names.OPERATIONS), buckets=STORE_S),
    _of("store_slow_queries_total", COUNTER,
        "Questions of any process over a quarter of a second, batches of the projector over a whole one.",
        "store operation", _each(names.STORES, names.OPERATIONS)),
    _of("store_lag_seconds", GAUGE, "Age of the newest record that the store has, 0 when it has all.", _PLACED,
        needs="the projector has run"),
    _of("store_lag_events", GAUGE, "Records that the store has not got yet.", _PLACED, needs="the projector has run"),
    _of("projection_latency_seconds", HISTOGRAM, "From an event's record to its being readable in the store.", "store",
        _ROOMS, buckets=PROJECTION_S),
    _of("store_errors_total", COUNTER, "Failures to put into the store or to ask it.", "store reason",
        _each(names.STORES, names.STORE_ERRORS)),
    _of("store_dead_letters", GAUGE, "Records that the store could not take and that wait.", _PLACED,
        needs="the projector has run"),
    _of("store_size_bytes", GAUGE, "Bytes that the store takes.", _PLACED, needs="a store that says its size"),
    _of("store_pool_in_use", GAUGE, "Connections of the look's pool that are in use.", _PLACED,
        needs="a store with a pool of connections"),
    _of("store_pool_size", GAUGE, "Connections that this pool may have.", _PLACED,
        needs="a store with a pool of connections"),
)  # fmt: skip

JOURNAL = (
    _of("journal_records_total", COUNTER, "Records of the journal."),
    _of("journal_bytes_total", COUNTER, "Bytes of the journal's records."),
    _of("journal_dropped_total", COUNTER, "Events that could not be recorded, as the journal's gaps say."),
    _of("journal_odd_records_total", COUNTER, "Records with something in them that could not be counted."),
    _of("journal_fsync_seconds", HISTOGRAM, "Syncs of the journal before answers, and probes where no service runs.",
        buckets=SYNC_S, known=((),)),
    _of("journal_writable", GAUGE, "Whether a record could be written now (1) or not (0)."),
    _of("journal_chain_ok", GAUGE, "Whether every record read so far follows from the one before it (1) or not (0)."),
    _of("journal_verified_timestamp_seconds", GAUGE, "When the whole chain was last proven, since 1970.",
        needs="a verification that has ended"),
    _of("redactions_total", COUNTER, "Secrets taken out before anything was written.", "kind where",
        _each(("secret",), names.WHERE)),
    _of("security_events_total", COUNTER, "What a person should hear of.", "kind", _one(names.SECURITY)),
    _of("log_messages_total", COUNTER, "Lines of the service's log.", "level component",
        _each(names.LEVELS_OF_LOG, names.COMPONENTS)),
    _of("log_pattern_new_total", COUNTER, "Forms that lines of the log had for the first time (drain3).",
        "level component", _each(names.LEVELS_OF_LOG, names.COMPONENTS)),
    _of("metrics_catching_up", GAUGE, "1 while old records are read, and a minute after: rates are of then."),
    _of("build_info", GAUGE, "1, with the version.", "version"),
)  # fmt: skip

BUSINESS = (
    _of("cost_usd_total", COUNTER, "What calls to models cost, by the client's transcripts.", "model project",
        needs="transcripts with usage"),
    _of("tokens_total", COUNTER, "Tokens of calls to models.", "model project kind", needs="transcripts with usage"),
    _of("budget_limit_usd", GAUGE, "What may be spent in the period.", "scope project period", needs="a budget"),
    _of("budget_spent_usd", GAUGE, "What was spent of it.", "scope project period", needs="a budget"),
    _of("budget_reserved_usd", GAUGE, "What calls under way may still cost.", "scope project period",
        needs="a budget"),
    _of("budget_period_remaining_seconds", GAUGE, "Until the period ends.", "scope project period",
        needs="a budget of a day, week or month"),
    _of("tasks_total", COUNTER, "Tasks (a prompt until the agent stops) that ended.", "project outcome"),
    _of("work_total", COUNTER, "What came of it, as the journal shows: lines of Edit and Write, commits and pull "
        "requests made by commands, seconds from prompts to stops.", "kind", _one(names.WORK)),
    _of("time_saved_seconds_total", COUNTER, "Completed tasks times the minutes that the operator assumes.", _PROJECT,
        needs="value_minutes_per_task set"),
    _of("value_usd_total", COUNTER, "Completed tasks times the minutes and the rate that the operator assumes.",
        _PROJECT, needs="value_minutes_per_task and value_usd_per_hour set"),
    _of("return_on_cost_ratio", GAUGE, "That value divided by what the models cost.", _PROJECT,
        needs="value_minutes_per_task and value_usd_per_hour set, and a cost"),
)  # fmt: skip

OPERATIONS = (
    _of("leases_held", GAUGE, "Files that are leased now.", _PROJECT, needs="a lease in force"),
    _of("lease_conflicts_total", COUNTER, "Calls that met a file leased by another session.", _PROJECT),
    _of("lease_expired_total", COUNTER, "Leases that ran out before they were given back.", _PROJECT),
    _of("lease_deadlocks", GAUGE, "Circles of sessions that wait for each other's files.", _PROJECT),
    _of("incidents_open", GAUGE, "Incidents not yet resolved.", "severity", _one(names.SEVERITIES)),
    _of("incident_detect_seconds", HISTOGRAM, "From the first bad event to the incident.", "severity",
        _one(names.SEVERITIES), buckets=DETECT_S),
    _of("incident_ack_seconds", HISTOGRAM, "From the incident to a person's acknowledgement.", "severity",
        _one(names.SEVERITIES), buckets=RESPOND_S),
    _of("incident_mitigate_seconds", HISTOGRAM, "From the incident to its mitigation.", "severity",
        _one(names.SEVERITIES), buckets=RESPOND_S),
    _of("incident_resolve_seconds", HISTOGRAM, "From the incident to its resolution.", "severity",
        _one(names.SEVERITIES), buckets=RESPOND_S),
    _of("actions_total", COUNTER, "Actions that ended, by how.", "action outcome"),
    _of("halts_active", GAUGE, "Halts in force.", "scope", _one(names.HALTS)),
    _of("slo_error_budget_remaining_ratio", GAUGE,
        "What is left of the error budget of 30 days: 1 is all, 0 none, below 0 what was spent beyond it.",
        "slo", needs="events of that objective in the last 30 days"),
    _of("detector_last_run_timestamp_seconds", GAUGE, "When the rules were last evaluated, since 1970.",
        needs="a monitor that evaluates rules"),
)  # fmt: skip

FAMILIES: tuple[Family, ...] = HOOKS + SYSTEM + STORES + JOURNAL + BUSINESS + OPERATIONS
BY_NAME = {family.name: family for family in FAMILIES}
