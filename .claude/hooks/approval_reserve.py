"""Turns an "ask" that nobody can answer now into a ticket, and lets what a person has approved pass once."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/approval_reserve.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def reserve(event: Event, context: Context) -> Opinion | None:
    """A person's answer to the "ask" that stands, or the ticket that waits for it; None when nothing is asked."""
    if context.decision.verdict != "ask":
        return None
    from levaithan.hot import approvals

    return approvals.answer(event, context)


def undo(event: Event, context: Context) -> None:
    """The event is refused after all: its approval may be used again."""
    from levaithan.hot import approvals

    approvals.give_back(event, context)


hook = reserve  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "reserves")
