"""How many calls a throttle lets pass a minute: one sliding window (windows.py) a restraint, for all that it is about.

In the service the windows are in memory; without one each restraint has a file in `state/pace`, as sessions have
theirs (pace.py). Only calls that pass count. Standard library only.
"""

from __future__ import annotations

from levaithan.hot import windows
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.restraints import Restraint
    from levaithan.hot.workflow import Context

_SECOND = 1_000_000
_MOST = 256
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def over(one: Restraint, event: Event, context: Context) -> str:
    """Why the throttle `one` does not let this call pass, with the seconds to wait; "" where it does, and counts it."""
    now = context.now_us // _SECOND
    said = [""]

    def work(state: dict[str, Any]) -> bool:
        window: windows.Window = state.setdefault("window", [0, []])
        seen = windows.slide(window, now)
        if seen >= one.calls_per_minute:
            wait = windows.wait(window, now, one.calls_per_minute)
            said[0] = (
                f"LevAIthan: {seen} calls in the last minute, {one.calls_per_minute} are let through here now: wait "
                f"{wait} s, then try again; do fewer, larger steps."
            )
            return False
        windows.add(window, now)
        return True

    if event.path != "oneshot":
        kept: dict[str, dict[str, Any]] = context.memory.setdefault("throttles", {})
        state = kept.pop(one.id, {})
        if len(kept) >= _MOST:
            del kept[next(iter(kept))]
        kept[one.id] = state
        work(state)
        return said[0]
    name = one.id if _LETTERS.issuperset(one.id) and len(one.id) < 100 else ""
    if not name:
        return f"LevAIthan: the throttle {one.id[:40]!r} has no name that calls can be counted under."
    try:
        StateFile(f"{context.home.state}/pace/throttle-{name}.json").change(work)
    except OSError as error:
        context.complaints["restraint_check"] = [f"calls cannot be counted, so a throttle is not kept ({error})"]
    return said[0]
