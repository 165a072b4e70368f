"""Single hits, a session at a time: one is enough, and it holds for a while after the last. Several detectors are that.

At most MOST sessions are remembered, those hit last.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from levaithan.detectors.telling import project_of, said, session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from levaithan.detectors.rules import Rule
    from levaithan.detectors.signal import Signal

MOST = 500
LONGEST_DETAIL = 200


@dataclass
class Hit:
    """What is known of one session's: times in event seconds; detail: what was seen, shown to people."""

    first_s: float
    last_s: float
    count: int = 1
    project: str = ""
    detail: str = ""


class Hits:
    """seen(record): what it is, in a few words that are ours, or None. hold_s: how long one holds."""

    def __init__(self, name: str, rule: Rule, seen: Callable[[Mapping[str, Any]], str | None], hold_s: float) -> None:
        self.name = name
        self._rule = rule
        self._seen = seen
        self._hold_s = hold_s
        self._hits: dict[str, Hit] = {}

    def take(self, record: Mapping[str, Any], at_s: float) -> None:
        """See telling.Detector."""
        try:
            detail = self._seen(record) if record.get("kind") == "event" and not record.get("canary") else None
        except (TypeError, ValueError, KeyError, AttributeError):  # an agent's text in an unexpected form
            return
        if detail is None:
            return
        session = session_of(record)
        hit = self._hits.pop(session, None)
        if hit is None or at_s - hit.last_s >= self._hold_s:
            if len(self._hits) >= MOST:
                del self._hits[next(iter(self._hits))]
            hit = Hit(at_s, at_s, 0)
        hit.last_s = max(at_s, hit.last_s)
        hit.count += 1
        hit.project, hit.detail = project_of(record), detail[:LONGEST_DETAIL]
        self._hits[session] = hit

    def found(self, now_s: float) -> list[Signal]:
        """See telling.Detector."""
        for session in [one for one, hit in self._hits.items() if now_s - hit.last_s >= self._hold_s]:
            del self._hits[session]
        return [
            said(self._rule, started_s=hit.first_s, at_s=now_s, session_id=session, project=hit.project,
                 value=float(hit.count), detail=hit.detail)
            for session, hit in self._hits.items()
        ]  # fmt: skip

    def dump(self) -> dict[str, Any]:
        """See telling.Detector."""
        return {session: asdict(hit) for session, hit in self._hits.items()}

    def load(self, state: dict[str, Any]) -> None:
        """See telling.Detector."""
        kept = list(state.items())[-MOST:]
        self._hits = {
            str(session): Hit(
                float(one["first_s"]), float(one["last_s"]), int(one["count"]), str(one["project"]), str(one["detail"])
            )
            for session, one in kept
        }
