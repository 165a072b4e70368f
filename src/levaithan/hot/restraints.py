"""Restraints: what is held short of a halt, in a small file of the home that tool calls are held against.

A throttle lets so many calls a minute pass; read_only lets pass what changes nothing; block_tool keeps one tool from
being used. As with the halts (whose file is read in the same way) one that cannot be read holds every guard event, and
each ends by itself at its expiry, by the wall clock. Standard library only; restraint_check loads this where there is
such a file, the readers of commands only where a session may read only.
"""

from __future__ import annotations

import os
import time

from levaithan.hot import halts
from levaithan.hot.halts import stamp
from levaithan.hot.opinion import Opinion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.paths import Home
    from levaithan.hot.workflow import Context

THROTTLE, READ_ONLY, BLOCK_TOOL = KINDS = ("throttle", "read_only", "block_tool")
SCOPES = ("all", "project", "session", "agent")
MOST_A_MINUTE = 100_000
_FIELDS = ("id", "kind", "scope", "target", "tool", "calls_per_minute", "reason", "by", "set_at", "expires_at")
_TEXTS = ("id", "target", "tool", "reason", "by", "set_at")
_MAX_REASON = 1000
_LAST_US = 253_402_300_799_000_000
_ORDER = {BLOCK_TOOL: 0, READ_ONLY: 1, THROTTLE: 2}


class RestraintError(Exception):
    """The restraints cannot be read or written; the message says what to do."""


class Restraint:
    """One restraint. kind: of KINDS; scope: of SCOPES; target: the folder or id ("" for all); tool: of block_tool, a
    name or a prefix that ends in `*`; calls_per_minute: of throttle; times ISO 8601 UTC, expires_at None = none."""

    __slots__ = _FIELDS

    id: str
    kind: str
    scope: str
    target: str
    tool: str
    calls_per_minute: int
    reason: str
    by: str
    set_at: str
    expires_at: str | None

    def __init__(self, values: dict[str, Any]) -> None:
        for field in _FIELDS:
            setattr(self, field, values.get(field))

    def as_dict(self) -> dict[str, Any]:
        """The restraint as it stands in the file."""
        return {field: getattr(self, field) for field in _FIELDS}

    def expired(self, now: str) -> bool:
        """Whether it is over at `now` (ISO 8601, UTC)."""
        return self.expires_at is not None and self.expires_at[:19] <= now[:19]


def restraint_for(event: Event, context: Context) -> Opinion | None:
    """What the restraints in force say to `event`; None where none holds it. Never raises for what it finds."""
    home = context.home
    try:
        found = active(home, context.now_us)
    except RestraintError as error:
        return Opinion("deny", str(error), "restraint.unreadable") if event.guard else None
    if not found or event.canary or event.name not in ("PreToolUse", "PermissionRequest"):
        return None
    folders = halts.folders_of(event)
    mine = [one for one in found if halts.within(one.scope, one.target, event, folders)]
    for one in sorted(mine, key=lambda one: _ORDER[one.kind]):
        why = _why(one, event, context)
        if why:
            return Opinion("deny", f"{why} {_say(one)}", f"restraint.{one.kind}")
    return None


def _why(one: Restraint, event: Event, context: Context) -> str:
    """Why `one` does not let `event` pass; "" where it does."""
    if one.kind == BLOCK_TOOL:
        tool = event.tool_name or ""
        fits = tool == one.tool or (one.tool.endswith("*") and tool.startswith(one.tool[:-1]))
        return f"LevAIthan: the tool {one.tool} may not be used here now." if fits else ""
    if one.kind == READ_ONLY:
        from levaithan.hot import harmless

        seen = harmless.changes(event, context)
        return f"LevAIthan: only reading is allowed here now, and {seen}." if seen else ""
    if event.name != "PreToolUse":  # the same call asks for permission as well: it counts once
        return ""
    from levaithan.hot import throttle

    return throttle.over(one, event, context)


def _say(one: Restraint) -> str:
    scope = "everything" if one.scope == "all" else f"{one.scope} {one.target}"
    until = f"until {one.expires_at[:19]}Z" if one.expires_at else "until it is released"
    return (
        f"Set by {one.by} ({scope}, {until}): {one.reason} [rule restraint.{one.kind}]. Tell the user; a person can "
        f"end it, in a terminal: `levaithan restraint release {one.id}`"
    )


