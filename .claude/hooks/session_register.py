"""Keeps what is known of each session beyond one event: its project, its client's version."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/session_register.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event
    from levaithan.hot.workflow import Context


def hook(event: Event, context: Context) -> None:
    """Writes down a session at its first event; costs the others nothing."""
    sessions.register(event, context)


if __name__ == "__main__":
    _alone.run(__file__, hook, "observers")
