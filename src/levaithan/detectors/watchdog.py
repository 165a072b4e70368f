"""The alarm of the alarm: the Watchdog comes through Prometheus and Alertmanager all the time; its silence is trouble.

It counts from the first one that was heard: where no Alertmanager speaks to this home, silence says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.detectors.signal import WATCHDOG
from levaithan.detectors.telling import said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.detectors.rules import Rule, Rules
    from levaithan.detectors.signal import Signal

ALERT = "WatchdogSilent"


class Watchdog:
    """heard(signals): what came in through Alertmanager; one of them may be the Watchdog."""

    name = "watchdog"

    def __init__(self, rules: Rules) -> None:
        rule = rules.get(ALERT)
        self._rule: Rule | None = None if rule is None or rule.off else rule
        self._heard_s = 0.0

    def heard(self, signal: Signal, now_s: float) -> bool:
        """Whether this is the Watchdog, which makes no incident."""
        if signal.alert != WATCHDOG:
            return False
        if signal.firing:
            self._heard_s = now_s
        return True

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """Nothing: it does not come by the journal."""

    def found(self, now_s: float) -> list[Signal]:
        """See telling.Detector."""
        if self._rule is None or not self._heard_s:
            return []
        silent = now_s - self._heard_s
        if silent <= (self._rule.threshold or 0):
            return []
        return [said(self._rule, started_s=self._heard_s, at_s=now_s, more=ALERT, value=silent)]

    def dump(self) -> dict[str, Any]:
        """See telling.Detector."""
        return {"heard_s": self._heard_s}

    def load(self, state: dict[str, Any]) -> None:
        """See telling.Detector."""
        self._heard_s = float(state["heard_s"])
