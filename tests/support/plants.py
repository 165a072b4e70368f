"""What is measured while all is well and while something is wrong: for each rule the series that tests make alerts of.

A plant is series with what they show in a good and in a bad minute: of a gauge its value, of a counter how much it
rises. A scenario is a list of states, one a step: "good", "bad", "gap" (nothing was scraped), and for a step before
which every counter began at 0 again, the state with "reset" after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Labels = tuple[tuple[str, str], ...]
Scrape = list[tuple[str, Labels, float]]


@dataclass(frozen=True)
class Shown:
    """One series. good, bad: a gauge's values, or a counter's rise in a minute; slope: its fall in a bad minute."""

    name: str
    labels: str
    good: float
    bad: float
    counter: bool = False
    slope: float = 0.0

    @property
    def pairs(self) -> Labels:
        return tuple(sorted(tuple(one.split("=", 1)) for one in self.labels.split(",") if one))  # type: ignore[misc]


def gauge(name: str, good: float, bad: float, labels: str = "", slope: float = 0.0) -> Shown:
    return Shown("levaithan_" + name, labels, good, bad, slope=slope)


def counter(name: str, good: float, bad: float, labels: str = "") -> Shown:
    return Shown("levaithan_" + name, labels, good, bad, counter=True)


def buckets(name: str, labels: str, fast: float, slow: float, edges: str) -> list[Shown]:
    """A histogram's series: `fast` calls a minute are in every bucket; in a bad minute `slow` come that only those
    buckets hold whose edge has a ! after it."""
    shown = [counter(f"{name}_count", fast, fast + slow, labels)]
    for edge in edges.split():
        late = slow if edge.endswith("!") else 0
        shown.append(counter(f"{name}_bucket", fast, fast + late, f"{labels},le={edge.rstrip('!')}"))
    return shown


_GATE = [
    counter("hook_failures_total", 0, 30, "hook=policy_check,reason=crash"),
    counter("hook_failures_total", 0, 0, "hook=other,reason=timeout"),
    counter("hook_events_total", 60, 50, "event=PreToolUse,decision=allow"),
    counter("hook_events_total", 5, 10, "event=PreToolUse,decision=deny"),
]
_LATENCY = buckets("hook_duration_seconds", "event=PreToolUse,path=native", 40, 20, "0.05 0.1 0.25 0.5 1.0! 5.0! +Inf!")
_LATE = buckets("projection_latency_seconds", "store=ledger", 30, 20, "1.0 10.0 +Inf!")
_TASKS = [
    counter("tasks_total", 3, 0.4, "project=a,outcome=completed"),
    counter("tasks_total", 0, 3, "project=a,outcome=failed"),
    counter("tasks_total", 1, 1, "project=a,outcome=cancelled"),
]
_STORE = [
    gauge("store_up", 1, 0, "store=ledger,address=postgresql-1f3a9c02"),
    gauge("store_up", 1, 1, "store=graph,address=embedded"),
]
_TOOLS = [
    counter("tool_failures_total", 0, 4, "tool=Bash"),
    counter("tool_calls_total", 6, 6, "tool=Bash"),
    counter("tool_failures_total", 0, 0, "tool=Read"),
    counter("tool_calls_total", 20, 20, "tool=Read"),
]
_SIZE = gauge("system_disk_size_bytes", 100e9, 100e9, "machine=m")
_CONFLICTS = [counter("lease_conflicts_total", 0, 4, "project=a")]


def _budget(spent: float, scope: str = "all", project: str = "") -> list[Shown]:
    place = f"scope={scope},project={project},period=day"
    return [
        gauge("budget_spent_usd", 1, spent, place),
        gauge("budget_reserved_usd", 0.5, 0.5, place),
        gauge("budget_limit_usd", 10, 10, place),
        gauge("budget_period_remaining_seconds", 7200, 7200, place),
    ]


def _free(good: float, bad: float, slope: float = 0.0) -> list[Shown]:
    return [gauge("system_disk_free_bytes", good, bad, "machine=m", slope), _SIZE]


def _month(slope: float) -> list[Shown]:
    place = "scope=all,project=,period=month"
    return [
        gauge("budget_spent_usd", 3.5, 3.5, place, slope),
        gauge("budget_reserved_usd", 0, 0, place),
        gauge("budget_limit_usd", 10, 10, place),
        gauge("budget_period_remaining_seconds", 86400, 86400, place),
    ]


PLANTS: dict[str, list[Shown]] = {
    **dict.fromkeys(("GateBurnFast", "GateBurn", "GateBurnSlow", "GateFailing", "HookErrors"), _GATE),
    **dict.fromkeys(("LatencyBurnFast", "LatencyBurn", "LatencyBurnSlow", "HooksVerySlow", "HooksSlow"), _LATENCY),
    "HooksSlowerThanBefore": _LATENCY,
    **dict.fromkeys(("FreshnessBurnFast", "FreshnessBurn", "FreshnessBurnSlow"), _LATE),
    **dict.fromkeys(("TaskBurnFast", "TaskBurn", "TaskBurnSlow"), _TASKS),
    **dict.fromkeys(("StoreBurnFast", "StoreBurn", "StoreBurnSlow", "StoreDown"), _STORE),
    **dict.fromkeys(("ToolFailures", "ToolFailuresHigh"), _TOOLS),
    "StoreFlapping": [
        counter("store_errors_total", 0, 4, "store=search,reason=timeout"),
        counter("store_errors_total", 0, 0, "store=graph,reason=timeout"),
        counter("store_latency_seconds_count", 6, 4, "store=search,operation=put"),
        counter("store_latency_seconds_count", 6, 6, "store=graph,operation=put"),
        counter("store_latency_seconds_count", 6, 6, "store=search,operation=query"),
    ],
    "JournalUnwritable": [gauge("journal_writable", 1, 0)],
    "DeadLetters": [gauge("store_dead_letters", 0, 2, "store=search,address=embedded")],
    "DetectorStale": [gauge("detector_last_run_timestamp_seconds", 1e9, 10.0)],
    "VerifyStale": [gauge("journal_verified_timestamp_seconds", 1e9, 10.0)],
    "BudgetSpentAll": _budget(10.2),
    "BudgetSpent": _budget(9.7, "project", "a"),
    "BudgetNearlySpent": _budget(8.8, "agent_type"),
    "BudgetThreeQuarters": _budget(7.2, "project", "b"),
    "BudgetForecast": _month(-0.012),
    "BudgetFast": [
        counter("cost_usd_total", 0.001, 0.5, "model=opus,project=a"),
        counter("cost_usd_total", 0, 0.2, "model=haiku,project=a"),
        gauge("budget_limit_usd", 100, 100, "scope=project,project=a,period=month"),
    ],
    "LeaseDeadlock": [gauge("lease_deadlocks", 0, 1, "project=a")],
    **dict.fromkeys(("LeaseStorm", "LeaseConflicts"), _CONFLICTS),
    "LeasesExpire": [counter("lease_expired_total", 0, 1, "project=a")],
    "DiskFull": _free(60e9, 1e8),
    "DiskFilling": _free(14e9, 14e9, 0.09e9),
    "DiskLow": _free(60e9, 8e9),
    "MemoryLow": [
        gauge("system_memory_available_bytes", 6e9, 3e8, "machine=m"),
        gauge("system_memory_size_bytes", 16e9, 16e9, "machine=m"),
    ],
    "StoreFarBehind": [gauge("store_lag_seconds", 1, 900, "store=search,address=embedded")],
    "StoreBehind": [gauge("store_lag_seconds", 1, 90, "store=search,address=embedded")],
    "ChainBroken": [gauge("journal_chain_ok", 1, 0)],
    "GuardMissing": [
        gauge("guards_installed", 5, 4, "project=a"),
        gauge("guards_expected", 5, 5, "project=a"),
        gauge("guards_installed", 5, 5, "project=b"),
        gauge("guards_expected", 5, 5, "project=b"),
    ],
    "SelfProtectionHit": [counter("security_events_total", 0, 1, "kind=self_protection")],
    "GuardBypassed": [counter("security_events_total", 0, 1, "kind=guard_bypassed")],
    "SettingsChanged": [counter("security_events_total", 0, 1, "kind=settings_changed")],
    "NewCriticalDenial": [counter("security_events_total", 0, 2, "kind=new_deny")],
    "SecretInOutput": [counter("redactions_total", 0, 1, "kind=secret,where=tool_output")],
    "CriticalDenialBurst": [gauge("session_denies_max", 0, 14, "window=5m,level=critical")],
    "DenialBurst": [gauge("session_denies_max", 3, 25, "window=10m,level=any")],
    "Watchdog": [gauge("journal_writable", 1, 1)],
    "ScrapeDown": [Shown("up", "job=levaithan", 1, 0)],
    "TooManySeries": [gauge("journal_writable", 1, 1), gauge("store_up", 1, 1, "store=ledger")],
}


def played(plant: list[Shown], states: list[str], step_s: int) -> Iterator[Scrape | None]:
    """What each step's scrape gives, None where nothing was scraped.

    A counter's first value is what it rose by in its first step, unless the states begin with "zero", a good step in
    which nothing rose.
    """
    levels = {(one.name, one.pairs): 0.0 if one.counter else one.good for one in plant}
    for state in states:
        word, _, reset = state.partition(" ")
        scrape: Scrape = []
        for one in plant:
            key = (one.name, one.pairs)
            if one.counter:
                rise = 0.0 if word == "zero" else (one.bad if word == "bad" else one.good) * step_s / 60
                levels[key] = (0.0 if reset else levels[key]) + rise
            elif one.slope:
                levels[key] = levels[key] - one.slope * step_s / 60 if word == "bad" else one.good
            else:
                levels[key] = one.bad if word == "bad" else one.good
            scrape.append((*key, levels[key]))
        yield None if word == "gap" else scrape
