"""Incidents and actions as their records tell of them: how many are open, and how long each step took.

The steps are those of docs/reference/journal-format.md. Of an incident only its severity and times are remembered, at
most MOST_INCIDENTS of them, those that came last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from levaithan.metrics import names
from levaithan.metrics.moments import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.metrics.labels import Labels
    from levaithan.metrics.tally import Tally

MOST_INCIDENTS = 10_000
_STEPS = {"ack": "ack", "mitigate": "mitigate", "resolve": "resolve"}
_ENDS = frozenset(("resolve", "review", "close", "duplicate", "false_positive"))
_LONGEST = 200


class Lifecycle:
    """The incidents of one journal: id -> [severity, opened (s), open, steps that were counted]."""

    def __init__(self, tally: Tally, labels: Labels) -> None:
        self._tally = tally
        self._labels = labels
        self._known: dict[str, list[Any]] = {}

    def incident(self, record: Mapping[str, Any], at_s: float) -> None:
        """Take up a record of the kind `incident`."""
        action, key = record.get("action", "open"), record.get("incident") or record.get("id")
        if type(key) is not str or len(key) > _LONGEST:
            return
        one = self._known.get(key)
        if action == "open":
            if one is None:
                self._opened(key, record, at_s)
        elif one is not None:
            self._step(one, str(action), record, at_s)

    def _opened(self, key: str, record: Mapping[str, Any], at_s: float) -> None:
        if len(self._known) >= MOST_INCIDENTS:
            for old in list(self._known)[: MOST_INCIDENTS // 4]:
                del self._known[old]
        severity = _severity(record.get("severity"), "P3")
        self._known[key] = [severity, at_s, True, []]
        begun = parsed(record.get("started_at") or record.get("started_s"))
        if begun is not None:
            self._tally.observe("levaithan_incident_detect_seconds", (severity,), max(at_s - begun, 0.0))

    def _step(self, one: list[Any], action: str, record: Mapping[str, Any], at_s: float) -> None:
        one[0] = _severity(record.get("severity"), one[0])
        if action == "reopen":
            one[1:] = [at_s, True, []]
            return
        step = _STEPS.get(action)
        if step is not None and step not in one[3]:
            one[3] = [*one[3], step]
            self._tally.observe(f"levaithan_incident_{step}_seconds", (one[0],), max(at_s - one[1], 0.0))
        if action in _ENDS:
            one[2] = False

    def action(self, record: Mapping[str, Any]) -> None:
        """Take up a record of the kind `action`."""
        outcome = record.get("phase")
        if outcome in names.ACTION_ENDS:
            name = self._labels.action(str(record.get("action", "")))
            self._tally.add("levaithan_actions_total", (name, str(outcome)))

    def settle(self) -> None:
        """The gauge of open incidents."""
        open_now = dict.fromkeys(names.SEVERITIES, 0)
        for severity, _, is_open, _ in self._known.values():
            open_now[severity] += is_open
        for severity, count in open_now.items():
            self._tally.set("levaithan_incidents_open", (severity,), count)

    def dump(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"known": self._known}

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError and KeyError for what is none."""
        self._known = {
            str(key): [_severity(severity, "P3"), float(opened), bool(is_open), [str(step) for step in steps]]
            for key, (severity, opened, is_open, steps) in list(dumped["known"].items())[:MOST_INCIDENTS]
        }


def _severity(said: Any, otherwise: str) -> str:
    return said if said in names.SEVERITIES else otherwise
