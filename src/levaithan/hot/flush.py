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
_STEP_S = 0.004
_END = 256 << 10
_IN_VAIN = 3
_SESSIONS = 1024


def wait(event: Event, memory: dict[str, Any]) -> None:
    """Return when the transcript tells of the event's tool call, after LONGEST_S at the latest.

    `memory`: a hook's; a session that was waited for in vain a few times is not waited for again.
    """
    needle, session = event.tool_use_id, event.session_id or ""
    path = _transcript(event)
    if not needle or not path:
        return
    vain: dict[str, int] = memory.setdefault("flush", {})
    if vain.get(session, 0) >= _IN_VAIN:
        return
    until = time.monotonic() + LONGEST_S
    while not _tells(path, needle.encode("utf-8", "surrogatepass")):
        if time.monotonic() >= until:
            if len(vain) > _SESSIONS:
                vain.clear()
            vain[session] = vain.get(session, 0) + 1
            return
        time.sleep(_STEP_S)


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
