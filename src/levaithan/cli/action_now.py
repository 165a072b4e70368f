"""What of the recorded runs is over by now, and who follows the others: the monitor, or nobody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from levaithan.actions.action import Run
    from levaithan.hot.paths import Home


def over(home: Home, settings: Any, runs: Iterable[Run]) -> dict[str, str]:
    """Run -> "released" or "expired", of those whose effect is over though no record says so yet."""
    from levaithan.actions import over as looking
    from levaithan.actions.action import World
    from levaithan.actions.registry import ACTIONS

    world = World(home, settings, time.time, lambda _operation, _wait_s, _head: None, dict)
    found = {run.id: looking.why(ACTIONS.get(run.action), world, run) for run in runs}
    return {run: what for run, what in found.items() if what}


def notes(home: Home, runs: Iterable[Run], over: Mapping[str, str]) -> Iterator[str]:
    """What the records cannot say: which runs are over by now, and that nobody follows the others."""
    from levaithan.actions.runs import in_effect
    from levaithan.install import monitoring

    for run, what in over.items():
        yield f"{run} is over ({what}), and listed with --all only: no monitor has written that down yet"
    monitor = monitoring.read(home)
    followed = monitor is not None and monitoring.runs(monitor)
    if not followed and any(in_effect(run) and run.id not in over for run in runs):
        yield "no monitor runs: nobody verifies these, or ends what ends by itself. next: levaithan start"
