"""The executive dashboard: are we all right, inside the budget, finishing what we begin, and by whom."""

from __future__ import annotations

from panels import (
    FROM,
    PROJECT,
    TO,
    Data,
    Row,
    bars,
    coloured,
    dashboard,
    drawn,
    gauge,
    lines,
    marked,
    measured,
    prom,
    sql,
    stat,
    strip,
    table,
)

GREEN, YELLOW, RED = "green", "yellow", "red"

BUDGET_LEFT = "levaithan_slo_error_budget_remaining_ratio"
_RED = (
    f'(count({BUDGET_LEFT} <= 0) or vector(0)) + (sum(levaithan_incidents_open{{severity="P0"}}) or vector(0)) '
    "+ (sum(levaithan_halts_active) or vector(0))"
)
_YELLOW = (
    f'(count({BUDGET_LEFT} <= 0.5) or vector(0)) + (sum(levaithan_incidents_open{{severity=~"P1|P2"}}) or vector(0))'
)
WORST = (
    f"clamp_max(2 * clamp_max({_RED}, 1) + clamp_max({_YELLOW}, 1), 2) "
    'and on() (count(up{job="levaithan"} == 1))'
)  # fmt: skip
"""0 fine, 1 look, 2 act; nothing at all where nobody was asked, so that silence is not taken for health."""

MONTH = 'scope="all", period="month"'
FORECAST = (
    "sum(levaithan_budget_spent_usd{%(month)s}) + quantile_over_time(%(share)s, "
    "sum(increase(levaithan_cost_usd_total[1d]))[7d:1d]) "
    "* max(levaithan_budget_period_remaining_seconds{%(month)s}) / 86400"
)

DONE = 'sum(increase(levaithan_tasks_total{outcome="completed", project=~"$project"}[7d]))'
BEGUN = 'sum(increase(levaithan_tasks_total{outcome!="cancelled", project=~"$project"}[7d]))'
_N, _P = f"({BEGUN} > 0)", f"({DONE} / {BEGUN})"
_MIDDLE = f"({_P} + 3.8416 / (2 * {_N}))"
_HALF = f"(1.96 * sqrt({_P} * (1 - {_P}) / {_N} + 3.8416 / (4 * {_N} * {_N})))"
WILSON_LOW = f"({_MIDDLE} - {_HALF}) / (1 + 3.8416 / {_N})"
WILSON_HIGH = f"({_MIDDLE} + {_HALF}) / (1 + 3.8416 / {_N})"
"""Wilson's score interval at 95% (https://doi.org/10.1080/01621459.1927.10502953), z = 1.96."""

AGENT_TYPES = f"""
    SELECT coalesce(nullif(e.agent_type, ''), a.agent_type, CASE WHEN e.agent_id IS NULL THEN 'main' ELSE '?' END)
        AS "agent type",
      count(DISTINCT e.session_id || ':' || coalesce(e.agent_id, '')) AS "agents",
      count(*) FILTER (WHERE e.event = 'PreToolUse') AS "calls",
      count(*) FILTER (WHERE e.event = 'PostToolUseFailure')::float
        / nullif(count(*) FILTER (WHERE e.event <> 'PreToolUse'), 0) AS "failed",
      count(*) FILTER (WHERE e.event = 'PreToolUse' AND e.decision IN ('deny', 'halt'))::float
        / nullif(count(*) FILTER (WHERE e.event = 'PreToolUse'), 0) AS "denied",
      percentile_cont(0.5) WITHIN GROUP (ORDER BY t.duration_us) / 1e6 AS "median call",
      sum(t.duration_us) / 1e6
        / count(DISTINCT e.session_id || ':' || coalesce(e.agent_id, '')) AS "tool time an agent"
    FROM events e LEFT JOIN agents a ON a.session_id = e.session_id AND a.agent_id = e.agent_id
    LEFT JOIN tool_calls t ON t.tool_use_id = e.tool_use_id AND t.end_event = e.id
    WHERE e.event IN ('PreToolUse', 'PostToolUse', 'PostToolUseFailure') AND e.canary = 0
      AND e.at_us BETWEEN {FROM} AND {TO}
    GROUP BY 1 ORDER BY 3 DESC LIMIT 100
"""


def health() -> Row:
    """Panel 1 of the catalogue."""
    return Row("System health", "are we all right, and since when?", [
        stat(
            "Error budget left, 30 days",
            """What is left of each objective's error budget: green above half, red when it
            is spent; then only fixes ship. `levaithan alerts list` says what burns it.""",
            [prom(BUDGET_LEFT, "{{slo}}", instant=True)], width=12, height=6, unit="percentunit",
            steps=((None, RED), (0.0001, YELLOW), (0.5, GREEN)), runbook="GateBurn",
        ),
        stat(
            "Open incidents", "By severity, acknowledged or not. `levaithan incident list` names them.",
            [prom("sum by (severity) (levaithan_incidents_open)", "{{severity}}", instant=True)], width=8, height=6,
            steps=((None, GREEN), (1, YELLOW)), overrides=[marked("P0", ((None, GREEN), (1, RED)))],
        ),
        stat(
            "Halts in force", "Emergency stops, by how far each reaches. A person lifts one: `levaithan halt list`.",
            [prom("sum by (scope) (levaithan_halts_active)", "{{scope}}", instant=True)], width=4, height=6,
            steps=((None, GREEN), (1, RED)),
        ),
        strip(
            "The worst of it, 30 days", """Red: an error budget spent, a P0 open or a halt. Yellow: half a budget spent,
            or a P1 or P2 open. A gap: nobody was scraped then, so nothing is known.""",
            [prom(WORST, "status")], [(0, "fine", GREEN), (1, "look", YELLOW), (2, "act", RED)], width=24, height=4,
            steps=((None, GREEN), (1, YELLOW), (2, RED)), timeFrom="30d",
        ),
    ])  # fmt: skip


