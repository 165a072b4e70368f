"""The emergency stop: a small file in the home that every event is held against, with no store and no service needed.

`state/halts.json` is written whole under a lock (standing.py) and read again only when its stat changes. One that
cannot be read halts every guard event: losing an emergency stop must not look like having none. Standard library only,
and lean: the one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

import os
import time

from levaithan.hot.opinion import Opinion
from levaithan.hot.paths import regular
from levaithan.hot.plain_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from levaithan.hot.event import Event
    from levaithan.hot.paths import Home

SCOPES = ("all", "project", "session", "agent", "task")
STOPS = frozenset(
    ("PreToolUse", "PermissionRequest", "UserPromptSubmit", "UserPromptExpansion", "PostToolBatch", "TaskCreated")
)
"""Where a halt bites. Not on Stop, SessionEnd and the like: they end things already and must be recorded as usual."""
_FIELDS = ("id", "scope", "target", "reason", "by", "set_at", "expires_at")
MAX_BYTES = 4 << 20
_MAX_REASON = 4000
_LAST_US = 253_402_300_799_000_000  # the last second of the year 9999: a longer one would not compare as text
_cache: dict[str, tuple[tuple[int, ...], list[Any] | Exception]] = {}
_absent: dict[str, float] = {}
_ABSENT_S = 0.05  # so long a missing file is taken to be no dead link either


class HaltError(Exception):
    """The halts cannot be read or written; the message says what to do."""


class Halt:
    """One halt. scope: one of SCOPES; target: the folder or id ("" for all); times ISO 8601 UTC."""

    __slots__ = _FIELDS

    id: str
    scope: str
    target: str
    reason: str
    by: str
    set_at: str
    expires_at: str | None

    def __init__(self, values: dict[str, Any]) -> None:
        for field in _FIELDS:
            setattr(self, field, values.get(field))

    def as_dict(self) -> dict[str, Any]:
        """The halt as it stands in the file."""
        return {field: getattr(self, field) for field in _FIELDS}

    def expired(self, now: str) -> bool:
        """Whether it is over at `now` (ISO 8601, UTC)."""
        return self.expires_at is not None and self.expires_at[:19] <= now[:19]

    def hits(self, event: Event, folders: list[str], home: Home) -> bool:
        """Whether `event`, which happens in `folders` (real paths), is within its scope."""
        if self.scope == "task":
            return self.target in _tasks(event, home)
        return within(self.scope, self.target, event, folders)


def within(scope: str, target: str, event: Event, folders: list[str]) -> bool:
    """Whether `event`, which happens in `folders`, is of the project, session or agent `target`; all is of all."""
    if scope == "all":
        return True
    if scope == "session":
        return event.session_id == target
    if scope == "agent":
        return target in (event.agent_id, event.text("agent_type"))
    below = target.rstrip("/") + "/"
    return any(folder == target or folder.startswith(below) for folder in folders)


def _tasks(event: Event, home: Home) -> tuple[object, ...]:
    """What the event names as its task: a field, what a tool is told, its agent; and what its session works on."""
    from levaithan.hot.sessions import task_of  # where a task is halted only

    given, works_on = event.tool_input, task_of(home, event.session_id)
    named = (event.text("task_id"), given.get("task_id"), given.get("taskId"), event.agent_id)
    return (*named, works_on, f"{event.session_id}/{works_on}") if works_on else named


def halt_for(event: Event, home: Home, now_us: int) -> Opinion | None:
    """The halt that stops `event`, or None. `now_us`: wall clock, microseconds. Never raises."""
    if event.name not in STOPS and not event.guard:
        return None
    try:
        halts = active(home, now_us)
    except HaltError as error:
        return Opinion("halt", str(error), "halt.unreadable") if event.guard else None
    if event.name not in STOPS or not halts:
        return None
    folders = folders_of(event)
    for halt in halts:
        if halt.hits(event, folders, home):
            return Opinion("halt", _say(halt), f"halt.{halt.scope}")
    return None


def active(home: Home, now_us: int | None = None) -> list[Halt]:
    """The halts in force at `now_us` (default: now). Raises HaltError when the file cannot be read."""
    halts = _read(home.halts)
    if not halts:
        return halts
    now = stamp(time.time_ns() // 1000 if now_us is None else now_us)
    return [halt for halt in halts if not halt.expired(now)]


def set_halt(
    home: Home,
    scope: str,
    target: str,
    reason: str,
    by: str,
    *,
    lasts_s: float | None = None,
    now_us: int | None = None,
) -> Halt:
    """Adds a halt and gives it back; it is on the disk when this returns. `lasts_s`: seconds, None = until released.

    Raises ValueError for a wrong scope, an empty reason or a missing target, HaltError when the file cannot be changed.
    """
    if scope not in SCOPES:
        raise ValueError(f"no scope {scope!r}: use one of {', '.join(SCOPES)}")
    if not reason.strip():
        raise ValueError("a halt needs a reason: whoever is stopped must be able to tell why")
    if (scope == "all") == bool(target):
        raise ValueError("scope all takes no target" if target else f"scope {scope} needs a target")
    if lasts_s is not None and lasts_s <= 0:
        raise ValueError("a halt must last longer than 0 seconds")
    from levaithan.hot.bounded import head  # where one is set only

    now = time.time_ns() // 1000 if now_us is None else now_us
    if lasts_s is not None and now + lasts_s * 1_000_000 > _LAST_US:
        raise ValueError("a halt cannot end after the year 9999: set one that lasts until it is released")
    halt = Halt(
        {
            "id": "h-" + os.urandom(4).hex(),
            "scope": scope,
            "target": os.path.realpath(target) if scope == "project" else target,
            "reason": head(reason.strip(), _MAX_REASON),
            "by": by,
            "set_at": stamp(now),
            "expires_at": None if lasts_s is None else stamp(now + int(lasts_s * 1_000_000)),
        }
    )
    _change(home, lambda there: [*there, halt])
    return halt


def release_halt(home: Home, halt_id: str) -> list[Halt]:
    """Takes the halt `halt_id` (or every one, with "all") out; gives the released ones. Raises HaltError."""
    released: list[Halt] = []

    def without(halts: list[Halt]) -> list[Halt]:
        meant = [halt for halt in halts if halt_id in ("all", halt.id)]
        now = stamp(time.time_ns() // 1000)
        released[:] = [halt for halt in meant if not halt.expired(now)]
        return [halt for halt in halts if halt not in meant]

    _change(home, without)
    return released


def stamp(time_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 UTC."""
    seconds, micros = divmod(time_us, 1_000_000)
    t = time.gmtime(seconds)
    return f"{t[0]:04}-{t[1]:02}-{t[2]:02}T{t[3]:02}:{t[4]:02}:{t[5]:02}.{micros:06}Z"


