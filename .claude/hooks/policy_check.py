"""Denies or asks about what the rules in `context/policies/*.toml` forbid."""

from __future__ import annotations

if __name__ == "__main__":  # alone: python3 .claude/hooks/policy_check.py < event.json
    import os
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

from levaithan.hot import policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def hook(event: Event, context: Context) -> Opinion | None:
    """What the strictest rule that fits the event says; None when none does."""
    return policy.load(context.home).judge(event)


if __name__ == "__main__":
    _alone.run(__file__, hook, "checks")
