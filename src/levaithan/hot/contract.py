"""Claude Code's protocol: its input as an Event, and a Decision as what it must read on stdout, stderr and exit code.

Nothing here raises on bad input: what cannot be parsed becomes an Event with a `problem`, and that is denied where the
event is a guard. Standard library only, and lean: this is loaded by the one-shot path while Claude Code waits.
"""

from __future__ import annotations

import time

from levaithan.hot.catalogue import EVENTS, GUARDS
from levaithan.hot.plain_json import dumps as plain_dumps
from levaithan.hot.plain_json import loads as plain_loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

MAX_TEXT = 9_000
"""UTF-16 units of one string in an answer: Claude Code spills strings over 10,000 to a file."""
MAX_NAME = 128
CANARY = "levaithan-canary"
"""A session whose id begins so is a probe of ours (doctor, service): recorded with `canary`, shown apart."""
VERDICTS = ("allow", "ask", "deny", "halt")
"""From the weakest to the strongest: the strongest opinion on an event wins."""
_NEXT_STEP = "Next step, in a terminal: `levaithan doctor --fix`, then try again"


class Opinion:
    """What one atomic hook thinks: verdict "halt", "deny", "ask" or "allow"; why; which rule; text for the model."""

    __slots__ = ("context", "reason", "rule", "verdict")

    def __init__(
        self, verdict: str = "allow", reason: str | None = None, rule: str | None = None, context: str | None = None
    ) -> None:
        self.verdict = verdict
        self.reason = reason
        self.rule = rule
        self.context = context

    def __repr__(self) -> str:
        return f"Opinion({self.verdict!r}, {self.reason!r}, rule={self.rule!r}, context={self.context!r})"


class Decision:
    """What the gate decided: verdict, reason, rule, the hook that said so, and the text added to the model's context."""

    __slots__ = ("context", "hook", "reason", "rule", "verdict")

    def __init__(
        self,
        verdict: str = "allow",
        reason: str | None = None,
        rule: str | None = None,
        hook: str | None = None,
        context: str | None = None,
    ) -> None:
        self.verdict = verdict
        self.reason = reason
        self.rule = rule
        self.hook = hook
        self.context = context

    def __repr__(self) -> str:
        return f"Decision({self.verdict!r}, {self.reason!r}, rule={self.rule!r}, hook={self.hook!r})"


