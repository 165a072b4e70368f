"""The pace of a project over all machines: its calls, its refusals, its tokens. Standard library only; loaded where
machines share and a project has a pace.

What this machine counts by itself stays as it is: it is what holds when nobody answers, by this machine's share.
"""

from __future__ import annotations

import contextlib

from levaithan.hot import pace as pace_
from levaithan.hot import windows
from levaithan.hot.opinion import Opinion
from levaithan.hot.shared import SharedError, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.workflow import Context

_PROJECT = ("project", "project")
_DENIALS = "denials_project"
_MINUTE_US = 60_000_000
_ANY = 1 << 50
"""A limit that nothing reaches: counted, whatever there is."""
_ALL = "on all machines "
_WORDS = {
    "project": ("calls in this project", "do fewer, larger steps", "pace.project"),
    _DENIALS: (
        "calls in this project were refused",
        "read why they were refused and do something else, or ask the user",
        "pace.denials",
    ),
}


def ask(event: Event, context: Context, pace: dict[str, Any], said: Opinion | None) -> Opinion | None:
    """What is said to an event of which this machine says `said`: it must pass the others' limits of `pace` as well."""
    if context.shared is None or (said is not None and said.verdict == "deny"):
        return said
    calls, denials = pace["calls_per_minute_by_project"], pace["denials_per_minute_by_project"]
    taken = context.memory.get("pace_taken")
    counts = bool(calls) and taken is not None and taken[0] == event.id and _PROJECT in taken[1]
    counted = [(_name("project", event), calls)] if counts else []
    looked_at = [(_name(_DENIALS, event), denials)] if denials else []
    if not counted and not looked_at:
        return said
    try:
        full = context.shared.admit(event.id, counted, _MINUTE_US, looked_at)
    except SharedError:
        over = _beyond_share(event, context, denials, calls if counts else 0)
    else:
        over = _told(full, looked_at, counted) if full else None
        if counts and not full:
            context.memory["pace_shared"] = (event.id, counted[0][0])
    if over is None:
        return said
    pace_.give_back(event, context)
    return over


def refused(event: Event, context: Context) -> None:
    """A call of the project was refused: it counts for the others too."""
    if context.shared is not None:
        with contextlib.suppress(SharedError):  # it counts here
            context.shared.admit(event.id, [(_name(_DENIALS, event), _ANY)], _MINUTE_US)


def tokens(
    event: Event, context: Context, used: list[tuple[int, int]], limit: int
) -> tuple[list[tuple[int, int]], int, str]:
    """Of the project's tokens that this machine used, as (seconds ago, how many): those of all machines, the limit that
    holds for them, and where that is, in words. Without an answer it is this machine's own and its share."""
    if context.shared is None:
        return used, limit, ""
    own: dict[int, int] = {}
    for ago, amount in used:
        own[ago] = own.get(ago, 0) + amount
    try:
        others = context.shared.pool(_name("project", event), sorted(own.items()), _MINUTE_US)
    except SharedError:
        return used, share(context, limit), _apart(limit)
    return used + others, limit, _ALL


def take_back(event: Event, context: Context) -> None:
    """The event does not count for the others either."""
    counted = context.memory.pop("pace_shared", None)
    if counted is not None and counted[0] == event.id and context.shared is not None:
        with contextlib.suppress(SharedError):  # then it counts for the rest of its minute
            context.shared.take_back(event.id, [counted[1]])


def _beyond_share(event: Event, context: Context, denials: int, calls: int) -> Opinion | None:
    """The refusal where this machine is over its share of either limit (0: none), with the event itself."""
    said: list[Opinion] = []
    now = context.now_us // 1_000_000

    def look(_: pace_.State, project: pace_.State) -> bool:
        for kind, limit, itself in ((_DENIALS, denials, 0), ("project", calls, 1)):
            window = project.get("windows", {}).get(kind)
            part = share(context, limit)
            if limit and window and windows.slide(window, now) - itself >= part:
                said.append(_opinion(kind, window[0] - itself, part, windows.wait(window, now, part), _apart(limit)))
        return False

    pace_.with_states(event, context, look, by_project=True)
    return said[0] if said else None


def _told(
    full: tuple[str, int, int], looked_at: list[tuple[str, int]], counted: list[tuple[str, int]]
) -> Opinion | None:
    name, seen, wait_s = full
    kind = _DENIALS if any(name == one for one, _ in looked_at) else "project"
    return _opinion(kind, seen, dict(looked_at + counted)[name], wait_s, _ALL)


def _opinion(kind: str, seen: int, limit: int, wait_s: int, where: str) -> Opinion:
    what, instead, rule = _WORDS[kind]
    why = (
        f"LevAIthan: {seen} {what} {where}in the last minute, the limit is {limit} [rule {rule}]: "
        f"wait {wait_s} s; {instead}"
    )
    return Opinion("deny", why, rule)


def _apart(limit: int) -> str:
    return f"on this machine, whose share of {limit} it is while the others are out of reach, "


def _name(kind: str, event: Event) -> str:
    return f"{kind}:{event.project or event.cwd or ''}"
