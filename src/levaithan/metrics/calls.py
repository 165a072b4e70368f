"""Tool calls between their PreToolUse and their end, to see the guard bypassed: a call that ran without having been
asked about, or although it was refused.

The same rule as queries/signals.py, on the fly: a session that is met midway is innocent, and so is every call after
something was lost (a gap, or more calls under way than are remembered).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from levaithan.metrics.tally import Tally

MOST_CALLS = 20_000
_LONGEST = 200
_REFUSED = ("deny", "halt")


class Calls:
    """The calls under way: whether each was refused. _floor: before it (s) something may be missing."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._asked: dict[str, bool] = {}
        self._floor = 0.0

    def take(self, record: Mapping[str, Any], name: str, decision: str, at_s: float, since_s: float) -> None:
        """Take up an event with a tool_use_id; since_s: from when on the session was seen, 0 for not yet."""
        key = record["tool_use_id"]
        if len(key) > _LONGEST:
            return
        if name == "PreToolUse":
            if len(self._asked) >= MOST_CALLS:
                self._forget(at_s)
            self._asked[key] = decision in _REFUSED
        elif name in ("PostToolUse", "PostToolUseFailure"):
            refused = self._asked.pop(key, None)
            if refused is None:
                took = record["payload"].get("duration_ms")
                began = at_s - (took / 1000 if type(took) in (int, float) and 0 <= took < 1e10 else 0.0)
                refused = bool(since_s) and since_s < began and began > self._floor
            elif refused and name == "PostToolUseFailure":
                refused = False  # the client may say of a refused call that it failed
            if refused:
                self._tally.add("levaithan_security_events_total", ("guard_bypassed",))

    def lost(self, at_s: float) -> None:
        """Records are missing: calls that began before `at_s` may have been asked about all the same."""
        self._floor = max(self._floor, at_s)

    def _forget(self, at_s: float) -> None:
        for key in list(self._asked)[: MOST_CALLS // 4]:
            del self._asked[key]
        self.lost(at_s)

    def dump(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"asked": self._asked, "floor": self._floor}

    def load(self, dumped: dict[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError and KeyError for what is none."""
        self._asked = {str(key): bool(refused) for key, refused in list(dumped["asked"].items())[:MOST_CALLS]}
        self._floor = float(dumped["floor"])
