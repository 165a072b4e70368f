"""The operational dashboard: what runs and waits, what runs out, what is broken and who has it, whether we are slow."""

from __future__ import annotations

from panels import (
    SAFE_BODY,
    Data,
    Row,
    Steps,
    bars,
    coloured,
    dashboard,
    gauge,
    heat,
    lines,
    measured,
    prom,
    sql,
    stat,
    table,
)

GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"

_NOW = "(extract(epoch FROM now()) * 1e6)::bigint"
_CELLS = ", ".join(f"tool_h{cell:02d}" for cell in range(13))
_MIDDLES = ", ".join(str(64 * 4**cell // 2) for cell in range(12)) + f", {64 * 4**11}"
"""The ledger's histograms of how long tools took: a cell ends at 64 microseconds times a power of four, its middle is
half of that, and the last one has no end (stores/rollups.py; a test compares)."""
RUNNING = f"""
    WITH cells AS (
      SELECT tool_name, middle, sum(n) AS n
      FROM rollups, unnest(ARRAY[{_CELLS}], ARRAY[{_MIDDLES}]) AS cell(n, middle)
      WHERE hour_us > {_NOW} - 604800000000 GROUP BY tool_name, middle
    ), summed AS (
      SELECT tool_name, middle, sum(n) OVER (PARTITION BY tool_name ORDER BY middle) AS below,
        sum(n) OVER (PARTITION BY tool_name) AS held FROM cells
    ), usual AS (
      SELECT tool_name, min(middle) FILTER (WHERE below >= 0.95 * held) AS p95_us FROM summed WHERE held > 0 GROUP BY 1
    )
    SELECT ({_NOW} - e.at_us) / 1e6 AS "age", ({_NOW} - e.at_us) / usual.p95_us::float AS "times its p95",
      e.tool_name AS "tool", coalesce(nullif(e.agent_type, ''), 'main') AS "agent type", e.project AS "project",
      e.machine AS "machine", e.session_id AS "session"
    FROM events e JOIN tool_calls t ON t.tool_use_id = e.tool_use_id AND t.pre_event = e.id AND t.end_us IS NULL
    LEFT JOIN usual ON usual.tool_name = e.tool_name LEFT JOIN sessions s ON s.session_id = e.session_id
    WHERE e.event = 'PreToolUse' AND e.at_us > {_NOW} - 21600000000 AND e.canary = 0
      AND coalesce(t.outcome, '') <> 'denied' AND coalesce(s.ended_us, 0) < e.at_us
    ORDER BY e.at_us LIMIT 100
"""
SILENT = f"""
    SELECT ({_NOW} - last_us) / 1e6 AS "silent for", project AS "project",
      model AS "model", machine AS "machine", session_id AS "session"
    FROM sessions WHERE canary = 0 AND coalesce(ended_us, 0) < last_us
      AND last_us > {_NOW} - 86400000000
    ORDER BY last_us LIMIT 100
"""
INCIDENTS = f"""
    WITH said AS (
      SELECT {SAFE_BODY} AS b, at_us FROM journal_notes WHERE kind = 'incident'
        AND at_us > {_NOW} - 2592000000000
    ), opened AS (
      SELECT coalesce(b->>'incident', b->>'id') AS id, b->>'severity' AS severity, b->>'title' AS title,
        b->>'project' AS project, at_us FROM said WHERE b->>'action' = 'open'
    ), last AS (
      SELECT DISTINCT ON (b->>'incident') b->>'incident' AS id, b->>'action' AS action, b->>'by' AS by, at_us FROM said
      WHERE b->>'action' IN ('ack', 'mitigate', 'resolve', 'review', 'close', 'reopen', 'duplicate', 'false_positive')
      ORDER BY b->>'incident', at_us DESC
    ), acked AS (SELECT DISTINCT b->>'incident' AS id FROM said WHERE b->>'action' = 'ack')
    SELECT opened.severity AS "severity", opened.title AS "what", opened.project AS "project",
      CASE coalesce(last.action, 'open') WHEN 'ack' THEN 'acknowledged' WHEN 'mitigate' THEN 'mitigated'
        WHEN 'reopen' THEN 'reopened' ELSE 'open' END AS "state", last.by AS "by",
      ({_NOW} - opened.at_us) / 1e6 AS "age",
      CASE WHEN acked.id IS NULL THEN
        CASE opened.severity WHEN 'P0' THEN 300 WHEN 'P1' THEN 900 WHEN 'P2' THEN 3600 ELSE 86400 END
        - ({_NOW} - opened.at_us) / 1e6 END AS "left to answer",
      opened.id AS "incident"
    FROM opened LEFT JOIN last ON last.id = opened.id LEFT JOIN acked ON acked.id = opened.id
    WHERE coalesce(last.action, 'open') IN ('open', 'ack', 'mitigate', 'reopen')
    ORDER BY opened.severity, opened.at_us LIMIT 100
"""
"""The journal's own records, folded roughly: `levaithan incident list` folds them exactly."""

QUEUE_AGE: Steps = ((None, GREEN), (1, YELLOW), (3, RED))
FULL: Steps = ((None, GREEN), (0.7, YELLOW), (0.85, RED))
SLOW: Steps = ((None, GREEN), (0.05, YELLOW), (0.1, ORANGE), (0.5, RED))


def queue() -> Row:
    """Panel 5 of the catalogue."""
    return Row("Task queue", "what runs now, what waits, how long?", [
        stat(
            "Now", "Sessions and subagents heard of in the last quarter of an hour, files leased, circles of waiting.",
            [
                prom("sum(levaithan_sessions_active)", "sessions", instant=True),
                prom("sum(levaithan_agents_active)", "subagents", instant=True),
                prom("sum(levaithan_leases_held)", "files leased", instant=True),
                prom("sum(levaithan_lease_deadlocks)", "circles of waiting", instant=True),
            ],
            width=24, height=4, options={"colorMode": "value"}, runbook="LeaseDeadlock",
        ),
        table(
            "Calls that run",
            """Calls of the last six hours without an end, the oldest first, and how many times as long as
            nineteen of twenty calls of that tool took in the last week (within a factor of two).
            `levaithan session show ID` tells more.""",
            [sql(RUNNING)], width=14, overrides=[measured("age", "s"), coloured("times its p95", QUEUE_AGE)],
        ),
        table(
            "Sessions that are silent", """Not ended, the longest silent first: done, waiting for a person's answer, or
            gone. `levaithan approval list` has what waits for an answer.""",
            [sql(SILENT)], width=10,
            overrides=[coloured("silent for", ((None, GREEN), (900, YELLOW), (3600, RED)), "s")],
        ),
    ])  # fmt: skip


def resources() -> Row:
    """Panel 6."""
    disk = "1 - levaithan_system_disk_free_bytes / levaithan_system_disk_size_bytes"
    memory = "1 - levaithan_system_memory_available_bytes / levaithan_system_memory_size_bytes"
    pool = "max by (store) (levaithan_store_pool_in_use / (levaithan_store_pool_size > 0))"
    return Row("Resources", "what runs out next?", [
        gauge(
            "Full by now", "Processors, memory and the home's disk of each machine, and the stores' connections.",
            [
                prom("1 - avg by (machine) (levaithan_system_cpu_idle_ratio)", "processors of {{machine}}",
                     instant=True),
                prom(f"max by (machine) ({memory})", "memory of {{machine}}", instant=True),
                prom(f"max by (machine) ({disk})", "disk of {{machine}}", instant=True),
                prom(pool, "connections to {{store}}", instant=True),
            ],
            width=8, unit="percentunit", steps=FULL, runbook="DiskLow",
        ),
        lines(
            "Processors and memory", "Used, by machine.",
            [
                prom("1 - avg by (machine) (levaithan_system_cpu_idle_ratio)", "processors of {{machine}}"),
                prom(f"max by (machine) ({memory})", "memory of {{machine}}"),
            ],
            width=8, unit="percentunit", steps=FULL, defaults={"max": 1}, runbook="MemoryLow",
        ),
        lines(
            "Disk", "Used of the home's file system, by machine. The journal stops when it is full.",
            [prom(f"max by (machine) ({disk})", "{{machine}}")], width=8, unit="percentunit",
            steps=((None, GREEN), (0.8, YELLOW), (0.9, RED)), defaults={"max": 1}, runbook="DiskFilling",
        ),
        lines(
            "Files leased", "By project. `levaithan lease list` says by whom.",
            [prom("sum by (project) (levaithan_leases_held)", "{{project}}")], width=12, height=6,
        ),
        bars(
            "Leases in the way",
            "Calls that met a file leased by another session, and leases that ran out, by project.",
            [prom("sum by (project) (increase(levaithan_lease_conflicts_total[$__rate_interval]))", "met: {{project}}"),
             prom("sum by (project) (increase(levaithan_lease_expired_total[$__rate_interval]))",
                  "ran out: {{project}}")],
            width=12, height=6, runbook="LeaseStorm",
        ),
    ])  # fmt: skip


def trouble() -> Row:
    """Panel 7."""
    return Row("Errors and alerts", "what is broken, who has it, how long is left?", [
        table(
            "Alerts that fire", "As Prometheus judges now; the Watchdog, which always fires, is left out.",
            [prom('sum by (severity, alertname, detection, project, store) '
                  '(ALERTS{alertstate="firing", alertname!="Watchdog"})', instant=True, shape="table")],
            width=10, overrides=[_gone("Time"), _gone("Value")],
        ),
        table(
            "Incidents that are open", """From the journal's records in the ledger, the worst first. Red: the time to
            answer is over. `levaithan incident ack ID` takes one.""",
            [sql(INCIDENTS)], width=14,
            overrides=[
                measured("age", "s"),
                coloured("left to answer", ((None, RED), (0, ORANGE), (225, GREEN)), "s"),
            ],
        ),
        lines(
            "Failed hooks a second", "Atomic hooks that crashed, ran out of time or answered nonsense.",
            [prom("sum by (reason) (rate(levaithan_hook_failures_total[$__rate_interval]))", "{{reason}}")],
            width=8, unit="ops", runbook="HookErrors",
        ),
        lines(
            "Failed hooks of all calls",
            "The objective is one in a thousand over 30 days; the lines are where alerts begin.",
            [prom("sum(rate(levaithan_hook_failures_total[5m])) / (sum(rate(levaithan_hook_events_total[5m])) > 0)",
                  "failed")],
            width=8, unit="percentunit", steps=((None, GREEN), (0.001, YELLOW), (0.05, ORANGE), (0.2, RED)),
            runbook="GateFailing",
        ),
        lines(
            "Tools that fail", "Share of each tool's calls over half an hour, of tools with twenty calls or more.",
            [prom("(sum by (tool) (rate(levaithan_tool_failures_total[30m])) / sum by (tool) "
                  "(rate(levaithan_tool_calls_total[30m]))) and sum by (tool) "
                  "(increase(levaithan_tool_calls_total[30m])) >= 20", "{{tool}}")],
            width=8, unit="percentunit", steps=((None, GREEN), (0.1, YELLOW), (0.25, RED)), runbook="ToolFailures",
        ),
        bars(
            "What was done by itself",
            "Automatic actions by how they ended. `levaithan action list` has each, and its undo.",
            [prom("sum by (action, outcome) (increase(levaithan_actions_total[$__rate_interval])) > 0",
                  "{{action}}: {{outcome}}")], width=12, height=6,
        ),
        bars(
            "Calls that were braked", "Refused because they only repeat, or came too fast.",
            [prom("sum by (reason) (increase(levaithan_loop_breaks_total[$__rate_interval])) > 0", "loop: {{reason}}"),
             prom("sum by (reason) (increase(levaithan_rate_limited_total[$__rate_interval])) > 0", "pace: {{reason}}"),
            ],
            width=12, height=6,
        ),
    ])  # fmt: skip


def speed() -> Row:
    """Panel 8."""
    spread = "sum by (le) (rate(levaithan_hook_duration_seconds_bucket[$__rate_interval]))"
    return Row("Performance", "do we slow the agents?", [
        lines(
            "Hook calls", "From the client's start to the record: half, nineteen of twenty, 99 of a hundred.",
            [prom(f"histogram_quantile({share}, {spread})", name) for share, name in
             ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))],
            width=8, unit="s", steps=SLOW, runbook="HooksSlow",
        ),
        lines(
            "Hook calls, p99 by path",
            "native and python ask the service; oneshot decides alone, so the service was away.",
            [prom("histogram_quantile(0.99, sum by (le, path) "
                  "(rate(levaithan_hook_duration_seconds_bucket[$__rate_interval])))", "{{path}}")],
            width=8, unit="s", steps=SLOW, runbook="HooksVerySlow",
        ),
        heat(
            "Hook calls, all of them", "How many took how long.",
            prom("sum by (le) (increase(levaithan_hook_duration_seconds_bucket[$__rate_interval]))", "{{le}}",
                 shape="heatmap"), width=8,
        ),
        lines(
            "Tools, p95", "How long tools themselves ran, as the client says: not our time.",
            [prom("histogram_quantile(0.95, sum by (le, tool) "
                  "(rate(levaithan_tool_duration_seconds_bucket[$__rate_interval])))", "{{tool}}")],
            width=12, unit="s",
        ),
        lines(
            "Decisions a second", "Of hook calls, by what was decided.",
            [prom("sum by (decision) (rate(levaithan_hook_events_total[$__rate_interval]))", "{{decision}}")],
            width=12, unit="ops",
        ),
    ])  # fmt: skip


def _gone(column: str) -> Data:
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": "custom.hidden", "value": True}],
    }


def build() -> Data:
    """The dashboard's JSON."""
    return dashboard(
        "operational", "Operational", "What runs, waits, runs out, breaks and slows: for whoever is on duty.",
        [queue(), resources(), trouble(), speed()], since="6h", every="30s",
    )  # fmt: skip
