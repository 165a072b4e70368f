"""Holds a session to its pace: calls a minute, loops, and the wait after the API answered 429."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/pace_reserve.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def reserve(event: Event, context: Context) -> Opinion | None:
    """What the pace says to one more call; None when it may go on, and counts."""
    return pace.reserve(event, context)


def undo(event: Event, context: Context) -> None:
    """The event is refused after all: it does not count."""
    pace.give_back(event, context)


hook = reserve  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "reserves")
