"""Holds what a person or the monitor has restrained: a throttle, reading only, a tool that may not be used."""

from __future__ import annotations

import os

if __name__ == "__main__":  # alone: python3 .claude/hooks/restraint_check.py < event.json
    import sys

    sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
    import _alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.contract import Event, Opinion
    from levaithan.hot.workflow import Context


def look(event: Event, context: Context) -> Opinion | None:
    """What the restraints in force say; without their file, which is nearly always, this is one look at its name."""
    try:
        os.lstat(context.home.state + "/restraints.json")
    except FileNotFoundError:
        return None
    except OSError:  # what is wrong with it is said where it is read
        pass
    from levaithan.hot import restraints

    return restraints.restraint_for(event, context)


hook = look  # the last line that counts: a file that was cut off anywhere has no hook, and the gate refuses


if __name__ == "__main__":
    _alone.run(__file__, hook, "checks")
