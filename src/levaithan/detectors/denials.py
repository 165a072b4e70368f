"""One session is refused again and again: many refusals in a short time, fewer when they are of critical rules.

Refusals by quotas, budgets, leases, halts, restraints and approvals say nothing of what was attempted and do not
count. At most MOST sessions and MOST_EACH refusals of each are remembered.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from levaithan.detectors.telling import project_of, said, session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from levaithan.detectors.rules import Rule, Rules
    from levaithan.detectors.signal import Signal

CRITICAL, ANY = "CriticalDenialBurst", "DenialBurst"
WINDOWS_S = {CRITICAL: 300.0, ANY: 600.0}
MOST = 1000
MOST_EACH = 256
_NOT_ATTEMPTS = ("pace.", "budget.", "lease.", "halt", "approval.", "restraint.")
_GUARDED = ("PreToolUse", "PermissionRequest", "UserPromptSubmit")


class Denials:
    """critical(rule): whether the rule is there for the worst (metrics.labels.Labels.critical)."""

    name = "denials"

    def __init__(self, rules: Rules, critical: Callable[[str | None], bool]) -> None:
        self._rules: list[Rule] = [
            one for one in (rules.get(alert) for alert in (CRITICAL, ANY)) if one is not None and not one.off
        ]
        self._critical = critical
        self._seen: dict[str, deque[tuple[float, bool]]] = {}
        self._projects: dict[str, str] = {}
        self._since: dict[tuple[str, str], float] = {}

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """See telling.Detector."""
        if record.get("decision") not in ("deny", "halt") or record.get("canary"):
            return
        rule, session = record.get("rule"), session_of(record)
        if record.get("event") not in _GUARDED or not session or not isinstance(rule, str):
            return
        if rule.startswith(_NOT_ATTEMPTS) or rule in ("hook-failed", "policy.unloadable"):
            return
        seen = self._seen.pop(session, None)
        if seen is None:
            if len(self._seen) >= MOST:
                self._forget(next(iter(self._seen)))
            seen = deque(maxlen=MOST_EACH)
        seen.append((at_s, self._critical(rule)))
        self._seen[session] = seen
        self._projects[session] = project_of(record)

    def found(self, now_s: float) -> list[Signal]:
        """See telling.Detector."""
        longest = max(WINDOWS_S.values())
        signals = []
        for session in list(self._seen):
            seen = self._seen[session]
            while seen and now_s - seen[0][0] >= longest:
                seen.popleft()
            if not seen:
                self._forget(session)
                continue
            for rule in self._rules:
                recent = [
                    at for at, critical in seen if now_s - at < WINDOWS_S[rule.alert] and self._counts(rule, critical)
                ]
                key = (rule.alert, session)
                if len(recent) <= (rule.threshold or 0):
                    self._since.pop(key, None)
                    continue
                signals.append(
                    said(rule, started_s=self._since.setdefault(key, recent[0]), at_s=now_s, session_id=session,
                         project=self._projects.get(session, ""), value=float(len(recent)))
                )  # fmt: skip
        return signals

    def dump(self) -> dict[str, Any]:
        """See telling.Detector."""
        return {
            "seen": {session: list(seen) for session, seen in self._seen.items()},
            "projects": self._projects,
            "since": [[*key, at] for key, at in self._since.items()],
        }

    def load(self, state: dict[str, Any]) -> None:
        """See telling.Detector."""
        kept = list(state["seen"].items())[-MOST:]
        seen = {
            str(session): deque([(float(at), bool(critical)) for at, critical in rows], maxlen=MOST_EACH)
            for session, rows in kept
        }
        projects = {str(session): str(of) for session, of in state["projects"].items() if session in seen}
        since = {(str(alert), str(session)): float(at) for alert, session, at in state["since"] if session in seen}
        self._seen, self._projects, self._since = seen, projects, since

    @staticmethod
    def _counts(rule: Rule, critical: bool) -> bool:
        return critical or rule.alert == ANY

    def _forget(self, session: str) -> None:
        self._seen.pop(session, None)
        self._projects.pop(session, None)
        for alert in WINDOWS_S:
            self._since.pop((alert, session), None)