def _say(halt: Halt) -> str:
    scope = "everything" if halt.scope == "all" else f"{halt.scope} {halt.target}"
    until = f"until {halt.expires_at[:19]}Z" if halt.expires_at else "until it is released"
    whose = f"Halted by {halt.by} ({scope}, {until}): {halt.reason} [rule halt.{halt.scope}]. Stop working and tell "
    return whose + f"the user; only a person may end it, in a terminal: `levaithan halt release {halt.id}`"


def folders_of(event: Event) -> list[str]:
    """Where `event` happens: the real paths of its project and its working folder."""
    return [_real(folder) for folder in (event.project, event.cwd) if folder]


def _real(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except (OSError, ValueError):  # a NUL in it, or a place that may not be looked at
        return os.path.normpath(folder)


class Form:
    """How a file of this kind reads: its list's `key`; `make` an entry; `problem` of one, or None; `unreadable`: the
    error for (path, why)."""

    def __init__(
        self,
        key: str,
        make: Callable[[dict[str, Any]], Any],
        problem: Callable[[Any], str | None],
        unreadable: Callable[[str, str], Exception],
    ) -> None:
        self.key = key
        self.make = make
        self.problem = problem
        self.unreadable = unreadable


def read(path: str, form: Form) -> list[Any]:
    """What the file at `path` holds, read again only when its stat changed. Raises what `form` makes of a bad one."""
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        if time.monotonic() < _absent.get(path, 0.0):
            return []
        _cache.pop(path, None)
        folder = os.path.dirname(path)
        if os.path.islink(path) or (os.path.islink(folder) and not os.path.isdir(folder)):
            raise form.unreadable(path, "it is a link, and what it leads to is gone") from None
        _absent[path] = time.monotonic() + _ABSENT_S
        return []
    except OSError as error:
        raise form.unreadable(path, str(error.strerror)) from None
    key = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
    known = _cache.get(path)
    if known is None or known[0] != key:
        _cache[path] = known = (key, _parse(path, form))
    if isinstance(known[1], Exception):
        raise known[1]
    return known[1]


def _parse(path: str, form: Form) -> list[Any] | Exception:
    try:
        with open(path, "rb", opener=regular) as file:
            data = file.read(MAX_BYTES + 1)
        value = loads(data) if len(data) <= MAX_BYTES else None
    except OSError as error:
        return form.unreadable(path, str(error.strerror))
    except (ValueError, RecursionError):
        return form.unreadable(path, "it is not JSON")
    if not isinstance(value, dict) or value.get("version") != 1 or not isinstance(value.get(form.key), list):
        return form.unreadable(path, f'it is not {{"version": 1, "{form.key}": [...]}}')
    for entry in value[form.key]:
        problem = form.problem(entry)
        if problem:
            return form.unreadable(path, problem)
    return [form.make(entry) for entry in value[form.key]]


def _problem(entry: Any) -> str | None:
    if not isinstance(entry, dict) or entry.get("scope") not in SCOPES:
        return f"a halt has the scope {entry.get('scope')!r}" if isinstance(entry, dict) else "a halt is not an object"
    for field in ("id", "target", "reason", "by", "set_at"):
        if not isinstance(entry.get(field), str):
            return f"a halt has no {field}"
    end = entry.get("expires_at")
    if end is not None and not (isinstance(end, str) and len(end) >= 20 and end[10] == "T" and end.endswith("Z")):
        return f"a halt expires at {end!r}, which is no UTC time"
    return None


def _unreadable(path: str, why: str) -> HaltError:
    return HaltError(
        f"The emergency stop cannot be read ({path}: {why}), so everything is held. In a terminal: correct the file, "
        "or run `levaithan doctor --fix`, which puts it aside and begins an empty one"
    )


def _change(home: Home, edit: Callable[[list[Halt]], list[Halt]]) -> None:
    """Reads, edits and writes the halts as one step: two setters at once both count. Raises HaltError."""
    from levaithan.hot import standing  # where one is set or released only

    standing.change(home.halts, _FORM, edit, _unwritable)


def _read(path: str) -> list[Halt]:
    return read(path, _FORM)


def _unwritable(path: str, why: str) -> HaltError:
    if not why:
        return HaltError(f"{path} holds too many halts: release some (`levaithan halt list`) first")
    return HaltError(f"{path} cannot be written ({why}): free space or mend its folder, then try again")


_FORM = Form("halts", Halt, _problem, _unreadable)
