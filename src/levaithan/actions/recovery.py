"""On again: what scaling and degradation took is given back step by step, once the readings have been well for a while.

Well means a fifth below the objectives (hysteresis): what comes on again must not bring the trouble back at once.
Seconds count as the runner sees them pass, so a clock that jumps gives nothing back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from levaithan.actions import readings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.actions.action import Run
    from levaithan.actions.runs import Runs

STEPS_S = {"scale_projector": 900.0, "degrade": 300.0}
"""Action -> seconds inside the objectives before its last run is taken back; the next one waits as long again."""


class Recovery:
    """How long things have been well since the last step up."""

    def __init__(self) -> None:
        self.well_s = dict.fromkeys(STEPS_S, 0.0)

    def due(self, runs: Runs, found: Mapping[str, float], passed_s: float) -> list[Run]:
        """The runs that are to be taken back now: the last of each kind, one at a time."""
        given = []
        for name, needed_s in STEPS_S.items():
            mine = [run for run in runs.open() if run.action == name and run.phase == "verified"]
            shown = {reading for run in mine for reading in readings.of_alert(run.alert)}
            well = not readings.outside(found, margin=readings.HYSTERESIS, of=shown)
            self.well_s[name] = self.well_s[name] + passed_s if well and mine else 0.0
            if mine and self.well_s[name] >= needed_s:
                self.well_s[name] = 0.0
                given.append(mine[-1])
        return given
