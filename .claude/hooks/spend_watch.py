"""Counts what a session has spent whenever one of its turns ends, for budgets that are or will be."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/spend_watch.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import budgets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event
    from levaithan.hot.workflow import Context


def watch(event: Event, context: Context) -> None:
    """Take up what the session's transcripts tell of."""
    budgets.watch(event, context)


hook = watch  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "observers")
