"""The back-off after a 429: it is the account that was too fast, so every session of the home waits before new work.

`state/backoff.json` is {"until_us", "times", "at_us"}; each further 429 after the wait doubles it, up to the charter's
longest, and a turn that ends well after the wait is over resets it. Standard library only, and lean.
"""

from __future__ import annotations

import time

from levaithan.hot.opinion import Opinion
from levaithan.hot.state_file import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_SECOND = 1_000_000
_MOST_TIMES = 30


def held(context: Context, pace: dict[str, Any]) -> Opinion | None:
    """The refusal while a back-off lasts, else None; one stat of a file."""
    note = _file(context).look()
    until, now = note.get("until_us", 0), context.now_us
    if not pace["backoff"] or not now < until <= now + pace["backoff_longest"] * _SECOND:
        return None
    ago = max(now - note.get("at_us", now), 0) // _SECOND
    clock = time.strftime("%H:%M:%SZ", time.gmtime(-(-until // _SECOND)))
    left = -(-(until - now) // _SECOND)
    why = (
        f"LevAIthan: the API answered 429 (rate limit) {ago} s ago [rule pace.backoff]: wait {left} s, until {clock}, "
        f"before new prompts and subagents (it doubles each time, {pace['backoff']} s to {pace['backoff_longest']} s)"
    )
    return Opinion("deny", why, "pace.backoff")


def follow(event: Event, context: Context, pace: dict[str, Any]) -> None:
    """Take up how a turn ended. Raises OSError when the note cannot be written."""
    now, file = context.now_us, _file(context)
    if event.name == "Stop":
        note = file.look()
        if note.get("times") and now >= note["until_us"]:
            file.change(_reset)
        return
    if event.payload.get("error") != "rate_limit" or not pace["backoff"]:
        return

    def longer(note: dict[str, Any]) -> bool:
        if note.get("until_us", 0) > now:
            return False  # many sessions hear of the same 429
        times = min(note.get("times", 0) + 1, _MOST_TIMES)
        wait = min(pace["backoff"] * 2 ** (times - 1), pace["backoff_longest"])
        note.update(times=times, at_us=now, until_us=now + wait * _SECOND)
        return True

    file.change(longer)


def _reset(note: dict[str, Any]) -> bool:
    note.update(times=0, until_us=0)
    return True


def _file(context: Context) -> StateFile:
    file: StateFile | None = context.memory.get("backoff")
    if file is None:
        file = context.memory["backoff"] = StateFile(context.home.state + "/backoff.json")
    return file
