"""What goes into the gate: the Event as Claude Code sent it.

Parsing never raises: what cannot be read becomes an Event with a `problem`, which the gate denies where the event is a
guard. Standard library only, and lean: the one-shot path loads this while Claude Code waits.
"""

from __future__ import annotations

import time

from levaithan.hot.catalogue import GUARDS
from levaithan.hot.plain_json import loads as plain_loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MAX_NAME = 128
MAX_VALUES = 1_000_000
"""What has more is not read: made into objects it takes 40 times its size, and holds everybody else up for seconds."""
_HEX = frozenset("0123456789abcdef")
CANARY = "levaithan-canary"
"""A session whose id begins so is a probe of ours (doctor, service): recorded with `canary`, shown apart."""


class Event:
    """One hook call.

    id; name; payload: the input ({} when unusable), not to be changed; raw: its bytes; problem: why the input cannot be
    judged, or None; notes: what was odd about it without being in the way; received_ns, started_ns: wall clock; path:
    "native", "python" or "oneshot"; project; env: the header's pid, agent, effort, attended.
    Of the payload, because every hook asks for them: session_id, agent_id, tool_name, tool_use_id, cwd (None where
    there is no text), tool_input ({} where there is no object), canary: whether it is a probe of ours.
    """

    __slots__ = (
        "agent_id", "canary", "cwd", "env", "id", "name", "notes", "path", "payload", "problem", "project", "raw",
        "received_ns", "session_id", "started_ns", "tool_input", "tool_name", "tool_use_id",
    )  # fmt: skip

    def __init__(self, event_id: str, name: str, payload: dict[str, Any], raw: bytes = b"") -> None:
        self.id = event_id
        self.name = name
        self.payload = payload
        self.raw = raw
        self.problem: str | None = None
        self.notes: list[str] = []
        self.received_ns = time.time_ns()
        self.started_ns: int | None = None
        self.path = "oneshot"
        self.project: str | None = None
        self.env: Mapping[str, str] = {}
        get = payload.get
        value = get("session_id")
        self.session_id: str | None = value if isinstance(value, str) else None
        self.canary = isinstance(value, str) and value.startswith(CANARY)
        value = get("agent_id")
        self.agent_id: str | None = value if isinstance(value, str) else None
        value = get("tool_name")
        self.tool_name: str | None = value if isinstance(value, str) else None
        value = get("tool_use_id")
        self.tool_use_id: str | None = value if isinstance(value, str) else None
        value = get("cwd")
        self.cwd: str | None = value if isinstance(value, str) else None
        value = get("tool_input")
        self.tool_input: dict[str, Any] = value if isinstance(value, dict) else {}

    def text(self, field: str) -> str | None:
        """The payload's `field` when it is a string, else None."""
        value = self.payload.get(field)
        return value if isinstance(value, str) else None

    @property
    def guard(self) -> bool:
        """Whether a gate that cannot decide this event denies it."""
        return self.name in GUARDS


def parse(header: Mapping[str, str], raw: bytes, loads: Callable[[bytes], Any] = plain_loads) -> Event:
    """The event of one request: `header` as the client sends it, `raw` as it came on stdin. Never raises."""
    payload, problem, notes = _payload(header, raw, loads)
    event = Event(_id(header.get("id") or ""), "", payload, raw)
    event.problem = problem
    event.notes = notes
    event.name = _name(header.get("event") or "", event)
    event.path = header.get("path") or "oneshot"
    event.project = header.get("project") or None
    event.env = header
    started = header.get("started_ns") or ""
    if started.isascii() and started.isdigit() and len(started) < 20:
        event.started_ns = int(started)
    if problem is None and event.name in ("PreToolUse", "PermissionRequest"):
        event.problem = _unjudgeable(payload)
    return event


def _id(given: str) -> str:
    """The event's id as the client made it; a new one when there is none, or when it is no such id."""
    if len(given) == 32 and _HEX.issuperset(given):
        return given
    from levaithan.hot.wire import new_event_id

    return new_event_id()