def money() -> Row:
    """Panel 2."""
    spent = "levaithan_budget_spent_usd + levaithan_budget_reserved_usd"
    return Row("Cost and budget", "shall we stay inside the budget?", [
        bars(
            "Cost a day",
            """What calls to models cost, by project, from the client's transcripts at the prices in force.
            Each bar looks a day back. `levaithan cost report` has it by agent and session too.""",
            [prom('sum by (project) (increase(levaithan_cost_usd_total{project=~"$project"}[1d]))', "{{project}}")],
            width=10, unit="currencyUSD", interval="1d",
        ),
        gauge(
            "Budgets used", "Spent and reserved, as a share of each limit: 75% is a word, 90% a warning, 100% refuses.",
            [prom(f"({spent}) / (levaithan_budget_limit_usd > 0)", "{{scope}} {{project}} {{period}}", instant=True)],
            width=6, unit="percentunit", steps=((None, GREEN), (0.75, YELLOW), (0.9, "orange"), (1, RED)),
            runbook="BudgetNearlySpent",
        ),
        lines(
            "Where this month is going", """The month's budget for everything: spent so far, and at its end when the
            days left cost what the median day of the last seven did (the band: their tenth and ninetieth percentile).
            `levaithan cost forecast` knows weekdays too.""",
            [
                prom(FORECAST % {"month": MONTH, "share": "0.9"}, "high"),
                prom(FORECAST % {"month": MONTH, "share": "0.5"}, "forecast"),
                prom(FORECAST % {"month": MONTH, "share": "0.1"}, "low"),
                prom(f"sum(levaithan_budget_spent_usd{{{MONTH}}})", "spent"),
                prom(f"sum(levaithan_budget_limit_usd{{{MONTH}}})", "limit"),
            ],
            width=8, unit="currencyUSD", runbook="BudgetForecast",
            overrides=[
                drawn("high", fillBelowTo="low", lineWidth=0, fillOpacity=20), drawn("low", lineWidth=0),
                drawn("limit", lineStyle={"fill": "dash", "dash": [8, 8]}),
            ],
        ),
    ])  # fmt: skip


def success() -> Row:
    """Panel 3."""
    shares: tuple[tuple[float | None, str], ...] = ((None, RED), (0.75, YELLOW), (0.95, GREEN))
    return Row("Task success", "do the agents finish what they begin?", [
        stat(
            "Tasks completed, 7 days", """Of all tasks (a prompt until the agent stops) that were not cancelled. The
            objective is 95%.""",
            [prom(f"{DONE} / {BEGUN}", "completed", instant=True)], width=5, unit="percentunit", steps=shares,
            runbook="TaskBurn",
        ),
        lines(
            "Tasks completed, 7 days back",
            """The line, and Wilson's interval at 95%: few tasks, wide band; a dip inside
            the band is no news.""",
            [prom(WILSON_HIGH, "high"), prom(f"{DONE} / {BEGUN}", "completed"), prom(WILSON_LOW, "low")],
            width=10, unit="percentunit", steps=shares, defaults={"max": 1, "decimals": 1},
            overrides=[drawn("high", fillBelowTo="low", lineWidth=0, fillOpacity=20), drawn("low", lineWidth=0)],
        ),
        bars(
            "How tasks ended, a day", "By outcome; abandoned = no end within a day.",
            [prom('sum by (outcome) (increase(levaithan_tasks_total{project=~"$project"}[1d]))', "{{outcome}}")],
            width=9, interval="1d",
        ),
    ])  # fmt: skip


def agents() -> Row:
    """Panel 4."""
    few: tuple[tuple[float | None, str], ...] = ((None, GREEN), (0.10, YELLOW), (0.25, RED))
    return Row("Agent performance", "which agent type earns its keep?", [
        table(
            "Agents by type",
            """From the ledger, over the last seven days: calls, the share that failed or was refused, and
            how long tools ran. Under 20 calls a share says little. What a type costs:
            `levaithan cost report --by agent`.""",
            [sql(AGENT_TYPES)], width=24, height=9, timeFrom="7d", runbook="ToolFailures",
            overrides=[
                coloured("failed", few, "percentunit"), coloured("denied", few, "percentunit"),
                coloured("calls", ((None, "text"), (20, GREEN))), measured("median call", "s"),
                measured("tool time an agent", "s"),
            ],
        ),
    ])  # fmt: skip


def build() -> Data:
    """The dashboard's JSON."""
    return dashboard(
        "executive", "Executive", "Health, money, success, agents: for whoever answers for it all.",
        [health(), money(), success(), agents()], since="30d", every="5m", variables=[PROJECT],
    )  # fmt: skip
