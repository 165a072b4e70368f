"""What is limited, held and halted now: budgets, leases, halts, by the files of the home that the gate itself uses."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from levaithan.hot import budgets, halts, leases
from levaithan.hot.prices import USD
from levaithan.metrics import names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from levaithan.hot.budgets import Limit
    from levaithan.hot.paths import Home
    from levaithan.hot.spend import Spend
    from levaithan.metrics.labels import Labels
    from levaithan.metrics.tally import Tally

MOST_BUDGETS = 60
_DEAREST = 20
_WAITS_S = 900.0
_SCOPES = {"agent": "agent_type"}

Budget = tuple[str, str, str, float, float, float, float | None]
"""scope, project's folder, period, limit, spent, reserved (USD), seconds until the period ends or None"""


def limits(home: Home, projects: Iterable[str]) -> list[Budget]:
    """A row a budget: of those that hold for each session, task or agent by itself, the one most was spent of.

    Raises OSError and sqlite3.Error when they cannot be had.
    """
    found: dict[tuple[str, str], Limit] = {(one.id, ""): one for one in budgets.limits(home)}
    for project in projects:
        for one in budgets.limits(home, project):
            if one.by_project:
                found[one.id, project] = one
    if not found:
        return []
    from levaithan.hot.spend import Spend  # noqa: PLC0415 - only where there is a budget

    spend = Spend(home, orjson.loads) if os.path.exists(home.state + "/spend.sqlite") else None  # noqa: PTH110
    try:
        rows = [_row(one, project, spend, bucket) for (_, project), one in found.items()
                for bucket in _buckets(one, project, spend)]  # fmt: skip
    finally:
        if spend is not None:
            spend.close()
    return rows[:MOST_BUDGETS]


def _buckets(one: Limit, project: str, spend: Spend | None) -> list[str]:
    """The buckets to look at: the one it is for, or of its scope those most was spent in."""
    periods = budgets.periods_at(time.time_ns() // 1000)
    if one.scope in periods:
        of = project if one.by_project else one.target
        return [f"project:{of}|{periods[one.scope]}" if of else periods[one.scope]]
    if one.target and one.scope != "task":
        return [f"{one.scope}:{one.target}"]
    most = _DEAREST if one.scope == "project" else 1
    found = [bucket for bucket, _, _ in spend.dearest(one.scope, most)] if spend else []
    return found or [one.scope + ":"]


def _row(one: Limit, project: str, spend: Spend | None, bucket: str) -> Budget:
    now_us = time.time_ns() // 1000
    spent, held = (spend.spent(bucket), spend.reserved(bucket, now_us)) if spend else (0, 0)
    period = one.scope if one.scope in budgets.PERIODS else names.NONE
    kind, _, of = bucket.partition("|")[0].partition(":")
    if kind in budgets.PERIODS:
        kind, of = "all", ""
    return (
        _SCOPES.get(kind, kind), of if kind == "project" else "", period, one.usd, spent / USD, held / USD,
        _left(period, datetime.now()),
    )  # fmt: skip


def _left(period: str, now: datetime) -> float | None:
    """Seconds from `now` (local) until the period ends; None for none."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = {
        "day": day + timedelta(days=1),
        "week": day + timedelta(days=7 - day.weekday()),
        "month": (day.replace(day=1) + timedelta(days=32)).replace(day=1),
    }
    return (ends[period] - now).total_seconds() if period in ends else None


def show_budgets(tally: Tally, labels: Labels, rows: list[Budget]) -> None:
    """Put what `limits` found into the gauges; of several under the same labels the one with least left."""
    worst: dict[tuple[str, ...], Budget] = {}
    for row in rows:
        key = (row[0], labels.project(row[1] or None), row[2])
        known = worst.get(key)
        if known is None or row[3] - row[4] - row[5] < known[3] - known[4] - known[5]:
            worst[key] = row
    for number, name in ((3, "limit_usd"), (4, "spent_usd"), (5, "reserved_usd"), (6, "period_remaining_seconds")):
        values = {key: float(row[number] or 0.0) for key, row in worst.items() if row[number] is not None}
        tally.replace(f"levaithan_budget_{name}", values)


class Leases:
    """The leases as they were at the last look, to tell which ran out since."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[int, str]] = {}

    def show(self, tally: Tally, labels: Labels, found: list[dict[str, Any]], now_us: int) -> None:
        """Put the leases in force at now_us (microseconds) into gauges and counters."""
        held: dict[tuple[str, ...], float] = {}
        known: dict[tuple[str, int], tuple[int, str]] = {}
        for one in found:
            project = labels.project(one["project"])
            held[project,] = held.get((project,), 0.0) + 1
            known[one["path"], one["fence"]] = (one["until_us"], project)
        for key, (until_us, project) in self._known.items():
            if key not in known and until_us <= now_us:
                tally.add("levaithan_lease_expired_total", (project,))
        for project in {project for _, project in known.values()}:
            tally.add("levaithan_lease_expired_total", (project,), 0.0)
            tally.add("levaithan_lease_conflicts_total", (project,), 0.0)
        self._known = known
        tally.replace("levaithan_leases_held", held or {(names.NONE,): 0.0})
        circles: dict[tuple[str, ...], float] = dict.fromkeys(held or {(names.NONE,): 0.0}, 0.0)
        for of in deadlocks(found, now_us):
            label = (labels.project(of),)
            circles[label] = circles.get(label, 0.0) + 1
        tally.replace("levaithan_lease_deadlocks", circles)


def deadlocks(found: list[dict[str, Any]], now_us: int) -> list[str | None]:
    """The project of each circle of sessions that wait for each other's files (`circles`), of one of its leases."""
    return [
        next(one["project"] for one in found if one["session"] in circle and not circle.isdisjoint(one["waiting"]))
        for circle in circles(found, now_us)
    ]


def circles(found: list[dict[str, Any]], now_us: int) -> list[set[str]]:
    """The sessions of each circle in the wait-for graph (Coffman et al., "System deadlocks", 1971): each waits for a
    file that the next one holds. Who did not ask again for 15 minutes waits no more. found: leases in force."""
    edges: dict[str, set[str]] = {}
    for one in found:
        for waiting, since_us in one["waiting"].items():
            if now_us - since_us < _WAITS_S * 1e6 and waiting != one["session"]:
                edges.setdefault(waiting, set()).add(one["session"])
    there = []
    left = set(edges)
    while left:
        start = left.pop()
        forth = _reached(start, edges)
        circle = {one for one in forth if start in _reached(one, edges)}
        if circle:
            there.append(circle)
            left -= circle
    return there


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    """What can be reached from `start` along the edges, itself only by a circle."""
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += edges.get(one, ())
    return seen


def held(home: Home) -> list[dict[str, Any]]:
    """The leases in force. Raises OSError and sqlite3.Error."""
    return leases.every(home)


def halted(home: Home) -> dict[str, int]:
    """Halts in force by scope; a file that cannot be read halts all."""
    try:
        found = halts.active(home)
    except halts.HaltError:
        return {"all": 1}
    scopes = [one.scope for one in found]
    return {scope: scopes.count(scope) for scope in names.HALTS}