def _payload(
    header: Mapping[str, str], raw: bytes, loads: Callable[[bytes], Any]
) -> tuple[dict[str, Any], str | None, list[str]]:
    total = header.get("truncated")
    if total:
        return {}, f"the input has {total[:20]} bytes, more than max_stdin_bytes allows", []
    notes: list[str] = []
    if len(raw) > MAX_VALUES and _too_many(raw):
        return {}, f"the input has more than {MAX_VALUES} values", notes
    try:
        value = loads(raw)
    except Exception:  # whatever a parser raises on hostile bytes, the reading below decides
        value, problem = _reread(raw, notes)
        if problem:
            return {}, problem, notes
    if type(value) is not dict:
        return {}, f"the input is JSON, but {_kind(value)} where an object is expected", notes
    return value, None, notes


def _too_many(raw: bytes) -> bool:
    """Whether there are more commas in JSON than MAX_VALUES; those in texts do not count, and telling them apart is
    slow, so it is done only where there are enough of them."""
    if raw.count(b",") < MAX_VALUES:
        return False
    import re

    found, at = 0, 0
    for text in re.finditer(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', raw, re.DOTALL):
        found += raw.count(b",", at, text.start())
        at = text.end()
        if found > MAX_VALUES:
            return True
    return found + raw.count(b",", at) > MAX_VALUES


def _reread(raw: bytes, notes: list[str]) -> tuple[Any, str | None]:
    """The input that the first parser refused: (value, None) or (None, what is wrong). Bad UTF-8 loses nothing."""
    if not raw.strip():
        return None, "the input is empty"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        notes.append(f"invalid UTF-8 at byte {error.start}")
        text = raw.decode("utf-8", "surrogateescape")
    try:
        return plain_loads(text.removeprefix("\ufeff")), None
    except RecursionError:
        return None, "the input is nested too deeply"
    except MemoryError:
        return None, "the input does not fit in memory"
    except Exception as error:
        return None, f"the input is not JSON: {str(error)[:200]}"


def _name(registered: str, event: Event) -> str:
    """The event's name: as registered, else as the payload says. They disagree: noted, and a guard wins."""
    said = event.payload.get("hook_event_name")
    if not isinstance(said, str):
        if event.payload:
            event.notes.append("hook_event_name is missing" if said is None else f"hook_event_name is {_kind(said)}")
        return (registered or scan_name(event.raw) if event.problem else registered)[:MAX_NAME]
    if registered and said != registered:
        event.notes.append(f"registered for {registered[:MAX_NAME]}, but the input says {said[:MAX_NAME]}")
        return said if said in GUARDS and registered not in GUARDS else registered[:MAX_NAME]
    return said[:MAX_NAME]


def scan_name(raw: bytes) -> str:
    """The top-level hook_event_name in bytes that are not JSON (cut off, say), or "". A nested one does not count."""
    depth, at, size = 0, 0, min(len(raw), 1 << 20)
    found, wanted = "", False
    while at < size:
        byte = raw[at]
        at += 1
        if byte in b"{[}]":
            depth += 1 if byte in b"{[" else -1
            wanted = False
        elif byte == 34:
            begin = at
            while at < size and raw[at] != 34:
                at += 2 if raw[at] == 92 else 1
            text = raw[begin:at]
            whole = at < size
            at += 1
            if wanted and whole and len(text) < MAX_NAME:
                found = text.decode("utf-8", "surrogateescape")
            after = raw[at : at + 64].lstrip()
            wanted = depth == 1 and text == b"hook_event_name" and after[:1] == b":"
        elif byte not in b" \t\r\n:":
            wanted = False
    return found


def _unjudgeable(payload: dict[str, Any]) -> str | None:
    """Why a tool call cannot be judged. The client always says which tool and with which input."""
    name, given = payload.get("tool_name"), payload.get("tool_input")
    if type(name) is not str:
        return f"tool_name is {_kind(name)} where a string is expected"
    if given is not None and type(given) is not dict:
        return f"tool_input is {_kind(given)} where an object is expected"
    return None


def _kind(value: Any) -> str:
    if value is None:
        return "null or missing"
    return {bool: "true or false", str: "a string", list: "a list", dict: "an object"}.get(type(value), "a number")
