"""Makes the journal's record of the event: who, what, when, decided how, by which rule, in how long."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/audit_record.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import record as envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.contract import Event
    from levaithan.hot.workflow import Context, Outcome


def record(event: Event, outcome: Outcome, context: Context) -> dict[str, Any]:
    """The record, not yet redacted: that happens to all of it at once, before it is written."""
    return envelope.build(event, outcome, context)


if __name__ == "__main__":
    _alone.run(__file__, record, "record")
