"""What no record tells, looked at every few seconds: the machine, the stores, the journal's folder, budgets, leases,
halts, guards, the log, what models cost. What may take long is looked at in threads (looks.py), and only what they
found is put into the tally, by the thread that owns it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from levaithan import __version__
from levaithan.hot.gate import machine_id
from levaithan.metrics import holdings, money, names
from levaithan.metrics.journal_looks import JournalLooks
from levaithan.metrics.labels import Labels
from levaithan.metrics.log_lines import LogLines, SlowQuestions
from levaithan.metrics.looks import Look
from levaithan.metrics.projection_lag import ProjectionLag
from levaithan.metrics.slo import Objectives
from levaithan.metrics.store_looks import StoreLooks
from levaithan.metrics.system import System
from levaithan.metrics.verification import Verification
from levaithan.stores import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from levaithan.hot.paths import Home
    from levaithan.metrics.tally import Tally

LOOK_S = 5.0
LIMIT_S = 10.0
Guards = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Outside:
    """What rooms above this one know. guards: place ("" = the user's settings, else the project) -> guard events
    (expected, in force); transcripts: the client's `projects` folder, "" = none; stores: what a monitor saw of them a
    moment ago (StoreLooks.seen)."""

    guards: Callable[[], Guards] | None = None
    transcripts: str = ""
    stores: Callable[[], dict[str, Any]] = dict


def collect(tally: Tally, home: Home, settings: Any, now_s: float, outside: Outside | None = None) -> None:
    """Bring the gauges to now_s (seconds since 1970) in one go, without threads: for who looks only once."""
    gauges = Gauges(tally, home, settings, outside=outside, threads=False)
    gauges.collect(now_s)
    gauges.stop()


class Gauges:
    """The looks at one home. `collect` is to be called every few seconds, by the thread that owns the tally."""

    def __init__(
        self, tally: Tally, home: Home, settings: Any, *, labels: Labels | None = None,
        outside: Outside | None = None, threads: bool = True,
    ) -> None:  # fmt: skip
        self.tally = tally
        self.labels = labels or Labels(home)
        self.lag = ProjectionLag(role for role in registry.known() if registry.in_use(role, settings))
        self.objectives = Objectives()
        self.log = LogLines(home.logs)
        self.slow = SlowQuestions(home.logs)
        self.journal = JournalLooks(home, threads=threads)
        known = outside or Outside()
        self.stores = StoreLooks(home, settings, threads=threads, seen=known.stores)
        self.verification = Verification(home, int(getattr(settings, "journal_verify_hours", 24)), threads=threads)
        self._threads = threads
        self._leases = holdings.Leases()
        self._projects: list[str] = []
        self._sums: list[money.Sum] = []
        self._again = False
        self._system = System(machine_id(home), home.root, lambda: self.journal.service_pid or os.getpid())
        self._shows: list[tuple[Look, Callable[[Any], None]]] = [
            (Look("budgets", lambda: holdings.limits(home, self._projects), LOOK_S, LIMIT_S), self._budgets),
            (Look("leases", lambda: holdings.held(home), LOOK_S, LIMIT_S), self._held),
            (Look("halts", lambda: holdings.halted(home), LOOK_S, LIMIT_S), self._halted),
            (Look("money", money.Money(home, settings, known.transcripts).look, money.LOOK_S, money.LIMIT_S),
             self._money),
        ]  # fmt: skip
        if known.guards is not None:
            self._shows.append((Look("guards", known.guards, LOOK_S, LIMIT_S), self._guards))
        for look, _ in self._shows if threads else ():
            look.start()
        tally.set("levaithan_build_info", (__version__,), 1.0)

    def stop(self) -> None:
        """End the threads; one that hangs is left behind, it is a daemon."""
        self.journal.stop()
        self.stores.stop()
        self.verification.stop()
        for look, _ in self._shows:
            look.stop()

    def collect(self, now_s: float, *, head_seq: int = 0, event_s: float | None = None) -> None:
        """Bring the gauges to now_s (seconds since 1970). head_seq: the journal's last record, 0 for unknown; event_s:
        the time that the records are of, where that is another one (while catching up)."""
        self.labels.refresh()
        self._projects = self.labels.projects()
        self._system.collect(self.tally)
        self.journal.collect(self.tally)
        self.verification.collect(self.tally)
        self.stores.collect(self.tally, head_seq, now_s)
        self.lag.reached(self.tally, self.stores.stores, now_s)
        self.log.collect(self.tally)
        self.slow.collect(self.tally)
        if self._again:
            self._again = money.show(self.tally, self.labels, self._sums)
        for look, show in self._shows:
            if not self._threads:
                look.once()
            for found in look.take():
                if found.error is None:
                    show(found.value)
        money.show_return(self.tally)
        self.objectives.collect(self.tally, now_s if event_s is None else event_s)

    def _budgets(self, rows: list[holdings.Budget]) -> None:
        holdings.show_budgets(self.tally, self.labels, rows)

    def _held(self, found: list[dict[str, Any]]) -> None:
        self._leases.show(self.tally, self.labels, found, time.time_ns() // 1000)

    def _halted(self, scopes: dict[str, int]) -> None:
        for scope in names.HALTS:
            self.tally.set("levaithan_halts_active", (scope,), scopes.get(scope, 0))

    def _money(self, sums: list[money.Sum] | None) -> None:
        if sums is not None:
            self._sums = sums
            self._again = money.show(self.tally, self.labels, sums)

    def _guards(self, found: Guards) -> None:
        expected: dict[tuple[str, ...], float] = {}
        installed: dict[tuple[str, ...], float] = {}
        for place, (wanted, there) in found.items():
            label = (self.labels.project(place) if place else "user",)
            worse = wanted - there > expected.get(label, 0.0) - installed.get(label, 0.0)
            if label not in expected or worse:
                expected[label], installed[label] = float(wanted), float(there)
        self.tally.replace("levaithan_guards_expected", expected)
        self.tally.replace("levaithan_guards_installed", installed)
