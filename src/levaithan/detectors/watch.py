"""All detectors that are no rules as one: records in, signals out, and a word once when something has stopped.

A new detector is one file with the methods of telling.Detector, and one line in `standing`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from levaithan.detectors import secret_seen, self_protection, settings_change
from levaithan.detectors.bypass import Bypass
from levaithan.detectors.denials import Denials
from levaithan.detectors.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from levaithan.detectors.rules import Rules
    from levaithan.detectors.signal import Signal
    from levaithan.detectors.telling import Detector

_AGAIN_S = 900.0
_DAMAGED = (TypeError, ValueError, KeyError, AttributeError, RecursionError, OverflowError)


class Watch:
    """The detectors, and what they said last. more: detectors of the caller's own, such as log_patterns."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self.detectors = list(detectors)
        self._firing: dict[str, Signal] = {}
        self._last_s: dict[str, float] = {}

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """One journal record, at its own time (seconds since 1970)."""
        for detector in self.detectors:
            detector.take(record, at_s)

    def signals(self, now_s: float) -> list[Signal]:
        """What fires at `now_s`, and once more (firing=False) what has just stopped."""
        found = {signal.fingerprint: signal for detector in self.detectors for signal in detector.found(now_s)}
        ended = [replace(one, firing=False, at_s=now_s) for key, one in self._firing.items() if key not in found]
        self._firing = found
        for signal in found.values():
            self._last_s[signal.alert] = now_s
        return [*found.values(), *ended]

    def says(self, alert: str, now_s: float) -> bool:
        """Whether a detector here says this alert, or did within a quarter of an hour: then the same from Prometheus,
        which does not know the session, is no news."""
        return 0 <= now_s - self._last_s.get(alert, -_AGAIN_S) < _AGAIN_S

    def dump(self) -> dict[str, Any]:
        """JSON-able, for `load` after a restart."""
        return {
            "detectors": {one.name: one.dump() for one in self.detectors},
            "firing": [one.as_dict() for one in self._firing.values()],
            "last_s": self._last_s,
        }

    def load(self, state: Mapping[str, Any]) -> bool:
        """Go on from a dump. False when some of it was damaged: that part begins anew."""
        from levaithan.detectors.signal import Signal  # noqa: PLC0415 - only after a restart

        good = True
        for detector in self.detectors:
            try:
                if detector.name in state["detectors"]:
                    detector.load(state["detectors"][detector.name])
            except _DAMAGED:
                good = False
        try:
            signals = [Signal.of(one) for one in state["firing"]]
            if any(type(text) is not str for one in signals for text in (one.fingerprint, one.alert, one.session_id)):
                raise TypeError("a name that is no text")
            last_s = {str(alert): float(at) for alert, at in state["last_s"].items()}
            self._firing, self._last_s = {one.fingerprint: one for one in signals}, last_s
        except _DAMAGED:
            good = False
        return good


def standing(
    rules: Rules,
    critical: Callable[[str | None], bool],
    ask: Callable[[float], Iterable[Mapping[str, Any]]] | None = None,
) -> list[Detector]:
    """The detectors of the journal's records. critical: see denials.Denials; ask: see bypass.Bypass."""
    found: list[Detector | None] = [
        Denials(rules, critical),
        self_protection.detector(rules),
        settings_change.detector(rules),
        secret_seen.detector(rules),
        Bypass(rules, ask),
        Watchdog(rules),
    ]
    return [one for one in found if one is not None]
