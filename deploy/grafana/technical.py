"""The technical dashboard: which store is slow, which hook costs the time, machine or process, who tries what."""

from __future__ import annotations

from panels import (
    FROM,
    SAFE_BODY,
    TO,
    Data,
    Row,
    bars,
    coloured,
    dashboard,
    heat,
    lines,
    measured,
    prom,
    sql,
    stat,
    strip,
    table,
)

GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"

TABLES = """
    SELECT relname AS "table", n_live_tup AS "rows", n_dead_tup::float / nullif(n_live_tup + n_dead_tup, 0) AS "dead",
      pg_total_relation_size(relid) AS "size", seq_scan AS "whole reads", idx_scan AS "reads by index",
      greatest(last_vacuum, last_autovacuum) AS "vacuumed", greatest(last_analyze, last_autoanalyze) AS "analysed"
    FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC LIMIT 50
"""
DEAD_LETTERS = f"""
    SELECT to_timestamp(last_us / 1e6) AS "last tried", store AS "store", seq AS "record", attempts AS "attempts",
      left(reason, 300) AS "why" FROM dead_letters WHERE last_us BETWEEN {FROM} AND {TO} ORDER BY last_us DESC LIMIT 50
"""
HOOKS = f"""
    WITH ran AS (
      SELECT hook->>'hook' AS hook, (hook->>'ms')::float / 1000 AS s, hook->>'error' AS error FROM (
        SELECT {SAFE_BODY}->'hooks' AS hooks FROM events WHERE at_us BETWEEN {FROM} AND {TO} ORDER BY at_us DESC
        LIMIT 5000
      ) AS latest, jsonb_array_elements(CASE jsonb_typeof(hooks) WHEN 'array' THEN hooks ELSE '[]' END) AS hook
    )
    SELECT hook AS "hook", count(*) AS "runs", percentile_cont(0.5) WITHIN GROUP (ORDER BY s) AS "p50",
      percentile_cont(0.95) WITHIN GROUP (ORDER BY s) AS "p95", max(s) AS "slowest",
      sum(s) / nullif(sum(sum(s)) OVER (), 0) AS "share of the time", count(error) AS "failed"
    FROM ran WHERE hook IS NOT NULL GROUP BY hook ORDER BY sum(s) DESC NULLS LAST LIMIT 50
"""
SLOWEST = f"""
    SELECT to_timestamp(at_us / 1e6) AS "when", duration_us / 1e6 AS "took", event AS "event", tool_name AS "tool",
      path AS "path", decision AS "decision", project AS "project", machine AS "machine", id AS "event id"
    FROM events WHERE at_us BETWEEN {FROM} AND {TO} AND duration_us IS NOT NULL AND canary = 0
    ORDER BY duration_us DESC LIMIT 20
"""
REFUSED = f"""
    SELECT to_timestamp(at_us / 1e6) AS "when", decision AS "decision", rule AS "rule", left(reason, 200) AS "reason",
      tool_name AS "tool", agent_type AS "agent type", project AS "project", session_id AS "session"
    FROM events WHERE decision <> 'allow' AND canary = 0 AND at_us BETWEEN {FROM} AND {TO}
    ORDER BY at_us DESC LIMIT 100
"""
_DENIED = 'sum(increase(levaithan_gate_decisions_total{decision=~"deny|halt", mode="enforce"}[1h]))'
UNUSUAL = f"({_DENIED} - avg_over_time({_DENIED}[7d:1h])) / clamp_min(stddev_over_time({_DENIED}[7d:1h]), 1)"


