"""Counts what was refused, for agents that hammer at the guard, and takes up the API's 429."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/pace_watch.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event
    from levaithan.hot.workflow import Context


def watch(event: Event, context: Context) -> None:
    """Take up how the event went."""
    pace.watch(event, context)


hook = watch  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "observers")
