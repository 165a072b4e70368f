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
    """Raises NotFound where `action` would restrain a session that nobody has heard of; a ledger that cannot be asked
    is said."""
    why = _unknown(session) if session and action in RESTRAINTS else None
    if why:
        output.say(f"note: whether there is a session {session} is not known ({why}); it holds if there is")
    elif why == "":
        coming = f"levaithan restraint set {RESTRAINTS[action]} --scope session --target {session} --reason TEXT"
        fix = f"`levaithan session list` shows those that were heard of; for one that is to come: `{coming}`"
        raise NotFound(what="session", name=session or "", fix=fix)


def note_of_stop(action: str, session: str | None) -> None:
    """Says of a stop, once it is set, that nobody has heard of its session, or that this is not known: a stop waits for
    no store."""
    why = _unknown(session) if session and action == _STOPS else None
    if why:
        output.say(f"note: whether there is a session {session} is not known ({why}); it holds if there is")
    elif why == "":
        output.say(f"note: no session {session} was heard of here; it holds if one of that id comes")


def _unknown(session: str) -> str | None:
    """None for one that this home or its ledger has heard of; "" for one that neither has; else why that cannot be
    said."""
    from levaithan.hot.sessions import file_name
    from levaithan.queries import sessions

    if os.path.exists(f"{STATE.home().sessions}/{file_name(session)}"):  # noqa: PTH110
        return None
    try:
        with reading.ledger(fresh=False) as ledger:  # one of just now has its file in the home
            sessions.show(ledger, session)
    except NotFound:
        return ""
    except LevaithanError as problem:
        return problem.message.rstrip(".")
    return None
