"""The parts that dashboards are made of: queries, panels, rows, and a dashboard that lays them out.

A panel's size is in Grafana's grid (24 columns); rows are filled from left to right. Everything here returns plain data
(what Grafana's dashboard JSON has, schema version 41). Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 41
COLUMNS = 24
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LEDGER = {"type": "grafana-postgresql-datasource", "uid": "ledger"}
RUNBOOKS = "/public/levaithan/how-to/runbooks.md"
"""Where Grafana serves the documentation that docker-compose.yml gives to it."""

Data = dict[str, Any]
Steps = tuple[tuple[float | None, str], ...]
"""Thresholds: from which value on which colour holds; the first has None."""

FROM = "$__unixEpochFrom()::bigint * 1000000"
TO = "$__unixEpochTo()::bigint * 1000000"
SAFE_BODY = r"CASE WHEN body ~* '\\u(0000|d[89ab])' THEN NULL ELSE body::jsonb END"
"""A journal record's JSON; NULL for one with a NUL or half a character in it, which PostgreSQL refuses whole."""


@dataclass
class Panel:
    """One panel, before it has a number and a place."""

    width: int
    height: int
    body: Data


@dataclass
class Row:
    """One question of the catalogue, and the panels that answer it."""

    title: str
    question: str
    panels: list[Panel] = field(default_factory=list)


def prom(expression: str, legend: str = "", *, instant: bool = False, shape: str = "time_series") -> Data:
    """A query in PromQL. shape: time_series, table or heatmap."""
    return {
        "datasource": PROMETHEUS, "editorMode": "code", "expr": " ".join(expression.split()),
        "legendFormat": legend or "__auto", "instant": instant, "range": not instant, "format": shape,
    }  # fmt: skip


def sql(text: str, *, shape: str = "table") -> Data:
    """A query to the ledger on PostgreSQL. shape: table, or time_series with a column `time`."""
    return {
        "datasource": LEDGER, "editorMode": "code", "rawQuery": True, "format": shape,
        "rawSql": " ".join(text.split()),
    }  # fmt: skip


def panel(
    kind: str,
    title: str,
    about: str,
    queries: list[Data],
    *,
    width: int,
    height: int = 8,
    unit: str = "short",
    steps: Steps = ((None, "green"),),
    defaults: Data | None = None,
    options: Data | None = None,
    overrides: list[Data] | None = None,
    runbook: str = "",
    **more: Any,
) -> Panel:
    """A panel of one of Grafana's kinds. about: what it shows, where from, what to do; runbook: an alert's name."""
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        query["refId"] = letter
    thresholds = {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}
    link = {"title": f"Runbook: {runbook}", "url": f"{RUNBOOKS}#{runbook.lower()}", "targetBlank": True}
    body = {
        "type": kind,
        "title": title,
        "description": " ".join(about.split()),
        "datasource": queries[0]["datasource"],
        "targets": queries,
        "links": [link] if runbook else [],
        "fieldConfig": {
            "defaults": {"unit": unit, "thresholds": thresholds, "mappings": [], **_set(defaults or {})},
            "overrides": overrides or [],
        },
        "options": options or {},
        **more,
    }
    return Panel(width, height, body)


def _set(values: Data) -> Data:
    """Without what a panel takes back, such as `min=None` for an axis that may go below 0."""
    return {name: value for name, value in values.items() if value is not None}


def stat(title: str, about: str, queries: list[Data], **more: Any) -> Panel:
    """Numbers, each in the colour of its threshold."""
    options = {
        "colorMode": "background", "graphMode": "area", "textMode": "auto", "justifyMode": "auto",
        "orientation": "auto", "wideLayout": True,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }  # fmt: skip
    return panel("stat", title, about, queries, options=options | more.pop("options", {}), **more)


def gauge(title: str, about: str, queries: list[Data], **more: Any) -> Panel:
    """Bars from nothing to full, one a series."""
    options = {
        "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True, "valueMode": "color",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }  # fmt: skip
    defaults = {"min": 0, "max": 1} | more.pop("defaults", {})
    return panel("bargauge", title, about, queries, options=options, defaults=defaults, **more)


def lines(title: str, about: str, queries: list[Data], **more: Any) -> Panel:
    """Lines over time, with the thresholds drawn."""
    custom = {
        "drawStyle": "line", "lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed" if "steps" in more else "off"}, "stacking": {"mode": "none", "group": "A"},
        "scaleDistribution": {"type": "linear"},
    } | more.pop("custom", {})  # fmt: skip
    return _over_time(title, about, queries, custom, **more)


def bars(title: str, about: str, queries: list[Data], **more: Any) -> Panel:
    """Stacked bars over time."""
    custom = {
        "drawStyle": "bars", "lineWidth": 1, "fillOpacity": 80, "showPoints": "never", "barAlignment": 0,
        "thresholdsStyle": {"mode": "off"}, "stacking": {"mode": "normal", "group": "A"},
    } | more.pop("custom", {})  # fmt: skip
    return _over_time(title, about, queries, custom, **more)


def _over_time(title: str, about: str, queries: list[Data], custom: Data, **more: Any) -> Panel:
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom, "min": 0} | more.pop("defaults", {})
    return panel("timeseries", title, about, queries, options=options, defaults=defaults, **more)


