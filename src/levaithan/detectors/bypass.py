"""The guard was not asked, or not heeded: a tool ran without a PreToolUse, or although it was denied.

What the ledger says is asked for from time to time (levaithan.queries.signals), for only it knows the whole of a call:
`ask(since_s)` gives its rows. Only what is certain is said; what a gap in the journal may explain is not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from levaithan.detectors.telling import LONGEST_ID, said
from levaithan.queries import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from levaithan.detectors.rules import Rule, Rules
    from levaithan.detectors.signal import Signal
    from levaithan.queries.asking import Answers

ALERT = "GuardBypassed"
HOLD_S = 900.0
EVERY_S = 30.0
MOST = 500
_WORDS = {
    "bypassed": "it ran and the guard was never asked",
    "ran_despite_denial": "it was denied and ran all the same",
}


class Bypass:
    """ask(since_s): rows of queries.signals.bypassed and ran_despite_denial since a time; may raise, then it is asked
    again later, and `trouble` says why."""

    name = "bypass"

    def __init__(self, rules: Rules, ask: Callable[[float], Iterable[Mapping[str, Any]]] | None) -> None:
        rule = rules.get(ALERT)
        self._rule: Rule | None = None if rule is None or rule.off else rule
        self._ask = ask
        self._asked_s = -EVERY_S
        self._rows: dict[str, list[Any]] = {}
        self.trouble = ""

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """Nothing: one record alone does not tell."""

    def found(self, now_s: float) -> list[Signal]:
        """See telling.Detector."""
        if self._rule is None:
            return []
        if self._ask is not None and not 0 <= now_s - self._asked_s < EVERY_S:
            self._asked_s = now_s
            self._look(now_s)
        for call in [one for one, row in self._rows.items() if now_s - row[1] >= HOLD_S]:
            del self._rows[call]
        by_session: dict[str, list[list[Any]]] = {}
        for row in self._rows.values():
            by_session.setdefault(row[0], []).append(row)
        return [
            said(self._rule, started_s=min(row[1] for row in rows), at_s=now_s, session_id=session,
                 project=rows[-1][2], value=float(len(rows)), detail=_WORDS[rows[-1][3]],
                 expression="queries.signals: a PostToolUse without its PreToolUse, or after a denial")
            for session, rows in by_session.items()
        ]  # fmt: skip

    def dump(self) -> dict[str, Any]:
        """See telling.Detector."""
        return {"rows": self._rows}

    def load(self, state: dict[str, Any]) -> None:
        """See telling.Detector."""
        rows = {}
        for call, (session, at_s, project, kind) in list(state["rows"].items())[-MOST:]:
            if kind in _WORDS:
                rows[str(call)] = [str(session), float(at_s), str(project), str(kind)]
        self._rows = rows

    def _look(self, now_s: float) -> None:
        assert self._ask is not None  # noqa: S101 - the caller has looked
        try:
            rows = list(self._ask(now_s - HOLD_S))
        except Exception as problem:
            self.trouble = f"{type(problem).__name__}: {problem}"[:LONGEST_ID]
            return
        self.trouble = ""
        for row in rows[-MOST:]:
            if row.get("certain", True) and row.get("kind") in _WORDS and len(self._rows) < MOST:
                session = str(row.get("session_id") or "")[:LONGEST_ID]
                project = str(row.get("project") or "")[:LONGEST_ID]
                at_s = _seconds(row.get("at"), now_s)
                self._rows[str(row.get("tool_use_id"))[:LONGEST_ID]] = [session, at_s, project, row["kind"]]


def _seconds(at: Any, otherwise: float) -> float:
    try:
        moment = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return otherwise
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def asking(ledger: Answers) -> Callable[[float], list[dict[str, Any]]]:
    """What a Bypass asks of a ledger: both kinds, since a time (s). What it gives raises StoreError."""

    def ask(since_s: float) -> list[dict[str, Any]]:
        since_us = int(since_s * 1_000_000)
        return [
            *signals.bypassed(ledger, since_us=since_us, limit=MOST),
            *signals.ran_despite_denial(ledger, since_us=since_us, limit=MOST),
        ]

    return ask
