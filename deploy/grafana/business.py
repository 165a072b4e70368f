"""The business dashboard: is it worth it, is it trusted, does it get better, when does it need more."""

from __future__ import annotations

from panels import (
    FROM,
    PROJECT,
    SAFE_BODY,
    TO,
    Data,
    Row,
    bars,
    dashboard,
    lines,
    number,
    prom,
    sql,
    stat,
    table,
)

GREEN, YELLOW, RED = "green", "yellow", "red"

APPROVALS = f"""
    SELECT to_timestamp(at_us / 1000000 / 86400 * 86400) AS "time",
      count(*) FILTER (WHERE b->>'action' LIKE 'approve%') AS "approved",
      count(*) FILTER (WHERE b->>'action' LIKE 'den%') AS "denied"
    FROM (SELECT {SAFE_BODY} AS b, at_us FROM journal_notes
      WHERE kind = 'approval' AND at_us BETWEEN {FROM} AND {TO}) AS said
    GROUP BY 1 ORDER BY 1
"""
OVERTURNED = f"""
    SELECT (SELECT count(*) FROM (SELECT {SAFE_BODY} AS b FROM journal_notes
        WHERE kind = 'approval' AND at_us BETWEEN {FROM} AND {TO}) AS said WHERE b->>'action' LIKE 'approve%')::float
      / nullif((SELECT count(*) FROM events WHERE decision IN ('deny', 'ask') AND canary = 0
        AND at_us BETWEEN {FROM} AND {TO}), 0) AS "overturned"
"""
TIGHT = f"""
    SELECT rule AS "rule", count(*) AS "refusals", count(DISTINCT session_id) AS "sessions",
      count(DISTINCT project) AS "projects", to_timestamp(max(at_us) / 1e6) AS "last"
    FROM events WHERE decision IN ('deny', 'ask') AND rule IS NOT NULL AND canary = 0 AND at_us BETWEEN {FROM} AND {TO}
    GROUP BY rule ORDER BY count(*) DESC LIMIT 20
"""
CHANGES = f"""
    SELECT to_timestamp(at_us / 1e6) AS "when", kind AS "what", coalesce(b->>'action', b->>'what', '') AS "done",
      coalesce(b->>'by', '') AS "by",
      left(coalesce(b->>'title', b->>'text', b->>'budget', b->>'reason', ''), 200) AS "said"
    FROM (SELECT {SAFE_BODY} AS b, kind, at_us FROM journal_notes WHERE kind IN ('halt', 'approval', 'budget', 'lease',
      'prices', 'memory', 'note', 'incident', 'action') AND at_us BETWEEN {FROM} AND {TO}) AS said
    WHERE coalesce(b->>'by', '') <> 'monitor' ORDER BY at_us DESC LIMIT 100
"""
VERSIONS = f"""
    SELECT client_version AS "client", min(to_timestamp(first_us / 1e6)) AS "first seen",
      max(to_timestamp(last_us / 1e6)) AS "last seen", count(*) AS "sessions"
    FROM sessions WHERE canary = 0 AND last_us >= {FROM} AND first_us <= {TO} GROUP BY client_version ORDER BY 2 DESC
"""
BY_DAY = f"""
    SELECT to_timestamp(hour_us / 1000000 / 86400 * 86400) AS "time", sum(events) AS "events", sum(calls) AS "calls",
      sum(denials) AS "refusals"
    FROM rollups WHERE hour_us BETWEEN {FROM} AND {TO} GROUP BY 1 ORDER BY 1
"""
VALUE = 'sum(increase(levaithan_value_usd_total{project=~"$project"}[30d]))'
COST = 'sum(increase(levaithan_cost_usd_total{project=~"$project"}[30d]))'


def worth() -> Row:
    """Panel 13 of the catalogue."""
    return Row("Return", "is it worth it?", [
        stat(
            "Return on cost, 30 days (assumed)",
            """Value by cost. The value is assumed: completed tasks times the minutes
            and the hourly rate that you set (LEVAITHAN_VALUE_MINUTES_PER_TASK, LEVAITHAN_VALUE_USD_PER_HOUR); empty
            until they are set. Under 1 the agents cost more than they are assumed to save.""",
            [
                prom(f"{VALUE} / ({COST} > 0)", "as assumed", instant=True),
                prom(f"0.5 * {VALUE} / ({COST} > 0)", "if half of it is true", instant=True),
                prom(f"2 * {VALUE} / ({COST} > 0)", "if it is twice that", instant=True),
            ],
            width=12, height=7, steps=((None, RED), (1, YELLOW), (2, GREEN)), defaults={"decimals": 1},
        ),
        lines(
            "Value (assumed) and cost, 30 days back",
            "Two sums of money; what prevented incidents saved is in neither.",
            [prom(VALUE, "value, assumed"), prom(COST, "cost")], width=12, height=7, unit="currencyUSD",
        ),
        lines(
            "Cost a completed task, 7 days back", "By project.",
            [prom('sum by (project) (increase(levaithan_cost_usd_total{project=~"$project"}[7d])) / (sum by (project) '
                  '(increase(levaithan_tasks_total{outcome="completed", project=~"$project"}[7d])) > 0)',
                  "{{project}}")],
            width=12, height=7, unit="currencyUSD",
        ),
        bars(
            "Work a day", "What the journal shows that came of it: lines, commits, pull requests.",
            [prom('sum by (kind) (increase(levaithan_work_total{kind!="active_seconds"}[1d]))', "{{kind}}")], width=12,
            height=7, interval="1d", custom={"stacking": {"mode": "none", "group": "A"}},
        ),
    ])  # fmt: skip


