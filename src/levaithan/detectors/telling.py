"""What detectors that are no rules have in common: they see records go by, say what holds now, and can be kept.

A detector takes its words, its severity and its threshold from the rule of the same name in rules.toml, so that one
table says how bad what is, and an operator tunes both in one place. What it adds is the session, which no label may
name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from levaithan.detectors.signal import Signal, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.detectors.rules import Rule

LONGEST_ID = 200


class Detector(Protocol):
    """Looks at the journal's records as they pass. Times are event times, seconds since 1970. Nothing in here raises
    for what a record holds: that is an agent's to write."""

    name: str

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """One record, in the journal's order."""

    def found(self, now_s: float) -> list[Signal]:
        """What holds at `now_s`, all of it, each time anew."""

    def dump(self) -> dict[str, Any]:
        """JSON-able."""

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError, KeyError for what is none."""


def said(
    rule: Rule, *, started_s: float, at_s: float, session_id: str = "", project: str = "", more: str = "",
    value: float | None = None, detail: str = "", expression: str = "",
) -> Signal:  # fmt: skip
    """The signal of a detector that stands for `rule`. more: what tells this trouble from another of the same rule, if
    not the session; detail: what was seen, appended to the summary."""
    summary = rule.summary.replace("One session", "Session " + session_id[:36]) if session_id else rule.summary
    return Signal(
        fingerprint=fingerprint(rule.detection, rule.alert, project=project, more=more or session_id),
        alert=rule.alert, detection=rule.detection, severity=rule.severity, firing=True, started_s=started_s,
        at_s=at_s, labels={"project": project} if project else {}, value=value, threshold=rule.threshold,
        expression=expression or rule.promql(guard=False), window_s=rule.window_s, for_s=0.0,
        summary=summary + (f": {detail}" if detail else ""), fix=rule.fix, runbook=rule.runbook, source="detector",
        session_id=session_id,
    )  # fmt: skip


def session_of(record: Mapping[str, Any]) -> str:
    """The session's id, "" for none or for what is too long to be one."""
    found = record.get("session_id")
    return found if isinstance(found, str) and len(found) <= LONGEST_ID else ""


def project_of(record: Mapping[str, Any]) -> str:
    """The project's folder, "" for none or for what is no plain path."""
    found = record.get("project")
    return found if isinstance(found, str) and len(found) <= LONGEST_ID and found.isprintable() else ""
