"""How far the timer of an incident is, as of now.

The journal has it once a minute; the monitor that counts tells them at each look, in run/monitor.json; what has passed
since then is added. Where no monitor runs, no time passes for it: the journal's count stands.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from levaithan.hot.paths import Home
    from levaithan.incidents.incident import Incident


def now(home: Home, one: Incident) -> tuple[float, float]:
    """(seconds that were waited for an acknowledgement, what had been waited when the timer last lapsed)."""
    from levaithan.incidents.timers import GAP_S

    counted, age_s = _counted(home.root)
    told = counted.get(one.id)
    if type(told) is not list or len(told) < 2 or not all(type(value) in (int, float) for value in told[:2]):
        return one.waited_s, one.paged_s
    return max(one.waited_s, told[0] + min(max(0.0, age_s), GAP_S)), max(one.paged_s, told[1])


@cache
def _counted(root: str) -> tuple[dict[str, Any], float]:
    """(incident -> its timers as the monitor told them last, how many seconds ago); nothing where none runs."""
    from levaithan.hot.paths import home_at
    from levaithan.install import monitoring

    told = monitoring.read(home_at(root)) or {}
    age_s = monitoring.age_s(told)
    timers = told.get("timers")
    if age_s is None or not isinstance(timers, dict) or not monitoring.runs(told) or monitoring.late(told):
        return {}, 0.0
    return timers, age_s
