"""Lets one session at a time change a file (`levaithan lease list`)."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/lease_reserve.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import leases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def reserve(event: Event, context: Context) -> Opinion | None:
    """What is said where another session holds a file that the event would change; None where nobody does."""
    return leases.reserve(event, context)


def undo(event: Event, context: Context) -> None:
    """The event is refused after all: what it took is free again."""
    leases.give_back(event, context)


hook = reserve  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "reserves")
