"""Keeps a session's leases alive while it is heard of, and gives them back when its turn is over."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/lease_keep.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import leases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def keep(event: Event, context: Context) -> Opinion | None:
    """A word to the model when it lost a lease that it was using; None otherwise."""
    return leases.keep(event, context)


hook = keep  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "observers")
