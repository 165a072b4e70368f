"""The pace of a project over all machines. Standard library only; loaded where machines share and a project has a pace.

What this machine counts by itself stays as it is: it is what holds when nobody answers, by this machine's share.
"""

from __future__ import annotations

import contextlib

from levaithan.hot import pace, windows
from levaithan.hot.opinion import Opinion
from levaithan.hot.shared import SharedError, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_PROJECT = ("project", "project")
_MINUTE_US = 60_000_000


def ask(event: Event, context: Context, limit: int, said: Opinion | None) -> Opinion | None:
    """What is said to an event of which this machine says `said`: it must pass the others' limit as well."""
    taken = context.memory.get("pace_taken")
    if context.shared is None or not limit or taken is None or taken[0] != event.id or _PROJECT not in taken[1]:
        return said  # refused here, or of no account
    name = _name(event)
    try:
        full = context.shared.admit(event.id, [(name, limit)], _MINUTE_US)
    except SharedError:
        over = _beyond_share(event, context, limit)
    else:
        over = _words(full[1], limit, full[2], "on all machines ") if full else None
        if not full:
            context.memory["pace_shared"] = (event.id, name)
    if over is None:
        return said
    pace.give_back(event, context)
    return Opinion("deny", over, "pace.project")


def take_back(event: Event, context: Context) -> None:
    """The event does not count for the others either."""
    counted = context.memory.pop("pace_shared", None)
    if counted is not None and counted[0] == event.id and context.shared is not None:
        with contextlib.suppress(SharedError):  # then it counts for the rest of its minute
            context.shared.take_back(event.id, [counted[1]])


def _beyond_share(event: Event, context: Context, limit: int) -> str | None:
    """The refusal where this machine is over its share, with the event itself."""
    part, now, said = share(context, limit), context.now_us // 1_000_000, []

    def look(_: pace.State, project: pace.State) -> bool:
        window = project.get("windows", {}).get("project")
        if window and windows.slide(window, now) > part:
            where = f"on this machine, whose share of {limit} it is while the others are out of reach, "
            said.append(_words(window[0] - 1, part, windows.wait(window, now, part), where))
        return False

    pace.with_states(event, context, look, by_project=True)
    return said[0] if said else None


def _words(seen: int, limit: int, wait_s: int, where: str) -> str:
    return (
        f"LevAIthan: {seen} calls in this project {where}in the last minute, the limit is {limit} [rule pace.project]: "
        f"wait {wait_s} s; do fewer, larger steps"
    )


def _name(event: Event) -> str:
    return f"project:{event.project or event.cwd or ''}"