def active(home: Home, now_us: int | None = None) -> list[Restraint]:
    """The restraints in force at `now_us` (default: now). Raises RestraintError when the file cannot be read."""
    found = halts.read(home.restraints, FORM)
    if not found:
        return []
    now = stamp(time.time_ns() // 1000 if now_us is None else now_us)
    return [one for one in found if not one.expired(now)]


def set_restraint(
    home: Home,
    kind: str,
    scope: str,
    target: str,
    *,
    reason: str,
    by: str,
    tool: str = "",
    calls_per_minute: int = 0,
    lasts_s: float | None = None,
    restraint_id: str = "",
    now_us: int | None = None,
) -> Restraint:
    """Adds a restraint and gives it back; it is on the disk when this returns. One with the id `restraint_id` that is
    there already stays as it is, and is given. `lasts_s`: seconds, None = until released.

    Raises ValueError for what makes no sense, RestraintError when the file cannot be changed.
    """
    values = {"kind": kind, "scope": scope, "target": target, "tool": tool, "calls_per_minute": calls_per_minute}
    made = _made({**values, "id": restraint_id, "reason": reason, "by": by}, lasts_s, now_us)
    problem = _senseless(made)
    if problem:
        raise ValueError(problem)
    found = [made]

    def add(there: list[Restraint]) -> list[Restraint]:
        known = next((one for one in there if one.id == made.id), None)
        found[0] = known or made
        return there if known else [*there, made]

    _change(home, add)
    return found[0]


def _made(values: dict[str, Any], lasts_s: float | None, now_us: int | None) -> Restraint:
    from levaithan.hot.bounded import head

    now = time.time_ns() // 1000 if now_us is None else now_us
    if lasts_s is not None and lasts_s <= 0:
        raise ValueError("a restraint must last longer than 0 seconds")
    if lasts_s is not None and now + lasts_s * 1_000_000 > _LAST_US:
        raise ValueError("a restraint cannot end after the year 9999: set one that lasts until it is released")
    made = Restraint(values)
    made.id = made.id or "t-" + os.urandom(4).hex()
    if made.scope == "project" and made.target:
        made.target = os.path.realpath(made.target)
    made.reason = head(made.reason.strip(), _MAX_REASON)
    made.set_at = stamp(now)
    made.expires_at = None if lasts_s is None else stamp(now + int(lasts_s * 1_000_000))
    return made


def release_restraint(home: Home, restraint_id: str) -> list[Restraint]:
    """Takes the restraint `restraint_id` (or every one, with "all") out; gives those that were in force. Raises
    RestraintError."""
    released: list[Restraint] = []

    def without(there: list[Restraint]) -> list[Restraint]:
        meant = [one for one in there if restraint_id in ("all", one.id)]
        now = stamp(time.time_ns() // 1000)
        released[:] = [one for one in meant if not one.expired(now)]
        return [one for one in there if one not in meant]

    _change(home, without)
    return released


def _change(home: Home, edit: Any) -> None:
    from levaithan.hot import standing  # where one is set or released only

    standing.change(home.restraints, FORM, edit, _unwritable)


def _senseless(one: Restraint) -> str:
    """What is wrong with a restraint; "" for nothing."""
    wrong = (
        (one.kind not in KINDS, f"no kind {one.kind!r}: use one of {', '.join(KINDS)}"),
        (one.scope not in SCOPES, f"no scope {one.scope!r}: use one of {', '.join(SCOPES)}"),
        (one.scope == "all" and one.target, "scope all takes no target"),
        (one.scope != "all" and not one.target, f"scope {one.scope} needs a target"),
        (not one.reason.strip(), "a restraint needs a reason: whoever is held must be able to tell why"),
        (one.kind == BLOCK_TOOL and not one.tool.strip("*"), "block_tool needs the name of a tool"),
        (one.kind != BLOCK_TOOL and one.tool, f"{one.kind} takes no tool"),
        (
            (one.kind == THROTTLE) != bool(one.calls_per_minute) or not 0 <= one.calls_per_minute <= MOST_A_MINUTE,
            f"throttle, and nothing else, takes 1 to {MOST_A_MINUTE} calls a minute",
        ),
    )
    return next((words for is_so, words in wrong if is_so), "")


def _problem(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "a restraint is not an object"
    for field in _TEXTS:
        if not isinstance(entry.get(field), str):
            return f"a restraint has no {field}"
    rate = entry.get("calls_per_minute")
    if isinstance(rate, bool) or not isinstance(rate, int):
        return f"a restraint lets {rate!r} calls a minute pass, which is no number"
    wrong = _senseless(Restraint({**entry, "reason": "read"}))
    if wrong:
        return f"a restraint makes no sense: {wrong}"
    end = entry.get("expires_at")
    if end is not None and not (isinstance(end, str) and len(end) >= 20 and end[10] == "T" and end.endswith("Z")):
        return f"a restraint expires at {end!r}, which is no UTC time"
    return None


def _unreadable(path: str, why: str) -> RestraintError:
    return RestraintError(
        f"The restraints cannot be read ({path}: {why}), so everything is held. In a terminal: correct the file, or "
        "run `levaithan doctor --fix`, which puts it aside and begins an empty one"
    )


def _unwritable(path: str, why: str) -> RestraintError:
    if not why:
        return RestraintError(f"{path} holds too many restraints: release some (`levaithan restraint list`) first")
    return RestraintError(f"{path} cannot be written ({why}): free space or mend its folder, then try again")


FORM = halts.Form("restraints", Restraint, _problem, _unreadable)
