"""Waits for the client to write down the call to the model that a tool comes from.

The client writes its transcript a while after it asks the hooks (5 to 25 ms were seen with 2.1.330, and between 60 and
120 ms on a slower day), so what a session has spent is short of its last call just then. Near a limit that matters: a
call would be let pass that is over it. Standard library only.
"""

from __future__ import annotations

import os
import time

from levaithan.hot.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event

LONGEST_S = 0.15
STEP_S = 0.004
OVER = -1.0
_END = 256 << 10
_IN_VAIN = 3
_MANY = 1024


class Flushes:
    """What is waited for. sessions: those near a limit; vain: session -> how often it was waited for in vain, and after
    a few times it is not any more; since: tool call -> when it was first looked at beside the gate (monotonic, s; OVER
    when nothing is to be waited for any more).

    A process that answers one event waits in the gate (`wait`). The service looks before it decides (`early`), and
    answers others meanwhile; only the first call of a session near a limit is waited for in its gate.
    """

    __slots__ = ("sessions", "since", "vain")

    def __init__(self) -> None:
        self.sessions: dict[str, None] = {}
        self.vain: dict[str, int] = {}
        self.since: dict[str, float] = {}

    def wait(self, event: Event) -> None:
        """Return when the transcript tells of the event's tool call, after LONGEST_S at the latest."""
        _put(self.sessions, event.session_id or "", None)
        if self.since.pop(event.tool_use_id or "", None) is not None:
            return
        until = time.monotonic() + LONGEST_S
        while not self._over(event, until):
            time.sleep(STEP_S)

    def early(self, event: Event) -> bool:
        """Whether the event is better decided STEP_S later. False after LONGEST_S of asking at the latest."""
        call = event.tool_use_id
        if not call or (event.session_id or "") not in self.sessions:
            return False
        since = self.since.get(call) or time.monotonic()
        over = since == OVER or self._over(event, since + LONGEST_S)
        _put(self.since, call, OVER if over else since)
        return not over

    def far(self, event: Event) -> None:
        """The event's session is near no limit."""
        self.sessions.pop(event.session_id or "", None)
        self.since.pop(event.tool_use_id or "", None)

    def _over(self, event: Event, until: float) -> bool:
        """Whether there is nothing to wait for: it is told, cannot be, or not by `until`."""
        needle, session, path = event.tool_use_id, event.session_id or "", _transcript(event)
        if not needle or not path or self.vain.get(session, 0) >= _IN_VAIN:
            return True
        if _tells(path, needle.encode("utf-8", "surrogatepass")):
            return True
        if time.monotonic() < until:
            return False
        _put(self.vain, session, self.vain.get(session, 0) + 1)
        return True


def _put(kept: dict[str, Any], name: str, value: Any) -> None:
    """Names come from outside: a flood of invented ones must not fill the memory."""
    if len(kept) >= _MANY and name not in kept:
        kept.clear()
    kept[name] = value


def _transcript(event: Event) -> str | None:
    path, agent = event.text("transcript_path"), event.agent_id
    if path and agent:
        return f"{path.removesuffix('.jsonl')}/subagents/agent-{agent}.jsonl"
    return path


def _tells(path: str, needle: bytes) -> bool:
    """Whether the needle is near the end of the file."""
    try:
        with open(path, "rb", buffering=0, opener=regular) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _END))
            return needle in (file.read(_END) or b"")
    except (OSError, ValueError):
        return False