class Answer:
    """What a hook process gives Claude Code: exit_code (0 or 2), stdout and stderr as bytes."""

    __slots__ = ("exit_code", "stderr", "stdout")

    def __init__(self, exit_code: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr

    def __repr__(self) -> str:
        return f"Answer({self.exit_code}, {self.stdout!r}, {self.stderr!r})"


class Event:
    """One hook call.

    id; name; payload: the input ({} when unusable); raw: its bytes; problem: why the input cannot be judged, or None;
    notes: what was odd about it without being in the way; received_ns, started_ns: wall clock; path: "native", "python"
    or "oneshot"; project; env: the header's pid, agent, effort, attended.
    """

    __slots__ = (
        "env",
        "id",
        "name",
        "notes",
        "path",
        "payload",
        "problem",
        "project",
        "raw",
        "received_ns",
        "started_ns",
    )

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

    def text(self, field: str) -> str | None:
        """The payload's `field` when it is a string, else None."""
        value = self.payload.get(field)
        return value if isinstance(value, str) else None

    @property
    def guard(self) -> bool:
        """Whether a gate that cannot decide this event denies it."""
        return self.name in GUARDS

    @property
    def session_id(self) -> str | None:
        return self.text("session_id")

    @property
    def agent_id(self) -> str | None:
        return self.text("agent_id")

    @property
    def tool_name(self) -> str | None:
        return self.text("tool_name")

    @property
    def tool_use_id(self) -> str | None:
        return self.text("tool_use_id")

    @property
    def cwd(self) -> str | None:
        return self.text("cwd")

    @property
    def tool_input(self) -> dict[str, Any]:
        """The tool's input; {} when there is none or it is no object."""
        value = self.payload.get("tool_input")
        return value if isinstance(value, dict) else {}

    @property
    def canary(self) -> bool:
        return (self.session_id or "").startswith(CANARY)


def parse(header: Mapping[str, str], raw: bytes, loads: Callable[[bytes], Any] = plain_loads) -> Event:
    """The event of one request: `header` as the client sends it, `raw` as it came on stdin. Never raises."""
    payload, problem, notes = _payload(header, raw, loads)
    event = Event(header.get("id") or "", "", payload, raw)
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


def _payload(
    header: Mapping[str, str], raw: bytes, loads: Callable[[bytes], Any]
) -> tuple[dict[str, Any], str | None, list[str]]:
    total = header.get("truncated")
    if total:
        return {}, f"the input has {total[:20]} bytes, more than max_stdin_bytes allows", []
    notes: list[str] = []
    try:
        value = loads(raw)
    except Exception:  # noqa: BLE001 - whatever a parser raises on hostile bytes, the stricter reading below decides
        value, problem = _reread(raw, notes)
        if problem:
            return {}, problem, notes
    if type(value) is not dict:
        return {}, f"the input is JSON, but {_kind(value)} where an object is expected", notes
    return value, None, notes


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
    except Exception as error:  # noqa: BLE001 - see above
        return None, f"the input is not JSON: {str(error)[:200]}"


def _name(registered: str, event: Event) -> str:
    """The event's name: as registered, else as the payload says. A disagreement is noted, and the guard of the two wins."""
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
        if byte in b"{[":
            depth += 1
        elif byte in b"}]":
            depth -= 1
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


def bad_input(event: Event) -> Decision:
    """The decision on an event whose input cannot be judged: deny on a guard, allow elsewhere."""
    if not event.guard:
        return Decision(hook="contract")
    reason = f"LevAIthan could not read this {event.name} ({event.problem}), so it is refused. {_NEXT_STEP}"
    return Decision("deny", reason, "bad-input", "contract")


def recorded(body: bytes, loads: Callable[[bytes], Any] = plain_loads) -> tuple[str, Decision]:
    """(event name, decision) of a journal record's body, to answer a repeated request as the first time.

    Raises ValueError when `body` is no such record.
    """
    record = loads(body)
    if not isinstance(record, dict) or record.get("decision") not in VERDICTS:
        raise ValueError("the record has no decision")
    decision = Decision(record["decision"], record.get("reason"), record.get("rule"), record.get("hook"))
    said = [hook["context"] for hook in record.get("hooks") or () if hook.get("context")]
    decision.context = "\n".join(said) or None
    return record.get("event") or "", decision


def render(event_name: str, decision: Decision, notices: Sequence[str] = ()) -> Answer:
    """What Claude Code must be given for `decision` on `event_name`; `notices` are shown to the user.

    allow without context or notices is silence: never a permission that the user would have been asked for.
    """
    verdict = decision.verdict
    if verdict == "allow" and not notices and not decision.context:
        return Answer()
    spec = EVENTS.get(event_name)
    way = spec.answer if spec else "none"
    if way == "exit2" and verdict in ("deny", "ask"):  # a halt is said in JSON: exit 2 would keep a teammate working
        return Answer(2, b"", _plain(decision.reason or "denied"))
    output = _WAYS[way](event_name, verdict, _bounded(decision.reason or verdict)) if verdict != "allow" else {}
    if verdict == "halt":
        output["continue"] = False
        output["stopReason"] = _bounded(decision.reason or "halted")
    if decision.context and spec and spec.context:
        special = output.setdefault("hookSpecificOutput", {"hookEventName": event_name})
        special["additionalContext"] = _bounded(decision.context)
    if notices and spec:
        output["systemMessage"] = _bounded("\n".join(notices))
    return Answer(0, plain_dumps(output).encode("ascii") + b"\n") if output else Answer()


def _permission(event_name: str, verdict: str, reason: str) -> dict[str, Any]:
    permission = "ask" if verdict == "ask" else "deny"
    return {
        "hookSpecificOutput": {
            "hookEventName": event_name,
            "permissionDecision": permission,
            "permissionDecisionReason": reason,
        }
    }


def _request(event_name: str, verdict: str, reason: str) -> dict[str, Any]:
    if verdict == "ask":
        return {}  # the user is being asked already
    decision: dict[str, Any] = {"behavior": "deny", "message": reason}
    if verdict == "halt":
        decision["interrupt"] = True
    return {"hookSpecificOutput": {"hookEventName": event_name, "decision": decision}}


def _block(event_name: str, verdict: str, reason: str) -> dict[str, Any]:
    if verdict == "halt" and event_name in ("Stop", "SubagentStop"):
        return {}  # a block here means "go on", the opposite of a halt
    return {"decision": "block", "reason": reason}


def _decline(event_name: str, _verdict: str, reason: str) -> dict[str, Any]:
    return {"reason": reason, "hookSpecificOutput": {"hookEventName": event_name, "action": "decline"}}


def _nothing(_event_name: str, _verdict: str, _reason: str) -> dict[str, Any]:
    return {}


_WAYS = {
    "permission": _permission,
    "request": _request,
    "block": _block,
    "decline": _decline,
    "exit2": _nothing,
    "none": _nothing,
}


def last_resort(event_name: str, why: str) -> Answer:
    """The answer when nothing could be decided: exit 2 with the reason on a guard, silence elsewhere.

    PermissionRequest ignores exit 2, so that one is denied in JSON.
    """
    if event_name not in GUARDS:
        return Answer()
    reason = f"LevAIthan refuses this {event_name}: it could not be checked ({why}). {_NEXT_STEP}"
    if event_name == "PermissionRequest":
        return render(event_name, Decision("deny", reason))
    return Answer(2, b"", _plain(reason))


def _plain(text: str) -> bytes:
    return _bounded(text).encode("utf-8", "backslashreplace") + b"\n"


def _bounded(text: str) -> str:
    """`text` in at most MAX_TEXT UTF-16 units, the way JavaScript counts."""
    if len(text) * 2 <= MAX_TEXT:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= MAX_TEXT * 2:
        return text
    return units[: (MAX_TEXT - 10) * 2].decode("utf-16-le", "ignore") + " … (cut)"
