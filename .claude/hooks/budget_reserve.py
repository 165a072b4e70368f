"""Holds what a session is about to spend against the budgets, and reserves for it (`levaithan budget`)."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/budget_reserve.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import budgets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def reserve(event: Event, context: Context) -> Opinion | None:
    """What the budgets say to one more call to the model; None when there is room."""
    return budgets.reserve(event, context)


def undo(event: Event, context: Context) -> None:
    """The event is refused after all: nothing will be spent for it."""
    budgets.give_back(event, context)


hook = reserve  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "reserves")
