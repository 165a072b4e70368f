"""How all stood minute by minute, for whoever looks for a cause: a few figures of each kind, over the last six hours.

Of a counter what it rose by in the minute, of a gauge what it was, of the hook calls their p99. Rules look at one
figure each; somebody who asks what went wrong asks what else went otherwise at that time. The monitor keeps them in
`state/metrics.json`, beside what they were made from.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from levaithan.metrics import kept_state
from levaithan.metrics.families import BY_NAME, HOOK_S

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.metrics.tally import Tally

KEPT = "vitals"
EACH_S = 60.0
MOST = 360
LEAST_CALLS = 20
"""Hook calls in a minute from which on their p99 is told."""
P99 = "hook_duration_seconds p99"
RISE, SUM, LEAST, EACH = "rise", "sum", "least", "each"
_ROUND = 6


class Figure(NamedTuple):
    """One figure of the metric levaithan_`name`: `how` it is made, of the label sets that have `only` in them."""

    name: str
    how: str
    only: str = ""


FIGURES = (
    Figure("hook_events_total", RISE), Figure("hook_events_total", RISE, "deny"), Figure("hook_failures_total", RISE),
    Figure("tool_calls_total", RISE), Figure("tool_failures_total", RISE), Figure("security_events_total", RISE),
    Figure("cost_usd_total", RISE), Figure("budget_spent_usd", EACH), Figure("lease_conflicts_total", RISE),
    Figure("leases_held", SUM), Figure("sessions_active", SUM), Figure("store_up", EACH),
    Figure("store_lag_seconds", EACH), Figure("store_dead_letters", EACH), Figure("store_errors_total", RISE),
    Figure("log_messages_total", RISE, "error"), Figure("journal_writable", LEAST), Figure("journal_chain_ok", LEAST),
    Figure("system_cpu_idle_ratio", LEAST), Figure("system_load1", SUM), Figure("system_open_fds", SUM),
    Figure("system_memory_available_bytes", LEAST), Figure("system_disk_free_bytes", LEAST),
)  # fmt: skip
_MOST_EACH = 12
Row = tuple[float, dict[str, float]]


class Vitals:
    """The rows of one tally, the oldest first: (seconds since 1970, figure -> value)."""

    def __init__(self, tally: Tally) -> None:
        self.rows: deque[Row] = deque(maxlen=MOST)
        self._tally = tally
        self._sums: dict[str, float] = {}
        self._bins: list[float] = []
        self._last_s: float | None = None

    def look(self, at_s: float) -> None:
        """Make the next row when a minute has passed. A clock that was set begins anew with what there is."""
        if self._last_s is not None and 0 <= at_s - self._last_s < EACH_S * 0.95:
            return
        first, self._last_s = self._last_s is None, at_s
        # While old records are read, what counters rise by is of another time, and so is their p99.
        behind = bool(self._tally.table("levaithan_metrics_catching_up").get(()))
        found: dict[str, float] = {}
        for figure in FIGURES:
            if figure.how == RISE:
                self._rise(figure, found, behind=behind)
            else:
                self._stand(figure, found)
        slow = self._p99()
        if slow is not None and not behind:
            found[P99] = slow
        if not first:  # before it nothing is known that anything could have risen from
            self.rows.append((at_s, {name: round(value, _ROUND) for name, value in found.items()}))

    def last(self, name: str, now_s: float) -> float | None:
        """The newest value of a figure, where it is of the last two minutes."""
        if not self.rows or not 0 <= now_s - self.rows[-1][0] < 2 * EACH_S:
            return None
        return self.rows[-1][1].get(name)

    def dump(self) -> dict[str, Any]:
        """As JSON takes it, each figure's name once."""
        names = dict.fromkeys(name for _, figures in self.rows for name in figures)
        return {
            "at": [at_s for at_s, _ in self.rows],
            "figures": {name: [figures.get(name) for _, figures in self.rows] for name in names},
        }

    def load(self, kept: Any) -> None:
        """Go on from a dump; what is none is left out."""
        self.rows = deque(_read(kept), maxlen=MOST)

    def _values(self, figure: Figure) -> dict[tuple[str, ...], float]:
        table = self._tally.table("levaithan_" + figure.name)
        return {labels: value for labels, value in table.items() if not figure.only or figure.only in labels}

    def _rise(self, figure: Figure, found: dict[str, float], *, behind: bool) -> None:
        """By how much a counter rose since the last row; one that was not there then began at nothing."""
        name, values = f"{figure.name} {figure.only}".strip(), self._values(figure)
        total = sum(values.values())
        if values and not behind:
            found[name] = max(0.0, total - self._sums.get(name, total))
        self._sums[name] = total

    def _stand(self, figure: Figure, found: dict[str, float]) -> None:
        """What a gauge is."""
        values = self._values(figure)
        if figure.how == EACH:
            known = BY_NAME["levaithan_" + figure.name].labels
            for labels, value in list(values.items())[:_MOST_EACH]:
                words = [one for name, one in zip(known, labels, strict=True) if name != "address"]
                found[" ".join((figure.name, *words))] = value
        elif values:
            found[figure.name] = sum(values.values()) if figure.how == SUM else min(values.values())

    def _p99(self) -> float | None:
        """Of the hook calls of the minute, linear within a bucket; None where there were few."""
        every = list(self._tally.histograms("levaithan_hook_duration_seconds").values())
        bins: list[float] = [sum(column) for column in zip(*(one[:-1] for one in every), strict=True)]
        before, self._bins = self._bins or bins, bins
        risen = [max(0.0, now - then) for now, then in zip(bins, before, strict=True)]
        rank, below = 0.99 * sum(risen), 0.0
        if sum(risen) < LEAST_CALLS:
            return None
        for number, count in enumerate(risen[:-1]):
            if count and below + count >= rank:
                start = HOOK_S[number - 1] if number else 0.0
                return start + (HOOK_S[number] - start) * (rank - below) / count
            below += count
        return HOOK_S[-1]


def kept(home: Home) -> list[Row]:
    """The rows that the home's monitor kept last, the oldest first; none where there are none, or no monitor ran."""
    try:
        state = kept_state.read(home)
    except ValueError:
        return []
    more = (state or {}).get("more")
    return _read(more.get(KEPT)) if isinstance(more, dict) else []


def _read(dumped: Any) -> list[Row]:
    times, columns = (dumped.get("at"), dumped.get("figures")) if isinstance(dumped, dict) else (None, None)
    if not isinstance(times, list) or not isinstance(columns, dict) or any(not _number(at_s) for at_s in times):
        return []
    rows: list[Row] = [(float(at_s), {}) for at_s in times]
    for name, values in columns.items():
        for (_, figures), value in zip(rows, values if isinstance(values, list) else (), strict=False):
            if _number(value):
                figures[str(name)[:200]] = float(value)
    return rows[-MOST:]


def _number(value: Any) -> bool:
    return type(value) in (int, float)
