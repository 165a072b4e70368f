"""The alarm of the alarm: the Watchdog comes through Prometheus and Alertmanager all the time; its silence is trouble.

It counts from the first one that was heard: where no Alertmanager speaks to this home, silence says nothing. It is
counted by a clock that nobody sets.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from levaithan.detectors.signal import WATCHDOG
from levaithan.detectors.telling import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from levaithan.detectors.rules import Rule, Rules
    from levaithan.detectors.signal import Signal

ALERT = "WatchdogSilent"


class Watchdog:
    """heard(signal): what came in through Alertmanager; one of them may be the Watchdog. clock: seconds, monotonic."""

    name = "watchdog"

    def __init__(self, rules: Rules, clock: Callable[[], float] = time.monotonic) -> None:
        rule = rules.get(ALERT)
        self._rule: Rule | None = None if rule is None or rule.off else rule
        self._clock = clock
        self._expected = False
        self._heard_s = clock()

    def heard(self, signal: Signal) -> bool:
        """Whether this is the Watchdog, which makes no incident. One that was taken down is not missed."""
        if signal.alert != WATCHDOG:
            return False
        self._expected, self._heard_s = signal.firing, self._clock()
        return True

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """Nothing: it does not come by the journal."""

    def found(self, now_s: float) -> list[Signal]:
        """See telling.Detector."""
        silent = self._clock() - self._heard_s
        if self._rule is None or not self._expected or silent <= (self._rule.threshold or 0):
            return []
        return [said(self._rule, started_s=now_s - silent, at_s=now_s, more=ALERT, value=silent)]

    def dump(self) -> dict[str, Any]:
        """See telling.Detector. After a restart the silence counts from then on."""
        return {"expected": self._expected}

    def load(self, state: dict[str, Any]) -> None:
        """See telling.Detector."""
        self._expected = bool(state["expected"])
