"""What the rules cost: all of them evaluated every five seconds over 2,000 series, and the detectors that read records.

The series are those of a tally that recorded sessions and every tool, hook, project and store were counted into, so as
many as an installation may reasonably have are there; half of them move between two looks.
"""

from __future__ import annotations

import gc
import itertools
import os
import time
from typing import TYPE_CHECKING, Any

import orjson
from tests.bench.report import Row
from tests.support import homes, payloads

from levaithan.detectors import rules as rules_of
from levaithan.detectors.evaluator import Evaluator
from levaithan.detectors.watch import Watch, standing
from levaithan.hot.catalogue import EVENTS
from levaithan.hot.paths import home_at
from levaithan.metrics import names
from levaithan.metrics.labels import Labels
from levaithan.metrics.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 5.0
SERIES = 2000
RATE = 1500
_SHARE = 0.01
_T0 = 1_790_000_000.0
_PROJECTS = 12
_LEAST = 25


def measure(folder: str, looks: int) -> list[Row]:
    """The row. `folder` is where the home is made; `looks` evaluations come before those that are measured."""
    labels = Labels(home_at(homes.make_home(os.path.join(folder, "rules-watched"), native=False)))
    tally, evaluator = Tally(), Evaluator(rules_of.default())
    watch = Watch(standing(rules_of.default(), labels.critical))
    gc.collect()
    gc.disable()
    try:
        for number in range(looks):
            _move(tally, number)
            evaluator.observe(_T0 + number * EVERY_S, tally.series())
            evaluator.evaluate(_T0 + number * EVERY_S)
        series, numbers = list(tally.series()), itertools.count(looks)
        text_s = _least(lambda: sum(1 for _ in tally.series()))
        look_s = _least(lambda: _look(evaluator, series, next(numbers)))
        dump_s = _least(evaluator.dump)
        kept = orjson.dumps(evaluator.dump())
        load_s = _least(lambda: Evaluator(rules_of.default()).load(orjson.loads(kept)))
        record_s = _records(watch)
    finally:
        gc.enable()
    share = (look_s + text_s) / EVERY_S + record_s * RATE
    kept_series = len(evaluator.samples.tracks)
    how = (
        f"{look_s * 1e3:.1f} ms a look of {len(evaluator.rules)} rules over {len(series):,} series ({kept_series:,} of "
        f"them kept), {text_s * 1e3:.1f} ms to list them; {record_s * 1e6:.2f} us a record of {RATE:,} a second; state "
        f"{len(kept) / 1e3:.0f} kB, {dump_s * 1e3:.0f} ms to write, {load_s * 1e3:.0f} ms to read; N={looks:,}"
    )
    met = share <= _SHARE and len(series) >= SERIES
    return [Row(f"rules evaluated every {EVERY_S:g} s, CPU", f"{_SHARE:.0%} of one core", f"{share:.2%}", met, how)]


def _look(evaluator: Evaluator, series: list[Any], number: int) -> None:
    evaluator.observe(_T0 + number * EVERY_S, series)
    evaluator.evaluate(_T0 + number * EVERY_S)


def _move(tally: Tally, number: int) -> None:
    """One look's worth of work: hooks, tools, tasks, stores, projects."""
    for event in EVENTS:
        for path in names.PATHS:
            tally.add("levaithan_hook_events_total", (event, "allow"), 3)
            tally.observe("levaithan_hook_duration_seconds", (event, path), 0.004 * (1 + number % 7), 3)
    for tool in names.TOOLS:
        tally.add("levaithan_tool_calls_total", (tool,), 5)
        tally.add("levaithan_tool_failures_total", (tool,), number % 3 == 0)
    for project in (f"/p{one}" for one in range(_PROJECTS)):
        tally.add("levaithan_lease_conflicts_total", (project,), 0)
        for outcome in names.OUTCOMES:
            tally.add("levaithan_tasks_total", (project, outcome), outcome == "completed")
    for store in names.STORES:
        tally.set("levaithan_store_up", (store, "embedded"), 1)
        tally.set("levaithan_store_lag_seconds", (store, "embedded"), number % 5)
        tally.observe("levaithan_projection_latency_seconds", (store,), 0.5)


def _records(watch: Watch) -> float:
    """Seconds a record, over those of all recorded sessions."""
    records = [
        {"kind": "event", "event": one["hook_event_name"], "decision": "allow", "payload": one, "hooks": []}
        for name in payloads.sessions()
        for one in payloads.session(name)
    ]

    def run() -> None:
        for record in records:
            watch.take(record, _T0)

    return _least(run) / len(records)


def _least(run: Callable[[], object]) -> float:
    """The least CPU time of some runs, in seconds."""
    took = []
    for _ in range(_LEAST):
        begun = time.process_time()
        run()
        took.append(time.process_time() - begun)
    return min(took)