def table(title: str, about: str, queries: list[Data], **more: Any) -> Panel:
    """Rows and columns; `overrides` colours cells."""
    options = {"showHeader": True, "cellHeight": "sm", "sortBy": more.pop("sort", [])}
    defaults = {"custom": {"align": "auto", "filterable": True, "cellOptions": {"type": "auto"}}}
    return panel("table", title, about, queries, options=options, defaults=defaults, **more)


def heat(title: str, about: str, query: Data, **more: Any) -> Panel:
    """A histogram over time."""
    options = {
        "calculate": False, "cellGap": 1, "yAxis": {"axisPlacement": "left", "unit": "s"},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "reverse": False},
        "legend": {"show": True}, "tooltip": {"mode": "single", "yHistogram": False},
    }  # fmt: skip
    return panel("heatmap", title, about, [query], options=options, **more)


def strip(title: str, about: str, queries: list[Data], states: list[tuple[int, str, str]], **more: Any) -> Panel:
    """A band that changes colour with a state: (value, word, colour)."""
    words = {str(value): {"text": word, "color": color, "index": at} for at, (value, word, color) in enumerate(states)}
    defaults = {
        "mappings": [{"type": "value", "options": words}],
        "custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False},
        "color": {"mode": "thresholds"},
    }
    options = {
        "mergeValues": True, "showValue": "never", "rowHeight": 0.8, "alignValue": "center",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "single"},
    }  # fmt: skip
    return panel("state-timeline", title, about, queries, options=options, defaults=defaults, **more)


def coloured(column: str, steps: Steps, unit: str = "short") -> Data:
    """The override that gives a column of a table a unit and thresholds of its own."""
    marks = {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}
    return _override(column, unit=unit, thresholds=marks, **{"custom.cellOptions": {"type": "color-background"}})


def measured(column: str, unit: str) -> Data:
    """The override that gives a column or series a unit of its own."""
    return _override(column, unit=unit)


def marked(column: str, steps: Steps) -> Data:
    """The override that gives a series thresholds of its own."""
    return _override(
        column, thresholds={"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}
    )


def drawn(column: str, **custom: Any) -> Data:
    """The override that draws a series in another way, such as `fillBelowTo="low"`."""
    return _override(column, **{f"custom.{name}": value for name, value in custom.items()})


def _override(column: str, **properties: Any) -> Data:
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


PROJECT = {
    "type": "query", "name": "project", "label": "Project", "datasource": PROMETHEUS, "refresh": 2, "sort": 1,
    "query": {"query": "label_values(levaithan_tasks_total, project)", "refId": "projects", "qryType": 1},
    "definition": "label_values(levaithan_tasks_total, project)", "includeAll": True, "allValue": ".*", "multi": True,
    "current": {"selected": True, "text": "All", "value": ["$__all"]}, "regex": "", "skipUrlSync": False, "hide": 0,
}  # fmt: skip
"""The variable by which a dashboard is narrowed to some projects."""


def number(name: str, label: str, value: str) -> Data:
    """A variable that people type: a figure of their own."""
    return {
        "type": "textbox", "name": name, "label": label, "query": value, "hide": 0, "skipUrlSync": False,
        "current": {"selected": True, "text": value, "value": value}, "options": [],
    }  # fmt: skip


def dashboard(name: str, title: str, about: str, rows: list[Row], *, since: str, every: str, **more: Any) -> Data:
    """The JSON of a dashboard. name: its uid is lv-<name>; since: how far it looks back; every: how often it asks.

    variables: what people choose above it.
    """
    return {
        "uid": f"lv-{name}",
        "id": None,
        "title": f"LevAIthan: {title}",
        "description": about,
        "tags": ["levaithan"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": f"now-{since}", "to": "now"},
        "refresh": every,
        "links": [{"type": "dashboards", "tags": ["levaithan"], "title": "LevAIthan", "asDropdown": True,
                   "includeVars": True, "keepTime": False, "targetBlank": False, "icon": "", "url": "", "tooltip": ""}],
        "templating": {"list": more.get("variables", [])},
        "annotations": {"list": [_alerts_on_the_graphs()]},
        "panels": _laid_out(rows),
    }  # fmt: skip


def _alerts_on_the_graphs() -> Data:
    return {
        "name": "Alerts", "enable": True, "hide": False, "datasource": PROMETHEUS, "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", severity=~"P0|P1"}', "titleFormat": "{{alertname}} ({{severity}})",
        "textFormat": "{{detection}}", "step": "60s", "useValueForTime": False,
    }  # fmt: skip


def _laid_out(rows: list[Row]) -> list[Data]:
    """The panels with their numbers and places: rows one below the other, filled from the left."""
    placed: list[Data] = []
    y = 0
    for row in rows:
        placed.append(_head(row, len(placed) + 1, y))
        y, x, deepest = y + 1, 0, 0
        for one in row.panels:
            if x + one.width > COLUMNS:
                y, x, deepest = y + deepest, 0, 0
            at = {"x": x, "y": y, "w": one.width, "h": one.height}
            placed.append({"id": len(placed) + 1, "gridPos": at, **one.body})
            x, deepest = x + one.width, max(deepest, one.height)
        y += deepest
    return placed


def _head(row: Row, number_: int, y: int) -> Data:
    return {
        "id": number_, "type": "row", "title": f"{row.title}: {row.question}", "collapsed": False, "panels": [],
        "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
    }  # fmt: skip