def stores() -> Row:
    """Panel 9 of the catalogue."""
    slow = (
        "histogram_quantile(0.95, sum by (le, store) "
        '(rate(levaithan_store_latency_seconds_bucket{operation="%s"}[5m])))'
    )
    fresh = (
        'sum by (store) (rate(levaithan_projection_latency_seconds_bucket{le=~"10(\\\\.0)?"}[1h])) '
        "/ (sum by (store) (rate(levaithan_projection_latency_seconds_count[1h])) > 0)"
    )
    return Row("Stores", "which one is slow or behind, and on what?", [
        strip(
            "Stores that answer", "A real round trip each ten seconds. A store that is down stops no hook: it lags.",
            [prom("max by (store) (levaithan_store_up)", "{{store}}")], [(0, "down", RED), (1, "up", GREEN)], width=12,
            height=7, steps=((None, RED), (1, GREEN)), runbook="StoreDown",
        ),
        lines(
            "Behind the journal", "Age of the newest record that a store has not got. `levaithan store lag --follow`.",
            [prom("max by (store) (levaithan_store_lag_seconds)", "{{store}}")], width=12, height=7, unit="s",
            steps=((None, GREEN), (10, YELLOW), (60, ORANGE), (600, RED)), runbook="StoreBehind",
        ),
        lines(
            "Putting, p95", "A batch of records put into the store.", [prom(slow % "put", "{{store}}")], width=8,
            unit="s", steps=((None, GREEN), (0.1, YELLOW), (1, RED)),
        ),
        lines(
            "Asking, p95", "A question there and back.", [prom(slow % "query", "{{store}}")], width=8, unit="s",
            steps=((None, GREEN), (0.25, YELLOW), (2.5, RED)),
        ),
        lines(
            "Readable within 10 s", "Share of events that were, in each store, over an hour. The objective is 99%.",
            [prom(fresh, "{{store}}")], width=8, unit="percentunit", steps=((None, RED), (0.99, GREEN)),
            defaults={"max": 1}, runbook="FreshnessBurn",
        ),
        bars(
            "Failures to put or ask", "By store and reason.",
            [prom("sum by (store, reason) (increase(levaithan_store_errors_total[$__rate_interval])) > 0",
                  "{{store}}: {{reason}}")], width=8, runbook="StoreDown",
        ),
        stat(
            "Dead letters", "Records that a store could not take; they wait. `levaithan journal dead-letters`.",
            [prom("max by (store) (levaithan_store_dead_letters)", "{{store}}", instant=True)], width=4,
            steps=((None, GREEN), (1, YELLOW), (100, RED)),
        ),
        table("Why letters are dead", "The latest of the ledger's own list.", [sql(DEAD_LETTERS)], width=12),
        table(
            "The ledger's tables",
            """PostgreSQL's own counts: many dead rows mean that vacuum does not follow; many whole
            reads of a large table, that an index is missing.""",
            [sql(TABLES)], width=24,
            overrides=[
                coloured("dead", ((None, GREEN), (0.2, YELLOW), (0.4, RED)), "percentunit"), measured("size", "bytes"),
            ],
        ),
    ])  # fmt: skip


def hooks() -> Row:
    """Panel 10."""
    return Row("Hooks", "which one costs the time?", [
        heat(
            "Hook calls by duration", "All events; the objective is 50 ms.",
            prom("sum by (le) (increase(levaithan_hook_duration_seconds_bucket[$__rate_interval]))", "{{le}}",
                 shape="heatmap"), width=12,
        ),
        lines(
            "Hook calls, p95 by event", "A guarded event waits for its decision; the others are recorded only.",
            [prom("histogram_quantile(0.95, sum by (event, le) "
                  "(rate(levaithan_hook_duration_seconds_bucket[$__rate_interval])))", "{{event}}")],
            width=12, unit="s", steps=((None, GREEN), (0.05, YELLOW), (0.1, ORANGE), (0.5, RED)),
            runbook="HooksSlowerThanBefore",
        ),
        lines(
            "Atomic hooks, a run", "What one run of each took on the average, of all machines that are scraped.",
            [prom("sum by (hook) (rate(levaithan_hook_run_seconds_total[$__rate_interval])) "
                  "/ (sum by (hook) (rate(levaithan_hook_runs_total[$__rate_interval])) > 0)", "{{hook}}")],
            width=24, height=7, unit="s", steps=((None, GREEN), (0.02, YELLOW), (0.1, RED)),
        ),
        table(
            "Atomic hooks",
            "Self time of each in the latest 5,000 calls of the time shown: where the time of a call goes.",
            [sql(HOOKS)], width=12,
            overrides=[
                measured("p50", "s"), coloured("p95", ((None, GREEN), (0.02, YELLOW), (0.1, RED)), "s"),
                measured("slowest", "s"), coloured("share of the time", ((None, GREEN), (0.5, YELLOW)), "percentunit"),
                coloured("failed", ((None, GREEN), (1, RED))),
            ],
        ),
        table(
            "The slowest twenty calls", "`levaithan audit show ID` shows what each part took.",
            [sql(SLOWEST)], width=12,
            overrides=[coloured("took", ((None, GREEN), (0.05, YELLOW), (0.5, RED)), "s")],
        ),
    ])  # fmt: skip


