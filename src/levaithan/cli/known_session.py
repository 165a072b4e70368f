"""Whether a session that a person names is one: a typing error must not be told as an agent that is held.

What holds agents works with the stores down, so a ledger that cannot be asked keeps nothing from being done.
"""

from __future__ import annotations

import os

from levaithan.cli import output, reading
from levaithan.cli.state import STATE
from levaithan.errors import LevaithanError, NotFound

RESTRAINTS = {"throttle_session": "throttle --per-minute N", "quarantine_session": "read_only"}
"""The actions that are refused for a session that nobody has heard of -> the restraint that holds one to come."""
_STOPS = "emergency_stop"


def must_be(action: str, session: str | None) -> None:
    """Raises NotFound where `action` would hold a session that nobody has heard of. A stop is set all the same, and
    that is said; so is a ledger that cannot be asked."""
    if not session or action not in (*RESTRAINTS, _STOPS):
        return
    why = _unknown(session)
    if why is None:
        return
    if why:
        output.say(f"note: whether there is a session {session} is not known ({why}); it holds if there is")
    elif action == _STOPS:
        output.say(f"note: no session {session} was heard of here; it holds if one of that id comes")
    else:
        coming = f"levaithan restraint set {RESTRAINTS[action]} --scope session --target {session} --reason TEXT"
        fix = f"`levaithan session list` shows those that were heard of; for one that is to come: `{coming}`"
        raise NotFound(what="session", name=session, fix=fix)


def _unknown(session: str) -> str | None:
    """None for one that this home or its ledger has heard of; "" for one that neither has; else why that cannot be
    said."""
    from levaithan.hot.sessions import file_name
    from levaithan.queries import sessions

    if os.path.exists(f"{STATE.home().sessions}/{file_name(session)}"):  # noqa: PTH110
        return None
    try:
        with reading.ledger() as ledger:
            sessions.show(ledger, session)
    except NotFound:
        return ""
    except LevaithanError as problem:
        return problem.message.rstrip(".")
    return None
