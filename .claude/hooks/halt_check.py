"""Stops what a person has halted: everything, a project, a session or an agent (`levaithan halt set`)."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/halt_check.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import halts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def look(event: Event, context: Context) -> Opinion | None:
    """A halt, when one is in force for this event; None otherwise."""
    return halts.halt_for(event, context.home, context.now_us)


hook = look  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "checks")