def system() -> Row:
    """Panel 11."""
    ours = 'job="levaithan"'
    return Row("System", "is the machine or the process at fault?", [
        lines(
            "Processor time of the service", "1 is one core.",
            [prom(f"rate(process_cpu_seconds_total{{{ours}}}[5m])", "{{instance}}")], width=8, height=7,
        ),
        lines(
            "Load of the machine", "The average of a minute, beside what is idle.",
            [prom("levaithan_system_load1", "load of {{machine}}"),
             prom("1 - levaithan_system_cpu_idle_ratio", "busy share of {{machine}}")], width=8, height=7,
        ),
        lines(
            "Memory of the service", "Resident: what it really holds.",
            [prom(f"process_resident_memory_bytes{{{ours}}}", "{{instance}}")], width=8, height=7, unit="bytes",
        ),
        lines(
            "Open files", "Share of what the process may open.",
            [prom(f"process_open_fds{{{ours}}} / process_max_fds{{{ours}}}", "{{instance}}")], width=8, height=7,
            unit="percentunit", steps=((None, GREEN), (0.8, RED)), defaults={"max": 1},
        ),
        lines(
            "Syncs of the journal, p99", "What a disk takes to promise: it bounds every answer.",
            [prom("histogram_quantile(0.99, sum by (le) (rate(levaithan_journal_fsync_seconds_bucket[5m])))", "p99")],
            width=8, height=7, unit="s", steps=((None, GREEN), (0.05, RED)),
        ),
        lines(
            "Records of the journal a second", "Events and everything else that is written down.",
            [prom("sum(rate(levaithan_journal_records_total[$__rate_interval]))", "records")], width=8, height=7,
            unit="ops",
        ),
        stat(
            "Journal", "Whether it can be written, whether its chain holds, how long ago all of it was proven.",
            [
                prom("min(levaithan_journal_writable)", "can be written", instant=True),
                prom("min(levaithan_journal_chain_ok)", "chain holds", instant=True),
            ],
            width=8, height=5, steps=((None, RED), (1, GREEN)), runbook="JournalUnwritable",
            defaults={"mappings": [{"type": "value", "options": {
                "0": {"text": "no", "color": RED, "index": 0}, "1": {"text": "yes", "color": GREEN, "index": 1}}}]},
        ),
        stat(
            "Chain last proven", "All of it, from the first record on.",
            [prom("time() - max(levaithan_journal_verified_timestamp_seconds)", "ago", instant=True)], width=8,
            height=5,
            unit="s", steps=((None, GREEN), (93600, RED)), runbook="VerifyStale",
        ),
        lines(
            "Log lines of warnings and errors", "Of the service's own log, by part.",
            [prom('sum by (level, component) (increase(levaithan_log_messages_total{level=~"warning|error"}'
                  "[$__rate_interval]))", "{{level}}: {{component}}")], width=8, height=5,
        ),
    ])  # fmt: skip


def security() -> Row:
    """Panel 12."""
    return Row("Network and security", "who tries what is forbidden?", [
        bars(
            "Security events an hour", "By kind. self_protection: an agent reached for the guard itself.",
            [prom("sum by (kind) (increase(levaithan_security_events_total[1h]))", "{{kind}}")], width=8,
            interval="1h", runbook="SelfProtectionHit",
        ),
        bars(
            "Refusals an hour", "By the pack of the rule; rules in shadow mode only say what they would have refused.",
            [prom('sum by (rule_pack, mode) (increase(levaithan_gate_decisions_total{decision=~"deny|halt"}[1h])) > 0',
                  "{{rule_pack}} ({{mode}})")], width=8, interval="1h", runbook="DenialBurst",
        ),
        lines(
            "Secrets taken out an hour", "Before anything was written. In a tool's output: the agent has seen it.",
            [prom("sum by (where) (increase(levaithan_redactions_total[1h]))", "{{where}}")], width=8,
            runbook="SecretInOutput",
        ),
        stat(
            "Refusals out of the ordinary", "This hour against the last seven days, in standard deviations.",
            [prom(UNUSUAL, "sigma", instant=True)], width=6, height=9, steps=((None, GREEN), (2, YELLOW), (3, RED)),
            defaults={"decimals": 1},
        ),
        stat(
            "Guards in force",
            "Of those that must be, by project. One that is missing lets that project's agents pass.",
            [prom("sum by (project) (levaithan_guards_installed) / sum by (project) (levaithan_guards_expected)",
                  "{{project}}", instant=True)],
            width=4, height=9, unit="percentunit", steps=((None, RED), (1, GREEN)), runbook="GuardMissing",
        ),
        table(
            "What was refused", "The latest; `levaithan audit show ID` says why.", [sql(REFUSED)], width=14, height=9,
            runbook="CriticalDenialBurst",
        ),
    ])  # fmt: skip


def build() -> Data:
    """The dashboard's JSON."""
    return dashboard(
        "technical", "Technical", "Stores, hooks, machine, security: for whoever looks for the cause.",
        [stores(), hooks(), system(), security()], since="6h", every="1m",
    )  # fmt: skip