def trust() -> Row:
    """Panel 14."""
    return Row("Satisfaction", "do people trust it, or fight it?", [
        stat(
            "Refusals that people overturned", """Approvals given, of all that was refused or asked for. Over a tenth:
            the rules are too tight, and people learn to click them away.""",
            [sql(OVERTURNED)], width=6, unit="percentunit", steps=((None, GREEN), (0.05, YELLOW), (0.1, RED)),
        ),
        bars(
            "What people decided, a day",
            "Tickets that were approved or denied.", [sql(APPROVALS, shape="time_series")],
            width=9, interval="1d",
        ),
        lines(
            "Tasks that were interrupted", "Share of all tasks of seven days that a person cancelled.",
            [prom('sum(increase(levaithan_tasks_total{outcome="cancelled", project=~"$project"}[7d])) / '
                  '(sum(increase(levaithan_tasks_total{project=~"$project"}[7d])) > 0)', "cancelled")],
            width=9, unit="percentunit", steps=((None, GREEN), (0.1, YELLOW), (0.25, RED)),
        ),
        table(
            "Rules that refuse most", """One rule that refuses in many sessions is either needed or wrong:
            `levaithan policy backtest` tells what a change would do.""", [sql(TIGHT)], width=24, height=7,
        ),
    ])  # fmt: skip


def progress() -> Row:
    """Panel 15."""
    return Row("Evolution", "does it improve, and did the change help?", [
        stat(
            "Last 14 days against the 14 before",
            """Task success and hooks over 50 ms, as differences: a change is not a
            proof, other things changed too.""",
            [
                prom(_change("levaithan_tasks_total", 'outcome="completed"', 'outcome!="cancelled"'),
                     "task success", instant=True),
                prom(_change("levaithan_hook_duration_seconds", "", "", good='_bucket{le="0.05"}', total="_count"),
                     "hook calls within 50 ms", instant=True),
            ],
            width=8, height=7, unit="percentunit", steps=((None, RED), (-0.01, YELLOW), (0, GREEN)),
            defaults={"decimals": 2},
        ),
        lines(
            "Incidents a week", "Opened, by severity; half of them found within the time shown beside.",
            [prom("sum by (severity) (increase(levaithan_incident_detect_seconds_count[7d]))", "{{severity}}")],
            width=8, height=7,
        ),
        lines(
            "From incident to end, median of 30 days", "To the acknowledgement, to the resolution.",
            [
                prom("histogram_quantile(0.5, sum by (le) (increase(levaithan_incident_ack_seconds_bucket[30d])))",
                     "acknowledged"),
                prom("histogram_quantile(0.5, sum by (le) (increase(levaithan_incident_resolve_seconds_bucket[30d])))",
                     "resolved"),
            ],
            width=8, height=7, unit="s",
        ),
        table(
            "What people changed", "From the journal: halts, approvals, budgets, leases, prices, notes, incidents.",
            [sql(CHANGES)], width=16,
        ),
        table("Clients", "A new version of the client may be what changed.", [sql(VERSIONS)], width=8),
    ])  # fmt: skip


def _change(metric: str, good_where: str, total_where: str, good: str = "", total: str = "") -> str:
    def share(offset: str) -> str:
        above = f"{metric}{good}" if good else f"{metric}{{{good_where}}}"
        below = f"{metric}{total}" if total else f"{metric}{{{total_where}}}"
        return f"sum(increase({above}[14d]{offset})) / (sum(increase({below}[14d]{offset})) > 0)"

    return f"{share('')} - {share(' offset 14d')}"


def room() -> Row:
    """Panel 16."""
    free = "levaithan_system_disk_free_bytes"
    peak = "max_over_time(sum(rate(levaithan_hook_events_total[5m]))[1d:5m])"
    return Row("Capacity", "when must we move to the next phase?", [
        stat(
            "Days until the disk is full",
            "At the pace of the last seven days; many thousands mean that it does not fill.",
            [prom(f"clamp_max({free} / clamp_min(-deriv({free}[7d]), 1) / 86400, 9999)", "{{machine}}", instant=True)],
            width=8, height=7, unit="d", steps=((None, RED), (30, YELLOW), (90, GREEN)), runbook="DiskFilling",
            defaults={"decimals": 0},
        ),
        stat(
            "Peak of the day, of what the machine can",
            """Events a second in the busiest five minutes, as a share of what
            `levaithan bench` measured on your machine: type its figure above.""",
            [prom(f"{peak} / $bench", "used", instant=True)], width=8, height=7, unit="percentunit",
            steps=((None, GREEN), (0.5, YELLOW), (0.7, RED)),
        ),
        lines(
            "Size of the stores", "As each says it.",
            [prom("max by (store) (levaithan_store_size_bytes)", "{{store}}")], width=8, height=7, unit="bytes",
        ),
        bars(
            "Events a day", "From the ledger's hourly sums.", [sql(BY_DAY, shape="time_series")], width=12, height=7,
            interval="1d", custom={"stacking": {"mode": "none", "group": "A"}},
        ),
        lines(
            "Free disk, and where it is going", "The line below is 30 days on, by the last seven days.",
            [prom(free, "free on {{machine}}"),
             prom(f"predict_linear({free}[7d], 30 * 86400)", "in 30 days on {{machine}}")],
            width=12, height=7, unit="bytes", defaults={"min": None},
        ),
    ])  # fmt: skip


def build() -> Data:
    """The dashboard's JSON."""
    return dashboard(
        "business", "Business", "Worth, trust, progress, room: for whoever decides what comes next.",
        [worth(), trust(), progress(), room()], since="90d", every="15m",
        variables=[PROJECT, number("bench", "Events/s of levaithan bench", "1500")],
    )  # fmt: skip
